"""Few singular values or eigenvalues of large matrices: randomized and iterative methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..ops._matrices import mt
from ..ops._shape import array_of, expand, shape_of
from ..ops.arith import sub
from ..ops.linalg import matmul
from ..ops.reduce import mean
from ..random import randn
from ._checks import matrix
from .orthogonal import qr
from .spectral import svd
from .symmetric_pairs import largest_pairs

__all__ = ["lobpcg", "pca_lowrank", "svd_lowrank"]


def _basis(A: Any, q: int, niter: int, M: Any) -> Any:
    """Orthonormal columns (..., m, q) that nearly span the range of A - M.

    Halko, Martinsson and Tropp, "Finding structure with randomness", 2009: algorithm 4.4.
    """

    def times(a: Any, m: Any, x: Any) -> Any:
        return matmul(a, x) if m is None else sub(matmul(a, x), matmul(m, x))

    turned, turned_mean = mt(A), None if M is None else mt(M)
    start = randn(shape_of(A)[-1], q, dtype=A.dtype, device=A.device)
    basis = qr(times(A, M, start))[0]
    for _ in range(niter):
        basis = qr(times(turned, turned_mean, basis))[0]
        basis = qr(times(A, M, basis))[0]
    return basis


def svd_lowrank(A: Any, q: int | None = 6, niter: int | None = 2, M: Any = None) -> tuple:
    """(U, S, V) of about the q largest singular values of A - M (..., m, n), V not transposed.

    `niter` power iterations from random vectors sharpen the range; M broadcasts to A.
    """
    matrix("svd_lowrank", A)
    count = 6 if q is None else q
    m, n = shape_of(A)[-2:]
    if M is not None:
        M = expand(M, shape_of(A))
    wide = m < n
    if wide:
        A, M = mt(A), None if M is None else mt(M)
    basis = _basis(A, count, 2 if niter is None else niter, M)
    small = matmul(mt(basis), A)
    if M is not None:
        small = sub(small, matmul(mt(basis), M))
    u, s, vt = svd(small, full_matrices=False)
    u, v = matmul(basis, u), mt(vt)
    return (v, s, u) if wide else (u, s, v)


def pca_lowrank(A: Any, q: int | None = None, center: bool = True, niter: int = 2) -> tuple:
    """(U, S, V) of about the q (by default min(6, m, n)) principal directions of rows of A.

    A (..., m, n); V's columns are the directions. With `center` the mean row is taken off first.
    ValueError for q or `niter` out of range.
    """
    x = matrix("pca_lowrank", A)
    m, n = x.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if center:
        A = sub(A, mean(A, -2, True))
    return svd_lowrank(A, q, niter)


def lobpcg(
    A: Any,
    k: int | None = None,
    B: Any = None,
    X: Any = None,
    n: int | None = None,
    iK: Any = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: Any = None,
    ortho_fparams: Any = None,
    ortho_bparams: Any = None,
) -> tuple:
    """(E, X): the k largest (or least) eigenvalues of `A @ x = e * B @ x`, A and B symmetric.

    A (m, m) and B positive definite; k is 1 by default, or the columns of the guess X (m, n); iK
    is a preconditioner (m, m). Iterates (Knyazev, 2001) until the residuals are below
    tol * (|A| + |e| |B|) * |x|. No gradient: A and B must not require one. A tracker and PyTorch's
    keywords of the orthogonalization are refused.
    """
    x = matrix("lobpcg", A, square=True)
    for name, value in (
        ("tracker", tracker),
        ("ortho_iparams", ortho_iparams),
        ("ortho_fparams", ortho_fparams),
        ("ortho_bparams", ortho_bparams),
    ):
        if value:
            raise NotImplementedError(f"lobpcg: {name} is not in minigrad")
    if method not in (None, "basic", "ortho"):
        raise ValueError(f"lobpcg: method {method!r}; needed: 'basic' or 'ortho'")
    if any(isinstance(t, _v.Variable) and t.requires_grad for t in (A, B)):
        raise NotImplementedError("lobpcg has no gradient in minigrad; needed: A.detach()")
    if x.ndim != 2:
        raise NotImplementedError("lobpcg: batches are not in minigrad; needed: one matrix (m, m)")
    count = k if k is not None else (1 if X is None else shape_of(X)[-1])
    width = n if n is not None else (count if X is None else shape_of(X)[-1])
    if x.shape[-1] < 3 * width:
        raise ValueError(
            f"LPBPCG algorithm is not applicable when the number of A rows (={x.shape[-1]}) is "
            f"smaller than 3 x the number of requested eigenpairs (={width})"
        )
    start = array_of(randn(x.shape[-1], width, dtype=A.dtype)) if X is None else array_of(X)
    limit = tol if tol is not None else float(np.finfo(x.dtype).eps) ** 0.5
    values, vectors = largest_pairs(
        x, None if B is None else array_of(B), start, None if iK is None else array_of(iK),
        -1 if niter is None else niter, limit, largest is None or largest, count,
    )  # fmt: skip
    return _v.wrap(values), _v.wrap(vectors)
