"""Singular values, for the nuclear norm: the decomposition is NumPy's, the gradients are here."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Node
from . import _lapack
from ._matrices import mt
from ._reduction import constant
from ._shape import array_of, shape_of
from .arith import add, div, mul, sub
from .linalg import matmul
from .movement import reshape
from .reduce import sum as sum_
from .slices import narrow


class Svd(Node):
    """U (..., m, k), S (..., k), V^T (..., k, n) of matrices (..., m, n), with k = min(m, n).

    With `full` U is (..., m, m) and V^T (..., n, n); what they have more gets no gradient.
    """

    torch_name = "LinalgSvdBackward0"
    saves_output = (0, 1, 2)

    def forward(self, x: Any, full: bool = False) -> tuple:
        return _lapack.svd(x, full)

    def backward(self, grads: Any) -> Any:
        """U (F(U^T dU) S + S F(V^T dV) + diag(dS)) V^T, plus what leaves the spaces of U and V:

        (1 - U U^T) dU S^-1 V^T + U S^-1 dV^T (1 - V V^T), where F(X)_ij = (X - X^T)_ij /
        (s_j^2 - s_i^2). (Townsend, "Differentiating the singular value decomposition", 2016.)
        Equal singular values have no unique vectors: the gradient is infinite or NaN there.
        """
        u, s, vt = self.saved
        du, ds, dvt = grads
        k = shape_of(s)[-1]
        u, vt = _first(u, -1, k), _first(vt, -2, k)
        du = None if du is None else _first(du, -1, k)
        dvt = None if dvt is None else _first(dvt, -2, k)
        row, column = _row(s), _column(s)
        squares = sub(mul(row, row), mul(column, column))
        eye = np.eye(k, dtype=array_of(s).dtype)
        differences = add(squares, constant(squares, eye))
        total = None
        if du is not None:
            inner = matmul(mt(u), du)
            core = mul(div(sub(inner, mt(inner)), differences), row)
            total = matmul(matmul(u, core), vt)
            if shape_of(u)[-2] > shape_of(u)[-1]:
                total = add(total, matmul(div(sub(du, matmul(u, inner)), row), vt))
        if dvt is not None:
            inner = matmul(vt, mt(dvt))
            core = mul(column, div(sub(inner, mt(inner)), differences))
            total = _plus(total, matmul(matmul(u, core), vt))
            if shape_of(vt)[-1] > shape_of(vt)[-2]:
                total = add(total, matmul(u, div(sub(dvt, matmul(mt(inner), vt)), column)))
        if ds is not None:
            total = _plus(total, matmul(mul(u, _row(ds)), vt))
        return total


def _first(x: Any, dim: int, k: int) -> Any:
    """The first k places along a dimension."""
    return x if shape_of(x)[dim] == k else narrow(x, dim, 0, k)


def _plus(total: Any, term: Any) -> Any:
    return term if total is None else add(total, term)


def _row(s: Any) -> Any:
    return reshape(s, (*shape_of(s)[:-1], 1, shape_of(s)[-1]))


def _column(s: Any) -> Any:
    return reshape(s, (*shape_of(s), 1))


class Singular(Node):
    """The singular values (..., k) of matrices (..., m, n), from the largest on."""

    saves = (0,)

    def forward(self, x: Any) -> Any:
        return _lapack.svdvals(x)

    def backward(self, grad: Any) -> Any:
        """U diag(grad) V^T."""
        u, _, vt = apply(Svd, (self.saved[0],))
        return matmul(mul(u, _row(grad)), vt)

    def name(self) -> str:
        return "LinalgSvdBackward0"


def singular_values(input: Any) -> Any:
    """The singular values of matrices (..., m, n), from the largest on."""
    return apply(Singular, (input,))


def nuclear(input: Any) -> Any:
    """The sum of the singular values of matrices (..., m, n). Gradient: grad U V^T."""
    values = singular_values(input)
    return sum_(values, len(array_of(values).shape) - 1)
