"""Sorted rows and order statistics, compiled, with their NumPy forms; NaN is the largest.

`fast_*` record an operation in one call and return None, having done nothing, for whatever is not
usual: the Python code says what is wrong. The others work on arrays of any layout.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C
from .reduction import dense, widened

fast_sort = _C.sort
fast_argsort = _C.argsort
fast_select = _C.select
fast_search = _C.search

# Which element of a row: `Rank` in csrc/kernels/sort.h.
NUMBER, MEDIAN, NAN_MEDIAN = 0, 1, 2


def argsort(x: Any, dim: int, descending: bool = False) -> Any:
    """The indices that sort along `dim`; equal elements keep their order."""
    found = _C.argsort(dense(x), dim, descending)
    return numpy_argsort(x, dim, descending) if found is None else found


def numpy_argsort(x: Any, dim: int, descending: bool = False) -> Any:
    """What `argsort` does, in NumPy."""
    if x.ndim == 0:
        return np.zeros((), np.int64)
    wide = widened(x)
    if not descending:
        return np.argsort(wide, axis=dim, kind="stable")
    order = np.argsort(np.flip(wide, dim), axis=dim, kind="stable")
    return np.ascontiguousarray(x.shape[dim] - 1 - np.flip(order, dim))


def ordered(x: Any) -> Any:
    """The sorted elements of a vector, and where they stood."""
    pair = _C.sort(None, dense(x), 0, False, -1)
    if pair is not None:
        return pair
    order = numpy_argsort(x, 0)
    return x[order], order


def first(x: Any, dim: int, k: int, largest: bool) -> Any:
    """The first k of `argsort`, k at most the size."""
    pair = _C.sort(None, dense(x), dim, largest, k)
    return numpy_first(x, dim, k, largest) if pair is None else pair[1]


def numpy_first(x: Any, dim: int, k: int, largest: bool) -> Any:
    """What `first` does, in NumPy."""
    if x.ndim == 0:
        return np.zeros((), np.int64) if k else np.zeros((0,), np.int64)
    order = numpy_argsort(x, dim, largest)
    return np.ascontiguousarray(order[(*(slice(None),) * dim, slice(0, k))])


def ranked(x: Any, dim: int, which: int, rank: int = 0) -> Any:
    """The index, in each row, of the element of a rank in `argsort`; the dimension is kept.

    `which` is NUMBER (that rank), MEDIAN (the lower one; the first NaN if there is one) or
    NAN_MEDIAN (the lower median of those that are not NaN; the first NaN if all are).
    """
    pair = _C.select(None, dense(x), dim, True, which, rank)
    return numpy_ranked(x, dim, which, rank) if pair is None else pair[1]


def numpy_ranked(x: Any, dim: int, which: int, rank: int = 0) -> Any:
    """What `ranked` does, in NumPy."""
    if x.ndim == 0:
        return np.zeros((), np.int64)
    n = x.shape[dim]
    place: Any = rank
    if which != NUMBER:
        wide = widened(x)
        numbers = np.count_nonzero(wide == wide, axis=dim, keepdims=True)
        place = np.maximum(numbers - 1, 0) // 2
        if which == MEDIAN:
            place = np.where(numbers < n, numbers, place)
    shape = [1 if d == dim else size for d, size in enumerate(x.shape)]
    return np.take_along_axis(
        numpy_argsort(x, dim), np.broadcast_to(np.asarray(place), shape), axis=dim
    )


def middle(x: Any, which: int) -> Any:
    """The value (an array without dimensions) that `ranked` finds among all elements of x."""
    found = _C.select(None, dense(x), None, False, which, 0)
    return numpy_middle(x, which) if found is None else found


def numpy_middle(x: Any, which: int) -> Any:
    """What `middle` does, in NumPy."""
    flat = x.reshape(-1)
    return flat[numpy_ranked(flat, 0, which)].reshape(())
