"""Memory formats: the order of dimensions that they ask for, and which one an array lies in."""

from __future__ import annotations

from typing import Any

from ..backend import channels_last, channels_last_3d, contiguous_format, memory_format
from ._shape import memory_order

_RANKS = {channels_last: 4, channels_last_3d: 5}
ORDERS = {channels_last: (0, 2, 3, 1), channels_last_3d: (0, 2, 3, 4, 1)}


def check_format(name: str, format: Any) -> None:
    """TypeError unless it is a memory format or None."""
    if format is not None and format.__class__ is not memory_format:
        raise TypeError(
            f"{name}(): argument 'memory_format' must be torch.memory_format, not "
            f"{format.__class__.__name__}"
        )


def order_of(ndim: int, format: Any) -> tuple[int, ...]:
    """The dimensions from the slowest in memory to the fastest, in a format that fixes them.

    RuntimeError if the format is for another number of dimensions.
    """
    rank = _RANKS.get(format)
    if rank is None:
        return tuple(range(ndim))
    if ndim != rank:
        raise RuntimeError(
            f"required rank {rank} tensor to use {str(format).removeprefix('torch.')} format"
        )
    return ORDERS[format]


def order_in_copy(x: Any, format: Any) -> tuple[int, ...]:
    """The order of dimensions in a copy of an array; the array's own if no format fixes it."""
    return (
        order_of(x.ndim, format)
        if format in _RANKS or format is contiguous_format
        else (memory_order(x))
    )


def suggested(x: Any) -> Any:
    """The format that PyTorch reads from an array's strides: one of the three that fix them."""
    format = channels_last if x.ndim == 4 else channels_last_3d
    if x.ndim not in (4, 5) or x.strides[1] == 0:
        return contiguous_format
    least = 0
    for d in reversed(ORDERS[format]):
        if x.shape[d] == 0 or x.strides[d] < least:
            return contiguous_format
        if d == 0 and least == x.strides[1]:
            return contiguous_format
        least = x.strides[d] * (x.shape[d] if x.shape[d] > 1 else 1)
    return format
