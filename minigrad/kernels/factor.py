"""Triangular systems and LU of batches of small matrices, compiled: new arrays from any strides."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import _C

__all__ = ["lu_factor", "solve_triangular"]


def _batch(x: Any) -> Any:
    """Matrices (..., m, n) as (b, m, n), dense."""
    return np.ascontiguousarray(x).reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


def solve_triangular(a: Any, b: Any, upper: bool, unit: bool) -> Any:
    """triangle(a)^-1 @ b: a (..., n, n), b (..., n, k), batches broadcast, of one float type."""
    lead = a.shape[:-2] if a.shape[:-2] == b.shape[:-2] else np.broadcast_shapes(
        a.shape[:-2], b.shape[:-2]
    )  # fmt: skip
    x = np.array(np.broadcast_to(b, (*lead, *b.shape[-2:])), order="C")
    turned = a.swapaxes(-1, -2)
    transposed = turned.flags.c_contiguous and not a.flags.c_contiguous
    matrices = turned if transposed else a
    if math.prod(a.shape[:-2]) != 1:
        matrices = np.broadcast_to(matrices, (*lead, *a.shape[-2:]))
    _C.solve_triangular(_batch(x), _batch(matrices), upper, unit, transposed)
    return x


def lu_factor(a: Any, pivot: bool) -> tuple:
    """(LU, pivots, info) of matrices (b, m, n): pivots (b, min(m, n)) from 1, info (b,), int32."""
    factors = np.array(a, order="C")
    count, m, n = a.shape
    pivots, info = np.empty((count, min(m, n)), np.int32), np.empty(count, np.int32)
    _C.lu_factor(factors, pivots, info, pivot)
    return factors, pivots, info
