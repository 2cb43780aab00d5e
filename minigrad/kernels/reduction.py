"""Reductions in NumPy whose rounding error does not grow with the number of elements.

NumPy adds pairwise along the axis that lies closest together in memory, and one by one along all
others. Here the other axes are added in blocks, blocks of blocks and so on, which costs no pass
over the data more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import _C
from ._quiet import quiet

_BLOCK = 64
_WIDE_ROW = 256  # bytes; narrower rows are added as whole blocks instead, for longer inner loops


_FLOAT32 = np.dtype(np.float32)


def widened(x: Any) -> Any:
    """16-bit floats as float32, the type that they are accumulated in; others as they are."""
    if x.dtype.itemsize != 2 or x.dtype.kind not in "fV":
        return x
    wide = _C.convert(x, _FLOAT32)  # in recycled memory
    return x.astype(np.float32) if wide is None else wide


def dense(x: Any) -> Any:
    """x in C order and aligned, as compiled kernels read it; a copy if it is not."""
    return x if x.flags.c_contiguous and x.flags.aligned else x.copy(order="C")


# The order of `Kind` in csrc/bindings/reduce.cpp.
KINDS = (
    "sum", "mean", "max", "min", "prod", "norm1", "norm2", "norminf", "normleast", "norm0",
    "count_nonzero", "any", "all", "var", "std", "logsumexp", "nansum",
)  # fmt: skip
SAVES_INPUT, SAVES_OUTPUT, SAVES_MEAN = 0x100, 0x200, 0x400


def kind(name: str, saves: int = 0) -> int:
    """The number that tells the compiled code what to compute and what its node keeps."""
    return KINDS.index(name) | saves


# reduce(cls, kind, input, dim, keepdim, number): tensor for tensor, array for array; None for what
# the compiled code does not take (types, more than two separate runs of dimensions, arguments that
# are wrong). The node gets shape, axes and number.
reduce = _C.reduce
arg_extremum = _C.arg_extremum
extremum = _C.extremum
scan = _C.scan
fast_cumsum = _C.fast_cumsum  # (cls, input, dim): recorded, or None for what is not usual
record = _C.record  # (x, dim, smallest): the running extremum and its latest places, or None

_SUM, _MAX, _MIN, _PROD = (kind(name) for name in ("sum", "max", "min", "prod"))


def total(x: Any, axes: tuple[int, ...], keepdims: bool = False) -> Any:
    """The sum over `axes` (ascending) in x's type (float32 for 16-bit floats), as an array."""
    if axes or not x.ndim:
        x = widened(x)
        compiled = reduce(None, _SUM, x, axes, keepdims, 0.0)
        if compiled is not None:
            return compiled
    return numpy_total(x, axes, keepdims)


def numpy_total(x: Any, axes: tuple[int, ...], keepdims: bool = False) -> Any:
    """What `total` does, for every type and layout."""
    x = widened(x)
    count = 1
    for a in axes:
        count *= x.shape[a]
    if count <= _BLOCK or x.dtype.kind != "f" or x.size == 0:
        return np.asarray(_add(x, axis=axes, keepdims=keepdims, dtype=x.dtype), order="C")
    result = np.asarray(_cascade(x, axes), order="C")
    if keepdims:
        return result
    return result.reshape([n for i, n in enumerate(x.shape) if i not in axes])


_add = quiet(np.add.reduce)


def _cascade(x: Any, axes: tuple[int, ...]) -> Any:
    strides = [abs(s) for s in x.strides]
    long = [a for a in range(x.ndim) if x.shape[a] > 1]
    rest = [a for a in axes if x.shape[a] > 1]
    nearest = min(long, key=strides.__getitem__)
    if nearest in rest:
        inner = _merged(x.shape, strides, rest, nearest)
        x = _add(x, axis=inner, keepdims=True, dtype=x.dtype)
        rest = [a for a in rest if a not in inner]
    for a in sorted(rest, key=strides.__getitem__, reverse=True):
        x = _along(x, a)
    return np.asarray(x)


def _merged(shape: Any, strides: list, rest: list, nearest: int) -> tuple[int, ...]:
    """The reduced axes that form one contiguous run with the nearest one."""
    inner = [nearest]
    reach = strides[nearest] * shape[nearest]
    while True:
        following = [a for a in rest if a not in inner and strides[a] == reach]
        if not following:
            return tuple(inner)
        inner.append(following[0])
        reach *= shape[following[0]]


def _along(x: Any, axis: int) -> Any:
    """Sum along one axis that is not the nearest in memory, in blocks; the axis is kept."""
    while (n := x.shape[axis]) > _BLOCK:
        blocks = -(-n // _BLOCK)
        whole = n // _BLOCK
        head = _split(x, axis, whole)
        sums = np.empty((*x.shape[:axis], blocks, *x.shape[axis + 1 :]), x.dtype)
        at = (slice(None),) * axis
        _add(head, axis=axis + 1, out=sums[(*at, slice(0, whole))])
        if blocks > whole:
            tail = x[(*at, slice(whole * _BLOCK, n))]
            _add(tail, axis=axis, keepdims=True, out=sums[(*at, slice(whole, blocks))])
        x = sums
    return _add(x, axis=axis, keepdims=True)


def _split(x: Any, axis: int, whole: int) -> Any:
    """A view with `axis` as `whole` groups of _BLOCK elements; narrow rows are grouped apart."""
    stride = x.strides[axis]
    steps = (stride * _BLOCK, stride) if abs(stride) >= _WIDE_ROW else (stride, stride * whole)
    return as_strided(
        x,
        (*x.shape[:axis], whole, _BLOCK, *x.shape[axis + 1 :]),
        (*x.strides[:axis], *steps, *x.strides[axis + 1 :]),
    )


maximum_reduce = quiet(np.maximum.reduce)
minimum_reduce = quiet(np.minimum.reduce)
product = quiet(np.multiply.reduce)


def numpy_variance(x: Any, axes: tuple[int, ...], correction: float, keepdims: bool) -> Any:
    """The variance in float64: the sum of squared deviations from the mean, over n - correction."""
    wide = x.astype(np.float64)
    count = 1
    for a in axes:
        count *= x.shape[a]
    with np.errstate(all="ignore"):
        centre = np.divide(numpy_total(wide, axes, True), count)
        squares = numpy_total(np.square(wide - centre), axes, keepdims)
        return np.asarray(np.divide(squares, max(count - correction, 0.0)))


def var_mean(
    x: Any, axes: tuple[int, ...], correction: float, keepdims: bool, root: bool
) -> tuple[Any, Any]:
    """The variance (its root: the standard deviation) and the mean over `axes`, in x's type."""
    pair = _C.var_mean(x, axes, keepdims, correction, root) if axes or not x.ndim else None
    if pair is not None:
        return pair
    value = numpy_variance(x, axes, correction, keepdims)
    if root:
        value = np.sqrt(value)
    count = 1
    for a in axes:
        count *= x.shape[a]
    with np.errstate(all="ignore"):
        mean = np.divide(numpy_total(x, axes, keepdims), count)
        return np.asarray(value, x.dtype), np.asarray(mean, x.dtype)
