"""Pooling of volumes against a plain walk through each window."""

import itertools

import numpy as np
import pytest

from minigrad.kernels import cpu

pytestmark = pytest.mark.usefixtures("isa")


def windows(shape, out, kernel, stride, padding, dilation=(1, 1, 1)):
    """(place of the output, coordinates of the window's elements inside the volume)."""
    for at in itertools.product(*map(range, out)):
        axes = [
            [p * s - a + i * d for i in range(k) if 0 <= p * s - a + i * d < n]
            for p, s, a, k, d, n in zip(at, stride, padding, kernel, dilation, shape, strict=True)
        ]
        yield at, list(itertools.product(*axes))


CASES = [  # size, output, kernel, stride, padding, dilation
    ((5, 6, 7), (2, 3, 3), (2, 2, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1)),
    ((5, 6, 7), (5, 3, 4), (3, 3, 3), (1, 2, 2), (1, 1, 1), (1, 1, 1)),
    ((4, 9, 5), (2, 3, 5), (2, 3, 1), (1, 2, 1), (0, 0, 0), (2, 2, 1)),
    ((3, 4, 40), (3, 4, 38), (1, 1, 3), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_maxima(case, dtype):
    size, out, *steps = case
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 3, (2, 3, *size)).astype(dtype)  # ties
    x[rng.random(x.shape) < 0.02] = np.nan
    values, where = cpu.max_pool3d(x, (2, 3, *out), *steps, True)
    assert values.dtype == dtype
    for n, c in np.ndindex(2, 3):
        for at, window in windows(size, out, *steps):
            elements = np.array([x[(n, c, *i)] for i in window])
            nan = np.flatnonzero(np.isnan(elements))
            best = window[nan[-1] if nan.size else elements.argmax()]
            assert where[(n, c, *at)] == np.ravel_multi_index(best, size)
            np.testing.assert_equal(values[(n, c, *at)], x[(n, c, *best)])


@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("divisor", [0, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
@pytest.mark.parametrize("case", [c for c in CASES if max(c[-1]) == 1], ids=str)
def test_averages(case, dtype, divisor, pad):
    size, out, kernel, stride, padding, _ = case
    x = (np.random.default_rng(0).standard_normal((2, 3, *size)) * 9).astype(dtype)
    got = cpu.avg_pool3d(x, (2, 3, *out), kernel, stride, padding, pad, divisor)
    assert got.dtype == dtype
    for at, window in windows(size, out, kernel, stride, padding):
        total = sum(x[(slice(None), slice(None), *i)].astype(np.float64) for i in window)
        count = divisor or len(window)
        if pad and not divisor:
            ends = zip(at, stride, padding, kernel, size, strict=True)
            count = np.prod([min(p * s - a + k, n + a) - (p * s - a) for p, s, a, k, n in ends])
        want = np.trunc(total / count) if dtype is np.int64 else total / count
        np.testing.assert_allclose(got[(slice(None), slice(None), *at)], want, 1e-5, 1e-5)
