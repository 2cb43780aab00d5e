"""Reductions over groups of places: at an index (`index_reduce`), and of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..dtypes import type_name
from ._out import write_exact
from ._reduction import constant
from ._shape import array_arg, array_of, normalize_dim, whole
from .arith import div
from .masked import masked_fill
from .rearrange import clone
from .reduce_at import ScatterReduce
from .scattering import as_1d, check_bounds, reshape_like, vector_arg

__all__ = ["index_reduce", "segment_reduce"]


def index_reduce(
    input: Any,
    dim: int,
    index: Any,
    source: Any,
    reduce: str,
    *,
    include_self: bool = True,
    out: Any = None,
) -> Any:
    """A copy of `input` with `source` combined at the places `index` of dimension `dim`.

    `reduce`: "prod", "mean", "amax" or "amin"; without `include_self` the old values at the written
    places do not count. Gradient: as of `scatter_reduce`. RuntimeError for other types and shapes.
    """
    x, s = array_arg("index_reduce", input), array_arg("index_reduce", source, 4, "source")
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    d, i = normalize_dim(dim, x.ndim), vector_arg("index_reduce", index)
    if x.dtype != s.dtype:
        raise RuntimeError("index_reduce(): Expected self.dtype to be equal to source.dtype")
    count = array_of(i).size
    place = (*x.shape[:d], count, *x.shape[d + 1 :]) if x.ndim else ()
    if not x.ndim and not s.ndim and count != 1:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    if s.shape != place:
        raise RuntimeError(
            f"index_reduce(): Expected source of shape {list(place)}, the index and the input's "
            f"other dimensions, but got {list(s.shape)}"
        )
    check_bounds(array_of(i), d, x.shape[d] if x.ndim else 1, IndexError)
    if reduce == "mean" and x.dtype.kind == "b":
        raise NotImplementedError("\"index_reduce_func_mean\" not implemented for 'Bool'")
    if not array_of(source).size:
        result = clone(input)
    else:
        each = _along(array_of(i), d, place or (1,))
        args = as_1d(input), each, as_1d(source)
        result = apply(ScatterReduce, args, d, reduce, bool(include_self))
        result = reshape_like(result, x.shape)
    return result if out is None else write_exact("index_reduce", out, result, source, index)


def _along(index: np.ndarray, dim: int, shape: tuple[int, ...]) -> np.ndarray:
    """An index of a dimension, repeated along all others."""
    return np.broadcast_to(index.reshape((-1,) + (1,) * (len(shape) - dim - 1)), shape)


# -- segments ------------------------------------------------------------------------------------

_IDENTITY = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf}
_REDUCTIONS = {"sum": "sum", "mean": "sum", "prod": "prod", "max": "amax", "min": "amin"}


def segment_reduce(
    data: Any,
    reduce: str,
    *,
    lengths: Any = None,
    indices: Any = None,
    offsets: Any = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: Any = None,
) -> Any:
    """Segments of dimension `axis` of `data`, each reduced to one place.

    `reduce`: "sum", "mean", "prod", "max" or "min". The segments have the given `lengths`, or lie
    between neighbouring `offsets`; both are integers whose shape begins with the dimensions of
    `data` before `axis`. A segment without elements is `initial`, by default what changes nothing
    (NaN for a mean). Gradient: as of `scatter_reduce`.
    """
    x = array_arg("segment_reduce", data, 1, "data")
    if reduce not in _REDUCTIONS:
        raise RuntimeError(
            f"segment_reduce(): reduce was {reduce!r}; needed: max, mean, min, sum or prod"
        )
    axis = whole("segment_reduce(): axis", axis)
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    if lengths is None and offsets is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if x.size == 0:
        raise RuntimeError("segment_reduce(): data has no elements; needed: at least one")
    if x.dtype.kind not in "fV":
        kind = type_name(dtypes.from_numpy(x.dtype))
        raise NotImplementedError(f"\"_segment_reduce_cpu\" not implemented for '{kind}'")
    counts = _lengths(x, lengths, offsets, normalize_dim(axis, x.ndim), axis, bool(unsafe))
    lead, segments = counts.shape[:-1], counts.shape[-1]
    d, rest = len(lead), x.shape[len(lead) + 1 :]
    shape = (*lead, segments, *rest)
    start = _IDENTITY[reduce] if initial is None else float(initial)
    base = constant(data, np.full(shape, start, x.dtype, like=x))
    rows = counts.reshape(-1, segments)
    owner = [np.repeat(np.arange(segments, like=row), row) for row in rows]
    used = owner[0].size if owner else 0
    if used < x.shape[d]:  # `unsafe`: places after the last segment are left out
        data = data[(slice(None),) * d + (slice(0, used),)]
    index = np.stack(owner).reshape(*lead, used, *(1,) * len(rest))
    index = np.broadcast_to(index, (*lead, used, *rest))
    result = apply(ScatterReduce, (base, index, data), d, _REDUCTIONS[reduce], True)
    if reduce == "mean":
        sizes = counts.reshape(*shape[: d + 1], *(1,) * len(rest))
        result = div(result, constant(data, np.maximum(sizes, 1).astype(x.dtype)))
        if initial is None:
            empty = np.broadcast_to(sizes == 0, shape)
            result = masked_fill(result, constant(data, empty), np.nan)
    return result


def _lengths(x: Any, lengths: Any, offsets: Any, d: int, axis: int, unsafe: bool) -> np.ndarray:
    """The checked lengths of the segments, in int64."""
    if lengths is not None:
        n = array_arg("segment_reduce", lengths, argument="lengths")
        if axis < 0 or axis != n.ndim - 1:
            raise RuntimeError(
                "segment_reduce(): Expected axis to be the last dimension of lengths but got "
                f"{axis}."
            )
        counts = n.astype(np.int64)
        if not unsafe:
            if (counts < 0).any():
                raise RuntimeError("segment_reduce(): lengths contains negative value!")
            if (counts.sum(axis=-1) != x.shape[d]).any():
                raise RuntimeError(
                    "segment_reduce(): Expected all rows of lengths along axis to sum to "
                    "data.size(lengths.dim()-1) when !unsafe."
                )
    else:
        n = array_arg("segment_reduce", offsets, argument="offsets")
        if axis < 0 or axis != n.ndim - 1:
            raise RuntimeError(
                "segment_reduce(): Expected axis to be the last dimension of offsets but got "
                f"{axis}."
            )
        if unsafe:
            counts = np.diff(n, axis=-1).astype(np.int64)
        else:
            if n.shape[-1] and ((n[..., 0] != 0).any() or (n[..., -1] != x.shape[d]).any()):
                raise RuntimeError(
                    "segment_reduce(): Expected offsets to begin with 0 and to end with "
                    f"{x.shape[d]}"
                )
            counts = np.diff(n, axis=-1).astype(np.int64)
            if (counts < 0).any():
                raise RuntimeError("segment_reduce(): offsets must not decrease")
    if n.dtype.kind not in "iu":
        raise RuntimeError("segment_reduce(): lengths and offsets must be integers")
    if n.shape[:-1] != x.shape[:d]:
        raise RuntimeError(
            f"segment_reduce(): lengths or offsets of shape {list(n.shape)} do not begin with the "
            f"dimensions of data {list(x.shape)} before axis {axis}"
        )
    totals = counts.sum(axis=-1)
    if (totals > x.shape[d]).any() or (totals != totals.flat[0]).any():
        raise RuntimeError(
            "segment_reduce(): segments longer than the dimension, or of unequal sums in several "
            "rows"
        )
    return counts
