"""Cholesky and LU factors and triangular systems, compiled: batches of any strides, new arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import _C

__all__ = ["cholesky", "lu_factor", "solve_in_place", "solve_triangular"]


def _batch(x: Any) -> Any:
    """Matrices (..., m, n) as (b, m, n), dense."""
    if x.ndim != 3:
        x = x[None] if x.ndim == 2 else x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


def _turned(x: Any) -> tuple:
    """Square matrices and whether they are the transposed ones, which lie in memory in order."""
    if x.flags.c_contiguous:
        return x, False
    turned = x.swapaxes(-1, -2)
    return (turned, True) if turned.flags.c_contiguous else (x, False)


def cholesky(x: Any) -> tuple:
    """(L, info) of symmetric matrices (..., n, n): the lower triangle is read; info int32.

    L lies in memory transposed, as LAPACK has it. Where info is not 0 it is the order of the first
    leading minor that is not positive definite, and what belongs to no smaller one is x's.
    """
    matrices, upper = _turned(x)
    matrices = _batch(matrices)
    factor, info = np.empty(matrices.shape, x.dtype), np.empty(x.shape[:-2], np.int32)
    _C.cholesky(factor, info, matrices, upper)
    return factor.reshape(x.shape).swapaxes(-1, -2), info


def solve_triangular(a: Any, b: Any, upper: bool, unit: bool) -> Any:
    """triangle(a)^-1 @ b: a (..., n, n), b (..., n, k), batches broadcast, of one float type."""
    matrices, transposed = _turned(a)
    if a.shape[:-2] == b.shape[:-2]:
        x = b.copy()
    else:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        x = np.array(np.broadcast_to(b, (*lead, *b.shape[-2:])), order="C")
        if math.prod(a.shape[:-2]) != 1:
            matrices = np.broadcast_to(matrices, (*lead, *a.shape[-2:]))
    _C.solve_triangular(_batch(x), _batch(matrices), upper, unit, transposed)
    return x


def solve_in_place(a: Any, x: Any, upper: bool, unit: bool) -> None:
    """x = triangle(a)^-1 @ x: a (n, n), x (n, k) dense."""
    matrix, transposed = _turned(a)
    _C.solve_triangular(x[None], _batch(matrix), upper, unit, transposed)


def lu_factor(a: Any, pivot: bool) -> tuple:
    """(LU, pivots, info) of matrices (b, m, n): pivots (b, min(m, n)) from 1, info (b,), int32."""
    factors = np.array(a, order="C")
    count, m, n = a.shape
    pivots, info = np.empty((count, min(m, n)), np.int32), np.empty(count, np.int32)
    _C.lu_factor(factors, pivots, info, pivot)
    return factors, pivots, info
