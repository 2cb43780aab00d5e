"""Singular values and eigenvalues, with their vectors. Signs are LAPACK's."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import return_types
from ..autograd import modes
from ..autograd.record import apply
from ..autograd.variable import Node
from ..deferred import deferred
from ..ops import _lapack
from ..ops._matrices import mt
from ..ops._reduction import constant
from ..ops._shape import shape_of
from ..ops._singular import Svd, singular_values
from ..ops.arith import add, div, mul, sub
from ..ops.linalg import matmul
from ..ops.movement import reshape
from ..ops.rearrange import diag_embed
from ..ops.slices import diagonal
from ._checks import identity_like, matrix, written
from .systems import inverse_of

as_complex, complex_array = deferred("as_complex"), deferred("complex_array")

__all__ = ["eig", "eigh", "eigvals", "eigvalsh", "svd", "svdvals", "torch_svd"]


def _row(x: Any) -> Any:
    return reshape(x, (*shape_of(x)[:-1], 1, shape_of(x)[-1]))


def _column(x: Any) -> Any:
    return reshape(x, (*shape_of(x), 1))


# -- singular values -------------------------------------------------------------------------------


def svd(A: Any, full_matrices: bool = True, *, driver: str | None = None, out: Any = None) -> Any:
    """(U, S, Vh) with `A = U @ diag(S) @ Vh`: (..., m, m), (..., k), (..., n, n), k = min(m, n).

    Without `full_matrices` U is (..., m, k) and Vh (..., k, n). S falls. The vectors' gradients
    are infinite or NaN for equal singular values. LinAlgError for elements that are not finite.
    """
    matrix("linalg.svd", A)
    _no_driver("svd", driver)
    return written("linalg.svd", out, return_types.linalg_svd(apply(Svd, (A,), full_matrices)))


def svdvals(A: Any, *, driver: str | None = None, out: Any = None) -> Any:
    """The singular values (..., min(m, n)) of matrices (..., m, n), from the largest on."""
    matrix("linalg.svdvals", A)
    _no_driver("svdvals", driver)
    return written("linalg.svdvals", out, singular_values(A))


def _no_driver(name: str, driver: Any) -> None:
    if driver is not None:
        raise RuntimeError(
            f"torch.linalg.{name}: keyword argument `driver=` is only supported on CUDA inputs "
            "with cuSOLVER backend."
        )


def torch_svd(input: Any, some: bool = True, compute_uv: bool = True, *, out: Any = None) -> Any:
    """(U, S, V) with `input = U @ diag(S) @ V^T`; without `compute_uv` U and V are zeros."""
    x = matrix("linalg.svd", input)
    if compute_uv:
        u, s, vt = apply(Svd, (input,), not some)
        v = mt(vt)
    else:
        s = singular_values(input)
        m, n = x.shape[-2:]
        u, v = (constant(s, np.zeros((*x.shape[:-2], d, d), x.dtype, like=x)) for d in (m, n))
    return written("svd", out, return_types.svd((u, s, v)))


# -- symmetric matrices ----------------------------------------------------------------------------


class Eigh(Node):
    """Eigenvalues (..., n), rising, and eigenvectors (..., n, n) of symmetric matrices."""

    saves_output = (0, 1)

    def forward(self, x: Any, uplo: str) -> tuple:
        return _lapack.eigh(x, uplo)

    def backward(self, grads: Any) -> Any:
        """V (diag(dw) + (V^T dV - dV^T V) / 2 E) V^T, E_ij = w_j - w_i beside the diagonal."""
        w, v = self.saved
        d_w, d_v = grads
        if d_v is None:
            return matmul(mul(v, _row(d_w)), mt(v))
        gaps = sub(_row(w), _column(w))
        eye = constant(w, identity_like(w))
        inner = matmul(mt(v), d_v)
        core = div(mul(sub(inner, mt(inner)), 0.5), add(gaps, eye))
        if d_w is not None:
            core = add(core, diag_embed(d_w))
        return matmul(v, matmul(core, mt(v)))

    def name(self) -> str:
        return "LinalgEighBackward0"


class Eigvalsh(Node):
    """The eigenvalues (..., n) of symmetric matrices, rising."""

    saves = (0,)

    def forward(self, x: Any, uplo: Any) -> Any:
        self.uplo = uplo
        return np.linalg.eigvalsh(x, uplo) if np.isfinite(x).all() else _lapack.eigh(x, uplo)[0]

    def backward(self, grad: Any) -> Any:
        """V diag(grad) V^T."""
        v = apply(Eigh, (self.saved[0],), self.uplo)[1]
        return matmul(mul(v, _row(grad)), mt(v))

    def name(self) -> str:
        return "LinalgEighBackward0"


def _uplo(value: Any) -> str:
    if str(value).upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {value}")
    return value.upper()


def eigh(A: Any, UPLO: str = "L", *, out: Any = None) -> Any:
    """(eigenvalues, eigenvectors) of symmetric matrices (..., n, n): rising, in columns.

    Only the lower (`UPLO="L"`) or upper triangle is read.
    """
    matrix("linalg.eigh", A, square=True)
    results = return_types.linalg_eigh(apply(Eigh, (A,), _uplo(UPLO)))
    return written("linalg.eigh", out, results)


def eigvalsh(A: Any, UPLO: str = "L", *, out: Any = None) -> Any:
    """The eigenvalues (..., n) of symmetric matrices, rising; one triangle is read."""
    matrix("linalg.eigvalsh", A, square=True)
    return written("linalg.eigvalsh", out, apply(Eigvalsh, (A,), _uplo(UPLO)))


# -- general matrices ------------------------------------------------------------------------------


class Eig(Node):
    """Eigenvalues (..., n) and eigenvectors of length 1 of matrices whose eigenvalues are real."""

    saves_output = (0, 1)

    def forward(self, x: Any) -> tuple:
        if not np.isfinite(x).all():
            raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
        w, v = np.linalg.eig(x)
        if w.dtype.kind == "c":
            raise _ComplexValues(w, v)
        return w, v

    def backward(self, grads: Any) -> Any:
        """V^-T (diag(dw) + (V^T dV - V^T V diag(V^T dV)) / E) V^T, E_ij = w_j - w_i."""
        w, v = self.saved
        d_w, d_v = grads
        core = None
        if d_v is not None:
            inner = matmul(mt(v), d_v)
            lengths = mul(matmul(mt(v), v), _row(diagonal(inner, 0, -2, -1)))
            eye = constant(w, identity_like(w))
            gaps = add(sub(_row(w), _column(w)), eye)
            core = div(mul(sub(inner, lengths), sub(1.0, eye)), gaps)
        if d_w is not None:
            values = diag_embed(d_w)
            core = values if core is None else add(core, values)
        return matmul(mt(inverse_of(v)[0]), matmul(core, mt(v)))

    def name(self) -> str:
        return "LinalgEigBackward0"


class _ComplexValues(Exception):
    """What `Eig` has found for a matrix with complex eigenvalues: these, and the vectors."""


def _eig(name: str, A: Any) -> tuple:
    """Eigenvalues and eigenvectors as complex tensors."""
    matrix(name, A, square=True)
    try:
        return tuple(as_complex(t) for t in apply(Eig, (A,)))
    except _ComplexValues as found:
        if modes.is_grad_enabled() and getattr(A, "requires_grad", False):
            return tuple(eig(as_complex(A)))  # `complexes.decompositions` has their gradients
        return tuple(complex_array(array) for array in found.args)


def eig(A: Any, *, out: Any = None) -> Any:
    """(eigenvalues, eigenvectors) of matrices (..., n, n), complex."""
    return written("linalg.eig", out, return_types.linalg_eig(_eig("linalg.eig", A)))


def eigvals(A: Any, *, out: Any = None) -> Any:
    """The eigenvalues (..., n), complex."""
    return written("linalg.eigvals", out, _eig("linalg.eigvals", A)[0])
