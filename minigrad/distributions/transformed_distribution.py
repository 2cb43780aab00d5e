"""`TransformedDistribution`: the distribution of t(x) for x of a base distribution."""

from __future__ import annotations

from typing import Any

from ..autograd import no_grad
from . import constraints
from ._transform import ComposeTransform, Transform
from .distribution import Distribution
from .independent import Independent
from .utils import sum_rightmost

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """log p(y) = log p(x) - log |dy / dx| for y = t(x), t a transform or a list of them."""

    arg_constraints: Any = {}
    expand = Distribution._expand_state

    def __init__(self, base_distribution: Any, transforms: Any, validate_args: bool | None = None):
        if isinstance(transforms, Transform):
            transforms = [transforms]
        elif not isinstance(transforms, list):
            raise ValueError(f"transforms must be a Transform or list, but was {transforms}")
        elif not all(isinstance(t, Transform) for t in transforms):
            raise ValueError("transforms must be a Transform or a list of Transforms")
        self.transforms = transforms
        base, whole = base_distribution, ComposeTransform(transforms)
        base_events = len(base.event_shape)
        shape = base.batch_shape + base.event_shape
        inner, outer = whole.domain.event_dim, whole.codomain.event_dim
        if len(shape) < inner:
            raise ValueError(
                f"base_distribution needs to have shape with size at least {inner}, but got "
                f"{shape}."
            )
        after = whole.forward_shape(shape)
        needed = whole.inverse_shape(after)
        if shape != needed:
            base = base.expand(needed[: len(needed) - base_events])
        if inner > base_events:
            base = Independent(base, inner - base_events)
        self.base_dist = base
        cut = len(after) - max(outer, base_events + outer - inner)
        super().__init__(after[:cut], after[cut:], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        last = self.transforms[-1].codomain
        more = len(self._event_shape) - last.event_dim
        return constraints.independent(last, more) if more > 0 else last

    @property
    def has_rsample(self) -> Any:
        return self.base_dist.has_rsample

    def _mapped(self, x: Any) -> Any:
        for t in self.transforms:
            x = t(x)
        return x

    def sample(self, sample_shape: Any = ()) -> Any:
        with no_grad():
            return self._mapped(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self._mapped(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        event_dim = len(self._event_shape)
        volume: Any = 0.0
        y = value
        for t in reversed(self.transforms):
            x = t.inv(y)
            inner = t.domain.event_dim
            event_dim += inner - t.codomain.event_dim
            volume = volume - sum_rightmost(t.log_abs_det_jacobian(x, y), event_dim - inner)
            y = x
        rest = event_dim - len(self.base_dist.event_shape)
        return volume + sum_rightmost(self.base_dist.log_prob(y), rest)

    def _monotonize_cdf(self, value: Any) -> Any:
        """1 - value where the transforms decrease."""
        sign: Any = 1
        for t in self.transforms:
            sign = sign * t.sign
        return value if isinstance(sign, int) and sign == 1 else sign * (value - 0.5) + 0.5

    def cdf(self, value: Any) -> Any:
        for t in reversed(self.transforms):
            value = t.inv(value)
        if self._validate_args:
            self.base_dist._validate_sample(value)
        return self._monotonize_cdf(self.base_dist.cdf(value))

    def icdf(self, value: Any) -> Any:
        return self._mapped(self.base_dist.icdf(self._monotonize_cdf(value)))
