"""Determinants, their signs and logarithms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import return_types
from ..autograd.record import apply
from ..autograd.variable import Node
from ..ops._matrices import mt
from ..ops._operands import zeros_of
from ..ops._reduction import constant
from ..ops._shape import array_of, shape_of
from ..ops._singular import Svd
from ..ops.arith import mul
from ..ops.compare import where
from ..ops.linalg import matmul
from ..ops.movement import reshape
from ..ops.reduce import prod
from ._checks import matrix, written
from .systems import inverse_of

__all__ = ["det", "logdet", "slogdet", "torch_det", "torch_slogdet"]


def _scaled(grad: Any, x: Any) -> Any:
    """Matrices x (..., n, n), each times its number in grad (...)."""
    return mul(reshape(grad, (*shape_of(grad), 1, 1)), x)


class Det(Node):
    """The determinant (...) of matrices (..., n, n)."""

    saves = (0,)
    saves_output = (0,)

    def forward(self, x: Any) -> Any:
        return np.asarray(np.linalg.det(x), x.dtype)

    def backward(self, grad: Any) -> Any:
        """grad det(A) A^-T; the matrix of cofactors from the singular values if A is singular."""
        x, value = self.saved
        if array_of(value).all():
            return _scaled(mul(grad, value), mt(inverse_of(x)[0]))
        return _scaled(grad, _cofactors(x))

    def name(self) -> str:
        return "LinalgDetBackward0"


def _cofactors(x: Any) -> Any:
    """det(U) det(V) U diag(the products of the other singular values) V^T."""
    u, s, vt = apply(Svd, (x,))
    n = shape_of(x)[-1]
    rows = reshape(s, (*shape_of(s)[:-1], 1, n))
    ones = constant(s, np.ones((), array_of(s).dtype, like=array_of(s)))
    others = prod(where(constant(s, np.eye(n, dtype=bool, like=array_of(s))), ones, rows), -1)
    signs = np.linalg.det(array_of(u)) * np.linalg.det(array_of(vt))
    core = mul(others, constant(s, np.asarray(np.sign(signs), array_of(s).dtype)[..., None]))
    return matmul(mul(u, reshape(core, (*shape_of(core)[:-1], 1, n))), vt)


def _det(name: str, A: Any, out: Any) -> Any:
    matrix(name, A, square=True)
    return written(name, out, apply(Det, (A,)))


def det(A: Any, *, out: Any = None) -> Any:
    """The determinant of square matrices (..., n, n). Gradient: grad * det * inverse^T."""
    return _det("linalg.det", A, out)


def torch_det(input: Any) -> Any:
    """`linalg.det`."""
    return _det("linalg.det", input, None)


class SlogDet(Node):
    """(sign, log |det|) of matrices (..., n, n)."""

    saves = (0,)

    def forward(self, x: Any) -> tuple:
        sign, log = np.linalg.slogdet(x)
        return np.asarray(sign, x.dtype), np.asarray(log, x.dtype)

    def backward(self, grads: Any) -> Any:
        """d log|det| A^-T; the sign is constant."""
        x, grad = self.saved[0], grads[1]
        return zeros_of(x) if grad is None else _scaled(grad, mt(inverse_of(x)[0]))

    def name(self) -> str:
        return "LinalgSlogdetBackward0"


def _slogdet(A: Any) -> tuple:
    matrix("linalg.slogdet", A, square=True)
    return apply(SlogDet, (A,))


def slogdet(A: Any, *, out: Any = None) -> Any:
    """(sign, logabsdet): the determinant's sign and the logarithm of its size, (...) each.

    A singular matrix gives 0 and -inf.
    """
    return written("linalg.slogdet", out, return_types.linalg_slogdet(_slogdet(A)))


def torch_slogdet(input: Any, *, out: Any = None) -> Any:
    """`linalg.slogdet`."""
    return written("slogdet", out, return_types.slogdet(_slogdet(input)))


def logdet(input: Any) -> Any:
    """The logarithm of the determinant: NaN where that is negative, -inf where it is 0."""
    sign, log = _slogdet(input)
    negative = array_of(sign) == -1
    nan = constant(log, np.asarray(math.nan, array_of(log).dtype))
    return where(constant(log, np.asarray(negative)), nan, log) if negative.any() else log
