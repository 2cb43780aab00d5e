"""Rows of the op table (with a dtype, if it is only that one) that have no form on a GPU yet.

"value": the operation raises; "gradient": its gradient alone does.
"""

MISSING: dict[str, str] = {
    "ctc_loss-joined": "value",
    "ctc_loss-mean": "value",
    "ctc_loss-none": "value",
    "ctc_loss-values": "value",
    "fake_quantize_per_tensor_affine-float32": "value",
    "histogram": "value",
    "histogram-edges": "value",
    "histogram-range": "value",
    "histogram-weight": "value",
    "histogramdd": "value",
    "histogramdd-range": "value",
    "histogramdd-weight": "value",
    "index_reduce": "value",
    "index_reduce-prod False": "value",
    "index_reduce-prod True": "value",
    "scatter-multiply": "value",
    "scatter_reduce-prod": "value",
    "scatter_reduce-prod-1d": "value",
    "scatter_reduce-prod-alone": "value",
    "scatter_reduce-prod-grad0": "value",
    "scatter_reduce-prod-grad1": "value",
    "segment_reduce-prod": "value",
    "segment_reduce-prod initial": "value",
}
