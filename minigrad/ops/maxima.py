"""Maxima and minima: of all elements, over dimensions, with their indices."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import dtypes, return_types
from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..dtypes import type_name
from ..kernels import cpu, reduction
from ..kernels.reduction import SAVES_INPUT, SAVES_OUTPUT, kind
from ._reduction import (
    MISSING,
    Chosen,
    check_flag,
    choose,
    constant,
    finish,
    finish_pair,
    is_float,
    kept_shape,
    need_dim,
    no_keepdim,
    not_empty,
    one_dim,
    renamed,
)
from ._shape import all_or, array_arg, array_of, normalize_dim
from .arith import div, mul
from .extrema import maximum, minimum
from .movement import reshape

__all__ = ["max", "min", "amax", "amin", "aminmax", "argmax", "argmin"]

_named = tuple.__new__
_reduce, _arg_extremum, _extremum_of = reduction.reduce, reduction.arg_extremum, reduction.extremum
_BOTH = SAVES_INPUT | SAVES_OUTPUT
_COUNT = kind("count_nonzero")
_KINDS = {"amax": kind("max", _BOTH), "amin": kind("min", _BOTH)}


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
        count = _reduce(None, _COUNT, equal, self.axes, True, 0.0)
        if count is None:
            count = np.count_nonzero(equal, axis=self.axes, keepdims=True)
        wide = np.float32 if values.dtype.itemsize == 2 else values.dtype
        # Divided first: there are fewer results than elements.
        kept = reshape(grad, best.shape)
        share = div(kept, constant(grad, np.asarray(count, wide).astype(values.dtype)))
        return mul(share, constant(grad, cpu.astype(equal, values.dtype)))


class Amax(Shared):
    """Maximum over dimensions."""

    reduce: Any = staticmethod(cpu.maximum_reduce)

    def forward(self, x: Any, axes: tuple[int, ...], keepdim: bool) -> Any:
        self.axes = axes
        best = self.reduce(cpu.widened(x), axis=axes, keepdims=keepdim)
        return np.asarray(best, x.dtype, order="C")


class Amin(Amax):
    """Minimum over dimensions."""

    reduce: Any = staticmethod(cpu.minimum_reduce)


class Max(Amax):
    """Maximum of all elements."""

    torch_name = "MaxBackward1"
    nan_equal = True


class Min(Amin):
    """Minimum of all elements."""

    torch_name = "MinBackward1"
    nan_equal = True


def _over(name: str, cls: type[Amax], input: Any, dim: Any, keepdim: bool, out: Any) -> Any:
    if out is None:
        result = _reduce(cls, _KINDS[name], input, dim, keepdim, 0.0)
        if result is not None:
            return result
    x = array_arg(name, input)
    check_flag(name, keepdim)
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


def _reduction(name: str, cls: type[Amax], what: str) -> Any:
    def op(
        input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None, **names: Any
    ) -> Any:
        if names:
            return renamed(op, locals())
        return _over(name, cls, input, dim, keepdim, out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = (
        f"{what} over `dim` (an int, several, or all). Equal ones share the gradient evenly."
    )
    return op


amax = _reduction("amax", Amax, "Maximum")
amin = _reduction("amin", Amin, "Minimum")


def aminmax(
    input: Any, *, dim: Any = None, keepdim: bool = False, out: Any = None, **names: Any
) -> Any:
    """`(min, max)` over one dimension, or of all elements."""
    if names:
        return renamed(aminmax, locals())
    x = array_arg("aminmax", input)
    check_flag("aminmax", keepdim)
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
    results = tuple([_aminmax_part(cls, name, input, axes, keepdim) for cls, name in _AMINMAX])
    return finish_pair("aminmax", return_types.aminmax, results, out)


_AMINMAX = ((Amin, "amin"), (Amax, "amax"))


def _aminmax_part(cls: type[Amax], name: str, input: Any, axes: tuple, keepdim: bool) -> Any:
    result = _reduce(cls, _KINDS[name], input, axes, keepdim, 0.0)
    if result is None:
        result = apply(cls, (input,), axes, keepdim)
    return named("AminmaxBackward0", result)


def _first(find: Any, x: Any, dim: int) -> Any:
    """The index of the first extremum of each row; the dimension is kept."""
    if x.ndim == 0:
        return np.zeros((), np.int64, like=x)
    return np.expand_dims(np.asarray(find(cpu.widened(x), axis=dim), np.int64), dim)


class Largest(Chosen):
    """The largest element of each row; made by the compiled code alone."""

    label = "Max"


class Smallest(Chosen):
    """The smallest element of each row; made by the compiled code alone."""

    label = "Min"


def _extremum(
    name: str, cls: type[Amax], find: Any, elementwise: Any, what: str, of_nan: str
) -> Any:
    smallest = name == "min"
    number = _KINDS["a" + name]
    returns = getattr(return_types, name)
    along = Smallest if smallest else Largest

    def op(
        input: Any,
        dim: Any = MISSING,
        keepdim: bool = False,
        *,
        other: Any = MISSING,
        out: Any = None,
        **names: Any,
    ) -> Any:
        if names:
            return renamed(op, locals())
        if other is MISSING and isinstance(dim, Variable):
            if keepdim is False:
                other = dim
            else:  # a number as a tensor
                dim = operator.index(dim)
        if other is not MISSING:
            return elementwise(input, other, out=out)
        if out is None:
            if dim is MISSING and keepdim is False:
                result = _reduce(cls, number, input, None, False, 0.0)
                if result is not None:
                    return result
            pair = _extremum_of(along, smallest, input, dim, keepdim)
            if pair is not None:
                return _named(returns, pair)
        x = array_arg(name, input)
        if dim is MISSING:
            no_keepdim(name, keepdim)
            need_dim(name, x)
            return finish(name, apply(cls, (input,), tuple(range(x.ndim)), False), out)
        check_flag(name, keepdim)
        d = one_dim(name, dim, x.ndim)
        not_empty(name, x.shape, (d,))
        pair = choose(input, _first(find, x, d), d, keepdim, name.capitalize())
        return finish_pair(name, returns, pair, out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"""{what} of all elements; with `dim` `(values, indices)` along it.

    `{name}(x, y)` with a tensor y is elementwise. NaN counts as the {of_nan}. With `dim` the
    gradient goes to the first of equal elements; without it they share it evenly.
    """
    return op


max = _extremum("max", Max, np.argmax, maximum, "Maximum", "largest")
min = _extremum("min", Min, np.argmin, minimum, "Minimum", "smallest")


def _arg(name: str, find: Any, input: Any, dim: Any, keepdim: bool, out: Any) -> Any:
    if out is None:
        found = _arg_extremum(name == "argmin", input, dim, keepdim)
        if found is not None:
            return found
    x = array_arg(name, input)
    check_flag(name, keepdim)
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


def _index(name: str, find: Any, what: str, of_nan: str) -> Any:
    def op(
        input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None, **names: Any
    ) -> Any:
        if names:
            return renamed(op, locals())
        return _arg(name, find, input, dim, keepdim, out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = (
        f"Index of the first {what} along `dim`, or in the flattened tensor; NaN is the {of_nan}."
    )
    return op


argmax = _index("argmax", np.argmax, "maximum", "largest")
argmin = _index("argmin", np.argmin, "minimum", "smallest")
