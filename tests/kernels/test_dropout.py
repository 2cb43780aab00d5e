"""Dropout from the counter-based stream: the mask of NumPy's form, bit for bit."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from minigrad.kernels import cpu, numpy_random
from minigrad.kernels.cpu import _C

SIZES = [0, 1, 3, 4, 5, 15, 16, 31, 32, 33, 63, 65, 1000, 16384, 16388, 70_001]
STREAMS = [(0, 0), (12345678901234567, 33333), ((1 << 64) - 1, (1 << 32) - 7), (5, (1 << 64) - 9)]
TYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]


@pytest.mark.parametrize("keep", [0.0, 1e-12, 0.2, 0.8, 1.0])
@pytest.mark.parametrize("n", SIZES)
def test_mask(isa: str, n: int, keep: float) -> None:
    for seed, offset in STREAMS:
        want = numpy_random.philox_mask(seed, offset, n, keep)
        got = _C.philox_mask(seed, offset, n, keep)
        assert got.dtype == np.bool_
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("keep", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n", SIZES)
def test_product(isa: str, n: int, keep: float, dtype: type) -> None:
    whole = np.random.default_rng(0).standard_normal(n + 1).astype(dtype)
    whole[5:] = np.where(np.arange(len(whole[5:])) % 7 == 0, np.nan, whole[5:]).astype(dtype)
    for x in (whole[:n], whole[1:]):
        args = (x, 77, 1 << 33, keep, 1 / 0.3, 0.0, 0.0)
        got, want = _C.philox_dropout(*args), numpy_random.philox_dropout(*args)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got.astype(np.float64), want.astype(np.float64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shifts(isa: str, dtype: type) -> None:
    x = np.random.default_rng(0).standard_normal(1003).astype(dtype)
    for keep in (0.0, 0.6, 1.0):
        args = (x, 3, 4, keep, 0.7, 0.25, -1.5)
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(
            _C.philox_dropout(*args), numpy_random.philox_dropout(*args), rtol=4 * eps, atol=4 * eps
        )


def test_large_results_past_the_caches(isa: str) -> None:
    x = np.ones(4_300_001, np.float32)
    args = (x, 9, 1, 0.5, 2.0, 0.0, 0.0)
    np.testing.assert_array_equal(_C.philox_dropout(*args), numpy_random.philox_dropout(*args))


def test_threads_do_not_change_the_bits(isa: str, num_threads) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).standard_normal(100_003)
    results = []
    for count in (1, 2):
        num_threads(count)
        results.append(
            [_C.philox_dropout(x.astype(t), 5, 6, 0.5, 2.0, 0.0, 0.0) for t in (np.float32, float)]
            + [_C.philox_mask(5, 6, 100_003, 0.5)]
        )
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


def test_layouts_that_are_not_contiguous_go_through_a_copy() -> None:
    x = np.random.default_rng(0).standard_normal((40, 30)).astype(np.float32).T
    args = (x, 5, 6, 0.5, 2.0, 0.0, 0.0)
    assert _C.philox_dropout(*args) is None
    np.testing.assert_array_equal(cpu.philox_dropout(*args), numpy_random.philox_dropout(*args))


def test_refuses_what_is_no_word() -> None:
    with pytest.raises(TypeError, match="seed is float"):
        _C.philox_mask(0.5, 0, 4, 0.5)
    with pytest.raises(ValueError, match="must not be negative"):
        _C.philox_mask(0, 0, -1, 0.5)
