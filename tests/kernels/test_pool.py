"""Pooling kernels against their NumPy forms, for every instruction set."""

import numpy as np
import pytest

from minigrad.kernels import cpu, numpy_pool
from minigrad.kernels.cpu import _C

pytestmark = pytest.mark.usefixtures("isa")

# (n, c, h, w), kernel, stride, padding, dilation
CASES = [
    ((1, 1, 1, 1), (1, 1), (1, 1), (0, 0), (1, 1)),
    ((2, 3, 8, 8), (2, 2), (2, 2), (0, 0), (1, 1)),
    ((2, 3, 65, 67), (2, 2), (2, 2), (0, 0), (1, 1)),
    ((2, 3, 40, 35), (3, 3), (2, 2), (1, 1), (1, 1)),
    ((1, 5, 33, 64), (3, 2), (1, 1), (1, 1), (1, 1)),
    ((2, 2, 20, 50), (3, 3), (2, 2), (0, 1), (2, 2)),
    ((1, 2, 9, 30), (2, 3), (3, 3), (1, 1), (1, 2)),
    ((0, 2, 8, 8), (2, 2), (2, 2), (0, 0), (1, 1)),
    ((1, 4, 1, 100), (1, 2), (1, 2), (0, 1), (1, 1)),
]
cases = pytest.mark.parametrize("case", CASES, ids=str)
types = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def output(case, ceil=0):
    shape, kernel, stride, padding, dilation = case
    size = [
        (i + 2 * p - d * (k - 1) - 1 + (ceil and s - 1)) // s + 1
        for i, k, s, p, d in zip(shape[2:], kernel, stride, padding, dilation, strict=True)
    ]
    return (*shape[:2], *size)


def values(shape, dtype, kind):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 4, shape).astype(dtype) if kind == "ties" else rng.standard_normal(shape)
    x = x.astype(dtype)
    if kind == "nan":
        x[rng.random(shape) < 0.1] = np.nan
        x[rng.random(shape) < 0.3] = -np.inf
    return x


@cases
@types
@pytest.mark.parametrize("kind", ["plain", "ties", "nan"])
@pytest.mark.parametrize("ceil", [0, 1])
def test_max_pool2d(case, dtype, kind, ceil):
    x, shape = values(case[0], dtype, kind), output(case, ceil)
    got, index = cpu.max_pool2d(x, shape, *case[1:], True)
    want, want_index = np.empty(shape, dtype), np.empty(shape, np.int32)
    numpy_pool.max_pool2d(want, want_index, x, *case[1:])
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(index, want_index)
    np.testing.assert_array_equal(cpu.max_pool2d(x, shape, *case[1:], False)[0], want)
    grad = values(shape, dtype, "plain")
    back = np.empty(x.shape, dtype)
    numpy_pool.scatter_planes(back, grad, index)
    np.testing.assert_allclose(cpu.scatter_planes(grad, index, x.shape), back, rtol=1e-6)


@cases
@types
@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("divisor", [0, 5, -3])
@pytest.mark.parametrize("ceil", [0, 1])
def test_avg_pool2d(case, dtype, pad, divisor, ceil):
    case = (*case[:4], (1, 1))
    x, shape = values(case[0], dtype, "plain"), output(case, ceil)
    rest = (*case[1:4], pad, divisor)
    want = np.empty(shape, dtype)
    numpy_pool.avg_pool2d(want, x, *rest)
    np.testing.assert_allclose(cpu.avg_pool2d(x, shape, *rest), want, rtol=1e-5, atol=1e-6)
    grad, back = values(shape, dtype, "plain"), np.empty(x.shape, dtype)
    numpy_pool.avg_pool2d_backward(back, grad, *rest)
    got = cpu.avg_pool2d_backward(grad, x.shape, *rest)
    np.testing.assert_allclose(got, back, rtol=1e-5, atol=1e-6)


def test_threads_do_not_matter(num_threads):
    x = values((7, 9, 30, 40), np.float32, "plain")
    sizes = ((3, 3), (2, 2), (1, 1))
    runs = []
    for threads in (1, 2, 3):
        num_threads(threads)
        out, index = cpu.max_pool2d(x, (7, 9, 15, 20), *sizes, (1, 1), True)
        runs.append(
            (
                out,
                index,
                cpu.scatter_planes(out, index, x.shape),
                cpu.avg_pool2d(x, (7, 9, 15, 20), *sizes, True, 0),
                cpu.avg_pool2d_backward(out, x.shape, *sizes, False, 0),
            )
        )
    for other in runs[1:]:
        for a, b in zip(runs[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_bad_arguments_are_named():
    x, out = np.ones((1, 2, 4, 4), np.float32), np.ones((1, 2, 2, 2), np.float32)
    with pytest.raises(ValueError, match="max_pool2d: out .* planes must be equal in number"):
        _C.max_pool2d(out, None, x[:, :1].copy(), 2, 2, 2, 2, 0, 0, 1, 1)
    with pytest.raises(ValueError, match="max_pool2d: stride 0 was given; it must be from 1 to"):
        _C.max_pool2d(out, None, x, 2, 2, 0, 2, 0, 0, 1, 1)
    with pytest.raises(TypeError, match="index is int64 .*; it must be int32"):
        _C.scatter_planes(x, out, np.zeros(out.shape, np.int64))
    with pytest.raises(IndexError, match="planes have 16 elements"):
        _C.scatter_planes(x, out, np.full(out.shape, 16, np.int32))
    with pytest.raises(TypeError, match="must be float32 or float64"):
        _C.avg_pool2d(out.astype(np.int64), x, 2, 2, 2, 2, 0, 0, True, 0)


PARTS = [
    ((2, 3, 8, 8), (1, 1)), ((2, 3, 8, 8), (4, 2)), ((1, 5, 7, 33), (3, 5)), ((2, 2, 5, 4), (7, 9)),
    ((1, 3, 1, 600), (1, 7)), ((2, 1, 40, 600), (6, 1)), ((0, 3, 5, 5), (2, 2)),
    ((2, 3, 5, 5), (0, 2)), ((3, 2, 6, 6), (6, 6)), ((1, 1, 3, 1), (1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("shape, parts", PARTS, ids=str)
@types
@pytest.mark.parametrize("kind", ["plain", "ties", "nan"])
def test_adaptive_pools(shape, parts, dtype, kind):
    x, size = values(shape, dtype, kind), (*shape[:2], *parts)
    close = {"rtol": 1e-5, "atol": 1e-6}
    want, where = np.empty(size, dtype), np.empty(size, np.int64)
    numpy_pool.adaptive_avg_pool2d(want, x)
    np.testing.assert_allclose(cpu.adaptive_avg_pool2d(x, size), want, **close)
    numpy_pool.adaptive_max_pool2d(want, where, x)
    got, index = cpu.adaptive_max_pool2d(x, size)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(index, where)
    grad, back = values(size, dtype, "plain"), np.empty(shape, dtype)
    numpy_pool.adaptive_avg_pool2d_backward(back, grad)
    np.testing.assert_allclose(cpu.adaptive_avg_pool2d_backward(grad, shape), back, **close)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("plane", [(32, 32), (30, 31), (64, 80)], ids=str)
def test_gradients_that_pass_the_caches(num_threads, dtype, plane):
    shape = ((17 << 20) // (plane[0] * plane[1] * np.dtype(dtype).itemsize), 1, *plane)
    window = ((2, 2), (2, 2), (0, 0))
    small = (*shape[:2], plane[0] // 2, plane[1] // 2)
    grad, x = values(small, dtype, "plain"), values(shape, dtype, "ties")
    _, index = cpu.max_pool2d(x, small, *window, (1, 1), True)
    wants = [np.empty(shape, dtype) for _ in range(3)]
    numpy_pool.scatter_planes(wants[0], grad, index)
    numpy_pool.avg_pool2d_backward(wants[1], grad, *window, True, 0)
    numpy_pool.adaptive_avg_pool2d_backward(wants[2], grad)
    for threads in (1, 2):
        num_threads(threads)
        gots = (
            cpu.scatter_planes(grad, index, shape),
            cpu.avg_pool2d_backward(grad, shape, *window, True, 0),
            cpu.adaptive_avg_pool2d_backward(grad, shape),
        )
        for got, want in zip(gots, wants, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5)
