"""Triangular systems and the Cholesky factorization, with what is solved by them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import return_types
from ..autograd.record import apply
from ..autograd.variable import Node
from ..ops import _lapack
from ..ops._matrices import check_tensors, mt
from ..ops._shape import array_of, expand, sum_to
from ..ops.arith import add, mul, neg
from ..ops.linalg import matmul
from ..ops.rearrange import clone, tril, triu
from ._checks import (
    batch_shape,
    check_float,
    check_matrix,
    check_same,
    check_square,
    failed,
    identity_like,
    matrix,
    written,
)

__all__ = [
    "cholesky", "cholesky_ex", "cholesky_inverse", "cholesky_solve", "solve_triangular",
    "torch_cholesky", "triangular_solve",
]  # fmt: skip


class SolveTriangular(Node):
    """x with triangle(a) @ x = b; `upper` says which triangle of a is read."""

    saves = (0,)
    saves_output = (0,)

    def forward(self, a: Any, b: Any, upper: bool, unit: bool) -> Any:
        self.upper, self.unit = upper, unit
        self.shapes = a.shape, b.shape
        if not b.size or not a.size:
            return np.zeros((*batch_shape(a, b), *b.shape[-2:]), b.dtype, like=b)
        return _lapack.solve_triangular(a, b, upper, unit)

    def backward(self, grad: Any) -> Any:
        """d b = triangle(a)^-T grad; d a = -d b @ x^T on the triangle (without a unit diagonal)."""
        a, x = self.saved
        f, g = self.next
        a_shape, b_shape = self.shapes
        d_b = apply(SolveTriangular, (mt(a), grad), not self.upper, self.unit)
        d_a = None
        if f is not None:
            whole = sum_to(neg(matmul(d_b, mt(x))), a_shape)
            d_a = triu(whole, int(self.unit)) if self.upper else tril(whole, -int(self.unit))
        return d_a, None if g is None else sum_to(d_b, b_shape)

    def name(self) -> str:
        return "LinalgSolveTriangularBackward0"


def solve_left(a: Any, b: Any, upper: bool, unit: bool = False) -> Any:
    """triangle(a)^-1 @ b of tensors or arrays."""
    return apply(SolveTriangular, (a, b), upper, unit)


def solve_right(a: Any, b: Any, upper: bool, unit: bool = False) -> Any:
    """b @ triangle(a)^-1 of tensors or arrays."""
    return mt(apply(SolveTriangular, (mt(a), mt(b)), not upper, unit))


def solve_triangular(
    A: Any,
    B: Any,
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
    out: Any = None,
) -> Any:
    """X with `A @ X = B` (or `X @ A = B` if not `left`) for triangular A (..., n, n).

    B (..., n, k); batches broadcast. Only the triangle is read, without its diagonal (ones are
    taken) if `unitriangular`. A zero on the diagonal gives infinities, not an error.
    """
    name = "linalg.solve_triangular"
    a, b = check_tensors(name, A=A, B=B)
    check_same(name, a, b)
    _check_system(name, a, b, left)
    check_float(name, a)
    solve = solve_left if left else solve_right
    return written(name, out, solve(A, B, upper, unitriangular))


def _check_system(name: str, a: Any, b: Any, left: bool = True) -> None:
    check_square(name, a)
    check_matrix(name, b, "B")
    at = -2 if left else -1
    if a.shape[-1] != b.shape[at]:
        product = "AX = B" if left else "XA = B"
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {product} "
            f"({a.shape[-2]}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})"
        )
    batch_shape(a, b)


def triangular_solve(
    b: Any,
    A: Any,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
    *,
    out: Any = None,
) -> Any:
    """(solution, copy of A) of `A @ X = b`, A triangular (transposed first if `transpose`)."""
    name = "triangular_solve"
    x, y = check_tensors(name, A=A, b=b)
    for argument, value in (("b", y), ("A", x)):
        if value.ndim < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {argument} to have at least 2 dimensions, but "
                f"it has {value.ndim} dimensions instead"
            )
    check_same(name, x, y, "A", "b")
    _check_system(name, x, y)
    check_float(name, x)
    lead = batch_shape(x, y)
    whole = clone(expand(A, (*lead, *x.shape[-2:])))
    if transpose:
        result = solve_left(mt(whole), b, not upper, unitriangular)
    else:
        result = solve_left(whole, b, upper, unitriangular)
    return written(name, out, return_types.triangular_solve((result, whole)))


class Cholesky(Node):
    """L and the infos for symmetric matrices, of which the lower triangle is read."""

    saves_output = (0,)

    def forward(self, x: Any) -> tuple:
        return _lapack.cholesky(x)

    def backward(self, grads: Any) -> Any:
        """L^-T S L^-1, S the symmetric matrix whose lower triangle is that of L^T grad, halved."""
        (factor,) = self.saved
        inner = tril(matmul(mt(factor), grads[0]))
        inner = mul(add(inner, mt(tril(inner, -1))), 0.5)
        return solve_right(factor, solve_left(mt(factor), inner, True), False)

    def name(self) -> str:
        return "LinalgCholeskyExBackward0"


def _cholesky(x: Any, upper: bool) -> tuple:
    if not upper:
        return apply(Cholesky, (x,))
    factor, info = apply(Cholesky, (mt(x),))
    return mt(factor), info


def _checked(name: str, input: Any, upper: bool, out: Any) -> Any:
    factor, info = _cholesky(input, upper)
    if np.count_nonzero(array_of(info)):
        text = (
            "The factorization could not be completed because the input is not positive-definite "
            "(the leading minor of order {} is not positive-definite)."
        )
        raise failed(name, array_of(info), text)
    return written(name, out, factor)


def cholesky(input: Any, *, upper: bool = False, out: Any = None) -> Any:
    """L, lower triangular, with `L @ L^T = input` (..., n, n); its transpose if `upper`.

    One triangle is read: the one that the result has. LinAlgError unless positive definite.
    """
    matrix("linalg.cholesky", input, square=True)
    return _checked("linalg.cholesky", input, upper, out)


def torch_cholesky(input: Any, upper: bool = False, *, out: Any = None) -> Any:
    """`linalg.cholesky` under its older name."""
    matrix("cholesky", input, square=True)
    return _checked("cholesky", input, upper, out)


def cholesky_ex(
    input: Any, *, upper: bool = False, check_errors: bool = False, out: Any = None
) -> Any:
    """(L, info): `cholesky` with the order of the minor at fault (0: none) instead of an error."""
    name = "linalg.cholesky_ex"
    matrix(name, input, square=True)
    if check_errors:
        _checked("linalg.cholesky_ex", input, upper, None)
    return written(name, out, return_types.linalg_cholesky_ex(_cholesky(input, upper)))


def _to_factor(d_product: Any, factor: Any, upper: bool) -> Any:
    """The gradient of L from that of L @ L^T (L^T @ L if `upper`): all of it, as PyTorch's."""
    both = add(d_product, mt(d_product))
    return matmul(factor, both) if upper else matmul(both, factor)


class CholeskySolve(Node):
    """X with L @ L^T @ X = B, or L^T @ L @ X = B."""

    saves = (1,)
    saves_output = (0,)

    def forward(self, b: Any, factor: Any, upper: bool) -> Any:
        self.upper, self.shapes = upper, (b.shape, factor.shape)
        if not b.size or not factor.size:
            return np.zeros((*batch_shape(factor, b), *b.shape[-2:]), b.dtype, like=b)
        lower = mt(factor) if upper else factor
        half = _lapack.solve_triangular(lower, b, False)
        return _lapack.solve_triangular(mt(lower), half, True)

    def backward(self, grad: Any) -> Any:
        """d B = A^-1 grad; that of the product A is -d B @ X^T."""
        factor, x = self.saved
        f, g = self.next
        d_b = apply(CholeskySolve, (grad, factor), self.upper)
        d_factor = None
        if g is not None:
            d_factor = _to_factor(neg(matmul(d_b, mt(x))), factor, self.upper)
            d_factor = sum_to(d_factor, self.shapes[1])
        return None if f is None else sum_to(d_b, self.shapes[0]), d_factor


class CholeskyInverse(Node):
    """The inverse of L @ L^T, or of L^T @ L."""

    saves = (0,)
    saves_output = (0,)

    def forward(self, factor: Any, upper: bool) -> Any:
        self.upper = upper
        lower = mt(factor) if upper else factor
        half = _lapack.solve_triangular(lower, identity_like(factor), False)
        return half.swapaxes(-1, -2) @ half

    def backward(self, grad: Any) -> Any:
        """That of the product A: -A^-1 grad A^-1."""
        factor, inverse = self.saved
        return _to_factor(neg(matmul(inverse, matmul(grad, inverse))), factor, self.upper)


def cholesky_solve(B: Any, L: Any, upper: bool = False, *, out: Any = None) -> Any:
    """X with `L @ L^T @ X = B` for a lower factor L (..., n, n) (L^T @ L if `upper`)."""
    b, factor = check_tensors("cholesky_solve", B=B, L=L)
    for argument, x in (("b", b), ("u", factor)):
        if x.ndim < 2:
            raise RuntimeError(
                f"{argument} should have at least 2 dimensions, but has {x.ndim} dimensions instead"
            )
    check_same("cholesky_solve", b, factor, "B", "L")
    _check_system("cholesky_solve", factor, b)
    check_float("cholesky_solve", b)
    return written("cholesky_solve", out, apply(CholeskySolve, (B, L), upper))


def cholesky_inverse(L: Any, upper: bool = False, *, out: Any = None) -> Any:
    """The inverse of `L @ L^T` (of `L^T @ L` if `upper`) for a triangular factor (..., n, n)."""
    matrix("cholesky_inverse", L, square=True)
    return written("cholesky_inverse", out, apply(CholeskyInverse, (L,), upper))
