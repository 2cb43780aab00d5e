"""KL divergences between different families: KL(p || q) = -H(p) - E_p[log q(x)].

For each q, E_p[log q(x)] needs a few means under p: of x, x^2, log x, log(1 - x), exp(-x / s)
or |x - m|. The tables below hold those that have a closed form.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import ops
from ..creation import full_like
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .continuous_bernoulli import ContinuousBernoulli
from .exponential import Exponential
from .gamma import Gamma
from .gumbel import Gumbel
from .kl import register_kl
from .laplace import Laplace
from .normal import Normal
from .pareto import Pareto
from .poisson import Poisson
from .uniform import Uniform
from .utils import euler_constant

# -- means under p ---------------------------------------------------------------------------------


def _x_log_x(x: Any) -> Any:
    return ops.xlogy(x, x)


def _uniform_log(low: Any, high: Any) -> Any:
    """The mean of log x over [low, high]."""
    width = high - low
    return (_x_log_x(high) - _x_log_x(low) - width) / width


_MEAN_LOG: dict[type, Callable] = {
    Beta: lambda p: (
        ops.digamma(p.concentration1) - ops.digamma(p.concentration1 + p.concentration0)
    ),
    Exponential: lambda p: -euler_constant - p.rate.log(),
    Gamma: lambda p: ops.digamma(p.concentration) - p.rate.log(),
    Pareto: lambda p: p.scale.log() + p.alpha.reciprocal(),
    Uniform: lambda p: _uniform_log(p.low, p.high),
}

# Of exp(-x / s).
_MEAN_DECAY: dict[type, Callable] = {
    Exponential: lambda p, s: p.rate * s / (p.rate * s + 1),
    Gamma: lambda p, s: (1 + (p.rate * s).reciprocal()).pow(-p.concentration),
    Normal: lambda p, s: ops.exp(0.5 * (p.scale / s).pow(2) - p.loc / s),
    Uniform: lambda p, s: (ops.exp(-p.low / s) - ops.exp(-p.high / s)) * s / (p.high - p.low),
}


def _mean(p: Any) -> Any:
    return p.mean


def _mean_square_distance(p: Any, centre: Any) -> Any:
    return p.variance + (p.mean - centre).pow(2)


def _normal_mean_distance(p: Any, centre: Any) -> Any:
    """E |x - centre| of a normal p."""
    z = (p.loc - centre) / p.scale
    tail = math.sqrt(2 / math.pi) * p.scale * ops.exp(-0.5 * z.pow(2))
    return tail + (p.loc - centre) * ops.erf(math.sqrt(0.5) * z)


# -- E_p[log q(x)] ---------------------------------------------------------------------------------


def _exponential(p: Any, q: Any) -> Any:
    return q.rate.log() - q.rate * _mean(p)


def _gamma(p: Any, q: Any) -> Any:
    c = q.concentration
    powers = (c - 1) * _MEAN_LOG[type(p)](p) - q.rate * _mean(p)
    return powers + c * q.rate.log() - c.lgamma()


def _normal(p: Any, q: Any) -> Any:
    variance = q.scale.pow(2)
    square = _mean_square_distance(p, q.loc) / variance
    return -0.5 * (square + (2 * math.pi * variance).log())


def _laplace(p: Any, q: Any) -> Any:
    return -(2 * q.scale).log() - _normal_mean_distance(p, q.loc) / q.scale


def _gumbel(p: Any, q: Any) -> Any:
    decay = ops.exp(q.loc / q.scale) * _MEAN_DECAY[type(p)](p, q.scale)
    return -q.scale.log() - (_mean(p) - q.loc) / q.scale - decay


def _continuous_bernoulli(p: Any, q: Any) -> Any:
    return _mean(p) * q.logits + ops.log1p(-q.probs) + q._cont_bern_log_norm()


def _flat(p: Any, q: Any) -> Any:
    return -(q.high - q.low).log()


def _beta(p: Any, q: Any) -> Any:
    a, b = q.concentration1, q.concentration0
    log_beta = a.lgamma() + b.lgamma() - (a + b).lgamma()
    rest = _uniform_log(1 - p.high, 1 - p.low)
    return (a - 1) * _MEAN_LOG[type(p)](p) + (b - 1) * rest - log_beta


def _pareto(p: Any, q: Any) -> Any:
    scaled = q.alpha.log() + q.alpha * q.scale.log()
    return scaled - (q.alpha + 1) * _MEAN_LOG[type(p)](p)


def _poisson(p: Any, q: Any) -> Any:
    return p.probs * q.rate.log() - q.rate


# -- what is finite, and where ---------------------------------------------------------------------

# (p, q): E_p[log q], and where the divergence is infinite.
_FINITE: list[tuple[type, type, Callable, Callable | None]] = [
    (Bernoulli, Poisson, _poisson, None),
    (Beta, ContinuousBernoulli, _continuous_bernoulli, None),
    (Beta, Exponential, _exponential, None),
    (Beta, Gamma, _gamma, None),
    (Beta, Normal, _normal, None),
    (Beta, Uniform, _flat, lambda p, q: (q.low > 0) | (q.high < 1)),
    (ContinuousBernoulli, Exponential, _exponential, None),
    (ContinuousBernoulli, Normal, _normal, None),
    # As PyTorch has it: infinite also where the two supports end at the same point.
    (ContinuousBernoulli, Uniform, _flat, lambda p, q: (q.low >= 0) | (q.high <= 1)),
    (
        Uniform,
        ContinuousBernoulli,
        _continuous_bernoulli,
        lambda p, q: (p.high >= 1) | (p.low <= 0),
    ),
    (Exponential, Gamma, _gamma, None),
    (Exponential, Gumbel, _gumbel, None),
    (Exponential, Normal, _normal, None),
    (Gamma, Exponential, _exponential, None),
    (Gamma, Gumbel, _gumbel, None),
    (Gamma, Normal, _normal, None),
    (Gumbel, Normal, _normal, None),
    (Laplace, Normal, _normal, None),
    (Normal, Gumbel, _gumbel, None),
    (Normal, Laplace, _laplace, None),
    (Pareto, Exponential, _exponential, lambda p, q: p.alpha <= 1),
    (Pareto, Gamma, _gamma, lambda p, q: p.alpha <= 1),
    (Pareto, Normal, _normal, lambda p, q: p.alpha <= 2),
    (Uniform, Beta, _beta, lambda p, q: (p.high > 1) | (p.low < 0)),
    (Uniform, Exponential, _exponential, lambda p, q: p.low < 0),
    (Uniform, Gamma, _gamma, lambda p, q: p.low < 0),
    (Uniform, Gumbel, _gumbel, None),
    (Uniform, Normal, _normal, None),
    (Uniform, Pareto, _pareto, lambda p, q: p.low < q.scale),
]

# p has values that are impossible under q.
_INFINITE: dict[type, tuple[type, ...]] = {
    Beta: (Pareto,),
    ContinuousBernoulli: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gumbel: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Normal: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform),
    Poisson: (Bernoulli, Binomial),
}


def _finite(expected: Callable, infinite: Callable | None) -> Callable:
    def divergence(p: Any, q: Any) -> Any:
        if infinite is None:
            return -p.entropy() - expected(p, q)
        where = infinite(p, q)
        if isinstance(p, Pareto):  # its moments, and so their gradients, are finite for large alpha
            p = Pareto(p.scale, p.alpha.masked_fill(where, 3.0), validate_args=False)
        return (-p.entropy() - expected(p, q)).masked_fill(where, math.inf)

    return divergence


def _infinite(p: Any, q: Any) -> Any:
    return full_like(p.mean, math.inf)


for _p, _q, _expected, _where in _FINITE:
    register_kl(_p, _q)(_finite(_expected, _where))
for _p, _others in _INFINITE.items():
    for _q in _others:
        register_kl(_p, _q)(_infinite)
