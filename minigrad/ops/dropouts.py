"""Dropout: elements, whole channels, and the self-normalising (alpha) forms.

Which elements stay is a function of (seed, offset): backward computes the mask again instead of
keeping it. On request the masks follow PyTorch's serial stream (`minigrad.random.match_torch`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import generator
from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node
from ..backend import CPU, device, device_of, move
from ..kernels import cpu
from ._inplace import write
from ._nn import need_tensor, torch_name
from .arith import mul

__all__ = ["alpha_dropout", "dropout", "feature_alpha_dropout", "feature_dropout"]

_ALPHA = 1.7580993408473766  # -(scale * alpha) of SELU, to which alpha dropout sets elements


class Noise:
    """A mask of a shape that broadcasts to the input's, which can be had again and again.

    Following PyTorch, the mask of an input (`like`) is drawn in the order of the input's memory.
    """

    __slots__ = ("drawn", "keep", "place", "scale", "shape")

    def __init__(
        self,
        shape: tuple[int, ...],
        keep: float,
        scale: float,
        like: Any = None,
        place: device = CPU,
    ):
        self.shape, self.keep, self.scale, self.place = shape, keep, scale, place
        n = math.prod(shape)
        source = generator.chosen(None, place)
        if generator.settings.dropout_follows_torch:
            drawn = source.uniform64(n) < keep
            whole = like is not None and shape == like.shape
            self.drawn: Any = _in_order_of(like, drawn) if whole else drawn
        else:
            self.drawn = source.reserve(-(-n // 4))  # blocks of four words

    def mask(self) -> Any:
        """The booleans: True stays."""
        if isinstance(self.drawn, tuple):
            seed, offset = self.drawn
            mask = cpu.philox_mask(seed, offset, math.prod(self.shape), self.keep)
        else:
            mask = self.drawn
        return move(mask.reshape(self.shape), self.place)

    def apply(self, x: Any, kept: float, dropped: float) -> Any:
        """x * mask * scale, plus `kept` where the mask is True and `dropped` elsewhere."""
        drawn = self.drawn
        if isinstance(drawn, tuple) and self.shape == x.shape:
            seed, offset = drawn
            return cpu.philox_dropout(x, seed, offset, self.keep, self.scale, kept, dropped)
        mask = self.mask()
        y = cpu.dropout(x, mask, self.scale)
        return y + np.where(mask, kept, dropped).astype(x.dtype) if kept or dropped else y


def _in_order_of(array: Any, drawn: Any) -> Any:
    """Numbers drawn one after the other, shaped like an array and in the order of its memory."""
    if array.flags.c_contiguous:
        return drawn
    order = sorted(range(array.ndim), key=lambda dim: -array.strides[dim])
    inverse = sorted(range(array.ndim), key=order.__getitem__)
    return drawn.reshape([array.shape[dim] for dim in order]).transpose(inverse)


class Dropout(Node):
    """input * mask * scale + shift, where the shift depends on the mask."""

    torch_name = "MulBackward0"
    fresh = True

    def forward(self, x: Any, noise: Noise, kept: float = 0.0, dropped: float = 0.0) -> Any:
        self.noise = noise
        return noise.apply(x, kept, dropped)

    def backward(self, grad: Any) -> Any:
        """grad * mask * scale."""
        return apply(Dropout, (grad,), self.noise)


def _checked(name: str, input: Any, p: float, kind: type[Exception] = ValueError) -> Any:
    x = need_tensor(name, "input", input)
    if not 0.0 <= p <= 1.0:
        raise kind(f"dropout probability has to be between 0 and 1, but got {p}")
    return x


def _drop(name: str, input: Any, p: float, training: bool, feature: bool, alpha: bool) -> Any:
    x = _checked(name, input, p)
    if p == 0 or not training or not x.size:
        return input
    if p == 1:
        return mul(input, _v.wrap(np.zeros((), x.dtype)))
    if feature and x.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    if x.dtype.kind not in "fV":
        raise RuntimeError(
            f"result type Float can't be cast to the desired output type {torch_name(x)}"
        )
    shape = x.shape[:2] + (1,) * (x.ndim - 2) if feature else x.shape
    keep = 1.0 - p
    if not alpha:
        return apply(Dropout, (input,), Noise(shape, keep, 1.0 / keep, x, device_of(x)))
    a = 1.0 / math.sqrt((_ALPHA * _ALPHA * p + 1) * keep)
    # Dropped elements become -alpha'; the affine map restores mean 0 and variance 1.
    shifts = _ALPHA * a * p, _ALPHA * a * (p - 1)
    return apply(Dropout, (input,), Noise(shape, keep, a, x, device_of(x)), *shifts)


def _in_place(input: Any, drop: Any, p: float, training: bool) -> Any:
    """The in-place form: the tensor itself, rewritten if anything is dropped."""
    if p == 0 or not training or not input._array.size:
        return input
    return write(input, drop, (p, True))


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Sets each element to 0 with probability `p` and divides the others by 1 - p.

    The input itself when not training. ValueError for p outside [0, 1]; RuntimeError for integers.
    """
    if inplace:
        _checked("dropout", input, p)
        return _in_place(input, dropout, p, training)
    return _drop("dropout", input, p, training, False, False)


def feature_dropout(
    input: Any, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Any:
    """Sets whole channels of `input` (N, C, ...) to 0 with probability `p`; others over 1 - p.

    RuntimeError for fewer than two dimensions; else as of `dropout`.
    """
    if inplace:
        _checked("feature_dropout", input, p)
        return _in_place(input, feature_dropout, p, training)
    return _drop("feature_dropout", input, p, training, True, False)


def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """Dropout for SELU networks: keeps mean 0 and variance 1. (Klambauer et al. 2017.)

    Errors as of `dropout`.
    """
    if inplace:
        _checked("alpha_dropout", input, p)
        return _in_place(input, alpha_dropout, p, training)
    return _drop("alpha_dropout", input, p, training, False, True)


def feature_alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Any:
    """Alpha dropout of whole channels of `input` (N, C, ...); errors as of `feature_dropout`."""
    if inplace:
        _checked("feature_alpha_dropout", input, p)
        return _in_place(input, feature_alpha_dropout, p, training)
    return _drop("feature_alpha_dropout", input, p, training, True, True)
