"""Convolution in NumPy: the fallback and oracle of the compiled kernels, by the same names.

One trilinear form ties input `x` (N, C, H, W), weight `w` (K, C / groups, R, S) and output `g`
(N, K, P, Q) together:

    g[n, k, p, q] = sum over c, r, s of
        x[n, c, p * stride - padding + r * dilation, ...] * w[k, c, r, s]

with zero where x is read outside. Each function computes one of the three from the other two. Only
the padding before the first row and column is named: what lies behind the last follows from sizes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import quiet

__all__ = ["conv2d", "conv2d_input", "conv2d_weight"]

Pair = tuple[int, int]


def _span(tap: int, stride: int, padding: int, dilation: int, size: int, out: int) -> tuple:
    """For one tap along one axis: the outputs that it reaches, and the inputs that they read."""
    offset = tap * dilation - padding
    first = max(0, -(offset // stride))  # the smallest p with p * stride + offset >= 0
    last = min(out - 1, (size - 1 - offset) // stride)
    if last < first:
        return None, None
    start = first * stride + offset
    return slice(first, last + 1), slice(start, start + (last - first) * stride + 1, stride)


def _taps(w_shape: tuple, x_shape: tuple, g_shape: tuple, geometry: tuple) -> Any:
    """(r, s, outputs, inputs) for each tap that touches anything."""
    stride, padding, dilation = geometry
    for r in range(w_shape[2]):
        p, y = _span(r, stride[0], padding[0], dilation[0], x_shape[2], g_shape[2])
        for s in range(w_shape[3]):
            q, z = _span(s, stride[1], padding[1], dilation[1], x_shape[3], g_shape[3])
            if p is not None and q is not None:
                yield r, s, (..., p, q), (..., y, z)


def _grouped(a: Any, groups: int) -> Any:
    """(N, C, P, Q) as (N, groups, C / groups, P * Q), possibly a copy."""
    n, c, p, q = a.shape
    return a.reshape(n, groups, c // groups, p * q)


def _conv2d(
    out: Any, x: Any, w: Any, bias: Any, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> None:
    """Writes the convolution of x with w, plus bias (K) or None, into out."""
    out[...] = 0 if bias is None else bias.reshape(-1, 1, 1)
    per_group = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    for r, s, o, i in _taps(w.shape, x.shape, out.shape, (stride, padding, dilation)):
        part = out[o]
        part += np.matmul(per_group[..., r, s], _grouped(x[i], groups)).reshape(part.shape)


def _conv2d_input(
    out: Any, g: Any, w: Any, bias: Any, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> None:
    """Writes the gradient to the input, plus bias (C) or None, into out."""
    out[...] = 0 if bias is None else bias.reshape(-1, 1, 1)
    per_group = w.reshape(groups, w.shape[0] // groups, *w.shape[1:]).swapaxes(1, 2)
    for r, s, o, i in _taps(w.shape, out.shape, g.shape, (stride, padding, dilation)):
        part = out[i]
        part += np.matmul(per_group[..., r, s], _grouped(g[o], groups)).reshape(part.shape)


def _conv2d_weight(
    out: Any, x: Any, g: Any, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> None:
    """Writes the gradient to the weight, for output gradient g, into out."""
    out[...] = 0
    per_group = out.reshape(groups, out.shape[0] // groups, *out.shape[1:])
    for r, s, o, i in _taps(out.shape, x.shape, g.shape, (stride, padding, dilation)):
        rows, columns = _grouped(g[o], groups), _grouped(x[i], groups)
        per_group[..., r, s] = np.matmul(rows, columns.swapaxes(2, 3)).sum(0, dtype=out.dtype)


conv2d = quiet(_conv2d)
conv2d_input = quiet(_conv2d_input)
conv2d_weight = quiet(_conv2d_weight)
