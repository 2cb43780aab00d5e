"""Distributions that are given either probabilities or logits and make the other when asked."""

from __future__ import annotations

from typing import Any

from ..creation import arange
from .utils import (
    broadcast_all,
    either,
    is_number,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
)


class ProbsOrLogits:
    """`probs`, `logits` and what follows from them; `_param` is the one that was given."""

    _is_binary = True
    _param: Any

    def _take(self, probs: Any, logits: Any) -> bool:
        """Keeps the one that was given as a tensor; True if it was a number."""
        either(probs, logits)
        name, given = ("probs", probs) if logits is None else ("logits", logits)
        (self._param,) = broadcast_all(given)
        setattr(self, name, self._param)
        return is_number(given)

    @lazy_property
    def logits(self) -> Any:
        """The logits, from the probabilities."""
        return probs_to_logits(self.probs, self._is_binary)

    @lazy_property
    def probs(self) -> Any:
        """The probabilities, from the logits."""
        return logits_to_probs(self.logits, self._is_binary)

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter that was given."""
        return self._param.size()

    def _new(self, *args: Any, **kwargs: Any) -> Any:
        return self._param.new(*args, **kwargs)


def counted(count: int, batch_shape: Any, expand: bool, dtype: Any) -> Any:
    """The numbers below `count` along a new first dimension of a batch."""
    values = arange(count, dtype=dtype).view((-1,) + (1,) * len(batch_shape))
    return values.expand((-1, *batch_shape)) if expand else values
