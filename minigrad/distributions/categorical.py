"""The categorical distribution."""

from __future__ import annotations

import math
from typing import Any

from .. import ops, random
from ..creation import full
from ..dtypes import finfo, int64
from ..size import Size
from . import constraints
from ._parameters import ProbsOrLogits, counted
from .distribution import Distribution
from .utils import either

__all__ = ["Categorical"]


class Categorical(ProbsOrLogits, Distribution):
    """Whole numbers below k, with the (unnormalised) `probs` or `logits` of shape (..., k)."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _is_binary = False
    expand = Distribution._expand_state

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        either(probs, logits)
        name, given = ("probs", probs) if logits is None else ("logits", logits)
        if given.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if logits is None:
            self._param = self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self._param = self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._num_events = self._param.shape[-1]
        super().__init__(self._param.shape[:-1], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def mean(self) -> Any:
        """NaN: categories have no order."""
        return full(self._extended_shape(), math.nan, dtype=self.probs.dtype)

    @property
    def mode(self) -> Any:
        return self.probs.argmax(dim=-1)

    @property
    def variance(self) -> Any:
        """NaN: categories have no order."""
        return full(self._extended_shape(), math.nan, dtype=self.probs.dtype)

    def sample(self, sample_shape: Any = ()) -> Any:
        sample_shape = Size(sample_shape)
        rows = self.probs.detach().reshape(-1, self._num_events)
        drawn = random.multinomial(rows, math.prod(sample_shape), True)
        return drawn.T.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        index, log_pmf = value.long().unsqueeze(-1), self.logits
        if index.shape[:-1] != log_pmf.shape[:-1]:
            index, log_pmf = ops.broadcast_tensors(index, log_pmf)
            index = index[..., :1]
        return log_pmf.gather(-1, index).squeeze(-1)

    def entropy(self) -> Any:
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)  # 0 * -inf is to be 0
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        return counted(self._num_events, self._batch_shape, expand, int64)
