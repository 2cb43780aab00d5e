"""The negative binomial distribution."""

from __future__ import annotations

from typing import Any

from .. import ops, random_counts
from ..autograd import no_grad
from . import constraints
from ._parameters import ProbsOrLogits
from .distribution import Distribution
from .gamma import Gamma
from .utils import broadcast_all, either, lazy_property

__all__ = ["NegativeBinomial"]


class NegativeBinomial(ProbsOrLogits, Distribution):
    """The number of successes, of probability `probs`, before `total_count` failures."""

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer
    expand = Distribution._expand_state

    def __init__(
        self,
        total_count: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ):
        either(probs, logits)
        count, given = broadcast_all(total_count, probs if logits is None else logits)
        self.total_count = count.type_as(given)
        self._take(*((given, None) if logits is None else (None, given)))
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.total_count * ops.exp(self.logits)

    @property
    def mode(self) -> Any:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Any:
        return self.mean / ops.sigmoid(-self.logits)

    @lazy_property
    def _gamma(self) -> Any:
        # Not checked: total_count may be 0.
        return Gamma(self.total_count, ops.exp(-self.logits), validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Poisson numbers of gamma rates."""
        with no_grad():
            return random_counts.poisson(self._gamma.sample(sample_shape))

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        count, logits = self.total_count, self.logits
        powers = count * ops.logsigmoid(-logits) + value * ops.logsigmoid(logits)
        ways = ops.lgamma(count) + ops.lgamma(1.0 + value) - ops.lgamma(count + value)
        # 0 successes before 0 failures have probability 1, but lgamma(0) is infinite.
        return powers - ways.masked_fill(count + value == 0.0, 0.0)
