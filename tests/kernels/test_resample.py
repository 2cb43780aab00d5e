"""The resampling kernel: every instruction set, sizes around the vectors, bits between threads."""

import numpy as np
import pytest

from minigrad.kernels import _C, cpu, numpy_resample


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("taps", [0, 1, 2, 3, 8, 9, 17])
@pytest.mark.parametrize("inner", [1, 2, 7, 8, 17, 33])
def test_sums(isa, dtype, taps, inner):
    rng = np.random.default_rng(taps)
    for outer, size, count in ((3, 5, 9), (1, 1, 17), (2, 40, 16), (0, 3, 2), (2, 3, 0)):
        x = rng.standard_normal((outer, size, inner)).astype(dtype)
        index = rng.integers(0, size, (max(taps, 1), count), dtype=np.int32)
        weight = rng.standard_normal(index.shape).astype(dtype)
        weight[rng.random(index.shape) < 0.2] = 0
        given = weight if taps else None
        out = cpu.resample(x, 1, index, given)
        assert out.dtype == dtype
        want = numpy_resample.resample(x, 1, index, given)
        np.testing.assert_allclose(out, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("inner", [1, 40])
def test_threads(num_threads, inner):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 100, inner)).astype(np.float32)
    index = rng.integers(0, 100, (4, 300), dtype=np.int32)
    weight = rng.standard_normal((4, 300)).astype(np.float32)
    found = []
    for threads in (1, 2):
        num_threads(threads)
        found.append(cpu.resample(x, 1, index, weight))
    np.testing.assert_array_equal(*found)


def test_refuses():
    x, out = np.zeros((2, 5, 4), np.float32), np.zeros((2, 3, 4), np.float32)
    index, weight = np.zeros((2, 3), np.int32), np.zeros((2, 3), np.float32)
    _C.resample(out, x, index, weight)
    for place in (-1, 5):
        with pytest.raises(IndexError, match="x has 5 places"):
            _C.resample(out, x, np.full((2, 3), place, np.int32), weight)
    with pytest.raises(ValueError, match="one tap without weights"):
        _C.resample(out, x, index, None)
    with pytest.raises(ValueError, match="needed"):
        _C.resample(out[:1], x, index, weight)
    with pytest.raises(TypeError):
        _C.resample(out, x.astype(np.float64), index, weight)
