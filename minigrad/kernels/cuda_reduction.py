"""Reductions by the compiled CUDA kernels, called as those of `_C`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cuda_array import CudaArray, empty
from .cuda_compiled import define
from .cuda_launch import FLOATS, kernel, stream, work
from .reduction import KINDS, kind

_BOOL, _INT64 = np.dtype(np.bool_), np.dtype(np.int64)
_OUT = {"count_nonzero": _INT64, "any": _BOOL, "all": _BOOL}
_NEED_ELEMENTS = ("max", "min", "norminf", "normleast")
_ARGMAX, _ARGMIN = len(KINDS), len(KINDS) + 1


def _kept(shape: tuple, axes: tuple, keepdims: bool) -> tuple:
    if keepdims:
        return tuple([1 if i in axes else n for i, n in enumerate(shape)])
    return tuple([n for i, n in enumerate(shape) if i not in axes])


def _run(
    x: Any, number: int, axes: tuple, out: Any, second: Any = None, value: float = 0.0
) -> None:
    size = kernel("reduce_workspace")(x, number, axes)
    kernel("reduce")(out, second, x, work(size), number, axes, value, stream())


@define
def reduce(cls: Any, spec: int, x: Any, axes: Any, keepdims: bool, number: float) -> Any:
    """The reduction `spec` of an array over `axes`; None for what the kernel does not take.

    Sums of 16-bit floats come in float32.
    """
    name = KINDS[spec & 0xFF]
    if kernel("reduce") is None or cls is not None or type(x) is not CudaArray:
        return None
    if not isinstance(axes, tuple) or (x.dtype.kind not in FLOATS and x.dtype != _BOOL):
        return None
    if x.dtype == _BOOL and name not in _OUT:
        return None
    if name in _NEED_ELEMENTS and not all([x.shape[a] for a in axes]):
        return None
    if x.dtype.itemsize == 2 and name not in _OUT:
        x = x.astype(np.float32)
    out = empty(_kept(x.shape, axes, keepdims), _OUT.get(name, x.dtype))
    _run(x, spec & 0xFF, axes, out, value=number)
    return out


@define
def var_mean(x: Any, axes: tuple, keepdims: bool, correction: float, root: bool) -> Any:
    """(variance or its root, mean) over `axes`; None for what the kernel does not take."""
    if kernel("reduce") is None or x.dtype.kind not in FLOATS or x.dtype.itemsize == 2:
        return None
    shape = _kept(x.shape, axes, keepdims)
    out, mean = empty(shape, x.dtype), empty(shape, x.dtype)
    _run(x, kind("std" if root else "var"), axes, out, mean, float(correction))
    return out, mean


@define
def arg_extremum(smallest: bool, x: Any, dim: Any, keepdims: bool) -> Any:
    """Where the largest (smallest) elements stand; None for what the kernel does not take."""
    if kernel("reduce") is None or type(x) is not CudaArray or x.dtype.kind not in FLOATS:
        return None
    axes = tuple(range(x.ndim)) if dim is None else (dim % max(x.ndim, 1),) if x.ndim else ()
    if not all([x.shape[a] for a in axes]):
        return None
    out = empty(_kept(x.shape, axes, keepdims), _INT64)
    _run(x, _ARGMIN if smallest else _ARGMAX, axes, None, out)
    return out
