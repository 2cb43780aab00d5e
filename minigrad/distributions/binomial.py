"""The binomial distribution."""

from __future__ import annotations

from typing import Any

from .. import ops, random_counts
from ..autograd import no_grad
from . import constraints
from ._parameters import ProbsOrLogits, counted
from .distribution import Distribution
from .utils import broadcast_all, either

__all__ = ["Binomial"]


def softplus_below(x: Any) -> Any:
    """max(x, 0), of which the gradient at 0 is 1/2."""
    return (x.clamp(min=0) + x - x.clamp(max=0)) / 2


class Binomial(ProbsOrLogits, Distribution):
    """The number of successes, of probability `probs` each, in `total_count` trials."""

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True
    expand = Distribution._expand_state

    def __init__(
        self,
        total_count: Any = 1,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ):
        either(probs, logits)
        count, given = broadcast_all(total_count, probs if logits is None else logits)
        self.total_count = count.type_as(given)
        self._take(*((given, None) if logits is None else (None, given)))
        super().__init__(self._param.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Any:
        return self.total_count * self.probs

    @property
    def mode(self) -> Any:
        return ops.minimum(((self.total_count + 1) * self.probs).floor(), self.total_count)

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return random_counts.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        n, logits = self.total_count, self.logits
        # n log(1 + e^logits), without overflow, less log n!
        normalizer = (
            n * softplus_below(logits) + n * ops.log1p(ops.exp(-logits.abs())) - ops.lgamma(n + 1)
        )
        chosen = ops.lgamma(value + 1) + ops.lgamma(n - value + 1)
        return value * logits - chosen - normalizer

    def _one_count(self, what: str) -> int:
        most = int(self.total_count.max())
        if int(self.total_count.min()) != most:
            raise NotImplementedError(f"Inhomogeneous total count not supported by `{what}`.")
        return most

    def entropy(self) -> Any:
        self._one_count("entropy")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(ops.exp(log_prob) * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True) -> Any:
        count = 1 + self._one_count("enumerate_support")
        return counted(count, self._batch_shape, expand, self._param.dtype)
