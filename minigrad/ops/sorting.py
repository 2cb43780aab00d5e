"""Sorting, the largest elements, and order statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import return_types
from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node
from ..kernels import cpu, sorting
from ._reduction import (
    MISSING,
    Chosen,
    PutAlong,
    check_flag,
    choose,
    constant,
    finish,
    finish_pair,
    is_float,
    no_keepdim,
    not_empty,
    one_dim,
    renamed,
    take_along,
)
from ._shape import array_arg, normalize_dim, whole
from .maxima import Shared

__all__ = ["sort", "argsort", "msort", "topk", "kthvalue", "median", "nanmedian", "mode"]


_sort, _argsort, _select = sorting.fast_sort, sorting.fast_argsort, sorting.fast_select
_named = tuple.__new__


class Sorted(Node):
    """Elements of the input in another order; made by the compiled code alone."""

    label = "Sort"

    def backward(self, grad: Any) -> Any:
        """grad, put where the elements came from; zero elsewhere."""
        return apply(PutAlong, (grad,), self.index_array, self.dim, self.shape, False)

    def name(self) -> str:
        return f"{self.label}Backward0"


class Best(Sorted):
    """The first elements of an order."""

    label = "Topk"


class Ranked(Chosen):
    """The element of a rank; made by the compiled code alone, as are the medians."""

    label = "Kthvalue"


class Middle(Chosen):
    """The median of each row."""

    def name(self) -> str:
        return "MedianBackward1"


class NanMiddle(Chosen):
    """The median of the elements of each row that are not NaN."""

    def name(self) -> str:
        return "NanmedianBackward1"


def sort(
    input: Any,
    dim: int = -1,
    descending: bool = False,
    stable: bool | None = False,
    *,
    out: Any = None,
    **names: Any,
) -> Any:
    """`(values, indices)` of the elements sorted along `dim`; NaN is the largest; always stable."""
    if out is None and not names:
        pair = _sort(Sorted, input, dim, descending, -1)
        if pair is not None:
            return _named(return_types.sort, pair)
    x = array_arg("sort", input)
    if names:
        return renamed(sort, locals())
    _check_flag("sort", dim, descending)
    d = normalize_dim(dim, x.ndim)
    order = sorting.argsort(x, d, bool(descending))
    pair = (take_along(input, order, d, "Sort"), constant(input, order))
    return finish_pair("sort", return_types.sort, pair, out)


def _check_flag(name: str, dim: Any, descending: Any) -> None:
    if isinstance(dim, bool) or not isinstance(descending, (bool, np.bool_)):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got "
            f"(Tensor, {dim.__class__.__name__}, {descending.__class__.__name__}); needed: "
            "(Tensor input, int dim, bool descending)"
        )


def argsort(
    input: Any, dim: int = -1, descending: bool = False, stable: bool = False, **names: Any
) -> Any:
    """The indices that sort along `dim`; NaN is the largest; always stable."""
    found = None if names else _argsort(input, dim, descending)
    if found is not None:
        return found
    x = array_arg("argsort", input)
    if names:
        return renamed(argsort, locals())
    _check_flag("argsort", dim, descending)
    return constant(input, sorting.argsort(x, normalize_dim(dim, x.ndim), bool(descending)))


def msort(input: Any, *, out: Any = None) -> Any:
    """The elements sorted along the first dimension."""
    array_arg("msort", input)
    return finish("msort", sort(input, 0)[0], out)


def topk(
    input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *,
    out: Any = None, **names: Any,
) -> Any:  # fmt: skip
    """`(values, indices)` of the k largest (or smallest) elements along `dim`, best first.

    NaN is the largest; of equal elements the first come first. RuntimeError when k is out of range.
    """
    if out is None and not names and k.__class__ is int and k >= 0:
        pair = _sort(Best, input, dim, largest, k)
        if pair is not None:
            return _named(return_types.topk, pair)
    if names:
        return renamed(topk, locals())
    x = array_arg("topk", input)
    d = one_dim("topk", dim, x.ndim)
    k = whole("topk(): k", k)
    size = x.shape[d] if x.ndim else 1
    if not 0 <= k <= size:
        raise RuntimeError("selected index k out of range")
    if x.dtype.kind == "b":
        raise RuntimeError("topk does not support bool dtypes on CPU")
    index = sorting.first(x, d, int(k), bool(largest))
    pair = (take_along(input, index, d, "Topk"), constant(input, index))
    return finish_pair("topk", return_types.topk, pair, out)


def _supported(name: str, x: Any) -> None:
    if x.dtype.kind == "b" and (x.ndim or name == "median"):
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'")


def kthvalue(
    input: Any,
    k: int,
    dim: int = -1,
    keepdim: bool = False,
    *,
    out: Any = None,
    **names: Any,
) -> Any:
    """`(values, indices)` of the k-th smallest element along `dim` (k counts from 1)."""
    if out is None and not names and k.__class__ is int:
        pair = _select(Ranked, input, dim, keepdim, sorting.NUMBER, k - 1)
        if pair is not None:
            return _named(return_types.kthvalue, pair)
    if names:
        return renamed(kthvalue, locals())
    x = array_arg("kthvalue", input)
    check_flag("kthvalue", keepdim)
    k = whole("kthvalue(): k", k)
    d = one_dim("kthvalue", dim, x.ndim)
    not_empty("kthvalue", x.shape, (d,))
    if not 1 <= k <= (x.shape[d] if x.ndim else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {d}")
    _supported("kthvalue", x)
    index = sorting.ranked(x, d, sorting.NUMBER, k - 1)
    pair = choose(input, index, d, keepdim, "Kthvalue")
    return finish_pair("kthvalue", return_types.kthvalue, pair, out)


class Median(Shared):
    """The lower median of all elements; equal elements share the gradient."""

    nan_equal = True

    def forward(self, x: Any, ignore_nan: bool) -> Any:
        self.axes, self.ignore_nan = tuple(range(x.ndim)), ignore_nan
        if x.size == 0:
            return np.array(np.nan if is_float(x) else np.iinfo(x.dtype).min, x.dtype)
        return sorting.middle(x, sorting.NAN_MEDIAN if ignore_nan else sorting.MEDIAN)

    def name(self) -> str:
        return "NanmedianBackward0" if self.ignore_nan else "MedianBackward0"


def _median(name: str, input: Any, dim: Any, keepdim: bool, out: Any, ignore_nan: bool) -> Any:
    which = sorting.NAN_MEDIAN if ignore_nan else sorting.MEDIAN
    if out is None and dim.__class__ is int:
        pair = _select(NanMiddle if ignore_nan else Middle, input, dim, keepdim, which, 0)
        if pair is not None:
            return _named(getattr(return_types, name), pair)
    x = array_arg(name, input)
    _supported("median", x)
    if dim is MISSING:
        no_keepdim(name, keepdim)
        return finish(name, apply(Median, (input,), ignore_nan), out)
    check_flag(name, keepdim)
    d = one_dim(name, dim, x.ndim)
    not_empty(name, x.shape, (d,))
    pair = choose(input, sorting.ranked(x, d, which), d, keepdim, name.capitalize())
    return finish_pair(name, getattr(return_types, name), pair, out)


def median(
    input: Any, dim: Any = MISSING, keepdim: bool = False, *, out: Any = None, **names: Any
) -> Any:
    """The lower median of all elements, or `(values, indices)` along `dim`; NaN if one is NaN."""
    if names:
        return renamed(median, locals())
    return _median("median", input, dim, keepdim, out, False)


def nanmedian(
    input: Any, dim: Any = MISSING, keepdim: bool = False, *, out: Any = None, **names: Any
) -> Any:
    """The lower median of the elements that are not NaN, or `(values, indices)` along `dim`."""
    if names:
        return renamed(nanmedian, locals())
    return _median("nanmedian", input, dim, keepdim, out, True)


def mode(input: Any, dim: int = -1, keepdim: bool = False, *, out: Any = None, **names: Any) -> Any:
    """`(values, indices)` of the most frequent element along `dim`; of several, the smallest.

    The index is that of its last occurrence.
    """
    if names:
        return renamed(mode, locals())
    x = array_arg("mode", input)
    check_flag("mode", keepdim)
    d = one_dim("mode", dim, x.ndim)
    not_empty("mode", x.shape, (d,))
    if x.ndim == 0:
        index = np.zeros((), np.int64)
    else:
        order = sorting.argsort(x, d)
        ordered = np.take_along_axis(cpu.widened(x), order, axis=d)
        rows, positions = np.moveaxis(ordered, d, -1), np.arange(x.shape[d], like=x)
        starts = np.zeros_like(rows, np.int64, order="C")
        starts[..., 1:] = np.where(rows[..., 1:] != rows[..., :-1], positions[1:], 0)
        length = positions - np.maximum.accumulate(starts, axis=-1)
        end = np.expand_dims(np.argmax(np.moveaxis(length, -1, d), axis=d), d)
        index = np.take_along_axis(order, end, axis=d)
    values, index = choose(input, index, d, keepdim, "Mode")
    pair = named("ModeBackward0", values), index
    return finish_pair("mode", return_types.mode, pair, out)
