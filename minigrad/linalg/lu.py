"""LU factorization with partial pivoting, what is solved by it, and LDL."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import return_types
from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node
from ..ops import _lapack
from ..ops._matrices import check_tensors, mt
from ..ops._reduction import constant
from ..ops._shape import array_of, shape_of
from ..ops.arith import add, sub
from ..ops.join import cat
from ..ops.linalg import matmul
from ..ops.rearrange import tril, triu
from ..ops.slices import narrow
from ._checks import (
    batch_shape,
    check_matrix,
    check_same,
    check_square,
    failed,
    identity_like,
    matrix,
    written,
)
from .triangular import solve_left, solve_right

__all__ = [
    "lu", "lu_factor", "lu_factor_ex", "lu_solve", "lu_unpack", "torch_lu", "torch_lu_solve",
]  # fmt: skip


class LUFactor(Node):
    """(LU, pivots, infos) of matrices (..., m, n), L and U in one."""

    saves_output = (0, 1)

    def forward(self, x: Any, pivot: bool) -> tuple:
        return _lapack.lu_factor(x, pivot)

    def backward(self, grads: Any) -> Any:
        """P L^-T [tril(L^T dL, -1) + triu(dU U^T)] U^-T for square matrices.

        The columns (rows) beyond the square are U2 = L^-1 A2 (L2 = A2 U^-1), whose gradients
        enter the square's as L^T dL - dU2 U2^T (dU U^T - L2^T dL2).
        """
        lu, pivots = self.saved
        grad = grads[0]
        m, n = shape_of(lu)[-2:]
        k = min(m, n)
        square, head = _corner(lu, k, k), _corner(grad, k, k)
        lower = add(tril(square, -1), constant(lu, identity_like(lu, k)))
        upper = triu(square)
        d_lower = matmul(mt(lower), tril(head, -1))
        d_upper = matmul(triu(head), mt(upper))
        rest = d_rest = None
        if n > k:
            rest, d_rest = narrow(lu, -1, k, n - k), narrow(grad, -1, k, n - k)
            d_lower = sub(d_lower, matmul(d_rest, mt(rest)))
        elif m > k:
            rest, d_rest = narrow(lu, -2, k, m - k), narrow(grad, -2, k, m - k)
            d_upper = sub(d_upper, matmul(mt(rest), d_rest))
        core = add(tril(d_lower, -1), triu(d_upper))
        total = solve_left(mt(lower), solve_right(mt(upper), core, False), True, True)
        if n > k:
            total = cat([total, solve_left(mt(lower), d_rest, True, True)], -1)
        elif m > k:
            total = cat([total, solve_right(mt(upper), d_rest, False)], -2)
        return matmul(constant(lu, _matrix_of(pivots, m, array_of(lu).dtype)), total)

    def name(self) -> str:
        return "LinalgLuFactorExBackward0"


def _corner(x: Any, m: int, n: int) -> Any:
    """The first m rows and n columns."""
    return narrow(narrow(x, -2, 0, m), -1, 0, n)


def _matrix_of(pivots: Any, m: int, dtype: Any) -> Any:
    """The matrices P (..., m, m) with A = P L U, from pivots."""
    order = _lapack.permutation(array_of(pivots), m)
    result = np.zeros((*order.shape, m), dtype, like=order)
    np.put_along_axis(result, order[..., None, :], 1, -2)
    return result


def _factor(name: str, A: Any, pivot: bool, check: bool) -> tuple:
    matrix(name, A)
    factors, pivots, info = apply(LUFactor, (A,), pivot)
    if check and array_of(info).any():
        text = (
            "U[{0},{0}] is zero and using it on lu_solve would result in a division by zero. If "
            "you still want to perform the factorization, consider calling "
            "linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
        )
        raise failed(name, array_of(info), text)
    return factors, pivots, info


def lu_factor(A: Any, *, pivot: bool = True, out: Any = None) -> Any:
    """(LU, pivots) with `P @ L @ U = A` (..., m, n): L (its diagonal is 1) and U in one matrix.

    pivots (..., min(m, n)) int32, counted from 1, are the exchanged rows. RuntimeError where U
    has a zero on its diagonal.
    """
    name = "torch.linalg.lu_factor"
    results = return_types.linalg_lu_factor(_factor(name, A, pivot, True)[:2])
    return written(name, out, results)


def lu_factor_ex(A: Any, *, pivot: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """(LU, pivots, info): `lu_factor` with the number of U's first zero instead of an error."""
    name = "torch.linalg.lu_factor_ex"
    results = return_types.linalg_lu_factor_ex(_factor(name, A, pivot, check_errors))
    return written(name, out, results)


def torch_lu(A: Any, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """(LU, pivots), and with `get_infos` the infos, as `linalg.lu_factor_ex` has them."""
    results = _factor("torch.linalg.lu_factor_ex", A, pivot, not get_infos)
    return written("lu", out, results if get_infos else results[:2])


def _unpacked(factors: Any, pivots: Any, data: bool = True, permutation: bool = True) -> tuple:
    x = array_of(factors)
    m, n = x.shape[-2:]
    k = min(m, n)
    p, lower, upper = (_v.wrap(np.zeros(0, x.dtype, like=x)) for _ in range(3))
    if permutation:
        p = constant(factors, _matrix_of(pivots, m, x.dtype))
    if data:
        eye = constant(factors, np.eye(m, k, dtype=x.dtype, like=x))
        lower = add(tril(narrow(factors, -1, 0, k), -1), eye)
        upper = triu(narrow(factors, -2, 0, k))
    return p, lower, upper


def lu_unpack(
    LU_data: Any,
    LU_pivots: Any,
    unpack_data: bool = True,
    unpack_pivots: bool = True,
    *,
    out: Any = None,
) -> Any:
    """(P, L, U) of what `lu_factor` gives; empty tensors for what is not asked for."""
    x, pivots = check_tensors("lu_unpack", LU_data=LU_data, LU_pivots=LU_pivots)
    check_matrix("torch.lu_unpack", x, "LU_data")
    if unpack_pivots and pivots.dtype != np.int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 "
            "dtype.\nNote: this function is intended to be used with the output produced by "
            "torch.linalg.lu_factor"
        )
    results = return_types.lu_unpack(_unpacked(LU_data, LU_pivots, unpack_data, unpack_pivots))
    return written("lu_unpack", out, results)


def lu(A: Any, *, pivot: bool = True, out: Any = None) -> Any:
    """(P, L, U) with `P @ L @ U = A`: (..., m, m), (..., m, k), (..., k, n), k = min(m, n).

    Without `pivot` no rows are exchanged and P is empty.
    """
    matrix("linalg.lu", A)
    factors, pivots, _ = apply(LUFactor, (A,), pivot)
    results = return_types.linalg_lu(_unpacked(factors, pivots, True, pivot))
    return written("linalg.lu", out, results)


def lu_solve(
    LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False, out: Any = None
) -> Any:
    """X with `A @ X = B` (`A^T @ X = B` if `adjoint`; `X @ A = B` if not `left`), A = P L U.

    LU (..., n, n) and pivots (..., n) as `lu_factor` gives them, B (..., n, k); batches broadcast.
    """
    name = "linalg.lu_solve"
    x, p, b = check_tensors(name, LU=LU, pivots=pivots, B=B)
    if p.dtype != np.int32:
        raise RuntimeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    check_square(name, matrix(name, LU, "LU"), "LU")
    check_same(name, x, b, "LU", "B")
    check_matrix(name, b, "B")
    at = -2 if left else -1
    if x.shape[-1] != b.shape[at]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({x.shape[-2]}x{x.shape[-1]} and "
            f"{b.shape[-2]}x{b.shape[-1]})"
        )
    if p.ndim < 1 or x.shape[-1] != p.shape[-1]:
        raise RuntimeError(
            f"{name}: Number of pivots per batch should be same as the dimension of the matrix"
        )
    if x.shape[:-1] != p.shape:
        raise RuntimeError(
            f"{name}: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with "
            f"shape {list(p.shape)} instead"
        )
    batch_shape(x, b)
    right = B if left else mt(B)
    order = constant(LU, _matrix_of(pivots, x.shape[-1], x.dtype))
    if adjoint == left:  # A^T X = B
        inner = solve_left(mt(LU), right, False)
        result = matmul(order, solve_left(mt(LU), inner, True, True))
    else:
        inner = solve_left(LU, matmul(mt(order), right), False, True)
        result = solve_left(LU, inner, True)
    return written(name, out, result if left else mt(result))


def torch_lu_solve(b: Any, LU_data: Any, LU_pivots: Any, *, out: Any = None) -> Any:
    """`linalg.lu_solve(LU_data, LU_pivots, b)`."""
    return lu_solve(LU_data, LU_pivots, b, out=out)
