"""Layers on quantized tensors: packed weights, linear, convolution, sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import cpu
from ..tensor import Tensor
from .tensor import QuantizedTensor, dequantize, make, quantize_per_tensor

__all__ = [
    "PackedWeight", "add", "conv", "conv_array", "conv_dynamic", "linear", "linear_array",
    "linear_dynamic", "pair", "planes", "together",
]  # fmt: skip


class PackedWeight:
    """A quantized weight (out, in) or (out, in / groups, [rows,] columns) and a bias, packed for
    the kernels. `window` (stride, padding, dilation) and `groups` are a convolution's."""

    def __init__(
        self,
        weight: QuantizedTensor,
        bias: Any = None,
        window: tuple = (),
        groups: int = 1,
    ):
        q = weight.integers
        if q.dtype != np.int8:
            raise RuntimeError(
                f"PackedWeight: a weight of {weight.dtype!r} was given; needed: qint8"
            )
        n = q.shape[0]
        if len(weight.grid) == 2:
            scale, zero = np.full(n, weight.grid[0], np.float32), np.full(n, weight.grid[1])
        elif weight.grid[2] == 0:
            scale, zero = weight.grid[0].astype(np.float32), weight.grid[1]
        else:
            raise RuntimeError("PackedWeight: channels along dimension 0 are needed")
        self.planar = q.ndim == 3  # a convolution over one dimension: planes of one row
        if self.planar:
            q = q[:, :, None]
            window = tuple((first, *rest) for first, rest in zip((1, 0, 1), window))
        b = None if bias is None else bias.detach().float().numpy()
        self.kernel = cpu.Int8Weight(q, scale, zero, b, groups)
        self.window = window
        self.channels = q.shape[1] * groups
        self.spans = [(k - 1) * d + 1 for k, d in zip(q.shape[2:], window[2])] if window else []


def pair(value: Any, n: int) -> tuple[int, ...]:
    """n numbers of what a layer was given: one for all, or one of each."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
    return values * n if len(values) == 1 else values


def _need(name: str, input: Any) -> Any:
    if (
        not isinstance(input, QuantizedTensor)
        or input.integers.dtype != np.uint8
        or len(input.grid) != 2
    ):
        what = repr(input.dtype) if isinstance(input, Tensor) else type(input).__name__
        raise RuntimeError(
            f"{name}: {what} was given; needed: a quint8 tensor (quantize_per_tensor, or QuantStub "
            "in front of the model)"
        )
    return input


def linear(
    input: Any,
    weight: PackedWeight,
    scale: float,
    zero_point: int,
    relu: bool = False,
    real: bool = False,
) -> Any:
    """`torch.ops.quantized.linear`: input (..., in) quint8 to (..., out) on the grid given.

    With `real` the sums become float32 instead, without rounding.
    """
    x = _need("linear", input)
    grid = None if real else (scale, zero_point)
    return _result(linear_array(x.integers, weight, x.grid, grid, relu), grid)


def linear_array(x: Any, weight: PackedWeight, x_grid: Any, grid: Any, relu: bool) -> Any:
    """`linear` of an array on `x_grid`; float32 without a `grid` for results."""
    _fits("linear", x, -1, weight)
    return cpu.int8_linear(x, weight.kernel, x_grid, grid, relu)


def _result(y: Any, grid: Any) -> Any:
    return Tensor._from_array(y) if grid is None else make(y, grid)


def _fits(name: str, x: Any, dim: int, weight: PackedWeight) -> None:
    if x.ndim < 1 or x.shape[dim] != weight.channels:
        raise RuntimeError(
            f"{name}: input {x.shape} was given; {weight.channels} channels are needed"
        )


def planes(x: Any, weight: PackedWeight) -> Any:
    """Input of a convolution (N, C, [H,] W) or (C, [H,] W) as (N, H, W, C)."""
    spatial = 1 if weight.planar else 2
    if x.ndim not in (spatial + 1, spatial + 2):
        raise RuntimeError(
            f"Expected {spatial + 1}D (unbatched) or {spatial + 2}D (batched) input to "
            f"conv{spatial}d, but got input of size: {list(x.shape)}"
        )
    _fits("conv", x, -spatial - 1, weight)
    x = x if x.ndim == spatial + 2 else x[None]
    x = x[:, :, None] if weight.planar else x
    _spans_fit(x.shape[2:], weight)
    return x.transpose(0, 2, 3, 1)


def _spans_fit(shape: tuple, weight: PackedWeight) -> None:
    """RuntimeError if planes (rows, columns) with their padding are smaller than the kernel."""
    size = [n + 2 * p for n, p in zip(shape, weight.window[1])]
    if size[0] < weight.spans[0] or size[1] < weight.spans[1]:
        raise RuntimeError(
            f"conv: padded input of {size} was given; {weight.spans} or more are needed for the "
            "kernel"
        )


def _unplaned(y: Any, x: Any, weight: PackedWeight) -> Any:
    y = y.transpose(0, 3, 1, 2)
    y = y[:, :, 0] if weight.planar else y
    return y if x.ndim == y.ndim else y[0]


def conv(
    input: Any,
    weight: PackedWeight,
    scale: float,
    zero_point: int,
    relu: bool = False,
    real: bool = False,
) -> Any:
    """`torch.ops.quantized.conv2d` (and 1d): the results lie with channels last in memory.

    With `real` the sums become float32 instead, without rounding.
    """
    x = _need("conv", input)
    grid = None if real else (scale, zero_point)
    taken = together(planes(x.integers, weight))
    y = cpu.int8_conv(taken, weight.kernel, x.grid, grid, relu, *weight.window)
    return _result(_unplaned(y, x.integers, weight), grid)


def conv_array(x: Any, weight: PackedWeight, x_grid: Any, grid: Any, relu: bool) -> Any:
    """`conv` of an array (N, H, W, C) on `x_grid`, channels last; float32 without a `grid`."""
    _fits("conv", x, 3, weight)
    _spans_fit(x.shape[1:3], weight)
    return cpu.int8_conv(x, weight.kernel, x_grid, grid, relu, *weight.window)


def together(q: Any) -> Any:
    """The array in C order."""
    return q if q.flags.c_contiguous else cpu.copy(q)


def linear_dynamic(
    input: Any, weight: PackedWeight, reduce_range: bool = False, rows: bool = False,
    relu: bool = False,
) -> Any:  # fmt: skip
    """Float32 in and out: the input is quantized by its range, or (`rows`) each row by its own.

    Rows with NaN or infinities give NaN, or all do without `rows`.
    """
    x = input.detach().float()._array
    _fits("linear", x, -1, weight)
    levels = 127 if reduce_range else 255
    return Tensor._from_array(cpu.int8_linear_real(x, weight.kernel, rows, levels, relu))


def conv_dynamic(
    input: Any, weight: PackedWeight, reduce_range: bool = False, relu: bool = False
) -> Any:
    """Float32 in and out: the input is quantized by its range.

    NaN or infinities anywhere make all results NaN.
    """
    x = input.detach().float()._array
    scale, zero = cpu.range_grid(*cpu.value_range(x), 0, 127 if reduce_range else 255)
    bad = scale != scale
    if bad:
        scale = 1.0
    # Bytes are turned to channels last, not numbers of four.
    q = cpu.quantize(x, scale, zero, 0, 255, np.dtype(np.uint8))
    taken = together(planes(q, weight))
    y = cpu.int8_conv(taken, weight.kernel, (scale, zero), None, relu, *weight.window)
    if bad:
        y.fill(np.nan)
    return Tensor._from_array(_unplaned(y, x, weight))


def add(a: Any, b: Any, scale: float, zero_point: int, relu: bool = False) -> QuantizedTensor:
    """`torch.ops.quantized.add`: the sum of real numbers, on the grid given."""
    total = dequantize(_need("add", a)) + dequantize(_need("add", b))
    return quantize_per_tensor(total.relu() if relu else total, scale, zero_point, a.dtype)
