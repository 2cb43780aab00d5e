"""Compiled normalisations, each with its NumPy form for what it does not take.

The compiled ones take float32 and float64 in C order. Other layouts are copied first, 16-bit floats
computed in float32; NumPy does inputs without elements and parameters of another type.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, numpy_norm
from ._quiet import is_half
from .reduction import dense

__all__ = [
    "batch_norm", "batch_norm_backward", "group_norm", "group_norm_backward", "layer_norm",
    "layer_norm_backward", "rms_norm", "rms_norm_backward",
]  # fmt: skip


def _ready(x: Any) -> Any:
    """x (which may be None) as the compiled kernels take it."""
    if x is None:
        return None
    x = dense(x)
    if not is_half(x):
        return x
    wide = _C.empty(x.shape, np.dtype(np.float32))
    _C.cast(wide, x)
    return wide


def _like(result: tuple, x: Any) -> tuple:
    """A result whose first array, if any, gets the type of x."""
    first = result[0]
    if first is None or first.dtype == x.dtype:
        return result
    narrow = _C.empty(first.shape, x.dtype)
    _C.cast(narrow, first)
    return (narrow, *result[1:])


def layer_norm(x: Any, w: Any, b: Any, n: int, eps: float) -> tuple[Any, Any, Any]:
    """Normalises rows of n elements: (y in x's shape, mean (rows, 1), rstd (rows, 1))."""
    done = _C.layer_norm(_ready(x), _ready(w), _ready(b), n, eps)
    return numpy_norm.layer_norm(x, w, b, n, eps) if done is None else _like(done, x)


def layer_norm_backward(
    grad: Any, x: Any, mean: Any, rstd: Any, w: Any, dims: int, want: tuple
) -> tuple[Any, Any, Any]:
    """(dx, dw, db) where wanted; dw and db in the shape of x's last `dims` dimensions."""
    done = _C.layer_norm_backward(grad, x, mean, rstd, w, dims, want)
    if done is None:
        done = _C.layer_norm_backward(_ready(grad), _ready(x), mean, rstd, _ready(w), dims, want)
        if done is None:
            return numpy_norm.layer_norm_backward(grad, x, mean, rstd, w, dims, want)
        return _like(done, x)
    return done


def rms_norm(x: Any, w: Any, n: int, eps: float) -> tuple[Any, Any]:
    """x / sqrt(mean(x^2) + eps) * w over rows of n elements: (y, rstd (rows, 1))."""
    done = _C.rms_norm(_ready(x), _ready(w), n, eps)
    return numpy_norm.rms_norm(x, w, n, eps) if done is None else _like(done, x)


def rms_norm_backward(
    grad: Any, x: Any, rstd: Any, w: Any, dims: int, want: tuple
) -> tuple[Any, Any]:
    """(dx, dw) where wanted; dw in the shape of x's last `dims` dimensions."""
    done = _C.rms_norm_backward(grad, x, rstd, w, dims, want)
    if done is None:
        done = _C.rms_norm_backward(_ready(grad), _ready(x), rstd, _ready(w), dims, want)
        if done is None:
            return numpy_norm.rms_norm_backward(grad, x, rstd, w, dims, want)
        return _like(done, x)
    return done


def group_norm(x: Any, w: Any, b: Any, groups: int, eps: float) -> tuple[Any, Any, Any]:
    """Normalises groups of channels of each sample: (y, mean (N * G, 1), rstd (N * G, 1))."""
    done = _C.group_norm(_ready(x), _ready(w), _ready(b), groups, eps)
    return numpy_norm.group_norm(x, w, b, groups, eps) if done is None else _like(done, x)


def group_norm_backward(
    grad: Any, x: Any, mean: Any, rstd: Any, w: Any, groups: int, want: tuple
) -> tuple[Any, Any, Any]:
    """(dx, dw (C,), db (C,)) where wanted, else None; dw and db in the type of mean."""
    done = _C.group_norm_backward(grad, x, mean, rstd, w, groups, want)
    if done is None:
        done = _C.group_norm_backward(_ready(grad), _ready(x), mean, rstd, _ready(w), groups, want)
        if done is None:
            return numpy_norm.group_norm_backward(grad, x, mean, rstd, w, groups, want)
        return _like(done, x)
    return done


def batch_norm(
    x: Any,
    w: Any,
    b: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Any, Any, Any]:
    """Normalises channels: (y in x's shape, mean (C,), rstd (C,)).

    In training by the batch's own statistics, moving the running ones (which may be None), else by
    those.
    """
    moved = (running_mean, running_var)
    if not training:
        moved = (_ready(running_mean), _ready(running_var))
    done = _C.batch_norm(_ready(x), _ready(w), _ready(b), *moved, training, momentum, eps)
    if done is None:
        return numpy_norm.batch_norm(x, w, b, running_mean, running_var, training, momentum, eps)
    return _like(done, x)


def batch_norm_backward(
    grad: Any, x: Any, w: Any, mean: Any, rstd: Any, training: bool, want: tuple
) -> tuple[Any, Any, Any]:
    """(dx, dw (C,), db (C,)) where wanted, else None; dw and db in the type of mean."""
    done = _C.batch_norm_backward(grad, x, w, mean, rstd, training, want)
    if done is None:
        done = _C.batch_norm_backward(
            _ready(grad), _ready(x), _ready(w), mean, rstd, training, want
        )
        if done is None:
            return numpy_norm.batch_norm_backward(grad, x, w, mean, rstd, training, want)
        return _like(done, x)
    return done
