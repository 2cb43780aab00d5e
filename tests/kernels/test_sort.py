"""Sorted rows, first elements and ranks against NumPy: types, NaN, ties, lengths, dimensions."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from minigrad.kernels import sorting
from minigrad.kernels.cpu import _C

DTYPES = [
    np.float32, np.float64, np.int32, np.int64, np.float16, ml_dtypes.bfloat16, np.int16, np.int8,
    np.uint8, np.bool_,
]  # fmt: skip
SHAPES = [
    (1,), (2,), (15,), (16,), (17,), (31,), (33,), (64,), (65,), (127,), (128,), (129,), (300,),
    (5000,), (17_000,), (7, 33), (33, 7), (4, 65, 9), (2, 300, 3),
]  # fmt: skip


def floats(shape: tuple, dtype: Any) -> list:
    rng = np.random.default_rng(0)
    normal = rng.standard_normal(shape)
    special = normal.copy().reshape(-1)
    for value in (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-310):
        special[rng.integers(0, special.size, 1 + special.size // 20)] = value
    info = ml_dtypes.finfo(dtype)
    arrays = [
        normal, np.round(2 * normal), special.reshape(shape), 1 + normal * 50 * float(info.eps),
        np.sort(normal, axis=-1), np.ones(shape),
    ]  # fmt: skip
    with np.errstate(over="ignore"):
        return [a.astype(dtype) for a in arrays]


def integers(shape: tuple, dtype: Any) -> list:
    rng = np.random.default_rng(0)
    if dtype is np.bool_:
        return [rng.uniform(size=shape) < 0.5]
    info = np.iinfo(dtype)
    far = rng.integers(0, 2, shape) * (info.max // 2) + rng.integers(0, 50, shape)
    return [
        rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True),
        rng.integers(0, 5, shape, dtype=dtype),
        far.astype(dtype),
    ]


def arrays(shape: tuple, dtype: Any) -> list:
    return (integers if np.dtype(dtype).kind in "iub" else floats)(shape, dtype)


def same_bits(a: Any, b: Any) -> None:
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    assert a.tobytes() == np.ascontiguousarray(b).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_against_numpy(isa: str, shape: tuple, dtype: Any) -> None:
    for x in arrays(shape, dtype):
        for dim in range(x.ndim):
            n = x.shape[dim]
            for descending in (False, True):
                order = sorting.numpy_argsort(x, dim, descending)
                values, indices = _C.sort(None, x, dim, descending, -1)
                same_bits(indices, order)
                same_bits(values, np.take_along_axis(x, order, dim))
                same_bits(_C.argsort(x, dim - x.ndim, descending), order)
                for k in {0, 1, n // 20, n // 8, n // 3, n} if dtype is not np.bool_ else ():
                    some = np.take(order, np.arange(k), dim)
                    values, indices = _C.sort(None, x, dim, descending, k)
                    same_bits(indices, some)
                    same_bits(values, np.take_along_axis(x, some, dim))


@pytest.mark.parametrize("dtype", DTYPES[:-1])
@pytest.mark.parametrize("shape", SHAPES)
def test_ranks(isa: str, shape: tuple, dtype: Any) -> None:
    for x in arrays(shape, dtype):
        for which in (sorting.MEDIAN, sorting.NAN_MEDIAN):
            value = _C.select(None, x, None, False, which, 0)
            same_bits(value, sorting.numpy_middle(x, which))
        for dim in range(x.ndim):
            n = x.shape[dim]
            for which, rank in ((0, 0), (0, n // 2), (0, n - 1), (1, 0), (2, 0)):
                place = sorting.numpy_ranked(x, dim, which, rank)
                values, indices = _C.select(None, x, dim, True, which, rank)
                same_bits(indices, place)
                same_bits(values, np.take_along_axis(x, place, dim))
                values, indices = _C.select(None, x, dim, False, which, rank)
                same_bits(indices, place.squeeze(dim))


def test_medians_of_nan_alone(isa: str) -> None:
    x = np.full((3, 200), np.nan, np.float32)
    for which in (sorting.MEDIAN, sorting.NAN_MEDIAN):
        values, indices = _C.select(None, x, 1, False, which, 0)
        assert np.isnan(values).all()
        np.testing.assert_array_equal(indices, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_threads_do_not_change_the_bits(isa: str, num_threads: Any, dtype: Any) -> None:
    x = (np.random.default_rng(0).standard_normal((300, 200)) * 9).astype(dtype)
    results = []
    for count in (1, 2):
        num_threads(count)
        results.append(
            [_C.sort(None, x, dim, True, k)[1] for dim in (0, 1) for k in (-1, 7)]
            + [_C.select(None, x, dim, False, 1, 0)[1] for dim in (0, 1)]
        )
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_any_layout() -> None:
    x = np.random.default_rng(0).standard_normal((40, 30, 3)).astype(np.float32)
    for view in (x.T, x[::2, ::-1], x[:, :0], np.broadcast_to(x[:1], x.shape)):
        for dim in range(3):
            order = sorting.numpy_argsort(view, dim, True)
            np.testing.assert_array_equal(sorting.argsort(view, dim, True), order)
            if view.size:
                np.testing.assert_array_equal(
                    sorting.first(view, dim, 2, False), sorting.numpy_first(view, dim, 2, False)
                )
                np.testing.assert_array_equal(
                    sorting.ranked(view, dim, 1), sorting.numpy_ranked(view, dim, 1)
                )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 100, 1000])
def test_search(isa: str, n: int, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    sequence = np.sort(rng.integers(-n, n, n).astype(dtype))
    for shape in ((0,), (1,), (17,), (5, 7), (20_000,), ()):
        x = rng.integers(-n - 2, n + 2, shape).astype(dtype)
        for right in (False, True):
            place = np.searchsorted(sequence, x, side="right" if right else "left")
            for narrow in (False, True):
                got = _C.search(sequence, x, right, narrow)
                assert got.dtype == (np.int32 if narrow else np.int64)
                np.testing.assert_array_equal(got, place)
    if np.dtype(dtype).kind == "f":
        special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype)
        got = _C.search(sequence, special, False, False)
        np.testing.assert_array_equal(got, [n, *np.searchsorted(sequence, special[1:])])
        sequence[-1] = np.nan
        assert _C.search(sequence, special, False, False) is None


def test_what_it_does_not_take() -> None:
    x = np.zeros((2, 3), np.float32)
    for arguments in ((x.T, 0, False, -1), (x, 2, False, -1), (x, 0, 1, -1), (x, 0, True, 3),
                      (x > 0, 0, True, 1), (x, 1.0, True, 1), (x[:0], 0, True, 0)):  # fmt: skip
        assert _C.sort(None, *arguments) is None
    for arguments in ((x, 0, False, 0, 2), (x, 0, False, 0, -1), (x, 0, 0, 0, 0),
                      (x > 0, 0, False, 0, 0), (x[:0], None, False, 1, 0)):  # fmt: skip
        assert _C.select(None, *arguments) is None
