"""Products of uint8 inputs with int8 weights: packed weights, and the calls of the kernels.

The functions allocate their result; `numpy_int8` says what they compute.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from . import _C

__all__ = [
    "Int8Weight",
    "dequantize",
    "fake_quantize",
    "int8_conv",
    "int8_linear",
    "int8_linear_real",
    "int8_max_pool",
    "quantize",
    "range_grid",
    "value_range",
]

_PANEL = 16  # columns that lie together, and what their numbers are rounded up to


def _padded(values: Any, groups: int, dtype: Any, fill: float) -> Any:
    rows = np.asarray(values, dtype).reshape(groups, -1)
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % _PANEL)), constant_values=fill)
    return np.ascontiguousarray(rows).reshape(-1)


class Int8Weight:
    """Weights (n, ...) int8 as the kernels read them, with scales, zero points and bias (n).

    ValueError where sums in 32 bits could overflow: more than 65 535 numbers for one output.
    """

    def __init__(self, values: Any, scale: Any, zero: Any, bias: Any, groups: int = 1):
        n = values.shape[0]
        k = values[0].size if n else 0
        if k > 65535:
            raise ValueError(f"Int8Weight: {k} inputs for an output were given; at most 65535")
        zero = np.asarray(zero, np.int32)
        self.shape, self.n = values.shape, n
        flat = values.reshape(n, -1)
        if values.ndim == 4:  # the channels are last in the inputs
            flat = np.ascontiguousarray(values.transpose(0, 2, 3, 1)).reshape(n, -1)
        depthwise = groups > 1 and groups == n and values.shape[1] == 1 and not zero.any()
        self.depthwise = depthwise
        if depthwise:
            groups = 1
            packed = np.pad(flat.T, ((0, 0), (0, -n % _PANEL)))
        else:
            packed = np.pad(
                flat.reshape(groups, n // groups, k),
                ((0, 0), (0, -(n // groups) % _PANEL), (0, -k % 4)),
            )
            packed = packed.reshape(-1, _PANEL, packed.shape[2] // 4, 4).transpose(0, 2, 1, 3)
        sums = flat.sum(1, dtype=np.int32)
        # What the kernels take behind the input.
        self.arguments = (
            np.ascontiguousarray(packed).reshape(-1),
            _padded(sums, groups, np.int32, 0),
            _padded(scale, groups, np.float32, 1),
            _padded(zero, groups, np.int32, 0) if zero.any() else None,
            None if bias is None else _padded(bias, groups, np.float32, 0),
            n // groups,
            k,
            groups,
            depthwise,
        )


def quantize(x: Any, scale: float, zero: int, low: int, high: int, dtype: Any) -> Any:
    """round(x / scale + zero) to nearest even in [low, high]; x float32, dtype uint8 or int8."""
    x, turned = _dense(x)
    out = _C.empty(x.shape, dtype)
    _C.quantize(out, x, scale, zero, low, high)
    return out if turned is None else out.transpose(turned)


def dequantize(q: Any, scale: float, zero: int) -> Any:
    """(q - zero) * scale in float32; q uint8 or int8."""
    q, turned = _dense(q)
    out = _C.empty(q.shape, np.dtype(np.float32))
    _C.dequantize(out, q, scale, zero)
    return out if turned is None else out.transpose(turned)


def value_range(x: Any) -> tuple[float, float]:
    """The least and the largest of x and 0; NaN where x is not finite. x float32."""
    return _C.value_range(_dense(x)[0])


def range_grid(least: float, largest: float, low: int, high: int) -> tuple[float, int]:
    """(scale, zero_point) of the integers low .. high for a range of numbers; NaN gives (NaN, 0).

    PyTorch's formula for ranges that are found while a model runs; 0 is on the grid.
    """
    if least != least:
        return float("nan"), 0
    start, end, levels = min(least, 0.0), max(largest, 0.0), high - low
    scale = (end - start) / levels
    near = np.float32(scale)
    with np.errstate(all="ignore"):
        if near == 0 or not np.isfinite(np.float32(1) / near):
            scale = 0.1
    smallest = np.float32(6.1e-5)
    if scale < smallest:  # narrow ranges are widened, so that 1 / scale is a useful number
        if start == 0:
            end = float(smallest * np.float32(levels))
        elif end == 0:
            start = -float(smallest * np.float32(levels))
        else:
            wider = smallest / near
            start, end = float(np.float32(start) * wider), float(np.float32(end) * wider)
        scale = float(smallest)
    from_start, from_end = low - start / scale, high - end / scale
    # The zero point of the end with the smaller error.
    better = abs(low) + abs(start / scale) < abs(high) + abs(end / scale)
    zero = from_start if better else from_end
    return scale, int(np.rint(min(max(zero, low), high)))


def fake_quantize(x: Any, scale: float, zero: int, low: int, high: int) -> tuple[Any, Any]:
    """(held - zero) * scale, and whether nothing was held, for round(x / scale) + zero; float32."""
    x, turned = _dense(x)
    out, inside = _C.empty(x.shape, x.dtype), _C.empty(x.shape, np.dtype(np.bool_))
    _C.fake_quantize(out, inside, x, scale, zero, low, high)
    if turned is None:
        return out, inside
    return out.transpose(turned), inside.transpose(turned)


def _dense(x: Any) -> tuple[Any, Any]:
    """x in C order, or its channels-last planes and how to turn the result back."""
    if not x.flags.c_contiguous and x.ndim == 4:
        last = x.transpose(0, 2, 3, 1)
        if last.flags.c_contiguous:
            return last, (0, 3, 1, 2)
    return np.ascontiguousarray(x).reshape(x.shape), None


def _out(shape: tuple, grid: Any) -> tuple[Any, float, int]:
    if grid is None:
        return _C.empty(shape, np.dtype(np.float32)), 1.0, 0
    return _C.empty(shape, np.dtype(np.uint8)), *grid


def int8_linear(x: Any, weight: Int8Weight, x_grid: Any, out_grid: Any, relu: bool = False) -> Any:
    """x (..., k) uint8 on `x_grid` (scale, zero): float32, or uint8 on `out_grid`."""
    out, scale, zero = _out((*x.shape[:-1], weight.n), out_grid)
    if out.size:
        x = np.ascontiguousarray(x)
        _C.int8_linear(out, x, *weight.arguments, *x_grid, scale, zero, relu)
    return out


def int8_linear_real(
    x: Any, weight: Int8Weight, each: bool, levels: int = 255, relu: bool = False
) -> Any:
    """x (..., k) float32, quantized to 0 .. levels by its range or (`each`) that of each row."""
    out = _C.empty((*x.shape[:-1], weight.n), np.dtype(np.float32))
    if out.size:
        x = np.ascontiguousarray(x)
        _C.int8_linear_real(out, x, *weight.arguments, each, levels, relu)
    return out


@functools.lru_cache(1024)
def _windows(shape: tuple, size: tuple, stride: tuple, padding: tuple, dilation: tuple) -> tuple:
    return tuple(
        (n + 2 * p - (k - 1) * d - 1) // s + 1
        for n, k, s, p, d in zip(shape[1:3], size, stride, padding, dilation)
    )


def int8_conv(
    x: Any,
    weight: Int8Weight,
    x_grid: Any,
    out_grid: Any,
    relu: bool,
    stride: tuple,
    padding: tuple,
    dilation: tuple,
) -> Any:
    """x (N, H, W, C) uint8, channels last: float32 (N, P, Q, K), or uint8 on `out_grid`."""
    size = weight.shape[2:]
    planes = _windows(x.shape, size, stride, padding, dilation)
    out, scale, zero = _out((x.shape[0], *planes, weight.n), out_grid)
    if out.size:
        x = np.ascontiguousarray(x)
        steps = (*size, *stride, *padding, *dilation)
        _C.int8_conv(out, x, *weight.arguments, *x_grid, scale, zero, relu, *steps)
    return out


def int8_max_pool(x: Any, size: tuple, stride: tuple, padding: tuple, dilation: tuple) -> Any:
    """The largest of each window of x (N, H, W, C) uint8, channels last."""
    planes = _windows(x.shape, size, stride, padding, dilation)
    out = _C.empty((x.shape[0], *planes, x.shape[3]), np.dtype(np.uint8))
    if out.size:
        _C.int8_max_pool(out, np.ascontiguousarray(x), *size, *stride, *padding, *dilation)
    return out
