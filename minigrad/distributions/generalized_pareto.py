"""The generalized Pareto distribution."""

from __future__ import annotations

import math
from typing import Any

from .. import ops, random
from ..creation import ones_like, zeros_like
from ..size import Size
from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, is_number

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """P(x > v) = (1 + c z)^(-1 / c) for z = (v - loc) / scale, c = `concentration`.

    As c goes to 0 this is exp(-z).
    """

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True
    expand = Distribution._expand_state

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None):
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        numbers = is_number(loc) and is_number(scale) and is_number(concentration)
        super().__init__(Size(()) if numbers else self.loc.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        end = self.loc - self.scale / self.concentration
        upper = ops.where(self.concentration < 0, end, math.inf)
        return constraints.interval(self.loc, upper)

    def _shape_parameter(self) -> tuple:
        """Where the concentration is 0, and the concentration with 1 there."""
        c = self.concentration
        zero = ops.isclose(c, zeros_like(c))
        return zero, ops.where(zero, ones_like(c), c)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """icdf of uniform numbers."""
        return self.icdf(random.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        z = (value - self.loc) / self.scale
        zero, c = self._shape_parameter()
        power = 1 / c + ones_like(z)
        bent = ops.where(power == 0, power, power * ops.log1p(c * z))
        return -self.scale.log() - ops.where(zero, z, bent)

    def log_survival_function(self, value: Any) -> Any:
        """The logarithm of the probability of more than `value`."""
        self._check(value)
        z = (value - self.loc) / self.scale
        zero, c = self._shape_parameter()
        return ops.where(zero, -z, -ops.log1p(c * z) / c)

    def log_cdf(self, value: Any) -> Any:
        """The logarithm of `cdf`."""
        return ops.log1p(-ops.exp(self.log_survival_function(value)))

    def cdf(self, value: Any) -> Any:
        return ops.exp(self.log_cdf(value))

    def icdf(self, value: Any) -> Any:
        zero, c = self._shape_parameter()
        log_survival = ops.log1p(-value)
        bent = self.loc + self.scale / c * ops.expm1(-c * log_survival)
        return ops.where(zero, self.loc - self.scale * log_survival, bent)

    @property
    def mean(self) -> Any:
        """NaN unless the concentration is below 1."""
        valid = self.concentration < 1
        c = ops.where(valid, self.concentration, 0.5)
        return ops.where(valid, self.loc + self.scale / (1 - c), math.nan)

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        """NaN unless the concentration is below 1/2."""
        valid = self.concentration < 0.5
        c = ops.where(valid, self.concentration, 0.25)
        return ops.where(valid, self.scale**2 / ((1 - c) ** 2 * (1 - 2 * c)), math.nan)

    def entropy(self) -> Any:
        return (self.scale.log() + self.concentration + 1).expand(self._batch_shape)
