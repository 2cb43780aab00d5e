"""The linear algebra of normal and Wishart distributions: Cholesky factors and what they solve."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..creation import arange, eye
from ..linalg import cholesky as cholesky
from ..linalg import solve_triangular as _solve_triangular
from ..linalg.triangular import cholesky_inverse as cholesky_inverse


def solve_triangular(a: Any, b: Any) -> Any:
    """a^-1 b for lower triangular a (..., n, n) and b (..., n, k); batches broadcast."""
    return _solve_triangular(a, b, upper=False)


def precision_to_scale_tril(precision: Any) -> Any:
    """The Cholesky factor of the inverse of a precision matrix.

    With P = U U^T, U upper triangular (the factor of the matrix turned round), the inverse is
    U^-T U^-1, so that U^-T is the factor.
    """
    turned = cholesky(ops.flip(precision, (-2, -1)))
    upper_t = ops.flip(turned, (-2, -1)).mT
    identity = eye(precision.shape[-1], dtype=precision.dtype)
    return solve_triangular(upper_t, identity)


def mv(matrix: Any, vector: Any) -> Any:
    """Matrices times vectors, batches broadcast."""
    return ops.matmul(matrix, vector.unsqueeze(-1)).squeeze(-1)


def half_log_det(lower: Any) -> Any:
    """The sum of the logarithms of the diagonal: half of log |L L^T|."""
    return ops.diagonal(lower, 0, -2, -1).log().sum(-1)


def mahalanobis(lower: Any, difference: Any) -> Any:
    """|L^-1 x|^2 for factors (..., n, n) and vectors (..., n)."""
    if lower.dim() == 2:  # all vectors at once
        n = difference.shape[-1]
        columns = difference.reshape(-1, n).mT
        squares = solve_triangular(lower, columns).pow(2).sum(0)
        return squares.reshape(difference.shape[:-1])
    return solve_triangular(lower, difference.unsqueeze(-1)).pow(2).sum((-2, -1))


def mvlgamma(a: Any, p: int) -> Any:
    """The logarithm of the multivariate gamma function of dimension p."""
    steps = 0.5 * arange(p, dtype=a.dtype)
    return ops.lgamma(a.unsqueeze(-1) - steps).sum(-1) + p * (p - 1) / 4 * math.log(math.pi)
