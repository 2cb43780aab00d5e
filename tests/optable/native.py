"""Rows of `ops/native.py`."""

from .row import A, Row, functional

W, B = A((6,)), A((6,))
_NONE = (None, None, None, None)
_SIZES = ((A((2, 4)), (3,), None, None, 1e-5), {}, RuntimeError, "normalized_shape")


def _group_norm(x, weight, bias, n, c, hxw, group, eps):
    """PyTorch's own gives the statistics a gradient of 0."""
    rows = x.reshape(n, group, -1)
    variance, mean = rows.var(2, correction=0), rows.mean(2)
    scale = (variance + eps) ** -0.5
    out = ((rows - mean[..., None]) * scale[..., None]).reshape(n, c, hxw)
    return out * weight[:, None] + bias[:, None], mean, scale


ROWS = [
    Row("native_layer_norm", (A((2, 3, 6)), (6,), W, B, 1e-5), bad=_SIZES, empty=()),
    Row("native_layer_norm", (A((2, 3, 6)), (3, 6), None, None, 0.1), label="plain", empty=()),
    Row(
        "native_group_norm",
        (A((2, 6, 5)), W, B, 2, 6, 5, 3, 1e-5),
        bad=((A((2, 6)), None, None, 2, 6, 5, 3, 1e-5), {}, RuntimeError, "needed 60"),
        torch=_group_norm,
        empty=(),
        strided=False,
    ),
    Row(
        "native_batch_norm",
        (A((4, 6, 3)), W, B, None, None, True, 0.1, 1e-5),
        bad=((A((4, 6)), *_NONE, False, 0.1, 1e-5), {}, RuntimeError, "running_mean"),
        empty=(),
    ),
    Row(
        "native_dropout",
        (A(), 0.0, True),
        bad=((A(), 1.5, True), {}, ValueError, "between 0 and 1"),
    ),
    Row("native_dropout", (A(), 0.5, False), label="off"),
    Row(
        "native_channel_shuffle",
        (A((2, 6, 3)), 3),
        torch=functional("channel_shuffle"),
        bad=((A((2, 5, 3)), 3), {}, RuntimeError, "must be divisible by groups"),
    ),
]
