"""Images cut into patches and put together again, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .numpy_conv import taps

__all__ = ["blocks_of", "col2im", "im2col"]


def blocks_of(size: tuple, kernel: tuple, geometry: tuple) -> tuple[int, int]:
    """How many patches fit along each dimension; below 1 where none does."""
    stride, padding, dilation = geometry
    a, b = (
        (size[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) // stride[d] + 1
        for d in (0, 1)
    )
    return a, b


def im2col(x: Any, kernel: tuple, geometry: tuple) -> Any:
    """Patches (N, C * R * S, P * Q) of x (N, C, H, W): P x Q blocks of R x S elements.

    `geometry`: stride, padding, dilation as pairs. What lies outside the image is 0.
    """
    n, c = x.shape[:2]
    blocks = blocks_of(x.shape[2:], kernel, geometry)
    out = np.empty((n, c, *kernel, *blocks), x.dtype)
    if any(geometry[1]):
        out[...] = 0
    for (_, r, s), o, i in taps((1, 1, *kernel), x.shape, (n, c, *blocks), geometry):
        out[:, :, r, s][o] = x[i]
    return out.reshape(n, c * kernel[0] * kernel[1], blocks[0] * blocks[1])


def col2im(columns: Any, size: tuple, kernel: tuple, geometry: tuple) -> Any:
    """The image (N, C, *size) in which each element of the patches is added at its place."""
    n, c = columns.shape[0], columns.shape[1] // (kernel[0] * kernel[1])
    blocks = blocks_of(size, kernel, geometry)
    patches = columns.reshape(n, c, *kernel, *blocks)
    out = np.zeros((n, c, *size), columns.dtype)
    for (_, r, s), o, i in taps((1, 1, *kernel), out.shape, (n, c, *blocks), geometry):
        part = out[i]
        part += patches[:, :, r, s][o]
    return out
