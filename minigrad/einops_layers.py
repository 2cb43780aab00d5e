"""The layers of einops as modules: `from minigrad.einops_layers import Rearrange`.

In programs run with `python -m minigrad`, einops's own `from einops.layers.torch import Rearrange`
works as well.
"""

from __future__ import annotations

from typing import Any

from . import ops
from .creation import empty
from .nn import Module, Parameter, init

try:
    from einops.layers import RearrangeMixin, ReduceMixin
    from einops.layers._einmix import _EinmixMixin
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "minigrad.einops_layers needs einops: pip install einops", name=error.name
    ) from error

__all__ = ["EinMix", "Rearrange", "Reduce"]


class Rearrange(RearrangeMixin, Module):
    """`einops.rearrange` with a pattern given once, as a layer."""

    def forward(self, input: Any) -> Any:
        return self._apply_recipe(input)


class Reduce(ReduceMixin, Module):
    """`einops.reduce` with a pattern and an operation given once, as a layer."""

    def forward(self, input: Any) -> Any:
        return self._apply_recipe(input)


class EinMix(_EinmixMixin, Module):
    """A linear layer over the axes that a pattern names, with a bias if `bias_shape` is given."""

    def _create_parameters(
        self, weight_shape: Any, weight_bound: float, bias_shape: Any, bias_bound: float
    ) -> None:
        self.weight = Parameter(init.uniform_(empty(weight_shape), -weight_bound, weight_bound))
        self.bias = None
        if bias_shape is not None:
            self.bias = Parameter(init.uniform_(empty(bias_shape), -bias_bound, bias_bound))

    def _create_rearrange_layers(
        self,
        pre_reshape_pattern: str | None,
        pre_reshape_lengths: dict | None,
        post_reshape_pattern: str | None,
        post_reshape_lengths: dict | None,
    ) -> None:
        self.pre_rearrange = self.post_rearrange = None
        if pre_reshape_pattern is not None:
            self.pre_rearrange = Rearrange(pre_reshape_pattern, **(pre_reshape_lengths or {}))
        if post_reshape_pattern is not None:
            self.post_rearrange = Rearrange(post_reshape_pattern, **(post_reshape_lengths or {}))

    def forward(self, input: Any) -> Any:
        if self.pre_rearrange is not None:
            input = self.pre_rearrange(input)
        result = ops.einsum(self.einsum_pattern, input, self.weight)
        if self.bias is not None:
            result = result + self.bias
        return result if self.post_rearrange is None else self.post_rearrange(result)
