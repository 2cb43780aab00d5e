"""QR factorization and products of Householder reflections."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import return_types
from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node
from ..ops._matrices import check_tensors, mt
from ..ops._reduction import constant
from ..ops._shape import array_of, expand, shape_of
from ..ops.arith import add, mul, sub
from ..ops.compare import where
from ..ops.join import cat
from ..ops.linalg import matmul
from ..ops.movement import reshape
from ..ops.rearrange import tril, triu
from ..ops.slices import narrow
from ._checks import check_float, check_matrix, check_same, matrix, written
from .triangular import solve_right

__all__ = ["geqrf", "householder_product", "ormqr", "qr", "torch_qr"]

_MODES = ("reduced", "complete", "r")


class QR(Node):
    """(Q, R) of matrices (..., m, n): reduced or complete."""

    saves_output = (0, 1)

    def forward(self, x: Any, mode: Any) -> tuple:
        self.mode, self.shape = mode, x.shape
        return tuple(np.linalg.qr(x, mode))

    def backward(self, grads: Any) -> Any:
        """[dQ + Q sym(triu(dR R^T - Q^T dQ))] R^-T, sym(X) = X + X^T with the diagonal once.

        Walter and Lehmann, "Algorithmic differentiation of linear algebra functions", 2010. For
        m < n the columns beyond the square, A2 = Q R2, give Q dR2, and A2 dR2^T to dQ.
        """
        q, r = self.saved
        m, n = self.shape[-2:]
        if self.mode == "complete" and m > n:
            raise RuntimeError(
                "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
            )
        d_q, d_r = grads
        tail = None
        if m < n and d_r is not None:
            rest, d_rest = narrow(r, -1, m, n - m), narrow(d_r, -1, m, n - m)
            tail = matmul(q, d_rest)
            extra = matmul(matmul(q, rest), mt(d_rest))
            d_q = extra if d_q is None else add(d_q, extra)
        if m < n:
            r = narrow(r, -1, 0, m)
            d_r = None if d_r is None else narrow(d_r, -1, 0, m)
        inner = None if d_r is None else matmul(d_r, mt(r))
        if d_q is not None:
            turn = matmul(mt(q), d_q)
            inner = mul(turn, -1.0) if inner is None else sub(inner, turn)
        half = triu(inner)
        total = matmul(q, add(half, mt(triu(inner, 1))))
        if d_q is not None:
            total = add(total, d_q)
        total = solve_right(mt(r), total, False)
        if m >= n:
            return total
        if tail is None:
            tail = constant(
                total,
                np.zeros((*self.shape[:-1], n - m), array_of(total).dtype, like=array_of(total)),
            )
        return cat([total, tail], -1)

    def name(self) -> str:
        return "LinalgQrBackward0"


class OnlyR(Node):
    """R alone, which has no gradient."""

    def forward(self, x: Any) -> Any:
        return np.linalg.qr(x, "r")

    def backward(self, grad: Any) -> Any:
        """None: an error, as in PyTorch."""
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please "
            "use linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr."
        )


def _qr(A: Any, mode: str) -> tuple:
    x = matrix("linalg.qr", A)
    if mode == "r":
        return _v.wrap(np.zeros(0, x.dtype, like=x)), apply(OnlyR, (A,))
    return apply(QR, (A,), mode)


def qr(A: Any, mode: str = "reduced", *, out: Any = None) -> Any:
    """(Q, R) with `A = Q @ R` (..., m, n): Q orthogonal, R upper triangular.

    "reduced": (..., m, k) and (..., k, n), k = min(m, n); "complete": (..., m, m) and (..., m, n);
    "r": Q is empty. The signs of R's diagonal are LAPACK's.
    """
    if mode not in _MODES:
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'"
        )
    return written("linalg.qr", out, return_types.linalg_qr(_qr(A, mode)))


def torch_qr(input: Any, some: bool = True, *, out: Any = None) -> Any:
    """`linalg.qr(input, "reduced" if some else "complete")`."""
    return written("qr", out, return_types.qr(_qr(input, "reduced" if some else "complete")))


class Geqrf(Node):
    """QR as LAPACK packs it, which PyTorch gives no gradient."""

    def forward(self, x: Any) -> tuple:
        packed, tau = np.linalg.qr(x, "raw")
        return np.ascontiguousarray(packed.swapaxes(-1, -2)), tau

    def backward(self, grads: Any) -> Any:
        """None: an error, as in PyTorch."""
        raise NotImplementedError("the derivative for 'geqrf' is not implemented.")


def geqrf(input: Any, *, out: Any = None) -> Any:
    """(a, tau): R on and above the diagonal of a, the reflections' vectors below, their factors."""
    matrix("torch.geqrf", input)
    return written("geqrf", out, return_types.geqrf(apply(Geqrf, (input,))))


def _reflect(A: Any, tau: Any, target: Any, transpose: bool) -> Any:
    """H_1 ... H_k @ target (or its transpose @ target), H_i = 1 - tau_i v_i v_i^T.

    v_i is column i of A below the diagonal, 1 on it and 0 above.
    """
    m = shape_of(A)[-2]
    k = shape_of(tau)[-1]
    vectors = tril(narrow(A, -1, 0, k), -1)
    vectors = add(vectors, constant(A, np.eye(m, k, dtype=array_of(A).dtype, like=array_of(A))))
    for i in range(k) if transpose else reversed(range(k)):
        v = narrow(vectors, -1, i, 1)
        factor = reshape(narrow(tau, -1, i, 1), (*shape_of(tau)[:-1], 1, 1))
        target = sub(target, mul(factor, matmul(v, matmul(mt(v), target))))
    return target


def _check_reflections(name: str, a: Any, t: Any, argument: str = "input") -> None:
    check_matrix(name, a, argument)
    if a.shape[-2] < a.shape[-1]:
        raise RuntimeError(
            f"{name}: {argument}.shape[-2] must be greater than or equal to {argument}.shape[-1]"
        )
    if a.shape[-1] < t.shape[-1]:
        raise RuntimeError(
            f"{name}: {argument}.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    if a.ndim - t.ndim != 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than {argument}, but got tau.ndim "
            f"equal to {t.ndim} and {argument}.ndim is equal to {a.ndim}"
        )
    if a.shape[:-2] != t.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to {argument}.shape[:-2], but "
            f"got {list(t.shape[:-1])}"
        )
    check_float(name, a)
    check_same(name, a, t, argument, "tau")


def householder_product(A: Any, tau: Any, *, out: Any = None) -> Any:
    """The first n columns of the product of the reflections that `geqrf` packs.

    A (..., m, n) with m >= n, tau (..., k) with k <= n; the result has A's shape.
    """
    name = "torch.linalg.householder_product"
    a, t = check_tensors(name, input=A, tau=tau)
    if not t.ndim:
        raise RuntimeError(f"{name}: tau must have at least 1 dimension")
    _check_reflections(name, a, t)
    start = constant(A, np.eye(*a.shape[-2:], dtype=a.dtype, like=a))
    result = _reflect(A, tau, expand(start, a.shape), False)
    if not t.shape[-1]:  # still a result of A
        result = where(constant(A, np.zeros((), bool)), A, result)
    return written("linalg.householder_product", out, result)


def ormqr(
    input: Any, tau: Any, other: Any, left: bool = True, transpose: bool = False, *, out: Any = None
) -> Any:
    """`Q @ other` (`other @ Q` if not `left`, Q transposed if `transpose`): Q from `geqrf`."""
    name = "torch.ormqr"
    a, t, c = check_tensors(name, input=input, tau=tau, other=other)
    check_matrix(name, a, "input")
    check_matrix(name, c, "other")
    at = -2 if left else -1
    if c.shape[at] < t.shape[-1]:
        raise RuntimeError(
            f"{name}: other.shape[{at}] must be greater than or equal to tau.shape[-1]"
        )
    if c.shape[at] != a.shape[-2]:
        raise RuntimeError(f"{name}: other.shape[{at}] must be equal to input.shape[-2]")
    if t.shape[-1] > a.shape[-1]:
        raise RuntimeError(f"{name}: tau.shape[-1] must be less than or equal to input.shape[-1]")
    if a.ndim - t.ndim != 1 or a.shape[:-2] != t.shape[:-1] or a.shape[:-2] != c.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau and other to be equal to input.shape[:-2], "
            f"but got {list(t.shape)} and {list(c.shape)} for {list(a.shape)}"
        )
    check_float(name, a)
    check_same(name, a, t, "input", "tau")
    check_same(name, a, c, "input", "other")
    result = (
        _reflect(input, tau, other, transpose)
        if left
        else mt(_reflect(input, tau, mt(other), not transpose))
    )
    return written("ormqr", out, result if t.shape[-1] else mul(result, 1.0))
