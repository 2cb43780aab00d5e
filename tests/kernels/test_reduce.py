"""Sums over runs of dimensions: sizes, precision, layouts, threads."""

from __future__ import annotations

import numpy as np
import pytest

from minigrad.kernels.cpu import _C
from minigrad.kernels.reduction import numpy_total, total

SHAPES = [
    ((0,), (0,)), ((1,), (0,)), ((17,), (0,)), ((515,), (0,)), ((200_003,), (0,)),
    ((3, 0), (0,)), ((0, 3), (0,)), ((7, 33), (0,)), ((7, 33), (1,)), ((7, 33), (0, 1)),
    ((300, 5), (0,)), ((5, 300), (1,)), ((129, 257), (0,)), ((4, 65, 9), (1,)),
    ((4, 65, 9), (0, 1)), ((4, 65, 9), (1, 2)), ((2, 3, 4, 5), (1, 2)), ((3, 1000, 200), (1,)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("shape", "axes"), SHAPES)
def test_against_float64(isa: str, shape: tuple, axes: tuple, keepdims: bool, dtype: type) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, shape).astype(dtype)
    got = _C.sum(x, axes, keepdims)
    exact = x.astype(np.longdouble).sum(axes, keepdims=keepdims)
    assert got.dtype == dtype
    assert got.shape == exact.shape
    count = x.size / max(exact.size, 1)
    # Blocks of at most 512 values are added in T: the bound does not grow with the count.
    bound = np.finfo(dtype).eps * min(count, 512) * 4
    np.testing.assert_allclose(got, exact.astype(np.float64), rtol=0, atol=bound)


def test_precision_of_a_long_sum(isa: str) -> None:
    x = np.full(5_000_000, 0.1, np.float32)
    exact = float(x[0].astype(np.float64) * len(x))
    assert abs(float(_C.sum(x, (0,), False)) - exact) / exact < 2e-7


def test_threads_do_not_change_the_bits(isa: str, num_threads) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).standard_normal((700, 1001)).astype(np.float32)
    results = []
    for count in (1, 2):
        num_threads(count)
        results.append([_C.sum(x, axes, False) for axes in ((0,), (1,), (0, 1))])
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


def test_what_it_does_not_take_goes_to_numpy() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    for array, axes in ((x, (0, 2)), (x.astype(int), (0,)), (x.T, (0,)), (x, ())):
        assert _C.sum(array, axes, False) is None
        np.testing.assert_allclose(total(array, axes), numpy_total(array, axes))
