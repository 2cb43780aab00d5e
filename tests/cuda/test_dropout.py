"""Dropout: the CPU's masks bit for bit, and products rounded as there."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled

from minigrad.kernels import _C, nn

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16]
STREAMS = [(0, 0, 0.5), (7, 3, 0.9), (2**64 - 1, 2**64 - 2, 0.1), (2**40 + 5, 2**32 - 1, 0.75),
           (1, 2, 0.0), (1, 2, 1.0)]  # fmt: skip


@pytest.mark.parametrize("seed, offset, keep", STREAMS)
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 31, 4099])
def test_masks_are_those_of_the_cpu(cuda, n, seed, offset, keep):
    out = filled(n, np.bool_)
    cuda.run("philox_mask", out, seed, offset, keep)
    np.testing.assert_array_equal(out.view(np.uint8), _C.philox_mask(seed, offset, n, keep))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("numbers", [(2.0, 0.0, 0.0), (1.25, 0.5, -0.75)])
@pytest.mark.parametrize("skip", [0, 1])
def test_dropout(cuda, dtype, numbers, skip):
    for n in (0, 1, 8, 9, 33, 4099):
        x = np.random.default_rng(n).normal(0, 1, n).astype(dtype)
        x[:2] = np.array([np.inf, np.nan])[:n]
        device = cuda.device
        there = device.array(np.concatenate([np.zeros(skip).astype(dtype), x]))[skip:]
        out = device.array(filled(n + skip, dtype))[skip:]
        cuda.philox_dropout(out, there, 11, 5, 0.6, *numbers, device.stream)
        want = nn.philox_dropout(x, 11, 5, 0.6, *numbers)
        bound = {"float32": 1e-6, "float64": 1e-15, "float16": 1e-3, "bfloat16": 8e-3}[dtype.name]
        got, want = device.host(out).astype(np.float64), want.astype(np.float64)
        np.testing.assert_allclose(got, want, rtol=bound, atol=bound)


def test_offset_in_the_memory_of_the_device(cuda):
    out = filled(100, np.bool_)
    cuda.run("philox_mask", out, 3, np.array([12], np.int64), 0.5)
    np.testing.assert_array_equal(out.view(np.uint8), _C.philox_mask(3, 12, 100, 0.5))
