"""Convolutions and their gradients against sums in float64."""

import itertools

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled, relative_error

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
BOUNDS = {np.dtype("f4"): 2e-6, np.dtype("f8"): 1e-14, np.dtype("f2"): 1e-3, BFLOAT16: 8e-3}
# n, c, x's size, k, the weight's size, stride, padding, dilation, groups
CASES = [
    (2, 3, (9, 8), 5, (3, 3), 1, 1, 1, 1),
    (1, 16, (7, 9), 70, (3, 2), 2, 1, 1, 1),
    (3, 8, (6, 5), 4, (1, 1), 1, 0, 1, 1),
    (2, 8, (6, 5), 4, (1, 1), 2, 0, 1, 1),
    (2, 12, (8, 8), 18, (3, 3), 1, 2, 2, 3),
    (2, 6, (9, 7), 6, (3, 3), 1, 1, 1, 6),
    (2, 4, (9, 7), 8, (3, 5), 2, 2, 1, 4),
    (1, 1, (12, 12), 1, (5, 5), 3, 0, 1, 1),
    (2, 3, (4, 6, 5), 4, (2, 3, 3), 1, 1, 1, 1),
    (1, 4, (5, 4, 6), 4, (3, 3, 3), 2, 1, 1, 4),
]


def steps(case):
    spatial = len(case[2])
    return [(value,) * spatial for value in case[5:8]]


def out_size(case):
    stride, pad, dilation = steps(case)
    return tuple(
        (i + 2 * p - d * (f - 1) - 1) // s + 1
        for i, f, s, p, d in zip(case[2], case[4], stride, pad, dilation)
    )


def sums(case, x, w, g):
    """The convolution of x and w, and the gradients of x and w for g, in float64."""
    stride, pad, dilation = steps(case)
    groups = case[8]
    x, w, g = (a.astype(np.float64) for a in (x, w, g))
    padded = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in pad)])
    y, dx, dw = np.zeros_like(g), np.zeros_like(padded), np.zeros_like(w)
    n, c, k = x.shape[0], x.shape[1] // groups, w.shape[0] // groups
    for tap in itertools.product(*map(range, case[4])):
        window = tuple(
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, o, s in zip(tap, dilation, g.shape[2:], stride)
        )
        for group in range(groups):
            cs, ks = slice(group * c, (group + 1) * c), slice(group * k, (group + 1) * k)
            part, weight = padded[(slice(None), cs, *window)], w[(ks, slice(None), *tap)]
            y[:, ks] += np.einsum("nc...,kc->nk...", part, weight)
            dx[(slice(None), cs, *window)] += np.einsum("nk...,kc->nc...", g[:, ks], weight)
            flat = (n, -1, int(np.prod(g.shape[2:])))
            dw[(ks, slice(None), *tap)] += np.einsum(
                "nkp,ncp->kc", g[:, ks].reshape(flat), part.reshape(flat)
            )
    inside = tuple(slice(p, p + i) for p, i in zip(pad, case[2]))
    return y, dx[(slice(None), slice(None), *inside)][:n, : x.shape[1]].reshape(x.shape), dw


def arrays(case, dtype):
    rng = np.random.default_rng(sum(case[2]))
    n, c, size, k, taps, *_, groups = case
    x = rng.standard_normal((n, c, *size)).astype(dtype)
    w = rng.standard_normal((k, c // groups, *taps)).astype(dtype)
    g = rng.standard_normal((n, k, *out_size(case))).astype(dtype)
    return x, w, g, rng.standard_normal(k).astype(dtype), rng.standard_normal(c).astype(dtype)


def run(cuda, case, name, out, *operands, tf32=False, workspace=None):
    numbers = [step for three in steps(case) for step in three]
    kernel = f"conv{len(case[2])}d{name}"
    cuda.run(kernel, out, *operands, *numbers, case[8], tf32, workspace)
    return out


def channels(bias, spatial):
    return bias.astype(np.float64).reshape(-1, *(1,) * spatial)


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_and_gradients(cuda, case, dtype):
    x, w, g, bias, back = arrays(case, dtype)
    y, dx, dw = sums(case, x, w, g)
    spatial, bound = len(case[2]), BOUNDS[dtype]
    assert relative_error(run(cuda, case, "", filled(g.shape, dtype), x, w, None), y) < bound
    got = run(cuda, case, "", filled(g.shape, dtype), x, w, bias)
    assert relative_error(got, y + channels(bias, spatial)) < bound
    got = run(cuda, case, "_input", filled(x.shape, dtype), g, w, None)
    assert relative_error(got, dx) < bound
    got = run(cuda, case, "_input", filled(x.shape, dtype), g, w, back)
    assert relative_error(got, dx + channels(back, spatial)) < bound
    assert relative_error(run(cuda, case, "_weight", filled(w.shape, dtype), x, g), dw) < bound


@pytest.mark.parametrize("case", CASES[:2], ids=str)
def test_tf32(cuda, case):
    x, w, g, *_ = arrays(case, np.float32)
    y, dx, dw = sums(case, x, w, g)
    got = run(cuda, case, "", filled(g.shape, x.dtype), x, w, None, tf32=True)
    assert 0 < relative_error(got, y) < 2e-3
    got = run(cuda, case, "_input", filled(x.shape, x.dtype), g, w, None, tf32=True)
    assert relative_error(got, dx) < 2e-3
    got = run(cuda, case, "_weight", filled(w.shape, x.dtype), x, g, tf32=True)
    assert relative_error(got, dw) < 2e-3


def test_parts_of_many_pixels(cuda):
    case = (4, 3, (20, 20), 4, (3, 3), 1, 1, 1, 1)
    x, w, g, *_ = arrays(case, np.float32)
    dw = sums(case, x, w, g)[2]
    bytes = cuda.parts_workspace(w.size, 4 * 20 * 20, 4)
    assert bytes >= 2 * w.nbytes
    space = np.zeros(bytes, np.uint8)
    got = run(cuda, case, "_weight", filled(w.shape, w.dtype), x, g, workspace=space)
    assert relative_error(got, dw) < 2e-6


def test_large_tiles_and_old_chips(cuda):
    if cuda.device.name != "emulation":
        pytest.skip("the device is what it is")
    case = (2, 20, (11, 10), 80, (3, 3), 1, 1, 1, 1)
    try:
        for capability, multiprocessors in [(90, 1), (75, 1), (75, 200)]:
            cuda.set_device(capability, multiprocessors)
            for dtype in [np.dtype("f4"), np.dtype("f2")]:
                x, w, g, *_ = arrays(case, dtype)
                y, dx, dw = sums(case, x, w, g)
                bound = BOUNDS[dtype]
                got = run(cuda, case, "", filled(g.shape, dtype), x, w, None)
                assert relative_error(got, y) < bound
                got = run(cuda, case, "_input", filled(x.shape, dtype), g, w, None)
                assert relative_error(got, dx) < bound
                got = run(cuda, case, "_weight", filled(w.shape, dtype), x, g)
                assert relative_error(got, dw) < bound
    finally:
        cuda.set_device(90, 132)


def test_bad_arguments(cuda):
    case = CASES[0]
    x, w, g, bias, _ = arrays(case, np.float32)
    with pytest.raises(ValueError, match="conv2d: x is .* they must fit together"):
        run(cuda, case, "", g, x, w[:, :2].copy(), None)
    with pytest.raises(TypeError, match="conv2d: out is .* of one floating-point dtype"):
        run(cuda, case, "", g, x.astype(np.float64), w, None)
    with pytest.raises(ValueError, match="conv2d: bias is"):
        run(cuda, case, "", g, x, w, bias[:2].copy())
