"""Student's t distribution."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..size import Size
from . import constraints
from .chi2 import Chi2
from .distribution import Distribution
from .utils import broadcast_all, is_number, standard_normal

__all__ = ["StudentT"]


class StudentT(Distribution):
    """loc + scale * normal / sqrt(chi2(df) / df)."""

    arg_constraints = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True
    expand = Distribution._expand_state

    def __init__(
        self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None
    ):
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        # As PyTorch has it, loc and scale do not count here.
        shape = Size(()) if is_number(df) else self.df.shape
        super().__init__(shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """NaN unless df > 1."""
        return self.loc.masked_fill(self.df <= 1, math.nan)

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        """Infinite for 1 < df <= 2, NaN for df <= 1."""
        value = self.scale.pow(2) * self.df / (self.df - 2)
        value = value.masked_fill(self.df <= 2, math.inf)
        return value.masked_fill(self.df <= 1, math.nan)

    def rsample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        x = standard_normal(shape, self.df.dtype)
        z = self._chi2.rsample(sample_shape)
        return self.loc + self.scale * (x * ops.rsqrt(z / self.df))

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        y = (value - self.loc) / self.scale
        normalizer = (
            self.scale.log()
            + 0.5 * self.df.log()
            + 0.5 * math.log(math.pi)
            + ops.lgamma(0.5 * self.df)
            - ops.lgamma(0.5 * (self.df + 1.0))
        )
        return -0.5 * (self.df + 1.0) * ops.log1p(y**2.0 / self.df) - normalizer

    def entropy(self) -> Any:
        half, more = 0.5 * self.df, 0.5 * (self.df + 1)
        log_beta = ops.lgamma(half) + math.lgamma(0.5) - ops.lgamma(more)
        slope = more * (ops.digamma(more) - ops.digamma(half))
        return self.scale.log() + slope + 0.5 * self.df.log() + log_beta
