"""The geometric distribution."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..autograd import no_grad
from ..creation import empty, zeros_like
from ..dtypes import finfo
from ..size import Size
from . import constraints
from ._parameters import ProbsOrLogits
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["Geometric"]


class Geometric(ProbsOrLogits, Distribution):
    """The number of failures before the first success, which has probability `probs`."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer
    expand = Distribution._expand_state

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        number = self._take(probs, logits)
        super().__init__(Size(()) if number else self._param.shape, validate_args=validate_args)
        if self._validate_args and probs is not None and not (self.probs > 0).all():
            value = self.probs
            raise ValueError(
                f"Expected parameter probs ({type(value).__name__} of shape {tuple(value.shape)}) "
                f"of distribution {self!r} to be positive but found invalid values:\n"
                f"{value.detach()[~(value > 0)]}"
            )

    @property
    def mean(self) -> Any:
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Any:
        return zeros_like(self.probs)

    @property
    def variance(self) -> Any:
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Any = ()) -> Any:
        dtype = self.probs.dtype
        with no_grad():
            u = empty(self._extended_shape(sample_shape), dtype=dtype)
            u.uniform_(finfo(dtype).tiny, 1)
            return (u.log() / ops.log1p(-self.probs)).floor()

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        value, probs = broadcast_all(value, self.probs)
        # 0 failures of probability 0: 0 * log(0) is to be 0.
        failing = probs.masked_fill((probs == 1) & (value == 0), 0)
        return value * ops.log1p(-failing) + self.probs.log()

    def entropy(self) -> Any:
        binary = ops.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
        return binary / self.probs
