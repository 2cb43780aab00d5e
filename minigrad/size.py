"""`Size`: the shape of a tensor, a tuple with PyTorch's name and methods."""

from __future__ import annotations

import math
from typing import Any


class Size(tuple):
    """A tuple of ints; `numel()` is their product."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __add__(self, other: tuple) -> Size:
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other: tuple) -> Size:
        return Size(tuple(other) + tuple(self))

    def __mul__(self, other: Any) -> Size:
        return Size(tuple.__mul__(self, other))

    __rmul__ = __mul__

    def __getitem__(self, item: Any) -> Any:
        value = tuple.__getitem__(self, item)
        return Size(value) if isinstance(item, slice) else value
