"""The layers that LoRA makes: as before, with a product of two thin matrices beside the weight."""

from __future__ import annotations

import math
from typing import Any

from .. import nn
from ..autograd.modes import no_grad
from ..creation import empty, zeros
from ..nn import functional as F
from ..nn import init
from ..ops import matmul

__all__: list[str] = []


class Adapter(nn.Module):
    """Mixed into a layer's class: weights of the layer with a low-rank change each.

    A weight W that is (rows, columns) when flattened has A (blocks * r, columns) and B (rows, r);
    it acts as W + scaling * B A, for each of its `blocks` of rows (query, key and value) apart.
    While merged, W holds the sum, and the original is kept, so that it comes back exactly.
    """

    lora_blocks: dict[str, int]
    lora_r: int
    lora_scaling: float
    lora_dropout: float
    lora_merged: bool
    lora_original: dict[str, Any]

    def lora_names(self, weight: str) -> tuple[str, str]:
        """The names of A and B: those of the only weight are lora_A and lora_B."""
        suffix = "" if len(self.lora_blocks) == 1 else "_" + weight
        return "lora_A" + suffix, "lora_B" + suffix

    def lora_set_up(self, blocks: dict[str, int], r: int, scaling: float, dropout: float) -> None:
        """Adds the matrices: A of random numbers and B of zeros, so that nothing changes yet."""
        self.lora_blocks, self.lora_r, self.lora_scaling = blocks, r, scaling
        self.lora_dropout, self.lora_merged, self.lora_original = dropout, False, {}
        for name, count in blocks.items():
            weight = self._parameters[name]
            assert weight is not None
            rows, columns = self.lora_flat(weight).shape
            kind = {"dtype": weight.dtype, "device": weight.device}
            first, second = self.lora_names(name)
            a = nn.Parameter(empty((count * r, columns), **kind))
            self.register_parameter(first, a)
            self.register_parameter(second, nn.Parameter(zeros((rows, r), **kind)))
            init.kaiming_uniform_(a, a=math.sqrt(5))

    def lora_flat(self, weight: Any) -> Any:
        """A weight as a matrix."""
        return weight.reshape(weight.shape[0], -1)

    def lora_change(self, name: str) -> Any:
        """scaling * B A in the weight's shape."""
        first, second = (getattr(self, n) for n in self.lora_names(name))
        r, count = self.lora_r, self.lora_blocks[name]
        rows = second.shape[0] // count
        change = matmul(second.reshape(count, rows, r), first.reshape(count, r, -1))
        weight = self._parameters[name]
        assert weight is not None
        return (change * self.lora_scaling).reshape(weight.shape)

    def lora_merge(self) -> None:
        """Adds the changes to the weights."""
        if self.lora_merged:
            return
        with no_grad():
            for name in self.lora_blocks:
                weight: Any = self._parameters[name]
                self.lora_original[name] = weight.detach().clone()
                weight.add_(self.lora_change(name))
        self.lora_merged = True

    def lora_unmerge(self) -> None:
        """Puts the weights back, bit for bit."""
        if not self.lora_merged:
            return
        with no_grad():
            for name, original in self.lora_original.items():
                weight: Any = self._parameters[name]
                weight.copy_(original)
        self.lora_merged, self.lora_original = False, {}

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, original in self.lora_original.items():  # files do not depend on merging
            destination[prefix + name] = original

    def _load_from_state_dict(self, *args: Any) -> None:
        self.lora_unmerge()
        super()._load_from_state_dict(*args)


class LoRALinear(Adapter, nn.Linear):
    """A linear layer with an adapter: W x + b + scaling * B (A dropout(x))."""

    def forward(self, input: Any) -> Any:
        out = F.linear(input, self.weight, self.bias)
        if self.lora_merged:
            return out
        x = F.dropout(input, self.lora_dropout, self.training) if self.lora_dropout else input
        return out + F.linear(F.linear(x, self.lora_A), self.lora_B) * self.lora_scaling


class _LoRAConv(Adapter):
    """A convolution with an adapter: r filters, and a 1 x 1 convolution to all channels."""

    def forward(self, input: Any) -> Any:
        layer: Any = self
        if self.lora_merged:
            return layer._conv_forward(input, layer.weight, layer.bias)
        if layer.groups > 1:  # the filters of a group cannot be shared by the others
            weight = layer.weight + self.lora_change("weight")
            return layer._conv_forward(input, weight, layer.bias)
        out = layer._conv_forward(input, layer.weight, layer.bias)
        x = F.dropout(input, self.lora_dropout, self.training) if self.lora_dropout else input
        thin = layer._conv_forward(x, layer.lora_A.reshape(-1, *layer.weight.shape[1:]), None)
        spread = layer.lora_B.reshape(*layer.lora_B.shape, *[1] * layer.ndim)
        return out + type(layer)._function(thin, spread) * self.lora_scaling


class LoRAConv1d(_LoRAConv, nn.Conv1d):
    """`Conv1d` with an adapter."""


class LoRAConv2d(_LoRAConv, nn.Conv2d):
    """`Conv2d` with an adapter."""


class LoRAConv3d(_LoRAConv, nn.Conv3d):
    """`Conv3d` with an adapter."""


class LoRAEmbedding(Adapter, nn.Embedding):
    """An embedding with an adapter: rows of E + scaling * (B A)^T; A has a column for each row."""

    def lora_flat(self, weight: Any) -> Any:
        return weight.T

    def lora_change(self, name: str) -> Any:
        return matmul(self.lora_B, self.lora_A).T * self.lora_scaling

    def lora_set_up(self, *args: Any) -> None:
        super().lora_set_up(*args)
        with no_grad():  # as its columns are looked up, A is what starts at zero
            self.lora_B.normal_()
            self.lora_A.zero_()

    def forward(self, input: Any) -> Any:
        out = nn.Embedding.forward(self, input)
        if self.lora_merged:
            return out
        thin = F.embedding(input, self.lora_A.T, self.padding_idx)
        return out + F.linear(thin, self.lora_B) * self.lora_scaling


def _acting(name: str) -> property:
    """A weight that other code reads: with its change, unless that is merged."""

    def get(self: Any) -> Any:
        weight = self._parameters[name]
        if weight is None or self.lora_merged or name not in self.lora_blocks:
            return weight
        return weight + self.lora_change(name)

    return property(get)


class LoRAWeight(Adapter, nn.Linear):
    """A linear layer whose weight is read by the module around it, with an adapter."""

    weight = _acting("weight")


class LoRAMultiheadAttention(Adapter, nn.MultiheadAttention):
    """Attention with adapters for the projections of queries, keys and values."""

    in_proj_weight = _acting("in_proj_weight")
    q_proj_weight = _acting("q_proj_weight")
    k_proj_weight = _acting("k_proj_weight")
    v_proj_weight = _acting("v_proj_weight")
