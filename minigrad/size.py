"""`Size`: the shape of a tensor, a tuple with PyTorch's name and methods."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any


def _int(value: Any, place: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"torch.Size() takes an iterable of 'int' (item {place} is "
            f"'{value.__class__.__name__}')"
        ) from None


class Size(tuple):
    """A tuple of ints; `numel()` is their product."""

    __slots__ = ()

    def __new__(cls, sizes: Iterable = ()) -> Size:
        self = super().__new__(cls, sizes)
        if all(n.__class__ is int for n in self):
            return self
        return super().__new__(cls, [_int(n, i) for i, n in enumerate(self)])

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __add__(self, other: tuple) -> Size:
        return Size(tuple.__add__(self, other))

    def __radd__(self, other: tuple) -> Size:
        return Size(other + tuple(self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, other: Any) -> Size:
        return Size(tuple.__mul__(self, other))

    __rmul__ = __mul__

    def __getitem__(self, item: Any) -> Any:
        value = tuple.__getitem__(self, item)
        return Size(value) if isinstance(item, slice) else value
