"""Compiled kernels of neural networks, each with its NumPy form for what it does not take."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, numpy_random, numpy_softmax

__all__ = [
    "log_softmax", "log_softmax_backward",
    "philox_dropout", "philox_mask",
    "softmax", "softmax_backward",
]  # fmt: skip


def softmax(x: Any, axis: int) -> Any:
    """exp(x - max) over its sum along an axis."""
    y = _C.softmax(x) if axis == x.ndim - 1 else None
    return numpy_softmax.softmax(x, axis) if y is None else y


def log_softmax(x: Any, axis: int) -> Any:
    """x - log(sum(exp(x))) along an axis."""
    y = _C.log_softmax(x) if axis == x.ndim - 1 else None
    return numpy_softmax.log_softmax(x, axis) if y is None else y


def softmax_backward(grad: Any, y: Any, axis: int) -> Any:
    """y (grad - sum(grad y))."""
    d = _C.softmax_backward(grad, y) if axis == y.ndim - 1 else None
    return numpy_softmax.softmax_backward(grad, y, axis) if d is None else d


def log_softmax_backward(grad: Any, y: Any, axis: int) -> Any:
    """grad - exp(y) sum(grad)."""
    d = _C.log_softmax_backward(grad, y) if axis == y.ndim - 1 else None
    return numpy_softmax.log_softmax_backward(grad, y, axis) if d is None else d


def philox_mask(seed: int, offset: int, n: int, keep: float) -> Any:
    """n booleans, each True with probability `keep` (in steps of 2^-32)."""
    return _C.philox_mask(seed, offset, n, keep)


def philox_dropout(
    x: Any, seed: int, offset: int, keep: float, scale: float, kept: float, dropped: float
) -> Any:
    """x * mask * scale + (kept where the mask is True, dropped elsewhere), with `philox_mask`."""
    if not x.flags.c_contiguous:
        x = np.ascontiguousarray(x)
    y = _C.philox_dropout(x, seed, offset, keep, scale, kept, dropped)
    if y is None:
        return numpy_random.philox_dropout(x, seed, offset, keep, scale, kept, dropped)
    return y
