"""PyTorch's `native_*` functions: normalisations and dropout that also give what they computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.record import alias
from ..autograd.variable import Variable
from ..dtypes import type_name
from ._operands import to_dtype, write_each
from ._shape import array_arg, array_of
from .arith import add, mul
from .channel_norm import batch_norm, group_norm
from .dropouts import dropout
from .movement import reshape
from .normalization import layer_norm
from .padding import channel_shuffle
from .rearrange import clone
from .reduce import mean
from .stats import var
from .unary import rsqrt

__all__ = [
    "native_batch_norm", "native_channel_shuffle", "native_dropout", "native_group_norm",
    "native_layer_norm",
]  # fmt: skip


def _statistics(input: Any, dims: tuple[int, ...], eps: float, keepdim: bool) -> tuple[Any, Any]:
    """The mean, and 1 / sqrt(variance + eps), over `dims`."""
    variance = var(input, dims, correction=0, keepdim=keepdim)
    return mean(input, dims, keepdim), rsqrt(add(variance, eps))


def _outside(input: Any) -> Any:
    """The input outside the graph: the statistics have no gradient."""
    return alias(input) if isinstance(input, Variable) else input


def _typed(statistics: tuple[Any, Any], input: Any, *params: Any) -> tuple[Any, Any]:
    """The statistics in the parameters' type, which may be wider than the input's."""
    dtype = array_of(next((p for p in params if p is not None), input)).dtype
    first, second = (to_dtype(t, dtype) for t in statistics)
    return first, second


def native_layer_norm(
    input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float
) -> tuple[Any, Any, Any]:
    """(`layer_norm`, mean, 1 / deviation); the statistics keep the dimensions, with size 1."""
    out = layer_norm(input, normalized_shape, weight, bias, eps)
    ndim = array_arg("native_layer_norm", input).ndim
    dims = tuple(range(ndim - len(normalized_shape), ndim))
    return out, *_typed(_statistics(_outside(input), dims, eps, True), input, weight)


def native_group_norm(
    input: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Any, Any, Any]:
    """(`group_norm`, mean, 1 / deviation) of N samples with C channels of HxW places.

    The statistics have the shape (N, group). RuntimeError for another number of elements.
    """
    x = array_arg("native_group_norm", input)
    if x.size != N * C * HxW:
        raise RuntimeError(
            f"native_group_norm: Expected X.numel() == N * C * HxW: given {x.size} elements, "
            f"needed {N * C * HxW}"
        )
    out = reshape(group_norm(reshape(input, (N, C, HxW)), group, weight, bias, eps), x.shape)
    rows = reshape(input, (N, group, C // group * HxW))
    return out, *_typed(_statistics(rows, (2,), eps, False), input, weight)


def native_batch_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    *,
    out: Any = None,
) -> tuple[Any, Any, Any]:
    """(`batch_norm`, mean, 1 / deviation) of the batch; without elements if not training."""
    x = array_arg("native_batch_norm", input)
    y = batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    dims = tuple([d for d in range(x.ndim) if d != 1])
    statistics: tuple[Any, Any] = _v.wrap(np.empty(0, like=x)), _v.wrap(np.empty(0, like=x))
    if training:
        statistics = _statistics(_outside(input), dims, eps, False)
    first, second = _typed(statistics, input, running_mean, weight)
    if out is None:
        return y, first, second
    a, b, c = write_each("native_batch_norm", out, (y, first, second))
    return a, b, c


def native_dropout(input: Any, p: float, train: bool | None) -> tuple[Any, Any]:
    """(`dropout`, the mask of the elements that stayed)."""
    x = array_arg("native_dropout", input)
    if not x.size:  # PyTorch's mask is then of the input's type
        return clone(input), _v.wrap(np.empty(x.shape, x.dtype, like=x))
    if train is False:
        return clone(input), _v.wrap(np.ones(x.shape, np.bool_, like=x))
    if x.dtype.kind not in "fV":
        raise RuntimeError(
            "native_dropout: result type Float can't be cast to the desired output type "
            f"{type_name(dtypes.from_numpy(x.dtype))}"
        )
    scale = dropout(_v.wrap(np.ones(x.shape, x.dtype, like=x)), p, True)
    return mul(input, scale), _v.wrap(array_of(scale) != 0)


def native_channel_shuffle(input: Any, groups: int) -> Any:
    """`channel_shuffle`."""
    return channel_shuffle(input, groups)
