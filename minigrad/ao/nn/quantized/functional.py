"""`torch.ao.nn.quantized.functional`: functions on quantized tensors.

Movements of elements, relu, clamp, pooling and concatenation are the ordinary functions.
"""

from __future__ import annotations

from typing import Any

from ....quantized import functional as Q

__all__ = ["conv1d", "conv2d", "linear"]


def linear(
    input: Any, weight: Any, bias: Any = None, scale: Any = None, zero_point: Any = None
) -> Any:
    """A quint8 input (..., in) with a qint8 weight (out, in); on the input's grid by default."""
    scale = input.q_scale() if scale is None else scale
    zero_point = input.q_zero_point() if zero_point is None else zero_point
    return Q.linear(input, Q.PackedWeight(weight, bias), scale, zero_point)


def _ntuple(value: Any, n: int) -> tuple:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n


def _conv(n: int, input: Any, weight: Any, bias: Any, steps: tuple, groups: int, mode: str,
          grid: tuple) -> Any:  # fmt: skip
    if mode != "zeros":
        raise NotImplementedError(f"conv{n}d: padding_mode {mode!r} was given; needed: 'zeros'")
    packed = Q.PackedWeight(weight, bias, tuple(_ntuple(s, n) for s in steps), groups)
    return Q.conv(input, packed, *grid)


def conv1d(
    input: Any, weight: Any, bias: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1, padding_mode: str = "zeros", scale: float = 1.0, zero_point: int = 0,
    dtype: Any = None,
) -> Any:  # fmt: skip
    """A quint8 input (N, C, L) with a qint8 weight (K, C / groups, R)."""
    steps, grid = (stride, padding, dilation), (scale, zero_point)
    return _conv(1, input, weight, bias, steps, groups, padding_mode, grid)


def conv2d(
    input: Any, weight: Any, bias: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1, padding_mode: str = "zeros", scale: float = 1.0, zero_point: int = 0,
    dtype: Any = None,
) -> Any:  # fmt: skip
    """A quint8 input (N, C, H, W) with a qint8 weight (K, C / groups, R, S)."""
    steps, grid = (stride, padding, dilation), (scale, zero_point)
    return _conv(2, input, weight, bias, steps, groups, padding_mode, grid)
