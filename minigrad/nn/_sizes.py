"""Arguments that are one number for all dimensions or one for each, and numbers of dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def ntuple(value: Any, n: int) -> tuple:
    """`value` repeated n times, or as a tuple if it is an iterable."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * n


def need_dims(input: Any, dims: tuple[int, ...]) -> None:
    """ValueError unless the input has one of these numbers of dimensions."""
    ndim = input._array.ndim
    if ndim not in dims:
        wanted = " or ".join(f"{d}D" for d in dims)
        raise ValueError(f"expected {wanted} input (got {ndim}D input)")
