"""Convolution in NumPy: the fallback and oracle of the compiled kernels.

One trilinear form ties input `x` (N, C, [D,] H, W), weight `w` (K, C / groups, [T,] R, S) and
output `g` (N, K, [O,] P, Q) together:

    g[n, k, p, q] = sum over c, r, s of
        x[n, c, p * stride - padding + r * dilation, ...] * w[k, c, r, s]

with zero where x is read outside. Each function computes one of the three from the other two. Only
the padding before the first row and column is named: what lies behind the last follows from sizes.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .elementwise import quiet

__all__ = ["conv", "conv_input", "conv_weight"]

Steps = tuple[int, ...]  # one for each spatial dimension


def _span(tap: int, stride: int, padding: int, dilation: int, size: int, out: int) -> tuple:
    """For one tap along one axis: the outputs that it reaches, and the inputs that they read."""
    offset = tap * dilation - padding
    first = max(0, -(offset // stride))  # the smallest p with p * stride + offset >= 0
    last = min(out - 1, (size - 1 - offset) // stride)
    if last < first:
        return None, None
    start = first * stride + offset
    return slice(first, last + 1), slice(start, start + (last - first) * stride + 1, stride)


def taps(w_shape: tuple, x_shape: tuple, g_shape: tuple, geometry: tuple) -> Any:
    """(tap, outputs, inputs) for each tap that touches anything; a tap indexes the weight."""
    axes = zip(*geometry, x_shape[2:], g_shape[2:])
    spans = [[(i, *_span(i, *axis)) for i in range(size)] for size, axis in zip(w_shape[2:], axes)]
    for parts in itertools.product(*spans):
        tap, outputs, inputs = zip(*parts)
        if None not in outputs:
            yield (..., *tap), (..., *outputs), (..., *inputs)


def _grouped(a: Any, groups: int) -> Any:
    """(N, C, P, Q) as (N, groups, C / groups, P * Q), possibly a copy."""
    n, c, *spatial = a.shape
    return a.reshape(n, groups, c // groups, int(np.prod(spatial)))


def _per_channel(bias: Any, out: Any) -> Any:
    return 0 if bias is None else bias.reshape(-1, *(1,) * (out.ndim - 2))


def _conv(
    out: Any, x: Any, w: Any, bias: Any, stride: Steps, padding: Steps, dilation: Steps, groups: int
) -> None:
    """Writes the convolution of x with w, plus bias (K) or None, into out."""
    out[...] = _per_channel(bias, out)
    per_group = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    for tap, o, i in taps(w.shape, x.shape, out.shape, (stride, padding, dilation)):
        part = out[o]
        part += np.matmul(per_group[tap], _grouped(x[i], groups)).reshape(part.shape)


def _conv_input(
    out: Any, g: Any, w: Any, bias: Any, stride: Steps, padding: Steps, dilation: Steps, groups: int
) -> None:
    """Writes the gradient to the input, plus bias (C) or None, into out."""
    out[...] = _per_channel(bias, out)
    per_group = w.reshape(groups, w.shape[0] // groups, *w.shape[1:]).swapaxes(1, 2)
    for tap, o, i in taps(w.shape, out.shape, g.shape, (stride, padding, dilation)):
        part = out[i]
        part += np.matmul(per_group[tap], _grouped(g[o], groups)).reshape(part.shape)


def _conv_weight(
    out: Any, x: Any, g: Any, stride: Steps, padding: Steps, dilation: Steps, groups: int
) -> None:
    """Writes the gradient to the weight, for output gradient g, into out."""
    out[...] = 0
    per_group = out.reshape(groups, out.shape[0] // groups, *out.shape[1:])
    for tap, o, i in taps(out.shape, x.shape, g.shape, (stride, padding, dilation)):
        rows, columns = _grouped(g[o], groups), _grouped(x[i], groups)
        per_group[tap] = np.matmul(rows, columns.swapaxes(2, 3)).sum(0, dtype=out.dtype)


conv = quiet(_conv)
conv_input = quiet(_conv_input)
conv_weight = quiet(_conv_weight)
