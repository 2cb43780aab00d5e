"""Layers in a row on integers: arrays go from kernel to kernel, with no tensor in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import dispatch, nn
from ...dtypes import quint8
from ...kernels import cpu
from ...nn._hooks import global_hooks
from ...quantized import functional as Q
from ...tensor import Tensor
from .intrinsic.quantized import ConvReLU2d, LinearReLU
from .quantized.layers import Conv2d, DeQuantize, Linear, Quantize

__all__ = ["Chain"]

_F32 = np.dtype(np.float32)


class Chain(nn.Sequential):
    """Layers from real numbers to real numbers that work on integers in between.

    Calls on small inputs are spared tensors between the layers where all layers are of the kinds
    that are known here, (N, C, H, W) or (N, features), and nobody watches (hooks, modes); else the
    layers are called one after the other. The numbers are the same.
    """

    def forward(self, input: Any) -> Any:
        x = input._array if input.__class__ is Tensor else None
        if x.__class__ is np.ndarray and x.dtype is _F32 and not _watched():
            steps = _steps(self._modules.values(), x.ndim)
            if steps is not None:
                q: Any = x
                grid: Any = None
                for step, layer in steps:
                    q, grid = step(layer, q, grid)
                return Tensor._from_array(q)
        return super().forward(input)


def _watched() -> bool:
    return bool(global_hooks) or dispatch.needed()


# A step takes (layer, q, grid) and gives (q, grid). Planes lie as (N, H, W, C) in memory; q is real
# where grid is None.


def _quantize(layer: Any, x: Any, grid: Any) -> tuple:
    q = cpu.quantize(x, layer.scale, layer.zero_point, 0, 255, np.dtype(np.uint8))
    if q.ndim == 4:
        q = Q.together(q.transpose(0, 2, 3, 1))
    return q, (layer.scale, layer.zero_point)


def _linear(layer: Any, q: Any, grid: Any) -> tuple:
    made = None if layer.real else (layer.scale, layer.zero_point)
    return Q.linear_array(q, layer.packed(), grid, made, layer.relu), made


def _conv(layer: Any, q: Any, grid: Any) -> tuple:
    made = None if layer.real else (layer.scale, layer.zero_point)
    y = Q.conv_array(q, layer.packed(), grid, made, layer.relu)
    return (y.transpose(0, 3, 1, 2) if made is None else y), made


def _max_pool(layer: Any, q: Any, grid: Any) -> tuple:
    return cpu.int8_max_pool(q, *_pool_window(layer)), grid


def _pool_window(layer: Any) -> tuple:
    size = Q.pair(layer.kernel_size, 2)
    stride = size if layer.stride in (None, ()) else Q.pair(layer.stride, 2)
    return size, stride, Q.pair(layer.padding, 2), Q.pair(layer.dilation, 2)


def _flatten(layer: Any, q: Any, grid: Any) -> tuple:
    if q.ndim == 4:
        q = q.transpose(0, 3, 1, 2).reshape(q.shape[0], -1)
    return q, grid


def _relu(layer: Any, q: Any, grid: Any) -> tuple:
    return np.maximum(q, np.uint8(grid[1])), grid


def _same(layer: Any, q: Any, grid: Any) -> tuple:
    return q, grid


def _dequantize(layer: Any, q: Any, grid: Any) -> tuple:
    y = q if grid is None else cpu.dequantize(q, *grid)
    return (y.transpose(0, 3, 1, 2) if y.ndim == 4 and grid is not None else y), None


def _poolable(layer: Any) -> bool:
    size, _, padding, _ = _pool_window(layer)
    plain = not (layer.ceil_mode or layer.return_indices)
    return plain and all(2 * p <= k for p, k in zip(padding, size))


# class: its step, the dimensions that it takes, and those of its result (None: the same)
_STEPS: dict[type, tuple[Callable, tuple[int, ...], int | None]] = {
    Quantize: (_quantize, (2, 4), None),
    Linear: (_linear, (2,), None),
    LinearReLU: (_linear, (2,), None),
    Conv2d: (_conv, (4,), None),
    ConvReLU2d: (_conv, (4,), None),
    nn.MaxPool2d: (_max_pool, (4,), None),
    nn.Flatten: (_flatten, (2, 4), 2),
    nn.ReLU: (_relu, (2, 4), None),
    nn.Identity: (_same, (2, 4), None),
    nn.Dropout: (_same, (2, 4), None),
    nn.Dropout2d: (_same, (4,), None),
    DeQuantize: (_dequantize, (2, 4), None),
}
_CONDITIONS: dict[type, Callable[[Any], bool]] = {
    Quantize: lambda layer: layer.dtype is quint8,
    nn.MaxPool2d: _poolable,
    nn.Dropout: lambda layer: not layer.training,
    nn.Dropout2d: lambda layer: not layer.training,
    nn.Flatten: lambda layer: layer.start_dim == 1 and layer.end_dim == -1,
}


def _steps(layers: Any, ndim: int) -> list[tuple[Callable, Any]] | None:
    """The steps for an input of so many dimensions; None if some layer has to be called."""
    steps: list[tuple[Callable, Any]] = []
    real = True
    for layer in layers:
        cls = layer.__class__
        found = _STEPS.get(cls)
        if found is None or layer._hooked or ndim not in found[1]:
            return None
        condition = _CONDITIONS.get(cls)
        if condition is not None and not condition(layer):
            return None
        step, _, becomes = found
        if not real or not steps:
            real = cls is DeQuantize or getattr(layer, "real", False)
        elif cls is not nn.Identity:
            return None  # a layer behind one whose results are real numbers
        ndim = ndim if becomes is None else becomes
        steps.append((step, layer))
    return steps if real and steps and steps[0][0] is _quantize else None
