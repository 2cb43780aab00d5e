"""bfloat16 convolutions as matrix products: what the float32 kernels give, rounded once."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import _C, conv, conv_half

BF16 = np.dtype(ml_dtypes.bfloat16)


@pytest.mark.skipif(_C.isa() != "avx512bf16", reason="the processor has no bfloat16 products")
@pytest.mark.parametrize("n, c, k, h, w, size, stride, padding, dilation", [
    (2, 16, 24, 5, 7, 1, 1, 0, 1), (3, 32, 16, 8, 8, 1, 2, 0, 1), (1, 64, 1, 1, 1, 1, 1, 0, 1),
    (2, 16, 8, 9, 7, 3, 2, 1, 1), (4, 5, 8, 11, 11, 3, 3, 2, 2), (2, 17, 3, 6, 6, 1, 1, 0, 1),
])  # fmt: skip
@pytest.mark.parametrize("threads", [1, 2])
def test_values(n, c, k, h, w, size, stride, padding, dilation, threads):
    rng = np.random.default_rng(0)
    out = [(s + 2 * padding - dilation * (size - 1) - 1) // stride + 1 for s in (h, w)]
    x = rng.standard_normal((n, h, w, c)).astype(BF16).transpose(0, 3, 1, 2)  # any strides
    weight = rng.standard_normal((k, c, size, size)).astype(BF16)
    bias = rng.standard_normal(k).astype(BF16)
    g = rng.standard_normal((n, k, *out)).astype(BF16)
    steps = ((stride,) * 2, (padding,) * 2, (dilation,) * 2, 1)
    before = mg.get_num_threads()
    try:
        mg.set_num_threads(threads)
        for name, args, other in (
            ("", (x, weight, bias, g.shape), (x, weight, bias)),
            ("", (x, weight, None, g.shape), (x, weight, None)),
            ("_input", (g, weight, None, x.shape), (g, weight, None)),
            ("_weight", (x, g, weight.shape), (x, g)),
        ):
            if not conv_half.suits(name, x, weight.shape, *steps[:2], 1):
                assert name == "_input"
                continue
            made = getattr(conv, f"conv{name}")(*args, *steps)
            wide = [a if a is None else a.astype(np.float32) for a in other]
            wanted = getattr(conv, f"conv{name}")(*wide, args[-1], *steps)
            assert made.dtype == BF16 and made.shape == wanted.shape
            # One rounding: half a unit of 8 bits, and the order of float32 sums.
            error = np.abs(made.astype(np.float32) - wanted)
            assert (error <= 2.0**-8 * np.abs(wanted) + 1e-5 * np.abs(wanted).max()).all()
    finally:
        mg.set_num_threads(before)


def test_which_convolutions():
    x = np.zeros((2, 32, 8, 8), BF16)
    one, here = ((1, 1), (0, 0), 1), _C.isa() == "avx512bf16"
    assert conv_half.suits("_input", x, (8, 32, 1, 1), *one) is here
    assert conv_half.suits("", x, (8, 32, 3, 3), (2, 2), (1, 1), 1) is here
    for name, values, w, stride, padding, groups in (
        ("", x.astype(np.float32), (8, 32, 1, 1), *one),
        ("", x.astype(np.float16), (8, 32, 1, 1), *one),
        ("", x, (8, 32, 3, 3), (1, 1), (1, 1), 1),
        ("_input", x, (8, 32, 3, 3), (2, 2), (1, 1), 1),
        ("", x, (8, 16, 1, 1), (1, 1), (0, 0), 2),
        ("", x[:0], (8, 32, 1, 1), *one),
        ("", x[:, :2], (8, 2, 1, 1), *one),
    ):
        assert not conv_half.suits(name, values, w, stride, padding, groups)
