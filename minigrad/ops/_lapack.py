"""Factorizations of arrays by NumPy's LAPACK, and what NumPy leaves out: LU, triangular systems.

Everything takes batches of matrices (..., m, n) of float32 or float64. A failure is told by an
`info` for each matrix, as LAPACK does: 0, or the number (from 1) of the pivot or minor at fault.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SINGULAR = (
    "The diagonal element {} is zero, the inversion could not be completed because the input "
    "matrix is singular."
)
_LEAF = 64  # triangular systems up to this size go to NumPy's solver in one piece
_PANEL = 32  # columns that LU factors before it updates the rest by a matrix product


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
        return np.linalg.inv(x), np.zeros(x.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        info = lu_factor(x)[2]
        good = (info == 0)[..., None, None]
        safe = np.where(good, x, np.eye(x.shape[-1], dtype=x.dtype))
        return np.where(good, np.linalg.inv(safe), x.dtype.type(np.nan)), info


def solve(a: Any, b: Any) -> tuple:
    """x with a @ x = b for matrices b (..., n, k), batches broadcast, and the infos of `a`."""
    try:
        return np.linalg.solve(a, b), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        info = lu_factor(a)[2]
        good = (info == 0)[..., None, None]
        safe = np.where(good, a, np.eye(a.shape[-1], dtype=a.dtype))
        return np.where(good, np.linalg.solve(safe, b), a.dtype.type(np.nan)), info


def _triangle(a: Any, upper: bool, unit: bool) -> Any:
    """A triangle of square matrices, turned round to be the upper one."""
    t = np.triu(a) if upper else np.tril(a)[..., ::-1, ::-1]
    if unit:
        i = np.arange(a.shape[-1])
        t[..., i, i] = 1
    return t


def solve_triangular(a: Any, b: Any, upper: bool, unit: bool = False) -> Any:
    """x with triangle(a) @ x = b: a (..., n, n), b (..., n, k), batches broadcast.

    Halves are solved one after the other, with a matrix product in between. The leaves are solved
    by LU with pivots, which for an upper triangle is substitution (nothing is exchanged). A zero
    on the diagonal gives infinities.
    """
    n = a.shape[-1]
    if n > _LEAF:
        half = n // 2
        first, second = slice(None, half), slice(half, None)
        if upper:
            first, second = second, first
        x = solve_triangular(a[..., first, first], b[..., first, :], upper, unit)
        rest = b[..., second, :] - a[..., second, first] @ x
        y = solve_triangular(a[..., second, second], rest, upper, unit)
        x = np.broadcast_to(x, (*y.shape[:-2], *x.shape[-2:]))
        return np.concatenate((y, x) if upper else (x, y), -2)
    t = _triangle(a, upper, unit)
    turned = b if upper else b[..., ::-1, :]
    try:
        x = np.linalg.solve(t, turned)
    except np.linalg.LinAlgError:
        x = _substitute(t, turned)
    return x if upper else x[..., ::-1, :]


def _substitute(t: Any, b: Any) -> Any:
    """Back substitution row by row, for upper triangles that are singular."""
    n = t.shape[-1]
    lead = np.broadcast_shapes(t.shape[:-2], b.shape[:-2])
    x = np.zeros((*lead, n, b.shape[-1]), b.dtype)
    with np.errstate(all="ignore"):
        for i in reversed(range(n)):
            rest = b[..., i : i + 1, :] - t[..., i : i + 1, i + 1 :] @ x[..., i + 1 :, :]
            x[..., i : i + 1, :] = rest / t[..., i : i + 1, i : i + 1]
    return x


# -- factorizations --------------------------------------------------------------------------------


def cholesky(x: Any) -> tuple:
    """L with L @ L^T = x (the lower triangle is read), and the infos."""
    info = np.zeros(x.shape[:-2], np.int32)
    try:
        return np.linalg.cholesky(x), info
    except np.linalg.LinAlgError:
        pass
    matrices = each_matrix(x)
    factors = np.tril(matrices)
    flat = info.reshape(-1)
    for i, matrix in enumerate(matrices):
        flat[i] = _failing_minor(matrix)
        n = flat[i] - 1 if flat[i] else len(matrix)
        factors[i, :n, :n] = np.linalg.cholesky(matrix[:n, :n])
    return factors.reshape(x.shape), flat.reshape(info.shape)


def _failing_minor(matrix: Any) -> int:
    """The order of the first leading minor that is not positive definite; 0 if there is none."""

    def works(n: int) -> bool:
        try:
            np.linalg.cholesky(matrix[:n, :n])
        except np.linalg.LinAlgError:
            return False
        return True

    good, bad = 0, len(matrix) + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if works(middle) else (good, middle)
    return bad if bad <= len(matrix) else 0


def lu_factor(x: Any, pivot: bool = True) -> tuple:
    """(LU, pivots, info): L below the diagonal (its own is 1) and U above, of rows exchanged.

    pivots (..., k) int32, from 1: row i was exchanged with row pivots[i]. info: the first zero on
    the diagonal of U. Panels of columns are factored for the whole batch at a time.
    """
    m, n = x.shape[-2:]
    k = min(m, n)
    a = np.array(each_matrix(x), order="C")
    count = len(a)
    each = np.arange(count)
    pivots = np.empty((count, k), np.int32)
    info = np.zeros(count, np.int32)
    for start in range(0, k, _PANEL):
        stop = min(start + _PANEL, k)
        for j in range(start, stop):
            p = j + np.argmax(np.abs(a[:, j:, j]), 1) if pivot else np.full(count, j)
            pivots[:, j] = p + 1
            if pivot:
                rows = a[each, p]
                a[each, p] = a[:, j]
                a[:, j] = rows
            divisor = a[:, j, j]
            zero = divisor == 0
            if zero.any():
                info[zero & (info == 0)] = j + 1
                divisor = np.where(zero, x.dtype.type(1), divisor)
            a[:, j + 1 :, j] /= divisor[:, None]
            a[:, j + 1 :, j + 1 : stop] -= a[:, j + 1 :, j, None] * a[:, j, None, j + 1 : stop]
        if stop < n:
            panel = a[:, start:stop]
            top = solve_triangular(panel[..., start:stop], panel[..., stop:], False, True)
            panel[..., stop:] = top
            a[:, stop:, stop:] -= a[:, stop:, start:stop] @ top
    lead = x.shape[:-2]
    return a.reshape(x.shape), pivots.reshape(*lead, k), info.reshape(lead)


def permutation(pivots: Any, m: int) -> Any:
    """The rows' order (..., m) after the exchanges `pivots` (..., k), which count from 1."""
    flat = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])
    order = np.tile(np.arange(m), (len(flat), 1))
    each = np.arange(len(flat))
    for i in range(flat.shape[1]):
        p = flat[:, i] - 1
        order[each, p], order[:, i] = order[:, i], order[each, p]
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
