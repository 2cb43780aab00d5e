"""Maxima and minima: of all elements, over dimensions, with their indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes, return_types
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels import cpu
from ..kernels._quiet import quiet
from ._elementwise import type_name
from ._reduction import (
    check_keepdim,
    choose,
    constant,
    finish,
    finish_pair,
    is_float,
    kept_shape,
    need_dim,
    not_empty,
    renamed,
    restore,
)
from ._shape import all_or, array_arg, array_of, normalize_dim
from .arith import mul
from .extrema import maximum, minimum

__all__ = ["max", "min", "amax", "amin", "aminmax", "argmax", "argmin"]

_divide = quiet(np.divide)


class Shared(Node):
    """Base of reductions whose value is one of the elements; equal elements share the gradient."""

    saves = (0,)
    saves_output = (0,)
    axes: tuple[int, ...]
    nan_equal = False  # whether NaNs share the gradient of a NaN result

    def backward(self, grad: Any) -> Any:
        """grad / (number of elements equal to the output) at these elements, 0 elsewhere."""
        x, out = self.saved
        values, best = array_of(x), array_of(out)
        best = best.reshape(kept_shape(values.shape, self.axes))
        equal = values == best
        if self.nan_equal and is_float(values) and bool(np.isnan(best).any()):
            equal = np.isnan(values)
        count = np.count_nonzero(equal, axis=self.axes, keepdims=True)
        wide = np.float32 if values.dtype.itemsize == 2 else values.dtype
        weight = np.asarray(_divide(equal.astype(wide), np.asarray(count, wide)), values.dtype)
        return mul(restore(grad, self.axes, values.shape), constant(grad, weight))


class Amax(Shared):
    """Maximum over dimensions."""

    reduce: Any = staticmethod(cpu.maximum_reduce)

    def forward(self, x: Any, axes: tuple[int, ...], keepdim: bool) -> Any:
        self.axes = axes
        best = self.reduce(cpu.widened(x), axis=axes, keepdims=keepdim)
        return np.asarray(best, x.dtype)


class Amin(Amax):
    """Minimum over dimensions."""

    reduce: Any = staticmethod(cpu.minimum_reduce)


class Max(Amax):
    """Maximum of all elements."""

    nan_equal = True


class Min(Amin):
    """Minimum of all elements."""

    nan_equal = True


def _over(name: str, cls: type[Amax], input: Any, dim: Any, keepdim: bool, out: Any) -> Any:
    x = array_arg(name, input)
    check_keepdim(name, keepdim)
    axes = all_or(dim, x.ndim)
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        need_dim(name, x)
    not_empty(name, x.shape, axes)
    if isinstance(out, Variable) and out._array.dtype != x.dtype:
        a, b = (type_name(dtypes.from_numpy(t)) for t in (x.dtype, out._array.dtype))
        raise RuntimeError(
            f"Expected the dtype for input and out to match, but got {a} for input's dtype and "
            f"{b} for out's dtype."
        )
    return finish(name, apply(cls, (input,), axes, keepdim), out)


def amax(
    input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None, **names: Any
) -> Any:
    """Maximum over `dim` (an int, several, or all). Equal maxima share the gradient evenly."""
    if names:
        return amax(input, out=out, **{"dim": dim, "keepdim": keepdim} | renamed("amax", names))
    return _over("amax", Amax, input, dim, keepdim, out)


def amin(
    input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None, **names: Any
) -> Any:
    """Minimum over `dim` (an int, several, or all). Equal minima share the gradient evenly."""
    if names:
        return amin(input, out=out, **{"dim": dim, "keepdim": keepdim} | renamed("amin", names))
    return _over("amin", Amin, input, dim, keepdim, out)


def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False, out: Any = None) -> Any:
    """`(min, max)` over one dimension, or of all elements."""
    x = array_arg("aminmax", input)
    if dim is None:
        if x.size == 0:
            raise RuntimeError(
                "aminmax(): cannot compute aminmax over an empty dimension as the operation has "
                "no identity."
            )
        axes = tuple(range(x.ndim))
    else:
        axes = all_or(normalize_dim(dim, x.ndim), x.ndim)
        not_empty("aminmax", x.shape, axes, "")
    results = (apply(Amin, (input,), axes, keepdim), apply(Amax, (input,), axes, keepdim))
    return finish_pair("aminmax", return_types.aminmax, results, out)


def _first(find: Any, x: Any, dim: int) -> Any:
    """The index of the first extremum of each row; the dimension is kept."""
    if x.ndim == 0:
        return np.zeros((), np.int64)
    return np.expand_dims(np.asarray(find(cpu.widened(x), axis=dim), np.int64), dim)


def _with_index(name: str, input: Any, dim: Any, keepdim: bool, out: Any) -> Any:
    x = array_arg(name, input)
    check_keepdim(name, keepdim)
    if isinstance(dim, (tuple, list)):
        raise TypeError(
            f"{name}() received an invalid combination of arguments: 'dim' must be int or a "
            f"Tensor, not {dim.__class__.__name__}"
        )
    d = normalize_dim(dim, x.ndim)
    not_empty(name, x.shape, (d,))
    index = _first(np.argmax if name == "max" else np.argmin, x, d)
    pair = choose(input, index, d, keepdim, name.capitalize())
    return finish_pair(name, getattr(return_types, name), pair, out)


def max(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    other: Any = None,
    out: Any = None,
    **names: Any,
) -> Any:
    """Maximum of all elements; `max(x, dim)` gives `(values, indices)`; `max(x, y)` is elementwise.

    NaN counts as the largest. With `dim` the gradient goes to the first maximum; without it equal
    maxima share it evenly.
    """
    if names:
        return max(input, out=out, **{"dim": dim, "keepdim": keepdim} | renamed("max", names))
    if other is None and isinstance(dim, Variable):
        other = dim
    if other is not None:
        return maximum(input, other, out=out)
    if dim is not None:
        return _with_index("max", input, dim, keepdim, out)
    x = array_arg("max", input)
    need_dim("max", x)
    return finish("max", apply(Max, (input,), tuple(range(x.ndim)), False), out)


def min(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    other: Any = None,
    out: Any = None,
    **names: Any,
) -> Any:
    """Minimum of all elements; `min(x, dim)` gives `(values, indices)`; `min(x, y)` is elementwise.

    NaN counts as the smallest. With `dim` the gradient goes to the first minimum; without it equal
    minima share it evenly.
    """
    if names:
        return min(input, out=out, **{"dim": dim, "keepdim": keepdim} | renamed("min", names))
    if other is None and isinstance(dim, Variable):
        other = dim
    if other is not None:
        return minimum(input, other, out=out)
    if dim is not None:
        return _with_index("min", input, dim, keepdim, out)
    x = array_arg("min", input)
    need_dim("min", x)
    return finish("min", apply(Min, (input,), tuple(range(x.ndim)), False), out)


def _arg(name: str, find: Any, input: Any, dim: Any, keepdim: bool, out: Any) -> Any:
    x = array_arg(name, input)
    check_keepdim(name, keepdim)
    if x.dtype.kind == "b":
        raise RuntimeError(f"{name}(): does not support bool input")
    if dim is None:
        if x.size == 0:
            raise IndexError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
            )
        index = np.asarray(find(cpu.widened(x)), np.int64)
        index = index.reshape((1,) * x.ndim) if keepdim else index
    else:
        d = normalize_dim(dim, x.ndim)
        not_empty(name, x.shape, (d,))
        index = _first(find, x, d)
        if not keepdim and x.ndim:
            index = index.squeeze(d)
    return finish(name, constant(input, index), out)


def argmax(
    input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None, **names: Any
) -> Any:
    """Index of the first maximum along `dim`, or in the flattened tensor; NaN is the largest."""
    if names:
        return argmax(input, out=out, **{"dim": dim, "keepdim": keepdim} | renamed("argmax", names))
    return _arg("argmax", np.argmax, input, dim, keepdim, out)


def argmin(
    input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None, **names: Any
) -> Any:
    """Index of the first minimum along `dim`, or in the flattened tensor; NaN is the smallest."""
    if names:
        return argmin(input, out=out, **{"dim": dim, "keepdim": keepdim} | renamed("argmin", names))
    return _arg("argmin", np.argmin, input, dim, keepdim, out)
