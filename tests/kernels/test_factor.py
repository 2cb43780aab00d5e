"""Triangular systems, LU and Cholesky: every triangle, awkward sizes, zeros, bad arguments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minigrad.kernels import _C, factor


def matrices(dtype: type, *shape: int) -> np.ndarray:
    return np.random.default_rng(list(shape)).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [0, 1, 3, 8, 9, 40])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 17, 33])
def test_triangular_systems(isa: str, dtype: type, n: int, k: int) -> None:
    a = matrices(dtype, 3, n, n) / max(n, 1) + 2 * np.eye(n, dtype=dtype)
    b = matrices(dtype, 3, n, k)
    tolerance = 2e-5 if dtype is np.float32 else 1e-13
    for upper in (True, False):
        for unit in (True, False):
            for given in (a, a[0], np.ascontiguousarray(a.swapaxes(1, 2)).swapaxes(1, 2)):
                x = factor.solve_triangular(given, b, upper, unit)
                triangle = np.triu(given, int(unit)) if upper else np.tril(given, -int(unit))
                if unit:
                    triangle = triangle + np.eye(n, dtype=dtype)
                assert x.dtype == dtype and x.shape == b.shape
                np.testing.assert_allclose(triangle @ x, b, tolerance, tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (5, 2), (7, 7), (33, 33), (0, 3), (3, 0)])
def test_lu(isa: str, dtype: type, shape: tuple[int, int]) -> None:
    m, n = shape
    k = min(shape)
    a = matrices(dtype, 4, m, n)
    tolerance = 2e-5 if dtype is np.float32 else 1e-13
    for pivot in (True, False):
        if not pivot:
            a = a + (5 + 2 * m) * np.eye(m, n, dtype=dtype)
        lu, pivots, info = factor.lu_factor(a, pivot)
        assert not info.any() and pivots.dtype == info.dtype == np.int32
        lower = np.tril(lu[:, :, :k], -1) + np.eye(m, k, dtype=dtype)
        product = lower @ np.triu(lu[:, :k])
        for one, exchanges in zip(product, pivots, strict=True):
            for i in reversed(range(k)):
                p = exchanges[i] - 1
                one[[i, p]] = one[[p, i]]
        np.testing.assert_allclose(product, a, tolerance, tolerance)
        if pivot and k:
            assert np.abs(lower).max() <= 1


def test_zeros_and_nans(isa: str) -> None:
    a = np.array([[[1.0, 2, 3], [2, 4, 6], [1, 1, 1]], [[0, 0, 0], [0, 0, 0], [0, 0, 1]]])
    assert factor.lu_factor(a, True)[2].tolist() == [3, 1]
    assert factor.lu_factor(np.full((1, 2, 2), np.nan), True)[2].tolist() == [0]
    with np.errstate(all="ignore"):
        x = factor.solve_triangular(np.zeros((2, 2)), np.ones((2, 1)), True, False)
    assert np.isinf(x[1, 0])


def test_threads_do_not_change_the_result(num_threads: Callable) -> None:
    a, b = matrices(np.float64, 300, 12, 12), matrices(np.float64, 300, 12, 3)
    results = []
    for threads in (1, 2, 3):
        num_threads(threads)
        results.append((factor.lu_factor(a, True)[0], factor.solve_triangular(a, b, True, True)))
    for lu, x in results[1:]:
        np.testing.assert_array_equal(lu, results[0][0])
        np.testing.assert_array_equal(x, results[0][1])


def test_bad_arguments() -> None:
    x, a = np.ones((2, 3, 1)), np.ones((2, 3, 3))
    for bad in (
        (x[0], a, True, False, False),
        (x, a[:, :2], True, False, False),
        (x, np.ones((3, 3, 3)), True, False, False),
        (x, a[:, ::-1], True, False, False),
        (x.astype(np.int64), a, True, False, False),
    ):
        with pytest.raises(ValueError, match="solve_triangular"):
            _C.solve_triangular(*bad)
    pivots, info = np.zeros((2, 3), np.int32), np.zeros(2, np.int32)
    with pytest.raises(ValueError, match="batches differ"):
        _C.lu_factor(a, pivots[:1].copy(), info, True)
    with pytest.raises((TypeError, ValueError)):
        _C.lu_factor(a, pivots.astype(np.int64), info, True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 17, 33, 64, 65, 130, 200, 333])
def test_cholesky(isa: str, dtype: type, n: int) -> None:
    a = matrices(dtype, 2, n, n + 3)
    a = a @ a.swapaxes(1, 2) / max(n, 1) + np.eye(n, dtype=dtype)
    tolerance = 1e-5 if dtype is np.float32 else 1e-13
    lower = np.tril(a) + np.triu(np.full_like(a, np.nan), 1)  # the upper triangle is not read
    for given in (lower, np.ascontiguousarray(lower.swapaxes(1, 2)).swapaxes(1, 2), lower[::-1]):
        factors, info = factor.cholesky(given)
        assert not info.any() and info.dtype == np.int32 and factors.dtype == dtype
        np.testing.assert_array_equal(factors, np.tril(factors))
        expected = a[::-1] if given.strides[0] < 0 else a
        np.testing.assert_allclose(factors @ factors.swapaxes(1, 2), expected, 0, tolerance)


@pytest.mark.parametrize("minor", [1, 3, 64, 65, 100])
def test_cholesky_of_what_is_not_definite(isa: str, minor: int) -> None:
    good = matrices(np.float64, 100, 100)
    good = good @ good.T + np.eye(100)
    bad = good.copy()
    bad[minor - 1, minor - 1] = np.nan if minor == 3 else -1
    factors, info = factor.cholesky(np.stack([good, bad]))
    assert info.tolist() == [0, minor]
    k = minor - 1
    np.testing.assert_allclose(factors[0], np.linalg.cholesky(good), 0, 1e-12)
    np.testing.assert_allclose(factors[1][:k, :k], factors[0][:k, :k], 0, 1e-12)
    np.testing.assert_array_equal(factors[1][k:], np.tril(bad)[k:])


def test_threads_do_not_change_cholesky(num_threads: Callable) -> None:
    a = matrices(np.float32, 300, 300)
    a = a @ a.T + 300 * np.eye(300, dtype=np.float32)
    small = np.stack([a[i : i + 20, i : i + 20] for i in range(200)])
    results = []
    for threads in (1, 2, 3):
        num_threads(threads)
        results.append((factor.cholesky(a)[0], factor.cholesky(small)[0]))
    for large, few in results[1:]:
        np.testing.assert_array_equal(large, results[0][0])
        np.testing.assert_array_equal(few, results[0][1])


def test_bad_arguments_of_cholesky() -> None:
    x, info = np.ones((2, 3, 3)), np.zeros(2, np.int32)
    u = np.empty_like(x)
    for bad in ((u, info[:1].copy(), x, True), (u[:1].copy(), info, x, True),
                (u[:, :2].copy(), info, x[:, :2].copy(), True),
                (u, info, x[:, ::-1], True)):  # fmt: skip
        with pytest.raises(ValueError, match="cholesky"):
            _C.cholesky(*bad)
