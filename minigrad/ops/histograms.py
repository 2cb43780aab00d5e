"""Histograms of one and of several variables, with weights and densities."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes, return_types
from ..autograd.record import apply
from ..autograd.variable import Variable
from ..backend import need_cpu
from ..dtypes import type_name
from ..kernels.cpu import widened
from ..kernels.sorting import fast_search
from ._operands import write_each
from ._reduction import constant, is_float
from ._shape import array_arg, whole
from .sets import Underived

__all__ = ["histogram", "histogramdd"]


def _outer_edges(values: Any, range: Any) -> list[tuple[Any, Any]]:
    """The lowest and the highest edge of each variable: of `range`, or of the data."""
    dims = values.shape[1]
    if range is not None:
        given = list(range)
        if len(given) != 2 * dims:
            raise RuntimeError(
                f"torch.histogramdd: for a {dims}-dimensional histogram range should have "
                f"{2 * dims} elements, but got {len(given)}"
            )
        ends = list(zip(given[::2], given[1::2]))
    elif values.shape[0]:
        ends = list(zip(values.min(axis=0), values.max(axis=0)))
    else:
        ends = [(0.0, 1.0)] * dims
    result = []
    for d, (low, high) in enumerate(ends):
        if not (np.isfinite(low) and np.isfinite(high)):
            raise RuntimeError(
                f"torch.histogramdd: dimension {d}'s range [{low:g}, {high:g}] is not finite"
            )
        if low > high:
            raise RuntimeError(
                f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} "
                f"for dimension {d}"
            )
        result.append((low - 0.5, high + 0.5) if low == high else (low, high))
    return result


def _even_edges(low: Any, high: Any, bins: int, dtype: np.dtype) -> np.ndarray:
    """bins + 1 points from low to high, each counted from the nearer end."""
    real = dtype.type
    step = real((real(high) - real(low)) / real(bins))
    index = np.arange(bins + 1)
    up, down = real(low) + step * index, real(high) - step * (bins - index)
    return np.where(index < (bins + 1) // 2, up, down).astype(dtype)


def _edges(values: Any, bins: list, range: Any) -> list[np.ndarray]:
    """The edges of the bins of each variable."""
    if any(isinstance(b, (Variable, np.ndarray)) for b in bins):
        edges = []
        for d, b in enumerate(bins):
            e = array_arg("histogramdd", b, 2, "bins")
            if e.dtype != values.dtype:
                given, needed = (dtypes.from_numpy(x.dtype).name for x in (e, values))
                raise RuntimeError(
                    "torch.histogramdd: input tensor and bins tensors should have the same dtype, "
                    f"but got input with dtype {needed} and bins for dimension {d} with dtype "
                    f"{given}"
                )
            if e.ndim != 1 or not e.size:
                raise RuntimeError(
                    "torch.histogramdd: bins tensor should have one dimension, but got "
                    f"{e.ndim} dimensions in the bins tensor for dimension {d}"
                )
            edges.append(e)
        return edges
    counts = [whole("histogramdd(): bins", b) for b in bins]
    for d, n in enumerate(counts):
        if n <= 0:
            raise RuntimeError(
                f"torch.histogram(): bins must be > 0, but got {n} for dimension {d}"
            )
    ends = _outer_edges(values, range)
    return [_even_edges(a, b, n, values.dtype) for (a, b), n in zip(ends, counts, strict=True)]


def _weights(weight: Any, x: Any) -> Any:
    """One weight for each observation, or None."""
    if weight is None:
        return None
    w = array_arg("histogramdd", weight, argument="weight")
    if w.shape != x.shape[:-1]:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the "
            f"input tensor excluding its innermost dimension, but got input with shape "
            f"{list(x.shape)} and weight with shape {list(w.shape)}"
        )
    if w.dtype != x.dtype:
        a, b = (dtypes.from_numpy(v.dtype).name for v in (x, w))
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor "
            f"should have the same dtype, but got input({a}), and weight({b})"
        )
    return w.reshape(-1)


def _check_type(x: Any, bins: list, range: Any) -> None:
    """NotImplementedError for integers, and for 16-bit floats whose range is not given."""
    ranged = range is not None or any(isinstance(b, (Variable, np.ndarray)) for b in bins)
    if not is_float(x) or (x.dtype.itemsize == 2 and x.size and not ranged):
        kind = type_name(dtypes.from_numpy(x.dtype))
        raise NotImplementedError(f"\"histogramdd\" not implemented for '{kind}'")


def _count(x: Any, bins: list, range: Any, weight: Any, density: bool) -> tuple[Any, list]:
    """The counts (or weights, or densities) in all combinations of bins, and the edges."""
    need_cpu("histogram", x)
    values = x.reshape(-1, x.shape[-1]) if x.size else x.reshape(0, x.shape[-1])
    w = _weights(weight, x)
    _check_type(x, bins, range)
    edges = _edges(values, bins, range)
    shape = tuple([len(e) - 1 for e in edges])
    values, wide = widened(values), [widened(e) for e in edges]
    inside = np.ones(len(values), bool)
    flat = np.zeros(len(values), np.int64)
    for column, e in zip(values.T, wide, strict=True):
        inside &= (column >= e[0]) & (column <= e[-1])
        place = fast_search(e, np.ascontiguousarray(column), True, False)
        if place is None:
            place = np.searchsorted(e, column, side="right")
        place = place - 1
        flat = flat * max(len(e) - 1, 1) + np.minimum(place, len(e) - 2)
    total = int(np.prod(shape))
    everything = bool(inside.all())
    kept = flat if everything else flat[inside]
    if not total or not shape:
        counts = np.zeros(total)
    else:
        weights = None if w is None else widened(w)[... if everything else inside]
        counts = np.bincount(kept, weights, total).astype(np.float64)
    counts = counts.reshape(shape)
    if density:
        with np.errstate(all="ignore"):
            counts = counts / counts.sum(dtype=counts.dtype)
            for d, e in enumerate(wide):
                counts = counts / np.diff(e).reshape((-1,) + (1,) * (len(edges) - d - 1))
    return np.asarray(counts, x.dtype), edges


def histogram(
    input: Any,
    bins: Any = 100,
    *,
    range: Any = None,
    weight: Any = None,
    density: bool = False,
    out: Any = None,
) -> Any:
    """(hist, bin_edges): how many elements, or the sum of their `weight`, fall into each bin.

    `bins`: how many equal ones from range[0] to range[1] (by default of the data), or a vector of
    edges. The last bin includes its end. `density` makes the integral 1. RuntimeError for a range
    that is not finite.
    """
    x = array_arg("histogram", input)
    if isinstance(bins, float) or not isinstance(bins, (int, np.integer, Variable, np.ndarray)):
        raise TypeError(
            "histogram() received an invalid combination of arguments - got "
            f"({type(input).__name__}, {type(bins).__name__}); needed: bins as an int or a Tensor"
        )
    if range is not None and isinstance(bins, (Variable, np.ndarray)):
        raise TypeError(
            "histogram() received an invalid combination of arguments: 'range' and a Tensor of "
            "edges were both given; needed: one of them"
        )
    if weight is not None:
        w = array_arg("histogram", weight, argument="weight")
        if w.size == x.size:
            weight = w.reshape(-1)
    counts, edges = _count(x.reshape(-1, 1), [bins], range, weight, density)
    results = [apply(Underived, (input,), a, "histogram") for a in (counts, edges[0])]
    if isinstance(bins, Variable):
        results[1] = bins
    if out is not None:
        if not isinstance(out, (tuple, list)) or len(out) != 2:
            raise TypeError("histogram(): argument 'out' must be tuple of 2 Tensors")
        results = write_each("histogram", out, results)
    return return_types.histogram(results)


def histogramdd(
    input: Any, bins: Any, range: Any = None, weight: Any = None, density: bool = False
) -> Any:
    """(hist, bin_edges): `histogram` of vectors (the last dimension), in as many dimensions.

    `bins`: a number of bins, one for each variable, or a vector of edges for each. `range`: the
    lowest and the highest edge of each variable, one after the other.
    """
    x = array_arg("histogramdd", input)
    if x.ndim < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
    if isinstance(bins, (tuple, list)):
        each = list(bins)
    else:
        each = [bins] * x.shape[-1]
    if len(each) != x.shape[-1]:
        raise RuntimeError(
            "histogramdd: The size of bins must be equal to the innermost dimension of the input."
        )
    counts, edges = _count(x, each, range, weight, density)
    hist = apply(Underived, (input,), counts, "histogramdd")
    return return_types.histogramdd([hist, tuple([constant(input, e) for e in edges])])
