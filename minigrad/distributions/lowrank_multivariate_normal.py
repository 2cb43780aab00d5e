"""The multivariate normal distribution whose covariance is a low-rank and a diagonal part.

With W = `cov_factor`, D = `cov_diag` and the small matrix C = I + W^T D^-1 W, Woodbury's identity
gives the inverse and |W W^T + D| = |C| |D|: nothing of the size of the covariance is factorised.
"""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..creation import eye
from ..ops._shape import broadcast_shapes
from . import constraints
from ._linalg import cholesky, half_log_det, mahalanobis, mv, solve_triangular
from .distribution import Distribution
from .utils import lazy_property, standard_normal

__all__ = ["LowRankMultivariateNormal"]


class LowRankMultivariateNormal(Distribution):
    """Normal vectors of covariance `cov_factor @ cov_factor.mT + diag(cov_diag)`."""

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _unexpanded = ("_unbroadcasted_cov_factor", "_unbroadcasted_cov_diag", "_capacitance_tril")
    expand = Distribution._expand_state

    def __init__(self, loc: Any, cov_factor: Any, cov_diag: Any, validate_args: bool | None = None):
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        n = loc.shape[-1]
        if cov_factor.dim() < 2:
            raise ValueError(
                "cov_factor must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        if cov_factor.shape[-2] != n:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {n} x m")
        if cov_diag.shape[-1:] != loc.shape[-1:]:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {loc.shape[-1:]}")
        try:
            batch = broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        except RuntimeError:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, "
                f"cov_diag {cov_diag.shape}"
            ) from None
        self.loc = loc.expand((*batch, n))
        self.cov_factor = cov_factor.expand((*batch, -1, -1))
        self.cov_diag = cov_diag.expand((*batch, n))
        self._unbroadcasted_cov_factor = cov_factor
        self._unbroadcasted_cov_diag = cov_diag
        inner = (cov_factor.mT / cov_diag.unsqueeze(-2)) @ cov_factor
        self._capacitance_tril = cholesky(inner + eye(inner.shape[-1], dtype=inner.dtype))
        super().__init__(batch, loc.shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    def _expanded_matrix(self, matrix: Any) -> Any:
        return matrix.expand((*self.loc.shape, self._event_shape[0]))

    @lazy_property
    def variance(self) -> Any:
        """The diagonal of the covariance."""
        low = self._unbroadcasted_cov_factor.pow(2).sum(-1)
        return (low + self._unbroadcasted_cov_diag).expand(self.loc.shape)

    @lazy_property
    def scale_tril(self) -> Any:
        """The Cholesky factor, as D^1/2 chol(I + D^-1/2 W W^T D^-1/2): well conditioned."""
        root = self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)
        scaled = self._unbroadcasted_cov_factor / root
        whole = scaled @ scaled.mT + eye(self._event_shape[0], dtype=scaled.dtype)
        return self._expanded_matrix(root * cholesky(whole))

    @lazy_property
    def covariance_matrix(self) -> Any:
        """W W^T + D."""
        w = self._unbroadcasted_cov_factor
        return self._expanded_matrix(w @ w.mT + ops.diag_embed(self._unbroadcasted_cov_diag))

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        inner = self._whitened()
        diagonal = ops.diag_embed(self._unbroadcasted_cov_diag.reciprocal())
        return self._expanded_matrix(diagonal - inner.mT @ inner)

    def _whitened(self) -> Any:
        """A = chol(C)^-1 W^T D^-1; A^T A is what the inverse lacks of D^-1."""
        scaled = self._unbroadcasted_cov_factor.mT / self._unbroadcasted_cov_diag.unsqueeze(-2)
        return solve_triangular(self._capacitance_tril, scaled)

    def _log_det(self) -> Any:
        return 2 * half_log_det(self._capacitance_tril) + self._unbroadcasted_cov_diag.log().sum(-1)

    def _mahalanobis(self, x: Any) -> Any:
        """x^T (W W^T + D)^-1 x."""
        w, d = self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag
        inside = mv(w.mT / d.unsqueeze(-2), x)
        return (x.pow(2) / d).sum(-1) - mahalanobis(self._capacitance_tril, inside)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """loc + W eps + D^1/2 eps'."""
        shape, dtype = self._extended_shape(sample_shape), self.loc.dtype
        low = standard_normal((*shape[:-1], self.cov_factor.shape[-1]), dtype)
        rest = standard_normal(shape, dtype)
        return (
            self.loc
            + mv(self._unbroadcasted_cov_factor, low)
            + self._unbroadcasted_cov_diag.sqrt() * rest
        )

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        constant = self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (constant + self._log_det() + self._mahalanobis(value - self.loc))

    def entropy(self) -> Any:
        constant = self._event_shape[0] * (1.0 + math.log(2 * math.pi))
        entropy = 0.5 * (constant + self._log_det())
        return entropy.expand(self._batch_shape) if self._batch_shape else entropy
