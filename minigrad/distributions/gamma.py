"""The gamma distribution."""

from __future__ import annotations

from typing import Any

from .. import ops, samplers, special
from ..dtypes import finfo
from ..size import Size
from . import constraints
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .utils import broadcast_all, is_number

__all__ = ["Gamma"]


class Gamma(ExponentialFamily):
    """Density rate^c / gamma(c) * x^(c - 1) * exp(-rate x), c = `concentration`."""

    arg_constraints: Any = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0
    expand = Distribution._expand_state

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None):
        self.concentration, self.rate = broadcast_all(concentration, rate)
        numbers = is_number(concentration) and is_number(rate)
        shape = Size(()) if numbers else self.concentration.shape
        super().__init__(shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration / self.rate

    @property
    def mode(self) -> Any:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Any:
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """A standard gamma number over the rate; implicit gradient to the concentration."""
        shape = self._extended_shape(sample_shape)
        value = samplers._standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        value.detach().clamp_(min=finfo(value.dtype).tiny)  # 0 has no logarithm
        return value

    def log_prob(self, value: Any) -> Any:
        if not hasattr(value, "dtype"):
            value = self.rate.new_tensor(value)
        self._check(value)
        c, rate = self.concentration, self.rate
        return ops.xlogy(c, rate) + ops.xlogy(c - 1, value) - rate * value - ops.lgamma(c)

    def cdf(self, value: Any) -> Any:
        """The regularized lower incomplete gamma function at (concentration, rate * value)."""
        self._check(value)
        return special.gammainc(self.concentration, self.rate * value)

    def entropy(self) -> Any:
        c = self.concentration
        return c - self.rate.log() + ops.lgamma(c) + (1.0 - c) * ops.digamma(c)

    @property
    def _natural_params(self) -> tuple:
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        return ops.lgamma(x + 1) + (x + 1) * ops.log(-y.reciprocal())
