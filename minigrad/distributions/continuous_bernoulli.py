"""The continuous Bernoulli distribution (Loaiza-Ganem and Cunningham, 2019)."""

from __future__ import annotations

import math
from typing import Any

from .. import ops, random
from ..autograd import no_grad
from ..creation import ones_like, zeros_like
from ..size import Size
from . import constraints
from ._parameters import ProbsOrLogits
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .utils import broadcast_all, clamp_probs, lazy_property, logits_to_probs

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(ProbsOrLogits, ExponentialFamily):
    """Density proportional to probs^x (1 - probs)^(1 - x) on [0, 1].

    The closed forms are 0 / 0 at probs = 1/2: between `lims` Taylor's series stand for them.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    _mean_carrier_measure = 0
    has_rsample = True
    expand = Distribution._expand_state

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ):
        number = self._take(probs, logits)
        if probs is not None:
            valid = self.arg_constraints["probs"].check(self.probs)  # before it is clamped
            if validate_args is not None and not valid.all():
                raise ValueError("The parameter probs has invalid values")
            self._param = self.probs = clamp_probs(self.probs)
        self._lims = lims
        super().__init__(Size(()) if number else self._param.shape, validate_args=validate_args)

    @lazy_property
    def probs(self) -> Any:
        """The parameter in (0, 1), from the logits."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _closed(self) -> Any:
        """Where the closed forms hold."""
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _safe_probs(self) -> Any:
        """The parameter, replaced by one off 1/2 where Taylor's series stand."""
        return ops.where(self._closed(), self.probs, self._lims[0] * ones_like(self.probs))

    def _cont_bern_log_norm(self) -> Any:
        p = self._safe_probs()
        below = ops.where(p <= 0.5, p, zeros_like(p))
        above = ops.where(p >= 0.5, p, ones_like(p))
        width = ops.where(p <= 0.5, ops.log1p(-2.0 * below), ops.log(2.0 * above - 1.0))
        closed = ops.log((ops.log1p(-p) - p.log()).abs()) - width
        x = (self.probs - 0.5) ** 2
        series = math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x
        return ops.where(self._closed(), closed, series)

    @property
    def mean(self) -> Any:
        p = self._safe_probs()
        closed = p / (2.0 * p - 1.0) + 1.0 / (ops.log1p(-p) - p.log())
        x = self.probs - 0.5
        return ops.where(self._closed(), closed, 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x**2) * x)

    @property
    def variance(self) -> Any:
        p = self._safe_probs()
        closed = p * (p - 1.0) / (1.0 - 2.0 * p) ** 2 + 1.0 / (ops.log1p(-p) - p.log()) ** 2
        x = (self.probs - 0.5) ** 2
        series = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x
        return ops.where(self._closed(), closed, series)

    def sample(self, sample_shape: Any = ()) -> Any:
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """icdf of uniform numbers."""
        u = random.rand(self._extended_shape(sample_shape), dtype=self.probs.dtype)
        return self.icdf(u)

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        binary = ops.binary_cross_entropy_with_logits(logits, value, reduction="none")
        return self._cont_bern_log_norm() - binary

    def cdf(self, value: Any) -> Any:
        self._check(value)
        p = self._safe_probs()
        closed = (p**value * (1.0 - p) ** (1.0 - value) + p - 1.0) / (2.0 * p - 1.0)
        inside = ops.where(self._closed(), closed, value)
        inside = ops.where(value >= 1.0, ones_like(value), inside)
        return ops.where(value <= 0.0, zeros_like(value), inside)

    def icdf(self, value: Any) -> Any:
        p = self._safe_probs()
        start = ops.log1p(-p)
        closed = (ops.log1p(-p + value * (2.0 * p - 1.0)) - start) / (p.log() - start)
        return ops.where(self._closed(), closed, value)

    def entropy(self) -> Any:
        failure, success = ops.log1p(-self.probs), self.probs.log()
        return self.mean * (failure - success) - self._cont_bern_log_norm() - failure

    @property
    def _natural_params(self) -> tuple:
        return (self.logits,)

    def _log_normalizer(self, x: Any) -> Any:
        far = (x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5)
        safe = ops.where(far, x, (self._lims[0] - 0.5) * ones_like(x))
        closed = ops.expm1(safe).abs().log() - safe.abs().log()
        return ops.where(far, closed, 0.5 * x + x**2 / 24.0 - x**4 / 2880.0)
