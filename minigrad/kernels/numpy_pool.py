"""Pooling in NumPy: the fallback and oracle of the compiled kernels, by the same names.

Arrays are (N, C, H, W); `index` holds for each output where in its plane (H * W elements, row by
row) the value came from. Padding is never read: windows are cut at the edges of the plane.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import quiet
from .numpy_conv import taps

__all__ = [
    "adaptive_avg_pool2d", "adaptive_avg_pool2d_backward", "adaptive_max_pool2d", "avg_pool2d",
    "avg_pool2d_backward", "max_pool2d", "scatter_planes",
]  # fmt: skip

Pair = tuple[int, int]


def _max_pool2d(
    out: Any, index: Any, x: Any, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    """Writes each window's first maximum (or its last NaN) into out, its place into index."""
    set_ = np.zeros(out.shape[2:], bool)
    out[...] = -np.inf if out.dtype.kind in "fV" else np.iinfo(out.dtype).min
    if index is not None:
        index[...] = 0
    window = (1, 1, *kernel)
    where = np.arange(x.shape[2] * x.shape[3], dtype=np.int64).reshape(x.shape[2:])
    for _, o, i in taps(window, x.shape, out.shape, (stride, padding, dilation)):
        value, best = x[i], out[o]
        better = ~set_[o] | (value > best) | (value != value)
        np.copyto(best, value, where=better)
        set_[o] = True
        if index is not None:
            np.copyto(index[o], where[i], where=better, casting="unsafe")


def scatter_planes(out: Any, values: Any, index: Any) -> None:
    """out = 0, then out[plane][index] += value for each value, plane by plane."""
    n, c = out.shape[:2]
    plane = out.shape[2] * out.shape[3]
    flat = index.reshape(n * c, index.shape[2] * index.shape[3]).astype(np.int64)
    flat += np.arange(n * c, dtype=np.int64).reshape(-1, 1) * plane
    out[...] = 0
    np.add.at(out.reshape(-1), flat.reshape(-1), values.reshape(-1))


def counts(size: int, out: int, kernel: int, stride: int, padding: int, pad: bool) -> Any:
    """How many elements each window counts along one axis, with or without the padding."""
    start = np.arange(out, dtype=np.int64) * stride - padding
    end = np.minimum(start + kernel, size + padding)
    if not pad:
        start, end = np.maximum(start, 0), np.minimum(end, size)
    return end - start


def divisors(
    x_shape: Any, out_shape: Any, kernel: Pair, stride: Pair, padding: Pair, pad: bool, divisor: int
) -> Any:
    """What each window's sum is divided by: (P, Q), or one number if `divisor` is not zero."""
    if divisor:
        return np.int64(divisor)
    rows, columns = (
        counts(x_shape[2 + a], out_shape[2 + a], kernel[a], stride[a], padding[a], pad)
        for a in (0, 1)
    )
    return rows.reshape(-1, 1) * columns


def divided(a: Any, by: Any) -> Any:
    if a.dtype.kind in "iu":  # towards zero, as C has it
        return (np.sign(a) * np.sign(by) * (np.abs(a) // np.abs(by))).astype(a.dtype)
    return a / by.astype(a.dtype)


def _avg_pool2d(
    out: Any, x: Any, kernel: Pair, stride: Pair, padding: Pair, pad: bool, divisor: int
) -> None:
    """Writes each window's sum over its divisor: its size (with padding if `pad`) or `divisor`."""
    out[...] = 0
    for _, o, i in taps((1, 1, *kernel), x.shape, out.shape, (stride, padding, (1, 1))):
        part = out[o]
        part += x[i]
    out[...] = divided(out, divisors(x.shape, out.shape, kernel, stride, padding, pad, divisor))


def _avg_pool2d_backward(
    out: Any, g: Any, kernel: Pair, stride: Pair, padding: Pair, pad: bool, divisor: int
) -> None:
    """Writes the gradient to the input of avg_pool2d for output gradient g."""
    out[...] = 0
    share = divided(g, divisors(out.shape, g.shape, kernel, stride, padding, pad, divisor))
    for _, o, i in taps((1, 1, *kernel), out.shape, g.shape, (stride, padding, (1, 1))):
        part = out[i]
        part += share[o]


def _bins(size: int, out: int) -> list[slice]:
    """The part of a dimension that each output covers; parts may overlap by one."""
    return [slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def _parts(x_shape: Any, out_shape: Any) -> Any:
    """(index of the output, part of the input) for each output position."""
    rows, columns = (_bins(x_shape[2 + a], out_shape[2 + a]) for a in (0, 1))
    for p, r in enumerate(rows):
        for q, c in enumerate(columns):
            yield (..., p, q), (..., r, c)


def _adaptive_avg_pool2d(out: Any, x: Any) -> None:
    """Writes the average of each part of x."""
    for o, i in _parts(x.shape, out.shape):
        part = x[i]
        out[o] = part.sum((2, 3)) / x.dtype.type(part.shape[2] * part.shape[3])


def _adaptive_avg_pool2d_backward(out: Any, g: Any) -> None:
    """Writes the gradient to the input of adaptive_avg_pool2d for output gradient g."""
    out[...] = 0
    for o, i in _parts(out.shape, g.shape):
        part = out[i]
        part += (g[o] / g.dtype.type(part.shape[2] * part.shape[3]))[..., None, None]


def _adaptive_max_pool2d(out: Any, index: Any, x: Any) -> None:
    """Writes each part's first maximum (or its last NaN) into out, its place into index."""
    for o, i in _parts(x.shape, out.shape):
        part = x[i]
        width = part.shape[3]
        flat = part.reshape(*part.shape[:2], part.shape[2] * width)
        best, nan = flat.argmax(-1), flat != flat
        best = np.where(nan.any(-1), flat.shape[-1] - 1 - nan[..., ::-1].argmax(-1), best)
        index[o] = (best // width + i[1].start) * x.shape[3] + best % width + i[2].start
        out[o] = np.take_along_axis(flat, best[..., None], -1)[..., 0]


max_pool2d = quiet(_max_pool2d)
avg_pool2d = quiet(_avg_pool2d)
avg_pool2d_backward = quiet(_avg_pool2d_backward)
adaptive_avg_pool2d = quiet(_adaptive_avg_pool2d)
adaptive_avg_pool2d_backward = quiet(_adaptive_avg_pool2d_backward)
adaptive_max_pool2d = quiet(_adaptive_max_pool2d)
