"""Padding of the last dimensions, and pixels moved between channels and space."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels import cpu, fast
from ._nn import need_tensor
from ._shape import array_of, shape_of
from .assign import number_for
from .movement import reshape
from .permutation import permute
from .rearrange import clone

__all__ = ["channel_shuffle", "constant_pad_nd", "pad", "pixel_shuffle", "pixel_unshuffle"]


class ConstantPad(Node):
    """A value around the last dimensions; negative widths cut off."""

    fresh = True

    def forward(self, x: Any, widths: tuple[int, ...], value: Any) -> Any:
        self.widths = widths
        return cpu.pad(x, widths, "constant", value)

    def backward(self, grad: Any) -> Any:
        """grad without the padding, and 0 where the input was cut off."""
        zero = np.zeros((), array_of(grad).dtype)
        return apply(ConstantPad, (grad,), tuple([-n for n in self.widths]), zero)

    def name(self) -> str:
        return "ConstantPadNdBackward0"


class BorderPad(Node):
    """The tensor's own elements around the last dimensions."""

    fresh = True
    title = {"reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}

    def forward(self, x: Any, widths: tuple[int, ...], mode: str) -> Any:
        self.widths, self.mode, self.shape = widths, mode, x.shape
        return cpu.pad(x, widths, mode, np.zeros((), x.dtype))

    def backward(self, grad: Any) -> Any:
        """grad, added up at the places that the elements came from."""
        return apply(BorderPadBackward, (grad,), self.shape, self.widths, self.mode)

    def name(self) -> str:
        padded = sum(1 for a, b in zip(self.widths[::2], self.widths[1::2]) if a or b)
        return f"{self.title[self.mode]}Pad{padded}DBackward0"


class BorderPadBackward(Node):
    """Zeros, with values added where `BorderPad` takes its elements."""

    fresh = True

    def forward(self, grad: Any, shape: tuple, widths: tuple[int, ...], mode: str) -> Any:
        self.widths, self.mode = widths, mode
        return cpu.pad_backward(grad, shape, widths, mode)

    def backward(self, grad: Any) -> Any:
        """grad, padded."""
        return apply(BorderPad, (grad,), self.widths, self.mode)


def _widths(padding: Any, ndim: int) -> tuple[tuple[int, int], ...]:
    """(before, after) for each dimension from PyTorch's list, which begins with the last one."""
    if isinstance(padding, str) or not hasattr(padding, "__len__"):
        raise TypeError(
            "pad(): argument 'pad' (position 2) must be tuple of ints, not "
            f"{padding.__class__.__name__}"
        )
    sizes = [operator.index(n) for n in padding]
    if len(sizes) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(sizes) > 2 * ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(sizes)} and input of dimension {ndim}"
        )
    pairs = [(sizes[i], sizes[i + 1]) for i in range(0, len(sizes), 2)]
    pairs += [(0, 0)] * (ndim - len(pairs))
    return tuple(pairs[::-1])


def _outwards(padding: Any, ndim: int) -> tuple[int, ...] | None:
    """The widths of all dimensions in a row, for a list that only widens; None for others."""
    if (padding.__class__ is not tuple and padding.__class__ is not list) or len(padding) % 2:
        return None
    if len(padding) > 2 * ndim:
        return None
    for n in padding:
        if n.__class__ is not int or n < 0:
            return None
    flat: tuple[int, ...] = (0, 0) * (ndim - len(padding) // 2)
    for i in range(len(padding) - 2, -1, -2):
        flat += (padding[i], padding[i + 1])
    return flat


def _check_border(mode: str, shape: tuple[int, ...], widths: tuple, given: int) -> None:
    ndim = len(shape)
    if given not in (2, 4, 6) or ndim not in (given // 2 + 1, given // 2 + 2):
        raise NotImplementedError(
            f"Padding size {given} is not supported for {ndim}D input tensor.\n"
            "Supported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    batched = ndim == given // 2 + 2
    if mode != "circular" and 0 in shape[batched:]:
        raise RuntimeError(
            f"Expected {given // 2 + 1}D or {given // 2 + 2}D (batch mode) tensor with possibly 0 "
            f"batch size and other non-zero dimensions for input, but got: {list(shape)}"
        )
    for d in range(ndim - given // 2, ndim):
        n, (before, after) = shape[d], widths[d]
        least = mode != "circular"
        if n + before + after < least or (not n and (before or after)):
            raise RuntimeError(
                f"pad: given an input of shape {list(shape)} and widths {(before, after)} at "
                f"dimension {d}; needed: elements to pad with and a size of {least:d} or more"
            )
        if mode == "reflect" and (before >= n or after >= n):
            raise RuntimeError(
                "Argument #4: Padding size should be less than the corresponding input dimension, "
                f"but got: padding ({before}, {after}) at dimension {d} of input {list(shape)}"
            )
        if mode == "circular" and (before > n or after > n):
            raise RuntimeError("Padding value causes wrapping around more than once.")


def _fill_value(value: Any, dtype: np.dtype) -> Any:
    """The number to pad with, which the type must hold."""
    if value is None or (value.__class__ is int and value == 0):
        return np.zeros((), dtype)
    if isinstance(value, Variable) and not value._array.ndim:
        value = value.item()
    if not isinstance(value, (bool, int, float, np.number)):
        raise TypeError(
            f"pad(): argument 'value' (position 4) must be float, not {value.__class__.__name__}"
        )
    return number_for(dtype, float(value))._array


def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """`input` with its last dimensions widened: `pad` is (before, after) of the last, and so on.

    Modes: "constant" (`value`, default 0; negative widths cut off), "reflect", "replicate" and
    "circular". RuntimeError or NotImplementedError for widths that the mode does not have.
    """
    result = fast.fast_pad(input, pad, mode, value)
    if result is not None:
        return result
    x = need_tensor("pad", "input", input)
    if mode == "constant":
        outwards = _outwards(pad, x.ndim)
        if outwards is not None:
            return apply(ConstantPad, (input,), outwards, _fill_value(value, x.dtype))
    widths = _widths(pad, x.ndim)
    if mode == "constant":
        if any(n + a + b < 0 or max(-a, 0) + max(-b, 0) > n for n, (a, b) in zip(x.shape, widths)):
            raise RuntimeError("narrow(): length must be non-negative.")
        flat = tuple([n for pair in widths for n in pair])
        return apply(ConstantPad, (input,), flat, _fill_value(value, x.dtype))
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    _check_border(mode, x.shape, widths, len(pad))
    if x.dtype == np.bool_ and mode != "circular":
        kernel = {"reflect": "reflection", "replicate": "replication"}[mode]
        raise NotImplementedError(f"\"{kernel}_pad{len(pad) // 2}d\" not implemented for 'Bool'")
    return apply(BorderPad, (input,), tuple([n for pair in widths for n in pair]), mode)


def constant_pad_nd(input: Any, pad: Any, value: float = 0) -> Any:
    """`pad` in mode "constant"."""
    return _pad(input, pad, "constant", value)


_pad = pad  # `constant_pad_nd` has an argument of that name


def _factor(name: str, which: str, factor: int, ndim: int) -> int:
    if ndim < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {ndim} "
            "dimension(s)"
        )
    if factor <= 0:
        raise RuntimeError(f"{name} expects a positive {which}, but got {factor}")
    return factor


def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    """(..., C r^2, H, W) as (..., C, H r, W r): channels become pixels. (Shi et al. 2016.)

    RuntimeError for fewer than three dimensions or channels that r^2 does not divide.
    """
    need_tensor("pixel_shuffle", "input", input)
    shape = shape_of(input)
    r = _factor("pixel_shuffle", "upscale_factor", upscale_factor, len(shape))
    *lead, c, h, w = shape
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={c} is not divisible by {r * r}"
        )
    n = len(lead)
    parts = reshape(input, (*lead, c // (r * r), r, r, h, w))
    moved = permute(parts, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return named("PixelShuffleBackward0", reshape(moved, (*lead, c // (r * r), h * r, w * r)))


def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    """(..., C, H r, W r) as (..., C r^2, H, W): the reverse of `pixel_shuffle`.

    RuntimeError for fewer than three dimensions or sizes that r does not divide.
    """
    need_tensor("pixel_unshuffle", "input", input)
    shape = shape_of(input)
    r = _factor("pixel_unshuffle", "downscale_factor", downscale_factor, len(shape))
    *lead, c, h, w = shape
    for which, at, size in (("height", -2, h), ("width", -1, w)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {which} to be divisible by downscale_factor, but "
                f"input.size({at})={size} is not divisible by {r}"
            )
    if 0 in shape:
        # PyTorch leaves the shape of an empty input.
        return named("PixelUnshuffleBackward0", clone(input))
    n = len(lead)
    parts = reshape(input, (*lead, c, h // r, r, w // r, r))
    moved = permute(parts, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return named("PixelUnshuffleBackward0", reshape(moved, (*lead, c * r * r, h // r, w // r)))


def channel_shuffle(input: Any, groups: int) -> Any:
    """(N, C, ...) with the channels of `groups` groups interleaved. (Zhang et al. 2018.)

    RuntimeError for fewer than three dimensions or channels that `groups` does not divide.
    """
    need_tensor("channel_shuffle", "input", input)
    shape = shape_of(input)
    if len(shape) < 3:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}"
        )
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    n, c, *rest = shape
    if c % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups."
        )
    parts = reshape(input, (n, groups, c // groups, *rest))
    moved = permute(parts, (0, 2, 1, *range(3, 3 + len(rest))))
    return reshape(moved, shape)
