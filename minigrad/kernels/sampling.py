"""Planes read at given points, compiled: bilinear and nearest `grid_sample` of (N, C, H, W).

`how` is (padding, nearest, align): the padding's number in `PADDINGS` and two booleans. x and grid
are float32 or float64, of one type. The same written with operations is in `ops/sampling.py`.
"""

from __future__ import annotations

from typing import Any

from . import _C
from .reduction import dense

__all__ = ["grid_sample", "grid_sample_planes", "grid_sample_points"]

# In the order of SamplePadding in csrc/kernels/grid_sample.h.
PADDINGS = ("zeros", "border", "reflection")


def takes(x: Any) -> bool:
    """Whether the kernels count the elements of a plane of x (N, C, H, W)."""
    h, w = x.shape[2:]
    return (h + 2) * (w + 2) < 1 << 31


def grid_sample(x: Any, grid: Any, how: tuple) -> Any:
    """x (N, C, H, W) at the points of grid (N, P, Q, 2): (N, C, P, Q)."""
    return _C.grid_sample(dense(x), dense(grid), *how)


def grid_sample_planes(g: Any, grid: Any, size: tuple, how: tuple) -> Any:
    """The gradient to x (N, C, *size) for the output's gradient g."""
    return _C.grid_sample_planes(dense(g), dense(grid), *size, *how)


def grid_sample_points(g: Any, x: Any, grid: Any, how: tuple) -> Any:
    """The gradient to the grid for the output's gradient g."""
    return _C.grid_sample_points(dense(g), dense(x), dense(grid), *how)
