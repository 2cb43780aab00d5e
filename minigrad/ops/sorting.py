"""Sorting, the largest elements, and order statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import return_types
from ..autograd.record import apply
from ..kernels import cpu
from ._reduction import (
    MISSING,
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


def order_of(x: Any, dim: int, descending: bool = False) -> Any:
    """The indices that sort each row, stable; NaN counts as the largest."""
    if x.ndim == 0:
        return np.zeros((), np.int64)
    wide = cpu.widened(x)
    if not descending:
        return np.argsort(wide, axis=dim, kind="stable")
    order = np.argsort(np.flip(wide, dim), axis=dim, kind="stable")
    return np.ascontiguousarray(x.shape[dim] - 1 - np.flip(order, dim))


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
    x = array_arg("sort", input)
    if names:
        return renamed(sort, locals())
    _check_flag("sort", dim, descending)
    d = normalize_dim(dim, x.ndim)
    order = order_of(x, d, bool(descending))
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
    x = array_arg("argsort", input)
    if names:
        return renamed(argsort, locals())
    _check_flag("argsort", dim, descending)
    return constant(input, order_of(x, normalize_dim(dim, x.ndim), bool(descending)))


def msort(input: Any, *, out: Any = None) -> Any:
    """The elements sorted along the first dimension."""
    x = array_arg("msort", input)
    d = normalize_dim(0, x.ndim)
    return finish("msort", take_along(input, order_of(x, d), d, "Sort"), out)


def topk(
    input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *,
    out: Any = None, **names: Any,
) -> Any:  # fmt: skip
    """`(values, indices)` of the k largest (or smallest) elements along `dim`, best first.

    NaN is the largest. RuntimeError when k is out of range.
    """
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
    index = _best(x, int(k), d, bool(largest))
    pair = (take_along(input, index, d, "Topk"), constant(input, index))
    return finish_pair("topk", return_types.topk, pair, out)


def _best(x: Any, k: int, d: int, largest: bool) -> Any:
    if x.ndim == 0:
        return np.zeros((), np.int64) if k else np.zeros((0,), np.int64)
    size = x.shape[d]
    at = (slice(None),) * d
    if 4 * k > size or k == 0:
        return np.ascontiguousarray(order_of(x, d, largest)[(*at, slice(0, k))])
    wide = cpu.widened(x)
    if largest:
        chosen = np.argpartition(wide, size - k, axis=d)[(*at, slice(size - k, size))]
    else:
        chosen = np.argpartition(wide, k - 1, axis=d)[(*at, slice(0, k))]
    chosen = np.sort(chosen, axis=d)
    order = order_of(np.take_along_axis(wide, chosen, axis=d), d, largest)
    return np.take_along_axis(chosen, order, axis=d)


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
    index = _ranked(x, k - 1, d)
    pair = choose(input, index, d, keepdim, "Kthvalue")
    return finish_pair("kthvalue", return_types.kthvalue, pair, out)


def _ranked(x: Any, rank: int, d: int) -> Any:
    """The index of the element of a rank in each row; the dimension is kept."""
    if x.ndim == 0:
        return np.zeros((), np.int64)
    wide = cpu.widened(x)
    if is_float(x) and bool((wide != wide).any()):  # NaNs keep their order
        order = order_of(x, d)
    else:
        order = np.argpartition(wide, rank, axis=d)
    return np.take(order, [rank], axis=d)


class Median(Shared):
    """The lower median of all elements; equal elements share the gradient."""

    nan_equal = True

    def forward(self, x: Any, ignore_nan: bool) -> Any:
        self.axes = tuple(range(x.ndim))
        values = cpu.widened(x).ravel()
        if is_float(x):
            nan = np.isnan(values)
            if ignore_nan:
                values = values[~nan]
            if values.size == 0 or (not ignore_nan and bool(nan.any())):
                return np.array(np.nan, x.dtype)
        elif values.size == 0:
            return np.array(np.iinfo(x.dtype).min, x.dtype)
        rank = (values.size - 1) // 2
        return np.asarray(np.partition(values, rank)[rank], x.dtype)


def _median(name: str, input: Any, dim: Any, keepdim: bool, out: Any, ignore_nan: bool) -> Any:
    x = array_arg(name, input)
    _supported("median", x)
    if dim is MISSING:
        no_keepdim(name, keepdim)
        return finish(name, apply(Median, (input,), ignore_nan), out)
    check_flag(name, keepdim)
    d = one_dim(name, dim, x.ndim)
    not_empty(name, x.shape, (d,))
    pair = choose(input, _middle(x, d, ignore_nan), d, keepdim, name.capitalize())
    return finish_pair(name, getattr(return_types, name), pair, out)


def _middle(x: Any, d: int, ignore_nan: bool) -> Any:
    """The index of each row's median; the dimension is kept."""
    if x.ndim == 0:
        return np.zeros((), np.int64)
    nan = np.isnan(x) if is_float(x) else np.zeros((), bool)
    if not nan.any():
        return _ranked(x, (x.shape[d] - 1) // 2, d)
    if ignore_nan:
        count = np.count_nonzero(~nan, axis=d, keepdims=True)
        rank = np.maximum(count - 1, 0) // 2
        return np.take_along_axis(order_of(x, d), rank, axis=d)
    plain = _ranked(x, (x.shape[d] - 1) // 2, d)
    first = np.expand_dims(np.argmax(nan, axis=d), d)
    return np.where(nan.any(axis=d, keepdims=True), first, plain)


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
        order = order_of(x, d)
        ordered = np.take_along_axis(cpu.widened(x), order, axis=d)
        rows, positions = np.moveaxis(ordered, d, -1), np.arange(x.shape[d])
        starts = np.zeros(rows.shape, np.int64)
        starts[..., 1:] = np.where(rows[..., 1:] != rows[..., :-1], positions[1:], 0)
        length = positions - np.maximum.accumulate(starts, axis=-1)
        end = np.expand_dims(np.argmax(np.moveaxis(length, -1, d), axis=d), d)
        index = np.take_along_axis(order, end, axis=d)
    pair = choose(input, index, d, keepdim, "Mode")
    return finish_pair("mode", return_types.mode, pair, out)
