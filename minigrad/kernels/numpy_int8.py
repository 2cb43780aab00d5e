"""Products of uint8 inputs with int8 weights, and what makes bytes of numbers, in plain NumPy.

Real numbers stand for (q - zero) * scale. Integers are exact; the last bit of float32 results may
differ where the kernels fuse a product and a sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["dequantize", "int8_conv", "int8_linear", "int8_max_pool", "quantize", "value_range"]


def quantize(x: Any, scale: float, zero: int, low: int, high: int, dtype: Any) -> Any:
    """round(x / scale + zero) to nearest even in [low, high]; NaN gives low."""
    with np.errstate(all="ignore"):
        steps = x.astype(np.float64) * np.float64(np.float32(1) / np.float32(scale)) + zero
        q = np.rint(steps.astype(np.float32))  # one rounding, as a fused multiply-add has
        return np.fmin(np.fmax(q, low), high).astype(dtype)


def dequantize(q: Any, scale: float, zero: int) -> Any:
    """(q - zero) * scale in float32."""
    return (q.astype(np.int32) - zero).astype(np.float32) * np.float32(scale)


def value_range(x: Any) -> tuple[float, float]:
    """The least and the largest of x and 0; NaN where x is not finite."""
    if not np.isfinite(x).all():
        return float("nan"), float("nan")
    return float(x.min(initial=0)), float(x.max(initial=0))


def _result(sums: Any, x_scale: float, weight: tuple, out_grid: Any, relu: bool) -> Any:
    scale, bias = weight
    both = np.float32(x_scale) * scale
    b = np.float32(0) if bias is None else bias
    real = sums.astype(np.float32)
    if out_grid is None:
        y = (real.astype(np.float64) * both + b).astype(np.float32)
        return np.maximum(y, 0) if relu else y
    out_scale, out_zero = np.float32(out_grid[0]), out_grid[1]
    q = np.rint((real + b / both) * (both / out_scale)) + out_zero
    return np.clip(q, out_zero if relu else 0, 255).astype(np.uint8)


def int8_linear(
    x: Any,
    w: Any,
    scale: Any,
    zero: Any,
    bias: Any,
    x_grid: tuple[float, int],
    out_grid: tuple[float, int] | None,
    relu: bool = False,
) -> Any:
    """x (..., k) uint8 times w (n, k) int8: float32, or uint8 on `out_grid`."""
    right = w.astype(np.int64) - np.asarray(zero, np.int64)[:, None]
    sums = (x.astype(np.int64) - x_grid[1]) @ right.T
    return _result(sums, x_grid[0], (scale, bias), out_grid, relu)


def _taps(x: Any, size: tuple, stride: tuple, padding: tuple, dilation: tuple, fill: int) -> Any:
    """Windows (N, P, Q, R, S, C) of channels-last x."""
    ph, pw = padding
    x = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)), constant_values=fill)
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    view = np.lib.stride_tricks.sliding_window_view(x, spans, (1, 2))
    view = view[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return view.transpose(0, 1, 2, 4, 5, 3)


def int8_conv(
    x: Any,
    w: Any,
    scale: Any,
    zero: Any,
    bias: Any,
    x_grid: tuple[float, int],
    out_grid: tuple[float, int] | None,
    relu: bool,
    stride: tuple,
    padding: tuple,
    dilation: tuple,
    groups: int,
) -> Any:
    """Channels-last x (N, H, W, C) uint8 with w (K, C / groups, R, S) int8: (N, P, Q, K)."""
    taps = _taps(x, w.shape[2:], stride, padding, dilation, x_grid[1]).astype(np.int64) - x_grid[1]
    right = w.astype(np.int64) - np.asarray(zero, np.int64)[:, None, None, None]
    sums = [
        np.einsum("npqrsc,kcrs->npqk", a, b)
        for a, b in zip(np.split(taps, groups, -1), np.split(right, groups, 0))
    ]
    return _result(np.concatenate(sums, -1), x_grid[0], (scale, bias), out_grid, relu)


def int8_max_pool(x: Any, size: tuple, stride: tuple, padding: tuple, dilation: tuple) -> Any:
    """The largest of each window of channels-last uint8 x; padding is 0."""
    return _taps(x, size, stride, padding, dilation, 0).max((3, 4))
