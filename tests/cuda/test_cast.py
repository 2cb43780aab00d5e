"""Casts against ml_dtypes and NumPy, bit for bit but for NaN's payload."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled

HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]


def cast(cuda, src, dtype):
    out = filled(src.shape, dtype)
    assert cuda.run("cast", out, src) is None
    return out


def assert_same(got, want):
    nan = np.isnan(want)
    np.testing.assert_array_equal(np.isnan(got), nan)
    bits = f"u{want.itemsize}"
    np.testing.assert_array_equal(got.view(bits)[~nan], want.view(bits)[~nan])


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_every_half_pattern_goes_up_exactly_and_comes_back(cuda, dtype):
    every = np.arange(65536, dtype=np.uint16).view(dtype)
    up = cast(cuda, every, np.float32)
    with np.errstate(all="ignore"):
        assert_same(up, every.astype(np.float32))
        assert_same(cast(cuda, up, dtype), every)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 255, 4099])
def test_rounds_to_nearest_even_in_every_size(cuda, dtype, n):
    rng = np.random.default_rng(n)
    src = rng.integers(0, 2**32, n, dtype=np.uint32).view(np.float32)
    ties = rng.integers(0, 2**16, n, dtype=np.uint16).view(dtype)
    with np.errstate(all="ignore"):
        src[::2] = ties[::2].astype(np.float32)
        src.view(np.uint32)[::4] += np.uint32(1 << (12 if dtype == np.float16 else 15))
        want = src.astype(dtype)
        assert_same(cast(cuda, src, dtype), want)


def test_misaligned_arrays(cuda):
    src = np.linspace(-3, 3, 101, dtype=np.float32)
    device = cuda.device
    there, out = device.array(src), device.array(filled(101, np.float16))
    cuda.cast(out[2:], there[2:], device.stream)
    np.testing.assert_array_equal(device.host(out)[2:], src[2:].astype(np.float16))
    assert np.isnan(device.host(out)[:2]).all()


def test_uint16_storage_with_a_dtype_beside_it(cuda):
    src = np.linspace(-3, 3, 33, dtype=np.float32)
    device = cuda.device
    out = device.array(np.zeros(33, np.uint8).repeat(2).view(np.int16))
    cuda.cast((out, np.dtype(ml_dtypes.bfloat16)), device.array(src), device.stream)
    got = device.host(out).view(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(got, src.astype(ml_dtypes.bfloat16))


def test_bad_arguments(cuda):
    device = cuda.device
    x, y = device.array(np.zeros(4, np.float32)), device.array(np.zeros(4, np.float16))
    with pytest.raises(TypeError, match="cast: out is float32 .* one must be float32"):
        cuda.cast(x, x, 0)
    with pytest.raises(ValueError, match="cast: out is .* must have one shape"):
        cuda.cast(y[:3], x, 0)
    with pytest.raises(ValueError, match="cast: src is .* must be contiguous"):
        cuda.cast(y[:2], x[::2], 0)
    with pytest.raises(TypeError, match="cast: 2 arguments were given; it needs 3"):
        cuda.cast(y, x)
    with pytest.raises(TypeError, match="cast: src is list; it must be an array of the device"):
        cuda.cast(y, [1], 0)
    with pytest.raises(TypeError, match="cast: stream is NoneType"):
        cuda.cast(y, x, None)
