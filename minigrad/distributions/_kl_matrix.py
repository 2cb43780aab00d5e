"""KL divergences between multivariate normal distributions, of full and of low rank.

KL = (log |q| / |p| + tr(q^-1 p) + |loc_q - loc_p|^2 under q^-1 - n) / 2, of the covariances.
"""

from __future__ import annotations

from typing import Any

from .. import ops
from ._linalg import half_log_det, mahalanobis, solve_triangular
from .kl import register_kl
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal


def _check(p: Any, q: Any) -> None:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two (Low Rank) Multivariate Normals with different event "
            "shapes cannot be computed"
        )


def _squares(x: Any) -> Any:
    """tr(x x^T)."""
    return x.pow(2).sum((-2, -1))


def _log_det(d: Any) -> Any:
    if isinstance(d, LowRankMultivariateNormal):
        return d._log_det()
    return 2 * half_log_det(d._unbroadcasted_scale_tril)


def _distance(p: Any, q: Any) -> Any:
    difference = q.loc - p.loc
    if isinstance(q, LowRankMultivariateNormal):
        return q._mahalanobis(difference)
    return mahalanobis(q._unbroadcasted_scale_tril, difference)


def _roots(p: Any) -> list:
    """Matrices whose products with their transposes add up to p's covariance."""
    if isinstance(p, LowRankMultivariateNormal):
        return [p._unbroadcasted_cov_factor, ops.diag_embed(p._unbroadcasted_cov_diag.sqrt())]
    return [p._unbroadcasted_scale_tril]


def _trace(root: Any, q: Any) -> Any:
    """tr(q^-1 root root^T)."""
    if isinstance(q, LowRankMultivariateNormal):
        scaled = root * q._unbroadcasted_cov_diag.rsqrt().unsqueeze(-1)
        return _squares(scaled) - _squares(q._whitened() @ root)
    return _squares(solve_triangular(q._unbroadcasted_scale_tril, root))


@register_kl(MultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _multivariate_normal(p: Any, q: Any) -> Any:
    _check(p, q)
    trace = sum(_trace(root, q) for root in _roots(p))
    volume = _log_det(q) - _log_det(p)
    return 0.5 * (volume + trace + _distance(p, q) - p.event_shape[0])
