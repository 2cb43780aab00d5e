"""Pooling and its gradients against NumPy's forms in float64."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled

from minigrad.kernels import numpy_pool

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16]
BOUND = {"float32": 1e-6, "float64": 1e-13, "float16": 2e-3, "bfloat16": 1.6e-2}
# shape, kernel, stride, padding, dilation
CASES = [
    ((2, 3, 8, 8), (2, 2), (2, 2), (0, 0), (1, 1)),
    ((1, 2, 9, 7), (3, 3), (2, 2), (1, 1), (1, 1)),
    ((2, 2, 11, 33), (3, 5), (1, 2), (1, 2), (1, 1)),
    ((1, 3, 12, 10), (3, 2), (2, 3), (1, 1), (2, 3)),
    ((70, 1, 4, 5), (4, 5), (1, 1), (0, 0), (1, 1)),
    ((1, 1, 5, 5), (2, 2), (4, 4), (0, 0), (1, 1)),
    ((0, 3, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1)),
]


def out_shape(shape, kernel, stride, padding, dilation):
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    sizes = [(n + 2 * p - r) // s + 1
             for n, p, r, s in zip(shape[2:], padding, spans, stride, strict=True)]  # fmt: skip
    return (*shape[:2], *sizes)


def draw(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(dtype)


def assert_near(got, want):
    bound = BOUND[got.dtype.name]
    np.testing.assert_allclose(got.astype(np.float64), want, rtol=bound, atol=bound)


def scattered(grad, index, shape):
    out = np.zeros((*shape[:2], shape[2] * shape[3]))
    for n in range(shape[0]):
        for c in range(shape[1]):
            np.add.at(out[n, c], index[n, c].reshape(-1), grad[n, c].reshape(-1))
    return out.reshape(shape)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_maxima(cuda, case, dtype):
    shape, *sizes = case
    x = np.round(draw(shape, dtype).astype(np.float64) * 2).astype(dtype)  # many are equal
    if x.size:
        x[0, 0, 1, 1] = np.nan
    small = out_shape(*case)
    out, index = filled(small, dtype), filled(small, np.int32)
    want, places = np.empty(small), np.empty(small, np.int64)
    numpy_pool.max_pool2d(want, places, x.astype(np.float64), *sizes)
    flat = [n for pair in sizes for n in pair]
    cuda.run("max_pool2d", out, index, x, *flat)
    np.testing.assert_array_equal(out.astype(np.float64), want)
    np.testing.assert_array_equal(index, places)
    cuda.run("max_pool2d", out, None, x, *flat)
    np.testing.assert_array_equal(out.astype(np.float64), want)
    grad, back = draw(small, dtype, 1), filled(shape, dtype)
    cuda.run("max_pool2d_backward", back, grad, index, *flat)
    assert_near(back, scattered(grad.astype(np.float64), places, shape))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", [c for c in CASES if c[4] == (1, 1)])
@pytest.mark.parametrize("pad, divisor", [(True, 0), (False, 0), (True, 3)])
def test_averages(cuda, case, dtype, pad, divisor):
    shape, *sizes, _ = case
    x, small = draw(shape, dtype), out_shape(*case)
    out, want = filled(small, dtype), np.empty(small)
    flat = [n for pair in sizes for n in pair]
    cuda.run("avg_pool2d", out, x, *flat, pad, divisor)
    numpy_pool.avg_pool2d(want, x.astype(np.float64), *sizes, pad, divisor)
    assert_near(out, want)
    grad, back, want = draw(small, dtype, 1), filled(shape, dtype), np.empty(shape)
    cuda.run("avg_pool2d_backward", back, grad, *flat, pad, divisor)
    numpy_pool.avg_pool2d_backward(want, grad.astype(np.float64), *sizes, pad, divisor)
    assert_near(back, want)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (7, 9), (10, 13), (2, 0)])
def test_adaptive(cuda, size, dtype):
    shape, small = (2, 3, 7, 9), (2, 3, *size)
    x, out, want = draw(shape, dtype), filled(small, dtype), np.empty(small)
    cuda.run("adaptive_avg_pool2d", out, x)
    numpy_pool.adaptive_avg_pool2d(want, x.astype(np.float64))
    assert_near(out, want)
    grad, back, want = draw(small, dtype, 1), filled(shape, dtype), np.empty(shape)
    cuda.run("adaptive_avg_pool2d_backward", back, grad)
    numpy_pool.adaptive_avg_pool2d_backward(want, grad.astype(np.float64))
    assert_near(back, want)
    index, places, want = filled(small, np.int32), np.empty(small, np.int64), np.empty(small)
    cuda.run("adaptive_max_pool2d", out, index, x)
    numpy_pool.adaptive_max_pool2d(want, places, x.astype(np.float64))
    np.testing.assert_array_equal(out.astype(np.float64), want)
    np.testing.assert_array_equal(index, places)
    cuda.run("max_pool2d_backward", back, grad, index, 0, 0, 1, 1, 0, 0, 1, 1)
    assert_near(back, scattered(grad.astype(np.float64), places, shape))


def test_bad_arguments(cuda):
    device = cuda.device
    x, y = (device.array(np.zeros(s, np.float32)) for s in ((1, 1, 4, 4), (1, 2, 2, 2)))
    with pytest.raises(ValueError, match="adaptive_avg_pool2d: planes are"):
        cuda.adaptive_avg_pool2d(y, x, 0)
    with pytest.raises(ValueError, match="avg_pool2d: stride is 0"):
        cuda.avg_pool2d(x, x, 1, 1, 0, 1, 0, 0, True, 0, 0)
