"""`as_strided`: the elements of a memory at any sizes and strides."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..autograd.record import apply, apply_view
from ..autograd.variable import Node
from ..backend import address_of, owner_of
from ._shape import array_arg

__all__ = ["as_strided"]


def _span(size: tuple, stride: tuple) -> int:
    """How many elements of memory a view reaches over; 0 if it has none."""
    return 0 if 0 in size else sum([(n - 1) * s for n, s in zip(size, stride)]) + 1


def _places(size: tuple, stride: tuple, offset: int) -> Any:
    """The place in memory of each element of a view."""
    places: Any = np.full((1,) * len(size), offset)
    for d, (n, s) in enumerate(zip(size, stride)):
        places = places + (np.arange(n) * s).reshape((-1,) + (1,) * (len(size) - d - 1))
    return places


def memory_of(x: Any) -> tuple[Any, int]:
    """All elements of the memory that `x` is a view of, as a vector, and where x starts in it."""
    owner, step = owner_of(x), x.dtype.itemsize
    extent = _span(owner.shape, tuple([s // owner.itemsize for s in owner.strides]))
    flat = np.lib.stride_tricks.as_strided(owner, (extent,), (owner.itemsize,))
    if flat.dtype != x.dtype:
        flat = flat.view(np.uint8)
        flat = flat[: flat.size // step * step].view(x.dtype)
    return flat, (address_of(x) - address_of(owner)) // step if x.size else 0


def _steps(x: Any) -> tuple[int, ...]:
    return tuple([s // x.itemsize for s in x.strides])


class AsStrided(Node):
    """Elements of the input's memory at given strides; they may overlap.

    `start` counts from the input's first element. `steps` are the strides of the input that this is
    a view of: another array in its place (a gradient) is laid out so first. `owner` is the input's
    memory, None if every contiguous array will do.
    """

    fresh = True
    views_input = True

    def forward(
        self, x: Any, size: tuple, stride: tuple, start: int, steps: tuple, owner: Any
    ) -> Any:
        self.shape = x.shape
        self.args = (size, stride, start, steps, owner)
        if owner is None and x.flags.c_contiguous:
            flat, at = x.reshape(-1), 0
        elif owner is not None and owner_of(x) is owner and _steps(x) == steps:
            flat, at = memory_of(x)
        else:
            return _moved(x, (x.shape, steps, 0), (size, stride, start))
        step = x.dtype.itemsize
        return np.lib.stride_tricks.as_strided(
            flat[at + start :], size, tuple([s * step for s in stride])
        )

    def backward(self, grad: Any) -> Any:
        """At each place of the input, the sum of grad over the elements that lie there."""
        return apply(AsStridedBackward, (grad,), self.shape, self.args)


class AsStridedFar(AsStrided):
    """A view beyond the input's elements, or of one with gaps: only the memory itself has it."""

    fixed_memory = True

    def name(self) -> str:
        return "AsStridedBackward0"


class AsStridedBackward(Node):
    """The sum at each place of the input's memory of the elements that strides put there."""

    def forward(self, x: Any, shape: tuple[int, ...], args: tuple) -> Any:
        self.args = args
        size, stride, start, steps, _ = args
        return _moved(x, (size, stride, start), (shape, steps, 0), sums=True)

    def backward(self, grad: Any) -> Any:
        """grad at the same strides."""
        return apply_view(AsStrided, grad, *self.args)


def _moved(x: Any, source: tuple, target: tuple, sums: bool = False) -> Any:
    """The view `target` of a memory of zeros into which `x` was put as the view `source`.

    Both are (size, stride, start). Elements of x that share a place are one element, or are added
    up if `sums`; then those of the target share the sum.
    """
    low = min(source[2], target[2])
    count = max(_span(*v[:2]) + v[2] for v in (source, target)) - low
    wide = np.dtype(np.float32) if x.dtype.itemsize == 2 else x.dtype
    memory = np.zeros(count, wide, like=x)
    put, taken = [_places(size, stride, start - low) for size, stride, start in (source, target)]
    np.add.at(memory, np.broadcast_to(put, x.shape), x.astype(wide))
    shared = np.zeros(count, wide, like=x)
    one = taken if sums else put
    np.add.at(shared, one, 1)
    memory /= np.maximum(shared, 1)
    return memory[taken].astype(x.dtype, copy=False).reshape(target[0])


def as_strided(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """A view of the memory behind `input` with given sizes and strides (in elements).

    `storage_offset` counts from the start of the memory (default: where `input` starts). Gradient:
    at each place of `input`, the sum of grad over the elements that lie there. RuntimeError if the
    view would leave the memory.
    """
    x = array_arg("as_strided", input)
    shape = tuple([operator.index(n) for n in size])
    steps = tuple([operator.index(n) for n in stride])
    if len(shape) != len(steps):
        raise RuntimeError(
            f"mismatch in length of strides and shape: given {len(shape)} sizes and {len(steps)} "
            "strides; needed: as many of each"
        )
    if any(s < 0 for s in steps):
        raise RuntimeError(
            f"as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(steps)}"
        )
    flat, at = memory_of(x)
    offset = at if storage_offset is None else operator.index(storage_offset)
    span = _span(shape, steps)
    if offset < 0 or any(n < 0 for n in shape) or (span and offset + span > flat.size):
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(steps)}, storage offset {offset} "
            f"require {offset + span} elements and are out of bounds for the {flat.size} elements "
            "of the storage"
        )
    start = offset - at
    inside = x.flags.c_contiguous and start >= 0 and start + span <= x.size
    if inside:
        return apply_view(AsStrided, input, shape, steps, start, _steps(x), None)
    return apply_view(AsStridedFar, input, shape, steps, start, _steps(x), owner_of(x))
