"""Shapes: operations that move elements or see the same memory in another shape."""

from __future__ import annotations

from typing import Any

from ..autograd.record import apply_view
from ..autograd.variable import Node
from ._shape import as_shape

__all__ = ["reshape"]


class View(Node):
    """The same memory in another shape."""

    views_input = True

    def forward(self, x: Any, shape: tuple[int, ...]) -> Any:
        self.shape = x.shape
        return x.reshape(shape)

    def backward(self, grad: Any) -> Any:
        """grad, in the input's shape."""
        return reshape(grad, self.shape)


class Reshape(View):
    """A copy in another shape, where no view is possible."""

    views_input = False

    def name(self) -> str:
        return "UnsafeViewBackward0"


def reshape(input: Any, *shape: Any) -> Any:
    """`input` in another shape: a view where its strides allow, else a copy."""
    size = as_shape(shape)
    return apply_view(View, input, size)
