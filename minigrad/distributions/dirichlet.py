"""Dirichlet's distribution."""

from __future__ import annotations

from typing import Any

from .. import ops, samplers
from . import constraints
from .distribution import Distribution
from .exp_family import ExponentialFamily

__all__ = ["Dirichlet"]


class Dirichlet(ExponentialFamily):
    """Vectors of sum 1 with density proportional to prod x_i^(concentration_i - 1)."""

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    expand = Distribution._expand_state

    def __init__(self, concentration: Any, validate_args: bool | None = None):
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Gamma numbers over their sum; implicit gradient to the concentration."""
        shape = self._extended_shape(sample_shape)
        return samplers._sample_dirichlet(self.concentration.expand(shape))

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        c = self.concentration
        powers = ops.xlogy(c - 1.0, value).sum(-1)
        return powers + ops.lgamma(c.sum(-1)) - ops.lgamma(c).sum(-1)

    @property
    def mean(self) -> Any:
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Any:
        """A corner where all concentrations are below 1."""
        excess = (self.concentration - 1).clamp(min=0.0)
        inside = excess / excess.sum(-1, keepdim=True)
        corner = ops.one_hot(inside.argmax(-1), self._event_shape[0]).to(inside.dtype)
        return ops.where((self.concentration < 1).all(-1, keepdim=True), corner, inside)

    @property
    def variance(self) -> Any:
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total**2 * (total + 1))

    def entropy(self) -> Any:
        c = self.concentration
        total = c.sum(-1)
        log_beta = ops.lgamma(c).sum(-1) - ops.lgamma(total)
        spread = (c.shape[-1] - total) * ops.digamma(total)
        return log_beta - spread - ((c - 1.0) * ops.digamma(c)).sum(-1)

    @property
    def _natural_params(self) -> tuple:
        return (self.concentration,)

    def _log_normalizer(self, x: Any) -> Any:
        return x.lgamma().sum(-1) - ops.lgamma(x.sum(-1))
