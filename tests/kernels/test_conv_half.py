"""Convolutions of bfloat16: what the float32 kernels give, rounded once."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import _C, conv, conv_half

BF16 = np.dtype(ml_dtypes.bfloat16)


def made_with(threads, function, *args):
    before = mg.get_num_threads()
    try:
        mg.set_num_threads(threads)
        return function(*args)
    finally:
        mg.set_num_threads(before)


# Images, groups, channels and outputs of a group, extents, kernel, stride, padding, dilation
@pytest.mark.parametrize("n, groups, c, k, extents, size, stride, padding, dilation", [
    (2, 1, 16, 24, (5, 7), 1, 1, 0, 1), (3, 1, 32, 16, (8, 8), 1, 2, 0, 1),
    (1, 1, 64, 1, (1, 1), 1, 1, 0, 1), (2, 1, 16, 8, (9, 7), 3, 2, 1, 1),
    (4, 1, 5, 9, (11, 11), 3, 3, 2, 2), (2, 1, 17, 3, (6, 6), 1, 1, 0, 1),
    (3, 1, 32, 40, (13, 18), 3, 1, 1, 1), (40, 1, 64, 48, (8, 8), 3, 1, 1, 1),
    (2, 3, 7, 33, (17, 16), 3, 2, 1, 1), (2, 1, 3, 32, (31, 30), 7, 2, 3, 1),
    (2, 2, 9, 12, (15, 15), (3, 1), (2, 1), (1, 0), 1), (2, 1, 12, 16, (10, 33), 2, 3, 0, 1),
    (2, 1, 6, 17, (5, 6, 7), 3, 1, 1, 1), (1, 2, 8, 16, (4, 7, 5), 2, 2, 1, 1),
])  # fmt: skip
def test_values(isa, n, groups, c, k, extents, size, stride, padding, dilation):
    def steps_of(value):
        return value if isinstance(value, tuple) else (value,) * len(extents)

    sizes, steps = steps_of(size), [steps_of(s) for s in (stride, padding, dilation)]
    rng = np.random.default_rng(0)
    out = [
        (e + 2 * p - d * (r - 1) - 1) // s + 1
        for e, r, s, p, d in zip(extents, sizes, *steps, strict=True)
    ]
    shape = (n, *extents, c * groups)  # any strides
    x = np.moveaxis(rng.standard_normal(shape).astype(BF16), -1, 1)
    weight = rng.standard_normal((k * groups, c, *sizes)).astype(BF16)
    bias = rng.standard_normal(k * groups).astype(BF16)
    of_input = rng.standard_normal(c * groups).astype(BF16)
    g = rng.standard_normal((n, k * groups, *out)).astype(BF16)
    for name, args in (
        ("", (x, weight, bias, g.shape)),
        ("", (x, weight, None, g.shape)),
        ("_input", (g, weight, None, x.shape)),
        ("_input", (g, weight, of_input, x.shape)),
        ("_weight", (x, g, weight.shape)),
    ):
        run = getattr(conv, f"conv{name}")
        made = made_with(1, run, *args, *steps, groups)
        again = made_with(2, run, *args, *steps, groups)
        assert made.tobytes() == again.tobytes()
        wide = [a.astype(np.float32) if isinstance(a, np.ndarray) else a for a in args]
        wanted = run(*wide, *steps, groups)
        assert made.dtype == BF16 and made.shape == wanted.shape
        # One rounding: half a unit of 8 bits, and the order of float32 sums.
        error = np.abs(made.astype(np.float32) - wanted)
        assert (error <= 2.0**-8 * np.abs(wanted) + 1e-5 * np.abs(wanted).max()).all()


def test_special_values(isa):
    """Infinities and NaN come through; what lies beside the image does not."""
    x, w = np.ones((1, 4, 6, 5), BF16), np.ones((16, 4, 2, 2), BF16)
    x[0, 1, 5, 4], x[0, 2, 0, 0] = np.inf, np.nan
    y = conv.conv(x, w, None, (1, 16, 5, 4), (1, 1), (0, 0), (1, 1), 1).astype(np.float32)
    wanted = np.full((1, 16, 5, 4), 16, np.float32)
    wanted[:, :, 4, 3], wanted[:, :, 0, 0] = np.inf, np.nan
    np.testing.assert_array_equal(y, wanted)


def test_which_are_products():
    x = np.zeros((2, 32, 8, 8), BF16)
    one, here = ((1, 1), (0, 0), 1), _C.isa() == "avx512bf16"
    assert conv_half.suits(x, (8, 32, 1, 1), *one) is here
    for values, w, stride, padding, groups in (
        (x.astype(np.float32), (8, 32, 1, 1), *one),
        (x.astype(np.float16), (8, 32, 1, 1), *one),
        (x, (8, 32, 3, 3), (1, 1), (1, 1), 1),
        (x, (8, 32, 1, 1), (2, 2), (0, 0), 1),
        (x, (8, 16, 1, 1), (1, 1), (0, 0), 2),
        (x[:0], (8, 32, 1, 1), *one),
        (x[:, :2], (8, 2, 1, 1), *one),
    ):
        assert not conv_half.suits(values, w, stride, padding, groups)
