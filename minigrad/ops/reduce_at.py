"""`scatter_reduce`: values combined at an index by sum, product, mean, maximum or minimum."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels import cpu
from ..kernels._quiet import rounded
from ..kernels.indexing import grid
from ._out import write_exact
from ._shape import array_arg, array_of
from .arith import div, mul
from .masked import masked_fill
from .rearrange import clone
from .scattering import (
    along,
    as_1d,
    check_bounds,
    gather,
    reshape_like,
    scatter,
    size_at,
    source_for,
)

__all__ = ["scatter_reduce"]

_LEAST: dict[str, Any] = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def _neutral(dtype: np.dtype, reduce: str) -> Any:
    """The value that changes nothing."""
    if reduce in ("sum", "mean", "prod"):
        return reduce == "prod"
    if dtype.kind in "fV":
        return -np.inf if reduce == "amax" else np.inf
    if dtype == np.bool_:
        return reduce == "amin"
    info = np.iinfo(dtype)
    return info.min if reduce == "amax" else info.max


def _start(x: Any, index: Any, dim: int, reduce: str, include_self: bool) -> Any:
    """x, or a copy in which the places to be written hold what changes nothing."""
    if include_self:
        return x
    return cpu.scatter(
        x, dim, index, np.full((), _neutral(x.dtype, reduce), x.dtype, like=x), False
    )


def _common(index: Any, dim: int) -> Any:
    """The numbers along dim if they are the same at all other places (an expanded index), or None.

    Whole slices are combined then, which is what graph networks ask for. None for vectors, whose
    elements NumPy combines one by one as fast.
    """
    if index.ndim == 1:
        return None
    first = index[tuple([slice(None) if d == dim else slice(1) for d in range(index.ndim)])]
    repeats = all(n == 0 or d == dim for d, n in enumerate(index.strides))
    if index.size and (repeats or index.shape == first.shape or (index == first).all()):
        return first.reshape(-1)
    return None


def _slices(index: Any, dim: int, numbers: Any) -> tuple:
    """NumPy's index for the slices of given numbers along dim, of the part that `index` covers."""
    return tuple([numbers if d == dim else slice(n) for d, n in enumerate(index.shape)])


def _combine(function: Any, out: Any, index: Any, values: Any, dim: int, numbers: Any) -> None:
    """out[place] = function(out[place], value) for each value at its index along dim."""
    if numbers is None:
        function.at(out, grid(index, dim), values)
        return
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    sorted_values = np.take(values, order, axis=dim)
    combined = function.reduceat(sorted_values, starts, axis=dim, dtype=out.dtype)
    places = _slices(index, dim, ordered[starts])
    out[places] = function(out[places], combined)


def _reduce_at(x: Any, index: Any, src: Any, dim: int, reduce: str, include_self: bool) -> Any:
    half = x.dtype.kind in "fV" and x.dtype.itemsize == 2
    if include_self and not half:
        out = cpu.try_combine(x, dim, index, src, reduce)
        if out is not None:
            out = _divided(out, index, dim, include_self) if reduce == "mean" else out
            return rounded(out, x.dtype)
    check_bounds(index, dim, size_at(x, dim))
    wide, values = (x.astype(np.float32), src.astype(np.float32)) if half else (x, src)
    start = _start(wide, index, dim, reduce, include_self)
    if reduce in _LEAST:
        out = cpu.combine(start, dim, index, values, reduce)
        if out is None:
            out = start.copy() if start is wide else start
            with np.errstate(all="ignore"):
                _combine(_LEAST[reduce], out, index, values, dim, _common(index, dim))
        return rounded(out, x.dtype)
    if wide.dtype.kind in "fi":
        out = cpu.scatter(start, dim, index, values, True)
    else:
        out = start.copy() if start is wide else start
        np.add.at(out, grid(index, dim), values)
    if reduce == "mean":
        out = _divided(out, index, dim, include_self)
    return rounded(out, x.dtype)


def _divided(out: Any, index: Any, dim: int, include_self: bool) -> Any:
    """Sums over the numbers of their values; integers are rounded down."""
    count = _counts(out, index, dim, include_self)
    with np.errstate(all="ignore"):
        return cpu.div(out, count) if out.dtype.kind == "f" else out // count


def _counts(x: Any, index: Any, dim: int, include_self: bool) -> Any:
    """How many values go into each place of a mean (1 where there are none), in x's type."""
    kind = x.dtype if x.dtype.itemsize > 2 else np.dtype(np.float32)
    if kind.kind == "f" and index.size >= 1 << 24:  # more than float32 counts
        kind = np.dtype(np.float64)
    elif kind.kind != "f":
        kind = np.dtype(np.int64)
    shape = x.shape
    if (
        index.size
        and index.ndim > 1
        and all(
            d == dim or (n == 0 and index.shape[d] == shape[d]) for d, n in enumerate(index.strides)
        )
    ):  # an expanded index: the same counts everywhere
        index = index[tuple([slice(None) if d == dim else slice(1) for d in range(index.ndim)])]
        shape = tuple([n if d == dim else 1 for d, n in enumerate(shape)])
    one = np.ones((), kind, like=index)
    if include_self:
        count = cpu.scatter(np.broadcast_to(one, shape), dim, index, one, True)
    else:
        count = np.maximum(cpu.scatter(shape, dim, index, one, True), 1)
    return count.astype(x.dtype, copy=False) if x.dtype.itemsize > 2 else count


class ScatterReduce(Node):
    """Values combined with the input at their index along a dimension."""

    saves = (0, 1, 2)
    saves_output = (0,)

    def forward(
        self, x: Any, index: Any, src: Any, dim: int, reduce: str, include_self: bool
    ) -> Any:
        self.args = (dim, reduce, include_self)
        return _reduce_at(x, index, src, dim, reduce, include_self)

    def backward(self, grad: Any) -> Any:
        """By the reduction:

        sum: grad, and grad at the places for src; mean: that over the number of values;
        prod: grad * output / value (the product of the others where a value is 0);
        amax, amin: grad shared equally by the values (and the old one) that equal the output.
        Without `include_self` the input's places that were written get none.
        """
        x, index, src, output = self.saved
        dim, reduce, include_self = self.args
        i = array_of(index)
        if reduce == "sum":
            d_x, d_src = grad, gather(grad, dim, i)
        elif reduce == "mean":
            count = _counts(array_of(x), i, dim, include_self)
            d_x = div(grad, beside(grad, count))
            d_src = gather(d_x, dim, i)
        elif reduce == "prod":
            d_x, d_src = _product_gradients(grad, x, i, src, output, dim, include_self)
        else:
            d_x, d_src = _extremum_gradients(grad, x, i, src, output, dim)
        if not include_self:
            d_x = scatter(d_x, dim, i, 0)
        return d_x if self.next[0] else None, None, d_src if self.next[2] else None


def _product_gradients(
    grad: Any, x: Any, i: Any, src: Any, output: Any, dim: int, include_self: bool
) -> tuple:
    x_zero, src_zero = array_of(x) == 0, array_of(src) == 0
    full = masked_fill(x, x_zero, 1)
    others = apply(ScatterReduce, (full, i, src), dim, "prod", include_self)
    d_x = div(mul(grad, others), full)
    zeros = np.zeros_like(array_of(x), np.int64, order="C")
    np.add.at(zeros, grid(i, dim), src_zero.astype(np.int64))
    lone = src_zero & (np.take_along_axis(_fit(zeros, i, dim), i, dim) == 1)
    without = apply(ScatterReduce, (x, i, masked_fill(src, lone, 1)), dim, "prod", include_self)
    at_lone = gather(mul(grad, without), dim, i)
    elsewhere = div(gather(mul(grad, output), dim, i), masked_fill(src, src_zero, 1))
    d_src = masked_fill(elsewhere, lone, 0) + masked_fill(at_lone, ~lone, 0)
    return d_x, d_src


def beside(grad: Any, constant: Any) -> Any:
    """A constant array in grad's type; as a tensor if grad is one."""
    constant = constant.astype(array_of(grad).dtype)
    return _v.wrap(constant) if isinstance(grad, Variable) else constant


def _fit(x: Any, i: Any, dim: int) -> Any:
    """The part of x that an index covers, whole along dim."""
    return x[tuple([slice(None) if d == dim else slice(n) for d, n in enumerate(i.shape)])]


def _extremum_gradients(grad: Any, x: Any, i: Any, src: Any, output: Any, dim: int) -> tuple:
    top = array_of(output)
    own = array_of(x) == top
    theirs = array_of(src) == cpu.gather(top, dim, i)
    # An old value that equals the result takes a share even where it did not count, as in PyTorch.
    count = cpu.scatter(own.astype(np.float64), dim, i, theirs.astype(np.float64), True)
    share = div(grad, beside(grad, np.maximum(count, 1)))
    return mul(share, beside(grad, own)), mul(gather(share, dim, i), beside(grad, theirs))


def scatter_reduce(
    input: Any,
    dim: int,
    index: Any,
    src: Any,
    reduce: str,
    *,
    include_self: bool = True,
    out: Any = None,
) -> Any:
    """A copy of `input` with `src` combined at `index` along `dim`.

    `reduce`: "sum", "prod", "mean", "amax" or "amin"; without `include_self` the old values at the
    written places do not count. Gradient: see `ScatterReduce.backward`.
    """
    x = array_arg("scatter_reduce", input)
    array_arg("scatter_reduce", src, 4, "src")
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}."
        )
    d = along("scatter", input, dim, index)
    values = source_for("scatter", input, index, src, d)
    if reduce == "mean" and x.dtype == np.bool_:
        raise NotImplementedError(
            "\"scatter_gather_tensor_cpu_reduce_mean\" not implemented for 'Bool'"
        )
    if max(array_of(index).ndim, 1) != max(x.ndim, 1):  # without elements: nothing is written
        result = clone(input)
    else:
        args = (as_1d(input), as_1d(index), values)
        result = reshape_like(apply(ScatterReduce, args, d, reduce, bool(include_self)), x.shape)
    return result if out is None else write_exact("scatter_reduce", out, result, src, index)
