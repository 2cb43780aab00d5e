"""Rows of `ops/fake_quantize.py`; its gradient is no derivative: tests/test_fake_quantize.py."""

from .row import FLOATS, HALVES, A, Row

X = A((3, 4), lo=-3.0, hi=3.0)
SCALES = A((4,), lo=0.1, hi=0.4, dtype="float32", grad=False)
ZEROS = A((4,), lo=-3, hi=3, dtype="int32")

ROWS = [
    Row("fake_quantize_per_tensor_affine", (X, 0.1, 3, -8, 15), dtypes=(*HALVES, *FLOATS),
        grad=False, second=False,
        bad=((X, 0.1, 3, 15, -8), {}, RuntimeError, "`quant_min` should be less")),
    Row("fake_quantize_per_channel_affine", (X, SCALES, ZEROS, 1, -8, 15), grad=False,
        second=False, empty=None,
        bad=((X, SCALES, ZEROS, 0, -8, 15), {}, RuntimeError, "dimensions of scale")),
]  # fmt: skip
