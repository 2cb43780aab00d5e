"""Elements at numbered places by the compiled CUDA kernels, called as those of `_C`.

Indices are valid: operations have looked, or had the device look (`CudaArray.watch`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .cuda_array import CudaArray, empty
from .cuda_compiled import define
from .cuda_launch import is_float, kernel, stream

_I64 = np.dtype(np.int64)


def _numbers(index: Any) -> Any:
    return index if index.dtype == _I64 else index.astype(_I64)


def _takes(x: Any, index: Any) -> bool:
    return (
        type(x) is CudaArray
        and type(index) is CudaArray
        and index.dtype.kind == "i"
        and x.itemsize <= 8
        and bool(x.ndim)
    )


@define
def take(x: Any, dim: int, index: Any, wrap: bool) -> Any:
    """x[:, index] along a dimension; None for what the kernel does not take."""
    run = kernel("take")
    if run is None or not _takes(x, index):
        return None
    out = empty((*x.shape[:dim], *index.shape, *x.shape[dim + 1 :]), x.dtype)
    run(out, x, _numbers(index), dim, bool(wrap), None, stream())
    return out


@define
def gather(x: Any, dim: int, index: Any) -> Any:
    """out[i][j] = x[index[i][j]][j] (for dim 0); None for what the kernel does not take."""
    run = kernel("gather")
    if run is None or not _takes(x, index) or x.ndim != index.ndim:
        return None
    out = empty(index.shape, x.dtype)
    run(out, x, _numbers(index), dim, False, None, stream())
    return out


@define
def combine(x: Any, dim: int, index: Any, values: Any, op: int) -> Any:
    """A copy of x times the values at each place, in a fixed order; None for other combinations.

    The values are sorted by their places and multiplied in pairs, fours, ...: no atomic operation
    multiplies, and one place may have any number of values.
    """
    if op or x.dtype.kind not in "fViub":
        return None
    if x.dtype.kind in "fV" and x.itemsize == 2:
        wide, given = x.astype(np.float32), values.astype(np.float32)
        return combine(wide, dim, index, given, op).astype(x.dtype)
    out = x.copy("C")
    n = index.size
    if not n:
        return out
    flat, stride = np.zeros((1,) * x.ndim, _I64, like=x), 1
    for d in range(x.ndim - 1, -1, -1):
        along = [-1 if e == d else 1 for e in range(x.ndim)]
        own = np.arange(index.shape[d], like=x).reshape(along)
        flat = flat + (_numbers(index) if d == dim else own) * stride
        stride *= x.shape[d]
    order = np.argsort(flat.reshape(-1), kind="stable")
    keys = flat.reshape(-1)[order]
    found = np.broadcast_to(values, index.shape).reshape(-1)[order]
    step = 1
    while step < n:
        same = keys[step:] == keys[:-step]
        pairs = found[:-step] * np.where(same, found[step:], 1).astype(found.dtype)
        found = np.concatenate((pairs, found[-step:]))
        step *= 2
    first = np.ones(n, np.dtype(bool), like=x)
    first[1:] = keys[1:] != keys[:-1]
    line = out.reshape(-1)
    line[keys[first]] = line[keys[first]] * found[first]
    return out


@define
def put(
    x: Any, dim: int, index: Any, values: Any, along: bool, wrap: bool, add: bool, skip: int = -1
) -> Any:
    """Rows added up by their numbers into zeros (n, k), in a fixed order: the gradient of a table.

    None for the other kinds of writing, which CuPy does.
    """
    run = kernel("add_sorted_rows")
    if run is None or not isinstance(x, tuple) or len(x) != 2 or dim or along or wrap or not add:
        return None
    if not is_float(values) or not _takes(values, index) or values.size != index.size * x[1]:
        return None
    if not values.size:
        return None
    numbers = _numbers(index).reshape(-1)
    out = np.zeros(x, values.dtype, like=values)
    rows = values.reshape(math.prod(index.shape), x[1])
    rows = rows if rows.flags.c_contiguous else rows.copy("C")
    order = np.argsort(numbers, kind="stable")
    run(out, rows, numbers, order, skip, None, stream())
    return out
