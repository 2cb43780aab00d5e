"""`torch.nn.attention.bias`: causal masks that know which corner they start from."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from ...creation import ones
from ...dispatch import disabled_torch_function
from ...tensor import Tensor

__all__ = ["CausalBias", "CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(IntEnum):
    """The corner of the mask at which the diagonal starts (UPPER_LEFT) or ends (LOWER_RIGHT)."""

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


class CausalBias(Tensor):
    """A mask for `scaled_dot_product_attention`, (seq_len_q, seq_len_kv): True where it looks.

    AssertionError unless `variant` is a `CausalVariant`.
    """

    __torch_function__ = staticmethod(disabled_torch_function)  # operations see a plain tensor

    def __new__(cls, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> CausalBias:
        if not isinstance(variant, CausalVariant):
            raise AssertionError(f"CausalBias: variant {variant!r}; needed: a CausalVariant")
        offset = seq_len_kv - seq_len_q if variant is CausalVariant.LOWER_RIGHT else 0
        mask = ones(seq_len_q, seq_len_kv, dtype=bool).tril(offset)
        self: Any = mask.as_subclass(cls)
        self.variant, self.seq_len_q, self.seq_len_kv = variant, seq_len_q, seq_len_kv
        return self

    def __init__(self, *args: Any) -> None:
        pass  # all is done in __new__; Tensor's own must not run


def causal_upper_left(*size: int) -> CausalBias:
    """The mask of size (L, S) that lets query i look at keys 0 to i."""
    return CausalBias(CausalVariant.UPPER_LEFT, *_two(size))


def causal_lower_right(*size: int) -> CausalBias:
    """The mask of size (L, S) that lets query i look at keys 0 to i + S - L."""
    return CausalBias(CausalVariant.LOWER_RIGHT, *_two(size))


def _two(size: tuple) -> tuple:
    if len(size) != 2:
        raise RuntimeError(f"causal mask: {len(size)} sizes given; needed: 2")
    return size
