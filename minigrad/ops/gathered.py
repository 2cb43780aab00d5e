"""Nodes of the trilinear form of `kernels/numpy_gathered.py`; each one's backward is the others."""

from __future__ import annotations

from typing import Any

from ..autograd.record import apply
from ..autograd.variable import Node
from ..kernels import cpu

__all__: list[str] = []


class GatheredSums(Node):
    """g[n, c, p] = sum over k of w[n, k, p] x[n, c, index[n, k, p]]."""

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, x: Any, w: Any, index: Any) -> Any:
        self.places, self.size = index, x.shape[2]
        return cpu.gathered_sums(x, w, index)

    def backward(self, grad: Any) -> tuple:
        """The form's other two sums."""
        x, w = self.saved
        f, g = self.next
        return (
            apply(GatheredPlanes, (grad, w), self.places, self.size) if f else None,
            apply(GatheredWeights, (grad, x), self.places) if g else None,
        )


class GatheredPlanes(Node):
    """The gradient to x of `GatheredSums`."""

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, g: Any, w: Any, index: Any, size: int) -> Any:
        self.places = index
        return cpu.gathered_planes(g, w, index, size)

    def backward(self, grad: Any) -> tuple:
        """grad stands where x did."""
        g, w = self.saved
        first, second = self.next
        return (
            apply(GatheredSums, (grad, w), self.places) if first else None,
            apply(GatheredWeights, (g, grad), self.places) if second else None,
        )


class GatheredWeights(Node):
    """The gradient to w of `GatheredSums`."""

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, g: Any, x: Any, index: Any) -> Any:
        self.places, self.size = index, x.shape[2]
        return cpu.gathered_weights(g, x, index)

    def backward(self, grad: Any) -> tuple:
        """grad stands where w did."""
        g, x = self.saved
        first, second = self.next
        return (
            apply(GatheredSums, (x, grad), self.places) if first else None,
            apply(GatheredPlanes, (g, grad), self.places, self.size) if second else None,
        )


def gathered_sums(x: Any, w: Any, index: Any) -> Any:
    """Weighted sums of elements of each plane: x (N, C, S), w and index (N, K, P) to (N, C, P)."""
    return apply(GatheredSums, (x, w), index)
