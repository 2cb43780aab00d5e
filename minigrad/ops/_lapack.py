"""Factorizations of arrays: NumPy's LAPACK, and our own Cholesky, LU and triangular systems.

Everything takes batches of matrices (..., m, n) of float32 or float64. A failure is told by an
`info` for each matrix, as LAPACK does: 0, or the number (from 1) of the pivot or minor at fault.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backend import on_gpu
from ..kernels import cpu, factor

SINGULAR = (
    "The diagonal element {} is zero, the inversion could not be completed because the input "
    "matrix is singular."
)
_LEAF = 64  # triangular systems up to this size are solved in one piece
_FEW_SIDES, _FEW_SIDES_LEAF = 8, 512  # the same where there are few right sides
_PANEL = 64  # columns that LU factors before it updates the rest by a matrix product
_ONE_PIECE = 512  # up to so many, LU is done in one piece: moving rows about costs more


class LinAlgError(RuntimeError):
    """A decomposition or a solution that does not exist, or was not found."""

    __module__ = "torch.linalg"


def failed(name: str, info: Any, text: str) -> LinAlgError:
    """The error for the first matrix whose `info` is not 0; `text` has a place for its info."""
    flat = info.reshape(-1)
    at = int(np.flatnonzero(flat)[0])
    batch = f"(Batch element {at}): " if info.ndim else ""
    return LinAlgError(f"{name}: {batch}{text.format(int(flat[at]))}")


def each_matrix(x: Any) -> Any:
    """The matrices of a batch as one (b, m, n) array."""
    return x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


# -- inverses and systems --------------------------------------------------------------------------


def inv(x: Any) -> tuple:
    """The inverses and the infos; a singular matrix gives NaN."""
    try:
        return np.linalg.inv(x), np.zeros(x.shape[:-2], np.int32, like=x)
    except np.linalg.LinAlgError:
        info = lu_factor(x)[2]
        good = (info == 0)[..., None, None]
        safe = np.where(good, x, np.eye(x.shape[-1], dtype=x.dtype, like=x))
        return np.where(good, np.linalg.inv(safe), x.dtype.type(np.nan)), info


def solve(a: Any, b: Any) -> tuple:
    """x with a @ x = b for matrices b (..., n, k), batches broadcast, and the infos of `a`."""
    try:
        return np.linalg.solve(a, b), np.zeros(a.shape[:-2], np.int32, like=a)
    except np.linalg.LinAlgError:
        info = lu_factor(a)[2]
        good = (info == 0)[..., None, None]
        safe = np.where(good, a, np.eye(a.shape[-1], dtype=a.dtype, like=a))
        return np.where(good, np.linalg.solve(safe, b), a.dtype.type(np.nan)), info


def solve_triangular(a: Any, b: Any, upper: bool, unit: bool = False) -> Any:
    """x with triangle(a) @ x = b: a (..., n, n), b (..., n, k), batches broadcast.

    Halves are solved one after the other, with a matrix product in between, until they are small. A
    zero on the diagonal gives infinities.
    """
    n = a.shape[-1]
    if n <= (_FEW_SIDES_LEAF if b.shape[-1] <= _FEW_SIDES else _LEAF) or on_gpu(a):
        return factor.solve_triangular(a, b, upper, unit)
    if a.ndim == b.ndim == 2:
        x = b.copy()
        _solve_in_place(a, x, upper, unit)
        return x
    half = n // 2
    first, second = slice(None, half), slice(half, None)
    if upper:
        first, second = second, first
    x = solve_triangular(a[..., first, first], b[..., first, :], upper, unit)
    rest = b[..., second, :] - a[..., second, first] @ x
    y = solve_triangular(a[..., second, second], rest, upper, unit)
    x = np.broadcast_to(x, (*y.shape[:-2], *x.shape[-2:]))
    return np.concatenate((y, x) if upper else (x, y), -2)


def _solve_in_place(a: Any, x: Any, upper: bool, unit: bool) -> None:
    """The same for one matrix and many sides, without arrays in between."""
    n = len(a)
    if n <= _LEAF:
        factor.solve_in_place(a, x, upper, unit)
        return
    first, second = slice(None, n // 2), slice(n // 2, None)
    if upper:
        first, second = second, first
    _solve_in_place(a[first, first], x[first], upper, unit)
    try:
        cpu.gemm(x[second], a[second, first], x[first], -1.0, 1.0, None, False)
    except ValueError:  # misaligned, or strides that are no whole elements
        x[second] -= a[second, first] @ x[first]
    _solve_in_place(a[second, second], x[second], upper, unit)


# -- factorizations --------------------------------------------------------------------------------


cholesky = factor.cholesky  # L with L @ L^T = x, and the infos


def lu_factor(x: Any, pivot: bool = True) -> tuple:
    """(LU, pivots, info): L below the diagonal (its own is 1) and U above, of rows exchanged.

    pivots (..., k) int32, from 1: row i was exchanged with row pivots[i]. info: the first zero on
    the diagonal of U. Large matrices are factored by panels of columns.
    """
    m, n = x.shape[-2:]
    k = min(m, n)
    lead = x.shape[:-2]
    if k <= _ONE_PIECE or on_gpu(x):
        a, pivots, info = factor.lu_factor(each_matrix(x), pivot)
        return a.reshape(x.shape), pivots.reshape(*lead, k), info.reshape(lead)
    a = np.array(each_matrix(x), order="C")
    pivots, info = np.empty((len(a), k), np.int32), np.zeros(len(a), np.int32)
    for start in range(0, k, _PANEL):
        stop = min(start + _PANEL, k)
        panel, own, zeros = factor.lu_factor(a[:, start:, start:stop], pivot)
        if pivot:
            order = permutation(own, m - start)[..., None]
            a[:, start:] = np.take_along_axis(a[:, start:], order, 1)
        a[:, start:, start:stop] = panel
        pivots[:, start:stop] = own + start
        info = np.where((info == 0) & (zeros > 0), zeros + start, info).astype(np.int32)
        if stop < n:
            rows = a[:, start:stop]
            top = solve_triangular(rows[..., start:stop], rows[..., stop:], False, True)
            rows[..., stop:] = top
            a[:, stop:, stop:] -= a[:, stop:, start:stop] @ top
    return a.reshape(x.shape), pivots.reshape(*lead, k), info.reshape(lead)


def permutation(pivots: Any, m: int) -> Any:
    """The rows' order (..., m) after the exchanges `pivots` (..., k), which count from 1."""
    flat = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])
    if len(flat) <= 8 and not on_gpu(flat):  # exchanges in a list cost a tenth of NumPy's
        order = np.empty((len(flat), m), np.int64)
        for row, exchanges in zip(order, flat.tolist(), strict=True):
            places = list(range(m))
            for i, p in enumerate(exchanges):
                places[i], places[p - 1] = places[p - 1], places[i]
            row[:] = places
        return order.reshape(*pivots.shape[:-1], m)
    order = np.tile(np.arange(m, like=flat), (len(flat), 1))
    each = np.arange(len(flat), like=flat)
    for i in range(flat.shape[1]):
        p = flat[:, i] - 1
        rows = order[each, p]
        order[each, p] = order[:, i]
        order[:, i] = rows
    return order.reshape(*pivots.shape[:-1], m)


def svd(x: Any, full: bool = False) -> tuple:
    """(U, S, V^T). LinAlgError for elements that are not finite, or where nothing converges."""
    try:
        return tuple(np.linalg.svd(x, full_matrices=full))
    except np.linalg.LinAlgError:
        raise _not_found("linalg.svd", x) from None


def svdvals(x: Any) -> Any:
    """The singular values (..., k). Errors: `svd`."""
    if not x.size:
        return svd(x)[1]
    try:
        return np.linalg.svd(x, compute_uv=False)
    except np.linalg.LinAlgError:
        raise _not_found("linalg.svd", x) from None


def eigh(x: Any, uplo: Any) -> tuple:
    """(eigenvalues, eigenvectors) of symmetric matrices of which one triangle is read."""
    try:
        return tuple(np.linalg.eigh(x, uplo))
    except np.linalg.LinAlgError:
        raise _not_found("linalg.eigh", x) from None


def _not_found(name: str, x: Any) -> LinAlgError:
    reason = (
        "is ill-conditioned or has too many repeated singular or eigenvalues"
        if np.isfinite(x).all()
        else "contained non-finite values"
    )
    return LinAlgError(
        f"{name}: The algorithm failed to converge because the input matrix {reason}."
    )
