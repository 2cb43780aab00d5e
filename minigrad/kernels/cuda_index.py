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
