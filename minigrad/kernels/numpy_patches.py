"""Images cut into patches and put together again, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .numpy_conv import taps

__all__ = ["col2im", "im2col"]


def im2col(x: Any, blocks: tuple, kernel: tuple, geometry: tuple) -> Any:
    """Patches (N, C, R, S, P, Q) of x (N, C, H, W): P x Q blocks of R x S elements.

    `geometry`: stride, padding, dilation as pairs. What lies outside the image is 0.
    """
    n, c = x.shape[:2]
    out = np.empty((n, c, *kernel, *blocks), x.dtype)
    if any(geometry[1]):
        out[...] = 0
    for (_, r, s), o, i in taps((1, 1, *kernel), x.shape, out.shape[:2] + blocks, geometry):
        out[:, :, r, s][o] = x[i]
    return out


def col2im(columns: Any, size: tuple, geometry: tuple) -> Any:
    """The image (N, C, *size) in which each element of the patches is added at its place."""
    n, c, *kernel = columns.shape[:4]
    out = np.zeros((n, c, *size), columns.dtype)
    grid = (n, c, *columns.shape[4:])
    for (_, r, s), o, i in taps((1, 1, *kernel), out.shape, grid, geometry):
        part = out[i]
        part += columns[:, :, r, s][o]
    return out
