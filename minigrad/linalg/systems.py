"""Inverses, systems of equations, pseudo-inverses and least squares."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import return_types
from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node
from ..ops import _lapack
from ..ops._matrices import check_tensors, mt, size_text
from ..ops._shape import array_of, normalize_dim, shape_of, sum_to
from ..ops.arith import add, mul, neg, sub
from ..ops.linalg import matmul
from ..ops.movement import reshape
from ..ops.permutation import movedim
from ..ops.products import Inverse
from ..ops.reduce import sum as sum_
from ..ops.slices import narrow
from ._checks import (
    batch_shape,
    check_float,
    check_matrix,
    check_same,
    check_square,
    failed,
    is_vector,
    matrix,
    written,
)

__all__ = [
    "inv", "inv_ex", "inverse", "lstsq", "pinv", "pinverse", "solve", "solve_ex", "tensorinv",
    "tensorsolve",
]  # fmt: skip


def inverse_of(x: Any) -> tuple:
    """The inverses of tensors or arrays, NaN for singular matrices, and the infos."""
    return apply(Inverse, (x,))


def inv(A: Any, *, out: Any = None) -> Any:
    """The inverse of square matrices (..., n, n). Gradient: -inv^T grad inv^T.

    LinAlgError (a RuntimeError) for a singular matrix.
    """
    return _inverse("linalg.inv", A, out)


def inverse(input: Any, *, out: Any = None) -> Any:
    """`linalg.inv`."""
    return inv(input, out=out)


def _inverse(name: str, x: Any, out: Any) -> Any:
    matrix(name, x, square=True)
    result, info = inverse_of(x)
    if array_of(info).any():
        raise failed(name, array_of(info), _lapack.SINGULAR)
    return written(name, out, result)


def inv_ex(A: Any, *, check_errors: bool = False, out: Any = None) -> Any:
    """(inverse, info): `inv` with the number of the zero pivot (0: none) instead of an error."""
    name = "linalg.inv_ex"
    matrix(name, A, square=True)
    result, info = inverse_of(A)
    if check_errors and array_of(info).any():
        raise failed("linalg.inv_ex", array_of(info), _lapack.SINGULAR)
    return written(name, out, return_types.linalg_inv_ex((result, info)))


class Solve(Node):
    """x with a @ x = b, and the infos of a; batches broadcast."""

    saves = (0,)
    saves_output = (0,)

    def forward(self, a: Any, b: Any) -> tuple:
        self.shapes = a.shape, b.shape
        if not a.size or not b.size:
            empty = np.zeros((*batch_shape(a, b), *b.shape[-2:]), b.dtype, like=b)
            return empty, np.zeros(a.shape[:-2], np.int32, like=a)
        return _lapack.solve(a, b)

    def backward(self, grads: Any) -> Any:
        """d b = a^-T grad, d a = -d b @ x^T."""
        a, x = self.saved
        f, g = self.next
        a_shape, b_shape = self.shapes
        d_b = apply(Solve, (mt(a), grads[0]))[0]
        d_a = None if f is None else sum_to(neg(matmul(d_b, mt(x))), a_shape)
        return d_a, None if g is None else sum_to(d_b, b_shape)

    def name(self) -> str:
        return "LinalgSolveExBackward0"


def _solve(name: str, A: Any, B: Any, left: bool, check: bool) -> tuple:
    a, b = check_tensors(name, A=A, B=B)
    check_float(name, a)
    check_square(name, a)
    check_same(name, a, b)
    vector = is_vector(a, b)
    if vector:
        if not left:
            raise RuntimeError(
                f"{name}: Vector broadcasting of the left hand side is not supported for left=False"
            )
        b = b[..., None]
        B = reshape(B, b.shape)
    else:
        check_matrix(name, b, "B")
    if a.shape[-1] != b.shape[-2 if left else -1]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({size_text(a.shape[-2:])} and "
            f"{size_text(b.shape[-2:])})"
        )
    batch_shape(a, b)
    result, info = apply(Solve, (A, B) if left else (mt(A), mt(B)))
    if check and array_of(info).any():
        text = "The solver failed because the input matrix is singular."
        raise failed(name, array_of(info), text)
    if vector:
        return reshape(result, shape_of(result)[:-1]), info
    return result if left else mt(result), info


def solve(A: Any, B: Any, *, left: bool = True, out: Any = None) -> Any:
    """X with `A @ X = B` (`X @ A = B` if not `left`): A (..., n, n), B (..., n, k) or (..., n).

    Batches broadcast. LinAlgError for a singular matrix.
    """
    return written("linalg.solve", out, _solve("linalg.solve", A, B, left, True)[0])


def solve_ex(
    A: Any, B: Any, *, left: bool = True, check_errors: bool = False, out: Any = None
) -> Any:
    """(result, info): `solve` with the number of the zero pivot (0: none) instead of an error."""
    name = "linalg.solve_ex"
    results = return_types.linalg_solve_ex(_solve(name, A, B, left, check_errors))
    return written(name, out, results)


# -- pseudo-inverse --------------------------------------------------------------------------------


class Pinv(Node):
    """The pseudo-inverse P (..., n, m) of matrices (..., m, n); `cut` (...) limits the rank."""

    saves = (0,)
    saves_output = (0,)

    def forward(self, x: Any, cut: Any, symmetric: bool = False) -> Any:
        if not x.size:
            return np.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype, like=x)
        if symmetric:
            s, u = _lapack.eigh(x, "L")
            kept = np.abs(s) > cut(np.abs(s))[..., None]
            vt = u.swapaxes(-1, -2)
        else:
            u, s, vt = _lapack.svd(x)
            kept = s > cut(s)[..., None]
        inverted = np.where(kept, 1 / np.where(kept, s, 1), 0).astype(x.dtype)
        return vt.swapaxes(-1, -2) @ (inverted[..., None] * u.swapaxes(-1, -2))

    def backward(self, grad: Any) -> Any:
        """-P^T grad P^T + (1 - A P) grad^T P P^T + P^T P grad^T (1 - P A).

        Golub and Pereyra, "The differentiation of pseudo-inverses", 1973; for a constant rank.
        """
        a, p = self.saved
        pt, gt = mt(p), mt(grad)
        left = matmul(gt, matmul(p, pt))
        right = matmul(matmul(pt, p), gt)
        total = neg(matmul(pt, matmul(grad, pt)))
        total = add(total, sub(left, matmul(a, matmul(p, left))))
        return add(total, sub(right, matmul(matmul(right, p), a)))

    def name(self) -> str:
        return "LinalgPinvBackward0"


def limit_of(x: Any, atol: Any, rtol: Any) -> Any:
    """A function from singular values (..., k) to the limit (...) up to which they count as 0."""
    given = [None if v is None else np.asarray(array_of(v), np.float64) for v in (atol, rtol)]
    least = np.zeros((), like=x) if given[0] is None else given[0]
    relative = given[1]
    if relative is None:
        relative = np.where(least > 0, 0.0, np.finfo(x.dtype).eps * max(x.shape[-2:]))

    def cut(s: Any) -> Any:
        top = s.max(-1) if s.shape[-1] else np.zeros(s.shape[:-1], s.dtype, like=s)
        return np.maximum(least, relative * top)

    return cut


def pinv(
    A: Any,
    rtol_: Any = None,
    *,
    atol: Any = None,
    rtol: Any = None,
    rcond: Any = None,
    hermitian: bool = False,
    out: Any = None,
) -> Any:
    """The Moore-Penrose inverse (..., n, m) of matrices (..., m, n).

    Singular values up to max(atol, rtol * the largest) count as 0; rtol is max(m, n) * eps by
    default (0 if atol is positive). `hermitian`: A is symmetric, its lower triangle is read.
    """
    name = "linalg.pinv"
    x = matrix(name, A, square=hermitian)
    rtol = next((v for v in (rtol_, rcond, rtol) if v is not None), None)
    cut = limit_of(x, atol, rtol)
    return written(name, out, apply(Pinv, (A,), cut, hermitian))


def pinverse(input: Any, rcond: float = 1e-15) -> Any:
    """`linalg.pinv` with the relative limit `rcond`."""
    return pinv(input, rtol=rcond)


# -- least squares ---------------------------------------------------------------------------------

_DRIVERS = ("gelsy", "gelsd", "gelss", "gels")


def lstsq(
    A: Any, B: Any, rcond: float | None = None, *, driver: str | None = None, out: Any = None
) -> Any:
    """(solution, residuals, rank, singular_values) of min |A @ X - B|, by the pseudo-inverse.

    A (..., m, n), B (..., m, k) or (..., m). Singular values up to rcond * the largest count as 0
    (rcond: max(m, n) * eps by default). residuals (..., k) are the squared errors, empty unless
    m > n and the rank is full; singular_values is empty but for the drivers gelsd and gelss, rank
    for gels.
    """
    name = "torch.linalg.lstsq"
    a, b = check_tensors(name, A=A, B=B)
    if a.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if b.ndim < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    check_float("linalg.lstsq", a)
    if a.dtype != b.dtype:
        raise RuntimeError(f"{name}: Expected input and other to have the same dtype")
    driver = "gelsy" if driver is None else driver
    if driver not in _DRIVERS:
        raise RuntimeError(
            f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    vector = a.ndim - 1 == b.ndim and b.shape == a.shape[:-1]
    right = reshape(B, (*b.shape, 1)) if vector else B
    y = array_of(right)
    if y.ndim < 2 or y.shape[-2] != a.shape[-2]:
        raise RuntimeError(
            f"{name}: input.size(-2) should match other.size({-1 if vector else -2})"
        )
    batch_shape(a, y)  # they must broadcast
    m, n = a.shape[-2:]
    values = _lapack.svdvals(a)
    limit = np.finfo(a.dtype).eps * max(m, n) if rcond is None else rcond
    cut = limit_of(a, None, limit)
    rank = (values > cut(values)[..., None]).sum(-1)
    solution = matmul(apply(Pinv, (A,), cut), right)
    if m > n and (driver == "gels" or (driver != "gelsy" and (rank == n).all())):
        error = sub(matmul(A, solution), right)
        residuals = sum_(mul(error, error), -2)
    else:
        residuals = narrow(reshape(solution, (array_of(solution).size,)), 0, 0, 0)
    if vector:
        solution = reshape(solution, shape_of(solution)[:-1])
    ranks = np.zeros(0, np.int64, like=a) if driver == "gels" else np.array(rank, np.int64)
    shown = np.zeros(0, a.dtype, like=a) if driver in ("gels", "gelsy") else values
    results = (solution, residuals, _v.wrap(ranks), _v.wrap(shown))
    return written("linalg.lstsq", out, return_types.linalg_lstsq(results))


# -- tensors as matrices ---------------------------------------------------------------------------


def tensorinv(A: Any, ind: int = 2, *, out: Any = None) -> Any:
    """The inverse of `A` seen as a matrix: its first `ind` dimensions to the others."""
    name = "linalg.tensorinv"
    (x,) = check_tensors(name, A=A)
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    rows, columns = x.shape[:ind], x.shape[ind:]
    if math.prod(rows) != math.prod(columns):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {math.prod(columns)} != {math.prod(rows)}"
        )
    whole = reshape(A, (math.prod(rows), math.prod(columns)))
    check_float(name, x)
    result, info = inverse_of(whole)
    if array_of(info).any():
        raise failed("linalg.inv", array_of(info), _lapack.SINGULAR)
    return written(name, out, reshape(result, (*columns, *rows)))


def tensorsolve(A: Any, B: Any, dims: Any = None, *, out: Any = None) -> Any:
    """X with `tensordot(A, X, X.ndim) = B`; `dims` of A are moved to its end first."""
    name = "linalg.tensorsolve"
    a, b = check_tensors(name, A=A, B=B)
    if dims is not None:
        at = [normalize_dim(d, a.ndim) for d in dims]
        A = movedim(A, at, list(range(a.ndim - len(at), a.ndim)))
        a = array_of(A)
    columns = a.shape[b.ndim :]
    n = math.prod(columns)
    if n != math.prod(a.shape[: b.ndim]):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {n} != {math.prod(a.shape[: b.ndim])}"
        )
    whole = reshape(A, (n, n))
    result = _solve("linalg.solve", whole, reshape(B, (b.size,)), True, True)[0]
    return written(name, out, reshape(result, columns))
