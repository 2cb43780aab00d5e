"""Bernoulli's distribution."""

from __future__ import annotations

from typing import Any

from .. import ops, random
from ..autograd import no_grad
from ..size import Size
from . import constraints
from ._parameters import ProbsOrLogits, counted
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .utils import broadcast_all

__all__ = ["Bernoulli"]


class Bernoulli(ProbsOrLogits, ExponentialFamily):
    """1 with probability `probs` (or sigmoid(logits)), else 0."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0
    expand = Distribution._expand_state

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        number = self._take(probs, logits)
        super().__init__(Size(()) if number else self._param.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        """NaN where both values are as probable."""
        likely = (self.probs >= 0.5).to(self.probs.dtype)
        return likely.masked_fill(self.probs == 0.5, float("nan"))

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        with no_grad():
            return random.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        return -ops.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Any:
        return ops.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Any:
        return counted(2, self._batch_shape, expand, self._param.dtype)

    @property
    def _natural_params(self) -> tuple:
        return (ops.logit(self.probs),)

    def _log_normalizer(self, x: Any) -> Any:
        return ops.log1p(ops.exp(x))
