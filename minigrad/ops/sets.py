"""Distinct values, counts, and places in sorted sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..dtypes import type_name
from ..kernels import sorting
from ..kernels.cpu import widened
from ._reduction import check_flag, constant, finish, is_float
from ._shape import array_arg, array_of, normalize_dim, whole

__all__ = ["unique", "unique_consecutive", "histc", "bincount", "searchsorted", "bucketize"]


class Underived(Node):
    """A result that PyTorch ties to its input but cannot differentiate."""

    def forward(self, x: Any, result: Any, label: str) -> Any:
        self.label = label
        return result

    def backward(self, grad: Any) -> Any:
        """RuntimeError."""
        raise RuntimeError(f"derivative for aten::{self.label} is not implemented")

    def name(self) -> str:
        return "NotImplemented"


def _distinct(
    name: str, input: Any, ordered: bool, inverse: bool, counts: bool, dim: int | None
) -> Any:
    """Runs of equal elements (slices along `dim`), after sorting unless they are `ordered`."""
    x = array_arg(name, input)
    for flag, given in (("return_inverse", inverse), ("return_counts", counts)):
        check_flag(name, given, flag)
    if dim is None:
        shape: Any = x.shape
    else:
        d = normalize_dim(dim, x.ndim)
        slices = np.moveaxis(np.atleast_1d(x), d, 0)
        if slices.shape[0] and not slices.size:
            raise RuntimeError(
                "There are 0 sized dimensions, and they aren't selected, so unique cannot be "
                "applied"
            )
        rows = slices.reshape(slices.shape[0], -1) if slices.size else slices.reshape(0, 1)
        shape = (slices.shape[0],)
    if dim is None:
        run, order = x.reshape(-1), None
        if not ordered:
            run, order = sorting.ordered(run)
        first = np.ones(len(run), bool, like=run)
        np.not_equal(run[1:], run[:-1], out=first[1:])
        values = run[first]
    else:
        order = None if ordered else np.lexsort(widened(rows).T[::-1])
        run = rows if ordered else rows[order]
        first = np.ones(len(run), bool, like=run)
        first[1:] = (run[1:] != run[:-1]).any(axis=1)
        slices = (slices if ordered else slices[order])[first]
        values = np.ascontiguousarray(np.moveaxis(slices, 0, d))
    label = "_unique2" if dim is None else "unique_dim"
    results = [apply(Underived, (input,), values, label if not ordered else name)]
    if inverse:
        group = np.cumsum(first) - 1
        if order is not None:
            number, group = group, np.empty(len(run), np.int64, like=run)
            group[order] = number
        results.append(constant(input, group.reshape(shape)))
    if counts:
        starts = np.flatnonzero(first)
        results.append(constant(input, np.diff(starts, append=len(run)).astype(np.int64)))
    return results[0] if len(results) == 1 else tuple(results)


def unique(
    input: Any,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements, sorted; with `dim` the distinct slices along it.

    With `return_inverse` also where each element went, with `return_counts` how often each came.
    Every NaN is distinct.
    """
    check_flag("unique", sorted, "sorted")
    return _distinct("unique", input, False, return_inverse, return_counts, dim)


def unique_consecutive(
    input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """One element for each run of equal elements (or slices along `dim`), in order."""
    return _distinct("unique_consecutive", input, True, return_inverse, return_counts, dim)


def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0, *, out: Any = None) -> Any:
    """How many elements fall into each of `bins` equal bins from min to max (both included).

    With min equal to max the range is that of the data. NaN and elements outside are not counted.
    """
    x = array_arg("histc", input)
    bins = whole("histc(): bins", bins)
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    if not is_float(x):
        kind = type_name(dtypes.from_numpy(x.dtype))
        raise NotImplementedError(f"\"histogram_cpu\" not implemented for '{kind}'")
    low, high = float(min), float(max)
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if low == high:
        low, high = low - 1, high + 1
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"torch.histc: range of [{low:g}, {high:g}] is not finite")
    if low > high:
        raise RuntimeError("torch.histc: max must be larger than min")
    inside = x[(x >= low) & (x <= high)]
    a, b = x.dtype.type(low), x.dtype.type(high)
    place = ((inside - a) * x.dtype.type(bins) / (b - a)).astype(np.int64)
    counts = np.bincount(np.minimum(place, bins - 1), minlength=bins).astype(x.dtype)
    return finish("histc", apply(Underived, (input,), counts, "histc"), out)


def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number from 0 up comes, or the sum of its `weights`; at least `minlength`."""
    x = array_arg("bincount", input)
    if is_float(x) or x.dtype.kind == "b":
        kind = type_name(dtypes.from_numpy(x.dtype))
        raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{kind}'")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    few = "bincount only supports 1-d non-negative integral inputs."
    if x.ndim != 1:
        raise RuntimeError(few)
    if weights is None:
        try:
            return constant(input, np.bincount(x, minlength=minlength).astype(np.int64, copy=False))
        except ValueError:  # a negative number
            raise RuntimeError(few) from None
    if x.size and x.min() < 0:
        raise RuntimeError(few)
    w = array_arg("bincount", weights, 2, "weights")
    if w.shape != x.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    if x.size == 0:
        return constant(input, np.zeros(minlength, np.int64))
    dtype = np.float32 if w.dtype == np.float32 else np.float64
    sums = np.bincount(x, w.astype(np.float64), minlength)
    return constant(input, sums.astype(dtype))


def searchsorted(
    sorted_sequence: Any,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
    out: Any = None,
) -> Any:
    """Where each value of `input` must be inserted to keep the innermost dimension sorted.

    Before equal elements, after them with `right` (or side="right"). The sequence is 1-d, or has
    input's leading dimensions. `sorter`: the indices that sort it.
    """
    if side is None and sorter is None and out is None and _fits(input, right, out_int32):
        place = sorting.fast_search(sorted_sequence, input, right, out_int32)
        if place is not None:
            return place
    name = "torch.searchsorted()"
    sequence = array_arg("searchsorted", sorted_sequence, 1, "sorted_sequence")
    if side is not None:
        if side not in ("left", "right"):
            raise RuntimeError(f"{name}: side can only be 'left' or 'right' but got {side}")
        if side == "left" and right:
            raise RuntimeError(
                f"{name}: side and right can't be set to opposites, got side of left while right "
                "was True"
            )
        right = side == "right"
    values = _values("searchsorted", input, sequence)
    if sequence.ndim == 0:
        raise RuntimeError(
            f"{name}: boundaries tensor should have positive dimension, but got 0 dimension"
        )
    if sequence.ndim != 1 and (
        values.ndim != sequence.ndim or values.shape[:-1] != sequence.shape[:-1]
    ):
        raise RuntimeError(
            f"{name}: boundaries tensor should be 1 dimension or the first N-1 dimensions of "
            "boundaries tensor and input value tensor must match, but we got boundaries tensor "
            f"{list(sequence.shape)} and input value tensor {list(values.shape)}"
        )
    if sorter is not None:
        order = array_of(sorter)
        if order.shape != sequence.shape:
            raise RuntimeError(
                f"{name}: boundary and sorter must have the same size, but got boundary tensor "
                f"{list(sequence.shape)} and got sorter tensor {list(order.shape)}"
            )
        if order.dtype != np.int64:
            raise RuntimeError(
                f"{name}: sorter must be a tensor of long dtype but got dtype "
                f"{type_name(dtypes.from_numpy(order.dtype))}"
            )
        sequence = np.take_along_axis(sequence, order, axis=-1)
    place = _bisect(widened(sequence), widened(values), right)
    result = constant(sorted_sequence, place.astype(np.int32 if out_int32 else np.int64))
    return finish("searchsorted", result, out)


def _fits(input: Any, right: Any, out_int32: Any) -> bool:
    return hasattr(input, "dtype") and right.__class__ is bool and out_int32.__class__ is bool


def bucketize(
    input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False, out: Any = None
) -> Any:
    """The index of the bucket, between sorted 1-d `boundaries`, that each value falls into."""
    edges = array_arg("bucketize", boundaries, 2, "boundaries")
    if edges.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({edges.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right, out=out)


def _values(name: str, input: Any, sequence: Any) -> Any:
    """The searched values; a number is taken in the sequence's type."""
    if isinstance(input, (bool, int, float, np.number)):
        return np.array(input, sequence.dtype if is_float(sequence) else None)
    if isinstance(input, Variable) or hasattr(input, "dtype"):
        return array_of(input)
    raise TypeError(
        f"{name}(): argument 'input' must be Tensor or a number, not {input.__class__.__name__}"
    )


def _bisect(sequence: Any, values: Any, right: bool) -> Any:
    """Binary search of all values at once; NaN compares false, as in C++."""
    if sequence.ndim == 1 and sequence.size and sequence[-1] == sequence[-1]:
        plain = values if not is_float(values) else np.where(np.isnan(values), np.inf, values)
        place = np.searchsorted(sequence, plain, side="right" if right else "left")
        return np.asarray(np.where(values != values, sequence.size, place))
    low = np.zeros(values.shape, np.int64, like=values)
    high = np.full(values.shape, sequence.shape[-1], np.int64, like=values)
    while True:
        active = low < high
        if not active.any():
            return low
        middle = (low + high) // 2
        probe = np.where(active, middle, 0)
        if sequence.ndim == 1:
            found = sequence[probe]
        else:
            found = np.take_along_axis(sequence, probe, axis=-1)
        after = np.logical_not(found > values if right else found >= values)
        low = np.where(active & after, middle + 1, low)
        high = np.where(active & ~after, middle, high)
