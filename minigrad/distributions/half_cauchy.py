"""The half-Cauchy distribution."""

from __future__ import annotations

import math
from typing import Any

from ..creation import as_tensor, full
from ._folded import Folded
from .cauchy import Cauchy

__all__ = ["HalfCauchy"]


class HalfCauchy(Folded):
    """|x| for Cauchy's x around 0 with half width `scale`."""

    _base = Cauchy

    @property
    def mean(self) -> Any:
        return full(self._extended_shape(), math.inf, dtype=self.scale.dtype)

    @property
    def variance(self) -> Any:
        return self.base_dist.variance

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        return self._log_prob(as_tensor(value, dtype=self.scale.dtype))
