"""Pooling kernels: what each function takes, gives, and which code runs it.

The functions allocate their result; `numpy_pool` says what they compute. Arrays are 4-d; 16-bit
floats are computed in float32 and rounded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, numpy_pool
from ._quiet import rounded
from .reduction import dense, widened

__all__ = [
    "adaptive_avg_pool2d", "adaptive_avg_pool2d_backward", "adaptive_max_pool2d", "avg_pool2d",
    "avg_pool2d_backward", "gather_planes", "max_pool2d", "scatter_planes",
]  # fmt: skip

Pair = tuple[int, int]


def _as(out: Any, dtype: np.dtype) -> Any:
    return rounded(out, dtype)


def _compiled(x: Any) -> bool:
    return x.dtype.kind == "f"


def max_pool2d(
    x: Any, shape: tuple, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, index: bool
) -> tuple[Any, Any]:
    """Maxima of the windows of x as a new array of `shape`, and if asked where they stood."""
    wide = widened(x)
    out = _C.empty(shape, wide.dtype)
    small = x.shape[2] * x.shape[3] < 1 << 31
    where = _C.empty(shape, np.dtype(np.int32 if small else np.int64)) if index else None
    if _compiled(wide) and small:
        wide = dense(wide)
        _C.max_pool2d(out, where, wide, *kernel, *stride, *padding, *dilation)
    else:
        numpy_pool.max_pool2d(out, where, wide, kernel, stride, padding, dilation)
    return _as(out, x.dtype), where


def scatter_planes(values: Any, index: Any, shape: tuple) -> Any:
    """Zeros of `shape` with each value added at its index, plane by plane."""
    wide = widened(values)
    out = _C.empty(shape, wide.dtype)
    if _compiled(wide) and index.dtype == np.int32:
        _C.scatter_planes(out, dense(wide), dense(index))
    else:
        numpy_pool.scatter_planes(out, wide, index)
    return _as(out, values.dtype)


def gather_planes(x: Any, index: Any) -> Any:
    """The elements of x (N, C, H, W) at the places that index (N, C, P, Q) names in its planes."""
    n, c, h, w = x.shape
    flat = index.reshape(n, c, index.shape[2] * index.shape[3])
    return np.take_along_axis(x.reshape(n, c, h * w), flat, axis=2).reshape(index.shape)


def avg_pool2d(
    x: Any, shape: tuple, kernel: Pair, stride: Pair, padding: Pair, pad: bool, divisor: int
) -> Any:
    """Averages of the windows of x as a new array of `shape`."""
    wide = widened(x)
    out = _C.empty(shape, wide.dtype)
    if _compiled(wide):
        wide = dense(wide)
        _C.avg_pool2d(out, wide, *kernel, *stride, *padding, pad, divisor)
    else:
        numpy_pool.avg_pool2d(out, wide, kernel, stride, padding, pad, divisor)
    return _as(out, x.dtype)


def avg_pool2d_backward(
    g: Any, shape: tuple, kernel: Pair, stride: Pair, padding: Pair, pad: bool, divisor: int
) -> Any:
    """The gradient to the input of avg_pool2d, of `shape`, for output gradient g."""
    wide = widened(g)
    out = _C.empty(shape, wide.dtype)
    if _compiled(wide):
        wide = dense(wide)
        _C.avg_pool2d_backward(out, wide, *kernel, *stride, *padding, pad, divisor)
    else:
        numpy_pool.avg_pool2d_backward(out, wide, kernel, stride, padding, pad, divisor)
    return _as(out, g.dtype)


def _adaptive(name: str, x: Any, shape: tuple) -> Any:
    wide = widened(x)
    out = _C.empty(shape, wide.dtype)
    if _compiled(wide):
        getattr(_C, name)(out, dense(wide))
    else:
        getattr(numpy_pool, name)(out, wide)
    return _as(out, x.dtype)


def adaptive_avg_pool2d(x: Any, shape: tuple) -> Any:
    """Averages of the parts of x as a new array of `shape`."""
    return _adaptive("adaptive_avg_pool2d", x, shape)


def adaptive_avg_pool2d_backward(g: Any, shape: tuple) -> Any:
    """The gradient to the input of adaptive_avg_pool2d, of `shape`, for output gradient g."""
    return _adaptive("adaptive_avg_pool2d_backward", g, shape)


def adaptive_max_pool2d(x: Any, shape: tuple) -> tuple[Any, Any]:
    """Maxima of the parts of x as a new array of `shape`, and where they stood."""
    wide = widened(x)
    out = _C.empty(shape, wide.dtype)
    small = x.shape[2] * x.shape[3] < 1 << 31
    where = _C.empty(shape, np.dtype(np.int32 if small else np.int64))
    if _compiled(wide) and small:
        _C.adaptive_max_pool2d(out, where, dense(wide))
    else:
        numpy_pool.adaptive_max_pool2d(out, where, wide)
    return _as(out, x.dtype), where
