"""Distances of all pairs of rows, compiled: arrays (..., n, d) and (..., m, d) of any strides."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import _C
from ._quiet import rounded
from .cpu import matmul
from .reduction import widened

__all__ = ["distances", "distances_backward", "euclidean", "euclidean_weights"]


def _rows(x: Any) -> Any:
    """Matrices (..., n, m) as (b, n, m), dense, of float32 or float64."""
    x = widened(x)
    shape = x.shape
    if len(shape) != 3:
        x = x.reshape(math.prod(shape[:-2]), *shape[-2:])
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


def distances(a: Any, b: Any, p: float) -> Any:
    """(..., n, m): the p-norms of a[i] - b[j]; the batches of a and b are the same."""
    out = _C.row_distances(_rows(a), _rows(b), p)
    return rounded(out.reshape(*a.shape[:-1], b.shape[-2]), a.dtype)


def distances_backward(
    a: Any, b: Any, grad: Any, distance: Any, p: float, turned: bool = False
) -> Any:
    """The gradient of a, 0 where there is none; if `turned`, a was the second operand."""
    if p == 0:
        return np.zeros(a.shape, a.dtype)
    rows = _C.row_distances_backward(_rows(a), _rows(b), _rows(grad), _rows(distance), p, turned)
    return rows.reshape(a.shape)


def euclidean(a: Any, b: Any) -> Any:
    """(..., n, m): the root of |a|^2 + |b|^2 - 2 a b, 0 where rounding makes that negative."""
    x, y = _rows(a), _rows(b)
    out = matmul(x, y.swapaxes(1, 2))
    _C.euclidean_finish(x, y, out)
    return rounded(out.reshape(*a.shape[:-1], b.shape[-2]), a.dtype)


def euclidean_weights(grad: Any, distance: Any) -> Any:
    """grad / distance, 0 where that is 0."""
    return _C.euclidean_weights(_rows(grad), _rows(distance)).reshape(grad.shape)
