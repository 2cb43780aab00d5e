"""Normalisations by the compiled CUDA kernels, called as those of `_C`."""

from __future__ import annotations

import math
from typing import Any

from .cuda_array import CudaArray, empty
from .cuda_compiled import define
from .cuda_launch import is_float, kernel, stream, work


def _takes(*arrays: Any) -> bool:
    """Whether all arrays (None is left out) are dense ones of float32, or all of float64."""
    given = [a for a in arrays if a is not None]
    return bool(given[0].size) and all(
        is_float(a) and a.itemsize >= 4 and a.dtype == given[0].dtype and a.flags.c_contiguous
        for a in given
    )


def _like(x: CudaArray) -> CudaArray:
    return empty(x.shape, x.dtype)


def _scratch(n: int, c: int, length: int) -> Any:
    return work(kernel("norm_workspace")(n, c, length))


@define
def layer_norm(x: Any, w: Any, b: Any, n: int, eps: float) -> Any:
    """(y, mean (rows, 1), rstd (rows, 1)) of rows of n elements."""
    run = kernel("layer_norm")
    if run is None or not _takes(x, w, b):
        return None
    y, mean, rstd = _like(x), empty((x.size // n, 1), x.dtype), empty((x.size // n, 1), x.dtype)
    run(y, mean, rstd, x, w, b, n, eps, stream())
    return y, mean, rstd


@define
def rms_norm(x: Any, w: Any, n: int, eps: float) -> Any:
    """(y, rstd (rows, 1)) of rows of n elements."""
    run = kernel("rms_norm")
    if run is None or not _takes(x, w):
        return None
    y, rstd = _like(x), empty((x.size // n, 1), x.dtype)
    run(y, rstd, x, w, n, eps, stream())
    return y, rstd


def _row_gradients(x: Any, dims: int, want: tuple) -> tuple[list, Any]:
    """Room for the gradients that are wanted (of x, then of the parameters), and for work."""
    shape = x.shape[x.ndim - dims :]
    rooms = [_like(x) if want[0] else None]
    rooms += [empty(shape, x.dtype) if w else None for w in want[1:]]
    n = math.prod(shape)
    return rooms, _scratch(x.size // n, n, 1)


@define
def layer_norm_backward(
    grad: Any, x: Any, mean: Any, rstd: Any, w: Any, dims: int, want: tuple
) -> Any:
    """(dx, dw, db) where wanted."""
    run = kernel("layer_norm_backward")
    if run is None or not _takes(grad, x, mean, rstd, w):
        return None
    rooms, scratch = _row_gradients(x, dims, want)
    run(*rooms, grad, x, mean, rstd, w, scratch, stream())
    return tuple(rooms)


@define
def rms_norm_backward(grad: Any, x: Any, rstd: Any, w: Any, dims: int, want: tuple) -> Any:
    """(dx, dw) where wanted."""
    run = kernel("rms_norm_backward")
    if run is None or not _takes(grad, x, rstd, w):
        return None
    rooms, scratch = _row_gradients(x, dims, want)
    run(*rooms, grad, x, rstd, w, scratch, stream())
    return tuple(rooms)


def _channels(x: CudaArray) -> tuple[int, int, int]:
    """(N, C, positions)."""
    return x.shape[0], x.shape[1], math.prod(x.shape[2:])


@define
def group_norm(x: Any, w: Any, b: Any, groups: int, eps: float) -> Any:
    """(y, mean (N * G, 1), rstd (N * G, 1))."""
    run = kernel("group_norm")
    if run is None or not _takes(x, w, b):
        return None
    rows = (x.shape[0] * groups, 1)
    y, mean, rstd = _like(x), empty(rows, x.dtype), empty(rows, x.dtype)
    run(y, mean, rstd, x, w, b, groups, eps, stream())
    return y, mean, rstd


@define
def group_norm_backward(
    grad: Any, x: Any, mean: Any, rstd: Any, w: Any, groups: int, want: tuple
) -> Any:
    """(dx, dw (C,), db (C,)) where wanted."""
    run = kernel("group_norm_backward")
    if run is None or not _takes(grad, x, mean, rstd, w):
        return None
    rooms = [_like(x) if want[0] else None]
    rooms += [empty(x.shape[1], x.dtype) if w else None for w in want[1:]]
    run(*rooms, grad, x, mean, rstd, w, _scratch(*_channels(x)), groups, stream())
    return tuple(rooms)


@define
def batch_norm(
    x: Any, w: Any, b: Any, running_mean: Any, running_var: Any, training: bool, momentum: float,
    eps: float,
) -> Any:  # fmt: skip
    """(y, mean (C,), rstd (C,)); in training the running statistics are moved."""
    run = kernel("batch_norm")
    if run is None or not _takes(x, w, b, running_mean, running_var):
        return None
    c = x.shape[1]
    y, mean, rstd = _like(x), empty(c, x.dtype), empty(c, x.dtype)
    scratch = _scratch(*_channels(x)) if training else None
    moved = (running_mean, running_var)
    run(y, mean, rstd, *moved, x, w, b, scratch, training, float(momentum), eps, stream())
    return y, mean, rstd


@define
def batch_norm_backward(
    grad: Any, x: Any, w: Any, mean: Any, rstd: Any, training: bool, want: tuple
) -> Any:
    """(dx, dw (C,), db (C,)) where wanted."""
    run = kernel("batch_norm_backward")
    if run is None or not _takes(grad, x, w, mean, rstd):
        return None
    dx = _like(x) if want[0] else None
    dw, db = empty(x.shape[1], x.dtype), empty(x.shape[1], x.dtype)
    run(dx, dw, db, grad, x, w, mean, rstd, _scratch(*_channels(x)), training, stream())
    return dx, dw if want[1] else None, db if want[2] else None
