"""Maps from any matrix to an orthogonal one. (Lezcano-Casado 2019.)"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import linalg, ops
from ...autograd.modes import no_grad
from ...autograd.variable import wrap
from ...creation import eye, zeros
from ...linalg.orthogonal import geqrf
from ...random import randn
from ..module import Module

__all__ = ["_Orthogonal"]


def _is_orthogonal(q: Any) -> bool:
    n, k = q.shape[-2:]
    tolerance = 10.0 * n * np.finfo(q._array.dtype).eps
    return bool(ops.allclose(q.mT @ q, eye(k, dtype=q.dtype), atol=tolerance))


def _orthogonalized(a: Any) -> Any:
    """Q of a = Q R, with a positive diagonal of R."""
    packed, tau = geqrf(a)
    return linalg.householder_product(packed, tau) * packed.diagonal(0, -2, -1).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    """A matrix (..., n, k) to one with orthonormal columns, or rows where n < k.

    With `use_trivialization` the buffer `base` is what a fixed point of the map gives.
    """

    base: Any

    def __init__(self, weight: Any, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Any) -> Any:
        wide = X.shape[-2] < X.shape[-1]
        x = X.mT if wide else X
        q = self._householder(x) if self.orthogonal_map == "householder" else self._rotation(x)
        if self.use_trivialization:
            q = self.base @ q
        return q.mT if wide else q

    def _rotation(self, x: Any) -> Any:
        """The first columns of the exponential, or Cayley's map, of tril(x) - tril(x)^T."""
        n, k = x.shape[-2:]
        x = x.tril()
        if n != k:
            x = ops.cat([x, zeros((*x.shape[:-2], n, n - k), dtype=x.dtype)], -1)
        skew = x - x.mT
        if self.orthogonal_map == "matrix_exp":
            q = linalg.matrix_exp(skew)
        else:
            one = eye(n, dtype=x.dtype)
            q = linalg.solve(one - skew * 0.5, one + skew * 0.5)
        return q if n == k else q[..., :k]

    def _householder(self, x: Any) -> Any:
        """The product of reflections; the signs on the diagonal are no parameters."""
        below = x.tril(-1)
        tau = 2.0 / (1.0 + (below * below).sum(-2))
        signs = ops.trunc(x.detach().diagonal(0, -2, -1)).unsqueeze(-2)
        return linalg.householder_product(below, tau) * signs

    def right_inverse(self, Q: Any) -> Any:
        """What the map takes to `Q`, made orthogonal. ValueError for another shape."""
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of "
                f"shape {Q.shape}."
            )
        with no_grad():
            return self._start(Q) if self.use_trivialization else self._reflections(Q)

    def _start(self, q: Any) -> Any:
        """Puts `q`, completed to a square matrix, into `base`: the map starts from -1."""
        shape, dtype = q.shape, q.dtype
        if q.shape[-2] < q.shape[-1]:
            q = q.mT
        n, k = q.shape[-2:]
        if n == k:
            q = q.clone() if _is_orthogonal(q) else _orthogonalized(q)
        else:
            more = randn((*q.shape[:-2], n, n - k), dtype=dtype)
            q = _orthogonalized(ops.cat([q, more], -1))
        self.base = q
        start = np.zeros(tuple(shape), q._array.dtype)
        diagonal = np.arange(min(shape[-2:]))
        start[..., diagonal, diagonal] = -1
        return wrap(start)

    def _reflections(self, q: Any) -> Any:
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley "
                "parametrizations when use_trivialization=False."
            )
        wide = q.shape[-2] < q.shape[-1]
        packed, tau = geqrf(q.mT if wide else q)
        signs = packed.diagonal(0, -2, -1).sign()
        # LAPACK leaves a reflection out by tau = 0, which means the other sign here.
        signs = ops.where(tau == 0.0, -signs, signs)
        a = packed.clone()
        size = min(packed.shape[-2:])
        a._array[..., np.arange(size), np.arange(size)] = signs._array
        return a.mT if wide else a
