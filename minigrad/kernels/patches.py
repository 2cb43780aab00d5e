"""Images cut into patches and put together again: compiled, or in NumPy for other types."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, numpy_patches
from ._quiet import rounded
from .reduction import dense, widened

__all__ = ["col2im", "im2col"]


def im2col(x: Any, kernel: tuple, geometry: tuple) -> Any:
    """Patches (N, C * R * S, P * Q) of x (N, C, H, W): P x Q blocks of R x S elements.

    `geometry`: stride, padding, dilation as pairs. What lies outside the image is 0.
    """
    if x.itemsize > 8:
        return numpy_patches.im2col(x, kernel, geometry)
    return _C.im2col(dense(x), kernel, *geometry)


def col2im(columns: Any, size: tuple, kernel: tuple, geometry: tuple) -> Any:
    """The image (N, C, *size) in which each element of the patches is added at its place."""
    wide = dense(widened(columns))
    if wide.dtype in (np.float32, np.float64):
        out = _C.col2im(wide, size, kernel, *geometry)
    else:
        out = numpy_patches.col2im(wide, size, kernel, geometry)
    return rounded(out, columns.dtype)
