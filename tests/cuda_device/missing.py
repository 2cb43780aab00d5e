"""Rows of the op table (with a dtype, if it is only that one) that have no form on a GPU yet.

"value": the operation raises; "gradient": its gradient alone does.
"""

MISSING: dict[str, str] = {
    "fake_quantize_per_tensor_affine-float32": "value",
    "histogram": "value",
    "histogram-edges": "value",
    "histogram-range": "value",
    "histogram-weight": "value",
    "histogramdd": "value",
    "histogramdd-range": "value",
    "histogramdd-weight": "value",
}
