"""Elementwise operations and copies by the compiled CUDA kernels, called as those of `_C`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cuda_array import CudaArray, empty
from .cuda_compiled import define
from .cuda_launch import FLOATS, is_float, kernel, stream

_BOOL = np.dtype(np.bool_)
_NUMBERS = (float, int)


@define
def unary(op: int, x: Any, *numbers: float) -> Any:
    """Operation number `op` of each element; None for types that are not floating point."""
    run = kernel("unary")
    if run is None or not is_float(x):
        return None
    out = empty(x.shape, x.dtype)
    run(out, x, op, tuple(map(float, numbers)), stream())
    return out


def _pair(x: Any, y: Any) -> Any:
    """(shape, type) of two operands of which one may be a number; None if a kernel takes none."""
    if not is_float(x):
        return (y.shape, y.dtype) if is_float(y) and x.__class__ in _NUMBERS else None
    if y.__class__ in _NUMBERS:
        return x.shape, x.dtype
    if not is_float(y) or x.dtype != y.dtype:
        return None
    if x.shape == y.shape:
        return x.shape, x.dtype
    try:
        return np.broadcast_shapes(x.shape, y.shape), x.dtype
    except ValueError:
        return None


@define
def binary(op: int, x: Any, y: Any, *numbers: float) -> Any:
    """Operation number `op` of two operands, which broadcast; None for other types."""
    run, pair = kernel("binary"), _pair(x, y)
    if run is None or pair is None:
        return None
    out = empty(*pair)
    run(out, x, y, op, tuple(map(float, numbers)), stream())
    return out


@define
def compare(op: int, x: Any, y: Any) -> Any:
    """Comparison number `op`, as bools; None for types that are not floating point."""
    run, pair = kernel("compare"), _pair(x, y)
    if run is None or pair is None:
        return None
    out = empty(pair[0], _BOOL)
    run(out, x, y, op, stream())
    return out


@define
def where(mask: Any, x: Any, y: Any) -> Any:
    """x where the mask is True, else y; None unless both are arrays of one type."""
    run = kernel("where")
    arrays = type(mask) is type(x) is type(y) is CudaArray
    if run is None or not arrays or x.dtype != y.dtype or mask.dtype != _BOOL:
        return None
    out = empty(np.broadcast_shapes(mask.shape, x.shape, y.shape), x.dtype)
    run(out, mask, x, y, stream())
    return out


@define
def copy(x: CudaArray) -> CudaArray:
    """A copy in C order."""
    run = kernel("copy")
    if run is None:
        return x.copy("C")
    out = empty(x.shape, x.dtype)
    run(out, x, stream())
    return out


def _casts(a: Any, b: Any) -> bool:
    """Whether a kernel converts between two types: float32 and a 16-bit one."""
    return {a.itemsize, b.itemsize} == {2, 4} and a.kind in FLOATS and b.kind in FLOATS


@define
def cast(out: CudaArray, src: CudaArray) -> None:
    """Writes src into out, of the same shape, in out's type."""
    run = kernel("cast")
    dense = out.flags.c_contiguous and src.flags.c_contiguous
    if run is not None and dense and _casts(out.dtype, src.dtype):
        run(out, src, stream())
    else:
        out[...] = src


@define
def convert(x: CudaArray, dtype: np.dtype) -> CudaArray:
    """A copy in C order of another type."""
    if kernel("cast") is None or not _casts(x.dtype, np.dtype(dtype)):
        return x.astype(dtype, "C")
    out = empty(x.shape, dtype)
    cast(out, x if x.flags.c_contiguous else copy(x))
    return out
