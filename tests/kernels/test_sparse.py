"""The sparse kernels: repeated places, awkward widths, bad arguments, any number of threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minigrad.kernels import _C


def elements(count: int, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, n, count), rng.integers(0, m, count)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [0, 1, 7, 8, 16, 63, 65, 200])
@pytest.mark.parametrize("count", [0, 1, 50, 1100])
def test_against_the_dense_product(isa: str, dtype: type, width: int, count: int) -> None:
    n, m = 9, 11
    rows, columns = elements(count, n, m)
    rng = np.random.default_rng(1)
    values = rng.integers(-3, 4, count).astype(dtype)
    x, y = (rng.integers(-3, 4, (size, width)).astype(dtype) for size in (m, n))
    dense = np.zeros((n, m), dtype)
    np.add.at(dense, (rows, columns), values)
    got = _C.sparse_product(rows, columns, values, x, n)
    assert got.dtype == dtype and got.shape == (n, width)
    np.testing.assert_array_equal(got, dense @ x)
    dots = _C.sparse_sampled(rows, columns, y, x)
    assert dots.dtype == dtype
    np.testing.assert_array_equal(dots, (y[rows] * x[columns]).sum(1))


def test_threads_do_not_change_the_result(num_threads: Callable) -> None:
    rows, columns = elements(5000, 300, 400)
    rng = np.random.default_rng(2)
    values, x = rng.standard_normal(5000), rng.standard_normal((400, 300))
    y = rng.standard_normal((300, 300))
    results = []
    for threads in (1, 2, 3):
        num_threads(threads)
        results.append((
            _C.sparse_product(rows, columns, values, x, 300),
            _C.sparse_sampled(rows, columns, y, x),
            _C.bag_sums(columns, np.arange(0, 5001, 20), values, x, True),
        ))  # fmt: skip
    for result in results[1:]:
        for got, want in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [0, 1, 7, 8, 16, 31, 49, 64, 65, 200])
def test_bag_sums(isa: str, dtype: type, width: int) -> None:
    rng = np.random.default_rng(3)
    table = rng.standard_normal((11, width)).astype(dtype)
    ids, bounds = rng.integers(0, 11, 40), np.array([0, 3, 3, 20, 21, 40])
    values = rng.standard_normal(40).astype(dtype)
    spans = list(zip(bounds[:-1], bounds[1:], strict=True))
    for by in (None, values):
        rows = table[ids] * (1 if by is None else by[:, None])
        sums = np.array([rows[a:b].sum(0) for a, b in spans])
        close = {"rtol": 1e-5, "atol": 1e-5}
        np.testing.assert_allclose(_C.bag_sums(ids, bounds, by, table, False), sums, **close)
        means = sums / np.array([max(b - a, 1) for a, b in spans])[:, None]
        got = _C.bag_sums(ids, bounds, by, table, True)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, means, **close)
    assert _C.bag_sums(ids[:0], bounds[:1], None, table, True).shape == (0, width)
    assert not _C.bag_sums(ids[:0], bounds[:3] * 0, None, table, True).any()


def test_bag_sums_refuse() -> None:
    table, ids, bounds = np.ones((4, 2)), np.array([0, 3, 1]), np.array([0, 2, 3])
    assert _C.bag_sums(ids + 1, bounds, None, table, False) is None
    assert _C.bag_sums(ids - 1, bounds, None, table, False) is None
    for bad in (bounds + 1, bounds[::-1].copy(), bounds[:0], bounds - 1):
        with pytest.raises(ValueError, match="must rise"):
            _C.bag_sums(ids, bad, None, table, False)
    with pytest.raises(ValueError, match="must rise"):
        _C.bag_sums(ids, bounds, np.ones(2), table, False)
    with pytest.raises(TypeError):
        _C.bag_sums(ids, bounds, np.ones(3, np.float32), table, False)


def test_bad_arguments() -> None:
    rows, columns = elements(5, 3, 4)
    values, x = np.ones(5), np.ones((4, 2))
    for bad, error in (
        ((rows + 3, columns, values, x, 3), IndexError),
        ((rows - 5, columns, values, x, 3), IndexError),
        ((rows, columns + 4, values, x, 3), IndexError),
        ((rows[:4], columns, values, x, 3), ValueError),
        ((rows, columns, values[:4], x, 3), ValueError),
        ((rows, columns, values.astype(np.float32), x, 3), (TypeError, ValueError)),
        ((rows, columns, values, x[0], 3), ValueError),
        ((rows, columns, values, x.astype(np.int64), 3), ValueError),
        ((rows.astype(np.int32), columns, values, x, 3), (TypeError, ValueError)),
        ((rows, columns, values, x.T[:2, ::2].T, 3), ValueError),
    ):
        with pytest.raises(error):
            _C.sparse_product(*bad)
    with pytest.raises(ValueError, match="rows must be of one length"):
        _C.sparse_sampled(rows, columns, np.ones((3, 2)), np.ones((4, 3)))
