"""Distances of pairs of rows: every norm, awkward sizes, gradients, NaN, bad arguments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minigrad.kernels import _C, distance

NORMS = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf")]
SIZES = [(1, 1, 1), (3, 5, 2), (4, 16, 16), (17, 33, 65), (9, 8, 130), (0, 4, 3), (4, 0, 3)]


def rows(dtype: type, n: int, m: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng([n, m, d])
    a, b = rng.standard_normal((2, n, d)), rng.standard_normal((2, m, d))
    if n and m:
        b[:, 0] = a[:, 0]  # a distance of 0
        a[..., 0] = b[0, 0, 0]
        b[..., 0] = b[0, 0, 0]
    return a.astype(dtype), b.astype(dtype), rng.standard_normal((2, n, m)).astype(dtype)


def expected(a: np.ndarray, b: np.ndarray, p: float) -> np.ndarray:
    size = np.abs(a[:, :, None].astype(np.float64) - b[:, None])
    if p == 0:
        return (size != 0).sum(-1)
    return size.max(-1) if np.isinf(p) else (size**p).sum(-1) ** (1 / p)


def expected_gradient(a: np.ndarray, b: np.ndarray, g: np.ndarray, p: float) -> np.ndarray:
    d = a[:, :, None].astype(np.float64) - b[:, None]
    size, norm = np.abs(d), expected(a, b, p)[..., None]
    if p == 0:
        return np.zeros(a.shape)
    if np.isinf(p):
        slope = (size == norm) * np.sign(d)
    else:
        with np.errstate(all="ignore"):
            slope = np.where((d == 0) | (norm == 0), 0, np.sign(d) * (size / norm) ** (p - 1))
    return (slope * g[..., None]).sum(2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("size", SIZES)
def test_norms_and_gradients(isa: str, dtype: type, p: float, size: tuple) -> None:
    a, b, g = rows(dtype, *size)
    tolerance = 3e-4 if dtype is np.float32 else 1e-11
    out = distance.distances(a, b, p)
    assert out.dtype == dtype
    np.testing.assert_allclose(out, expected(a, b, p), tolerance, tolerance)
    exact = expected(a, b, p).astype(dtype)
    if np.isinf(p):
        exact = np.abs(a[:, :, None] - b[:, None]).max(-1, initial=0)
    d_a = distance.distances_backward(a, b, g, exact, p)
    d_b = distance.distances_backward(b, a, g, exact, p, True)
    tolerance *= 10
    if p < 1 and dtype is np.float32:
        tolerance *= 10  # slopes grow without bound next to 0
    np.testing.assert_allclose(d_a, expected_gradient(a, b, g, p), tolerance, tolerance)
    turned = expected_gradient(b, a, g.swapaxes(1, 2), p)
    np.testing.assert_allclose(d_b, turned, tolerance, tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
def test_euclidean_by_a_product(isa: str, dtype: type, size: tuple) -> None:
    a, b, g = rows(dtype, *size)
    tolerance = 1e-4 if dtype is np.float32 else 1e-12
    out = distance.euclidean(a, b)
    np.testing.assert_allclose(out**2, expected(a, b, 2.0) ** 2, tolerance, 10 * tolerance)
    with np.errstate(all="ignore"):
        quotient = np.where(out == 0, 0, g / out)
    np.testing.assert_array_equal(distance.euclidean_weights(g, out), quotient)


@pytest.mark.parametrize("p", [*NORMS[1:], None])
def test_nan_stays(isa: str, p: float | None) -> None:
    a, b, _ = rows(np.float32, 5, 20, 7)
    a[0, 2, 3] = np.nan
    out = distance.euclidean(a, b) if p is None else distance.distances(a, b, p)
    assert np.isnan(out[0, 2]).all() and np.isnan(out).sum() == 20


def test_any_strides() -> None:
    a, b, g = rows(np.float64, 6, 5, 4)
    turned = np.ascontiguousarray(a.swapaxes(1, 2)).swapaxes(1, 2)
    np.testing.assert_array_equal(
        distance.distances(turned, b[:, ::-1], 3.0), distance.distances(a, b, 3.0)[:, :, ::-1]
    )


def test_threads_do_not_change_the_result(num_threads: Callable) -> None:
    a, b, g = rows(np.float32, 90, 130, 40)
    results = []
    for threads in (1, 2, 3):
        num_threads(threads)
        for p in (1.0, 2.0, 3.0):
            out = distance.distances(a, b, p)
            results.append((
                out, distance.euclidean(a, b), distance.distances_backward(a, b, g, out, p)
            ))  # fmt: skip
    for i in range(3, 9):
        for one, other in zip(results[i], results[i % 3], strict=True):
            np.testing.assert_array_equal(one, other)


def test_bad_arguments() -> None:
    a, b, out = np.ones((2, 3, 4)), np.ones((2, 5, 4)), np.ones((2, 3, 5))
    for bad in ((a[0], b, 1.0), (a, b[:1].copy(), 1.0), (a, b[:, :, :3].copy(), 1.0),
                (a, b[:, ::-1], 1.0), (a.astype(int), b, 1.0)):  # fmt: skip
        with pytest.raises(ValueError, match="row_distances"):
            _C.row_distances(*bad)
    with pytest.raises((TypeError, ValueError)):
        _C.row_distances(a, b.astype(np.float32), 1.0)
    with pytest.raises(ValueError, match="each pair"):
        _C.row_distances_backward(a, b, out, out, 1.0, True)
    with pytest.raises(ValueError, match="each pair"):
        _C.euclidean_finish(b, a, out)
    with pytest.raises(ValueError):
        _C.euclidean_weights(out, out[:1].copy())
