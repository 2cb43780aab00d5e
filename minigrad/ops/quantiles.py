"""Quantiles: interpolated order statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import modes
from ..autograd.naming import named
from ..autograd.variable import Variable
from ..backend import device_of, move
from ._reduction import check_flag, constant, finish, is_float, one_dim, renamed, take_along
from ._shape import array_arg, array_of
from .arith import add, mul, sub
from .movement import reshape
from .permutation import movedim
from .sorting import sort

__all__ = ["quantile", "nanquantile"]

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def quantile(
    input: Any,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    out: Any = None,
    **names: Any,
) -> Any:
    """The quantiles q (a number or a 1-d tensor, in [0, 1]) of all elements, or along `dim`.

    A 1-d q gives the result a first dimension of its size. NaN where a row has a NaN.
    """
    if names:
        return renamed(quantile, locals())
    return _quantile("quantile", input, q, dim, keepdim, interpolation, out, False)


def nanquantile(
    input: Any,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    out: Any = None,
    **names: Any,
) -> Any:
    """`quantile` of the elements that are not NaN."""
    if names:
        return renamed(nanquantile, locals())
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, out, True)


def _check(x: Any, q: Any, interpolation: str) -> Any:
    """The array of q, checked."""
    if interpolation not in _METHODS:
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )
    if x.size == 0:
        raise RuntimeError("quantile() input tensor must be non-empty")
    if not is_float(x) or x.dtype.itemsize == 2:
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if not isinstance(q, Variable):
        if not isinstance(q, (int, float, np.number)):
            raise TypeError(f"quantile(): argument 'q' must be float or Tensor, not {type(q)}")
        if not 0 <= float(q) <= 1:
            raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q}")
        return np.array(q, x.dtype)
    points = q._array
    if points.ndim > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if points.dtype != x.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if not bool(((points >= 0) & (points <= 1)).all()):
        raise RuntimeError("quantile() q values must be in the range [0, 1]")
    return points


def _quantile(
    name: str, input: Any, q: Any, dim: int | None, keepdim: bool, interpolation: str, out: Any,
    ignore_nan: bool,
) -> Any:  # fmt: skip
    x = array_arg(name, input)
    check_flag(name, keepdim)
    ndim = x.ndim
    d = 0 if dim is None else one_dim(name, dim, ndim)
    points = move(_check(x, q, interpolation), device_of(x))
    if dim is None or ndim == 0:
        input, x = reshape(input, (x.size,)), x.reshape(x.size)
    ordered = sort(input, d)[0]
    values = array_of(ordered)

    column = (-1,) + (1,) * (x.ndim - 1 - d)  # q varies along dimension d
    nan = np.isnan(values)
    if ignore_nan:
        last: Any = np.maximum(np.count_nonzero(~nan, axis=d, keepdims=True) - 1, 0)
        last = last.astype(x.dtype)
        ranks = points.reshape(column) * last
    else:
        last = x.dtype.type(x.shape[d] - 1)
        ranks = np.where(nan.any(axis=d, keepdims=True), last, points.reshape(column) * last)
    if interpolation == "lower":
        ranks = np.floor(ranks)
    elif interpolation == "higher":
        ranks = np.ceil(ranks)
    elif interpolation == "nearest":
        ranks = np.rint(ranks)
    shape = list(x.shape)
    shape[d] = points.size
    ranks = np.broadcast_to(ranks, shape)
    below = ranks.astype(np.int64)
    result = take_along(ordered, below, d, "Gather", repeats=True)
    if interpolation in ("linear", "midpoint"):
        above = take_along(ordered, np.ceil(ranks).astype(np.int64), d, "Gather", repeats=True)
        if interpolation == "midpoint":
            weight = constant(result, np.full(shape, 0.5, x.dtype, like=x))
        elif isinstance(q, Variable) and q.requires_grad and modes.is_grad_enabled():
            rank = mul(reshape(q, column), constant(q, np.asarray(last, x.dtype)))
            weight = sub(rank, constant(q, below.astype(x.dtype)))
        else:
            weight = constant(result, ranks - below.astype(x.dtype))
        result = add(result, mul(sub(above, result), weight))
    result = _arranged(result, points.ndim, d, dim is None, ndim, keepdim)
    return finish(name, result if keepdim else named("SqueezeBackward4", result), out)


def _arranged(result: Any, q_ndim: int, d: int, flat: bool, ndim: int, keepdim: bool) -> Any:
    """The result with q's dimension first, and the reduced dimensions as `keepdim` says."""
    shape = array_of(result).shape
    if d:
        result = movedim(result, d, 0)
    rest = shape[:d] + shape[d + 1 :]
    if keepdim:
        rest = (1,) * ndim if flat or not ndim else (*shape[:d], 1, *shape[d + 1 :])
    lead = (shape[d],) if q_ndim else ()
    return reshape(result, (*lead, *rest))
