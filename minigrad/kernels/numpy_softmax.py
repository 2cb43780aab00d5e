"""Softmax and log-softmax in NumPy: the fallback and oracle of the compiled kernels.

All take any shape and one axis; 16-bit floats are computed in float32 and rounded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import quiet


def widen(x: Any) -> Any:
    """A 16-bit float array in float32; others as they are."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 else x


@quiet
def softmax(x: Any, axis: int) -> Any:
    """exp(x - max) / sum of the same, along an axis."""
    w = widen(x)
    if not w.size:
        return np.empty_like(x)
    y = w - w.max(axis, keepdims=True)
    np.exp(y, out=y)
    y /= y.sum(axis, keepdims=True)
    return y.astype(x.dtype, copy=False)


@quiet
def softmax_backward(grad: Any, y: Any, axis: int) -> Any:
    """y * (grad - sum(grad * y))."""
    g, w = widen(grad), widen(y)
    d = g * w
    d -= w * d.sum(axis, keepdims=True)
    return d.astype(y.dtype, copy=False)


@quiet
def log_softmax(x: Any, axis: int) -> Any:
    """x - max - log(sum(exp(x - max))), along an axis."""
    w = widen(x)
    if not w.size:
        return np.empty_like(x)
    y = w - w.max(axis, keepdims=True)
    y -= np.log(np.exp(y).sum(axis, keepdims=True))
    return y.astype(x.dtype, copy=False)


@quiet
def log_softmax_backward(grad: Any, y: Any, axis: int) -> Any:
    """grad - exp(y) * sum(grad)."""
    g, w = widen(grad), widen(y)
    d = np.exp(w)
    d *= g.sum(axis, keepdims=True)
    np.subtract(g, d, out=d)
    return d.astype(y.dtype, copy=False)
