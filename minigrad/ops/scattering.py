"""Gathering and scattering along one dimension, and the index_* family."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import on_gpu
from ..kernels import cpu, places, reduction
from ..kernels.indexing import grid
from ._operands import operand
from ._out import write_exact
from ._shape import array_arg, array_of, normalize_dim, sum_to
from .index import Index, saving, take_at
from .movement import reshape
from .rearrange import clone
from .slices import Placed

__all__ = [
    "gather",
    "index_select",
    "scatter",
    "scatter_add",
]


class Gather(Node):
    """Along a dimension, the elements at an index for each place."""

    saves = (1,)
    fresh = True

    def forward(self, x: Any, index: Any, dim: int) -> Any:
        self.shape, self.positions = x.shape, (dim,)
        return cpu.gather(x, dim, index)

    def backward(self, grad: Any) -> Any:
        """Zeros, with grad added at the places that were taken."""
        index = self.saved[0]
        return apply(GatherBackward, (grad, index), self.shape, self.positions[0]), None


class GatherBackward(Node):
    """Zeros of a shape, with values added along a dimension at an index for each."""

    saves = (1,)
    fresh = True

    def forward(self, values: Any, index: Any, shape: tuple[int, ...], dim: int) -> Any:
        self.dim = dim
        return cpu.scatter(shape, dim, index, values, True)

    def backward(self, grad: Any) -> Any:
        """The elements of grad at the places."""
        return apply(Gather, (grad, self.saved[0]), self.dim), None


class IndexSelect(Index):
    """Whole places of a dimension at an index."""


_SELECT = saving(IndexSelect, 1, 1)


class Scatter(Node):
    """Values written (or added) along a dimension, each at its own index."""

    saves = (2,)

    def forward(self, x: Any, values: Any, index: Any, dim: int, adds: bool) -> Any:
        self.shape, self.positions, self.adds = values.shape, (dim,), adds
        return cpu.scatter(x, dim, index, values, adds)

    def backward(self, grad: Any) -> Any:
        """d input = grad, with zeros where it was written; d values = grad at the places."""
        index, dim = self.saved[0], self.positions[0]
        kept = values = None
        if self.next[0] is not None:
            kept = grad
            if not self.adds:
                zero = np.zeros((), array_of(grad).dtype)
                kept = apply(Scatter, (grad, zero, index), dim, False)
        if self.next[1] is not None:
            values = sum_to(apply(Gather, (grad, index), dim), self.shape)
        return kept, values, None


class ScatterAdd(Scatter):
    """Values added along a dimension, each at its own index."""


# -- arguments -----------------------------------------------------------------------------------


def index_arg(name: str, index: Any, position: int = 3) -> Any:
    """The array of an `index` argument. RuntimeError unless it holds int64 or int32."""
    i = array_arg(name, index, position, "index")
    if i.dtype != np.int64 and i.dtype != np.int32 and (i.size or name != "gather"):
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")
    return i


_MIN, _MAX = reduction.kind("min"), reduction.kind("max")


def extent(kind: int, i: Any) -> int:
    """The least or the largest number of an index."""
    found = reduction.reduce(None, kind, i, None, False, 0.0)
    return int((i.min() if kind == _MIN else i.max()) if found is None else found)


def check_bounds(i: Any, dim: int, size: int, kind: type[Exception] = RuntimeError) -> None:
    """Negative numbers are out of bounds here, unlike in `x[i]`."""
    if places.all_between(i, 0, size):
        return
    if i.size and (extent(_MIN, i) < 0 or extent(_MAX, i) >= size):
        bad = (i < 0) | (i >= size)
        raise kind(
            f"index {int(i[bad].flat[0])} is out of bounds for dimension {dim} with size {size}"
        )


def along(name: str, input: Any, dim: int, index: Any) -> int:
    """Checks the sizes of index against input's for gather and scatter; the dimension."""
    x, i = array_arg(name, input), index_arg(name, index)
    d = normalize_dim(dim, x.ndim)
    if max(x.ndim, 1) != max(i.ndim, 1):
        if not i.size:
            return d
        raise RuntimeError(
            "Index tensor must have the same number of dimensions as input tensor"
            if name == "gather"
            else "Index tensor must have the same number of dimensions as self tensor"
        )
    for k, (n, m) in enumerate(zip(i.shape or (1,), x.shape or (1,))):
        if k != d and n > m and i.size:
            raise RuntimeError(
                f"Size does not match at dimension {k} expected index {list(i.shape)} to be no "
                f"larger than self {list(x.shape)} apart from dimension {d}"
            )
    return d


def size_at(value: Any, dim: int) -> int:
    """The size of a dimension; 1 for the one that stands for a 0-d tensor's."""
    shape = array_of(value).shape
    return shape[dim] if shape else 1


def as_1d(value: Any) -> Any:
    """A 0-d tensor or array as one of 1 element."""
    return reshape(value, (1,)) if not array_of(value).ndim else value


# -- gather and scatter --------------------------------------------------------------------------


def gather(
    input: Any,
    dim: Any = None,
    index: Any = None,
    *,
    sparse_grad: bool = False,
    out: Any = None,
    axis: int | None = None,
) -> Any:
    """out[i][j][k] = input[index[i][j][k]][j][k] (for dim 0); the shape is that of `index`.

    Gradient: grad added at the places that were taken. RuntimeError for indices out of bounds.
    """
    if axis is not None:
        dim = axis
    if out is None:
        result = places.fast_gather(Gather, input, dim, index)
        if result is not None:
            return result
    d, i = along("gather", input, dim, index), array_of(index)
    check_bounds(i, d, size_at(input, d))
    if not i.size:
        flat = reshape(input, (array_of(input).size,))
        nothing = np.zeros(0, np.int64, like=i)
        result = reshape(apply(Gather, (flat, nothing), 0), i.shape)
    else:
        result = reshape_like(apply(Gather, (as_1d(input), as_1d(index)), d), i.shape)
    return result if out is None else write_exact("gather", out, result, input, index)


def reshape_like(value: Any, shape: tuple[int, ...]) -> Any:
    """`value` in a shape, itself if it has it."""
    return value if array_of(value).shape == shape else reshape(value, shape)


def source_for(name: str, input: Any, index: Any, src: Any, dim: int) -> Any:
    """The part of `src` that `index` covers. RuntimeError for other types and smaller shapes."""
    x, i, s = array_of(input), array_of(index), array_arg(name, src, 4, "src")
    if s.dtype != x.dtype:
        raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
    if max(s.ndim, 1) != max(i.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    shape, src = i.shape or (1,), as_1d(src)
    s = array_of(src)
    if any(n > m for n, m in zip(shape, s.shape)):
        raise RuntimeError(
            f"Expected index {list(i.shape)} to be no larger than self {list(x.shape)} apart from "
            f"dimension {dim} and to be no larger size than src {list(s.shape)}"
        )
    if s.shape == shape:
        return src
    return apply(Corner, (src,), tuple([slice(n) for n in shape]))


class Corner(Node):
    """The part of a tensor that an index covers."""

    fresh = True

    def forward(self, x: Any, part: tuple) -> Any:
        self.shape, self.part = x.shape, part
        return x[part].copy()

    def backward(self, grad: Any) -> Any:
        """Zeros, with grad at the part."""
        return apply(Placed, (grad,), self.shape, self.part)


_REDUCTIONS = {"add": "sum", "multiply": "prod"}


def _scatter(name: str, input: Any, dim: int, index: Any, src: Any, adds: bool, cls: Any) -> Any:
    x = array_arg(name, input)
    d = along(name, input, dim, index)
    if isinstance(src, (bool, int, float, np.number)):
        values = array_of(operand(name, src, x.dtype))
    else:
        values = source_for(name, input, index, src, d)
    check_bounds(array_of(index), d, size_at(input, d))
    if max(array_of(index).ndim, 1) != max(x.ndim, 1):  # without elements: nothing is written
        return clone(input)
    inputs = (as_1d(input), values, as_1d(index))
    return reshape_like(apply(cls, inputs, d, adds), x.shape)


def scatter(
    input: Any,
    dim: int,
    index: Any,
    src: Any = None,
    *,
    value: Any = None,
    reduce: str | None = None,
    out: Any = None,
) -> Any:
    """A copy of `input` with `src` (a tensor or a number) written at `index` along `dim`.

    `reduce` "add" or "multiply" combines it with what is there. Gradient: of `input`, grad with
    zeros at the places; of `src`, grad at the places. RuntimeError for indices out of bounds.
    """
    src = value if src is None else src
    if reduce is None and out is None:
        result = places.fast_put(Scatter, input, src, dim, index, True, False)
        if result is not None:
            return result
        result = places.fast_scatter(Scatter, input, src, dim, index, False)
        if result is not None:
            return result
    if reduce is None:
        result = _scatter("scatter", input, dim, index, src, False, Scatter)
    else:
        if reduce not in _REDUCTIONS:
            raise RuntimeError("reduce argument must be either add or multiply.")
        result = _combine(input, dim, index, src, reduce)
    return result if out is None else write_exact("scatter", out, result, src, index)


def _combine(input: Any, dim: int, index: Any, src: Any, reduce: str) -> Any:
    if reduce == "add":
        return _scatter("scatter", input, dim, index, src, True, ScatterAdd)
    x = array_arg("scatter", input)
    if not isinstance(src, Variable):
        src = _v.wrap(np.full(array_of(index).shape, src, x.dtype))
    return scatter_product(input, dim, index, src)


def scatter_product(input: Any, dim: int, index: Any, src: Any) -> Any:
    """`input` times the values scattered to each place; PyTorch has no gradient for it."""
    d = along("scatter", input, dim, index)
    values = array_of(source_for("scatter", input, index, src, d))
    check_bounds(array_of(index), d, size_at(input, d))
    x, i = np.atleast_1d(array_of(input)), np.atleast_1d(array_of(index))
    out = cpu.combine(x, d, i, values, "prod") if on_gpu(x) else None
    if out is None:
        out = x.copy()
        if i.size:
            np.multiply.at(out, grid(i, d), values)
    return _v.wrap(out.reshape(array_of(input).shape))


def scatter_add(input: Any, dim: int, index: Any, src: Any, *, out: Any = None) -> Any:
    """A copy of `input` with `src` added at `index` along `dim`; repeated indices add up.

    Gradient: of `input`, grad; of `src`, grad at the places.
    """
    if out is None:
        result = places.fast_put(ScatterAdd, input, src, dim, index, True, True)
        if result is not None:
            return result
        if isinstance(src, Variable):
            result = places.fast_scatter(ScatterAdd, input, src, dim, index, True)
            if result is not None:
                return result
    array_arg("scatter_add", src, 4, "src")
    result = _scatter("scatter_add", input, dim, index, src, True, ScatterAdd)
    return result if out is None else write_exact("scatter_add", out, result, src, index)


def vector_arg(name: str, index: Any) -> Any:
    i = index_arg(name, index)
    if i.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, but got dim: {i.ndim}")
    return as_1d(index)


def index_select(
    input: Any, dim: Any = None, index: Any = None, *, out: Any = None, axis: int | None = None
) -> Any:
    """The places `index` (a vector) of dimension `dim`. Gradient: grad added at the places."""
    if axis is not None:
        dim = axis
    if out is None:
        result = places.fast_take(_SELECT, input, dim, index, False)
        if result is not None:
            return result
    x = array_arg("index_select", input)
    d, i = normalize_dim(dim, x.ndim), vector_arg("index_select", index)
    check_bounds(array_of(i), d, x.shape[d] if x.ndim else 1, IndexError)
    result = take_at(as_1d(input), [i], (d,), IndexSelect)
    if not x.ndim:
        if array_of(i).size != 1:
            raise RuntimeError(
                "index_select(): Index to scalar can have only 1 value, got "
                f"{array_of(i).size} value(s)"
            )
        result = reshape(result, ())
    return result if out is None else write_exact("index_select", out, result, input, index)
