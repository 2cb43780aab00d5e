"""Whole places of a dimension, or numbered elements, at an index: taken, written, added."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..dtypes import type_name
from ..kernels import cpu, fast, places
from ..kernels.indexing import grid
from ._operands import operand
from ._out import write_exact
from ._shape import array_arg, array_of, normalize_dim
from .arith import mul
from .index import Index, IndexPut, put_at, saving, take_at
from .movement import reshape
from .scattering import (
    Gather,
    IndexSelect,
    as_1d,
    check_bounds,
    gather,
    index_arg,
    reshape_like,
    vector_arg,
)

__all__ = [
    "index_add",
    "index_copy",
    "index_fill",
    "put",
    "repeat_interleave",
    "take",
    "take_along_dim",
]


class Take(Index):
    """Elements by their number in the flattened tensor."""


class TakeAlong(Index):
    """The elements at an index for each place, which may count from the end."""

    def name(self) -> str:
        return "GatherBackward0"


class IndexAdd(IndexPut):
    """Values added at places of a dimension."""


class IndexCopy(IndexPut):
    """Values written at places of a dimension."""


_ADD, _COPY = saving(IndexAdd, 2, 1), saving(IndexCopy, 2, 1)


class IndexFill(IndexPut):
    """One number written at places of a dimension."""


class PutAt(IndexPut):
    """Values written at elements named by their number in the flattened tensor."""

    def name(self) -> str:
        return "PutBackward0"


class RepeatEach(Node):
    """Each place of a dimension several times in a row."""

    fresh = True

    def forward(self, x: Any, times: int, dim: int) -> Any:
        self.times, self.dim, self.shape = times, dim, x.shape
        return cpu.repeat_each(x, times, dim)

    def backward(self, grad: Any) -> Any:
        """The sum of grad over the repetitions."""
        return apply(RepeatEachBackward, (grad,), self.shape, self.times, self.dim)

    def name(self) -> str:
        return "IndexSelectBackward0"


class RepeatEachBackward(Node):
    """The sum over the repetitions."""

    fresh = True

    def forward(self, grad: Any, shape: tuple[int, ...], times: int, dim: int) -> Any:
        self.times, self.dim = times, dim
        return cpu.repeat_each_backward(grad, shape, times, dim)

    def backward(self, grad: Any) -> Any:
        """grad, repeated."""
        return apply(RepeatEach, (grad,), self.times, self.dim)


# -- whole places of a dimension -----------------------------------------------------------------


def _index_write(
    name: str, input: Any, dim: int, index: Any, source: Any, adds: bool, cls: Any
) -> Any:
    x, s = array_arg(name, input), array_arg(name, source, 4, "source")
    d, i = normalize_dim(dim, x.ndim), vector_arg(name, index)
    if x.dtype != s.dtype:
        raise RuntimeError(
            f"{name}(): self and source expected to have the same dtype, but got (self) "
            f"{type_name(dtypes.from_numpy(x.dtype))} and (source) "
            f"{type_name(dtypes.from_numpy(s.dtype))}"
        )
    count = array_of(i).size
    error = RuntimeError if adds else IndexError  # as PyTorch
    place = (*x.shape[:d], count, *x.shape[d + 1 :]) if x.ndim else (count,)
    if (s.shape or (1,)) != place:
        raise RuntimeError(
            f"{name}(): source tensor shape must match self tensor shape, excluding the specified "
            f"dimension. Got self.shape = {list(x.shape)} source.shape = {list(s.shape)}; needed: "
            f"{list(place)}"
        )
    check_bounds(array_of(i), d, x.shape[d] if x.ndim else 1, error)
    result = put_at(as_1d(input), as_1d(source), [i], (d,), adds, cls)
    return reshape_like(result, x.shape)


def index_add(
    input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1, out: Any = None
) -> Any:
    """A copy of `input` with `alpha * source` added at the places `index` of dimension `dim`.

    Repeated indices add up. Gradient: of `input`, grad; of `source`, alpha * grad at the places.
    """
    if alpha.__class__ is int and alpha == 1 and out is None:
        result = places.fast_put(_ADD, input, source, dim, index, False, True)
        if result is not None:
            return result
    s = array_arg("index_add", source, 4, "source")
    if s.dtype == np.bool_:
        alpha = bool(alpha)
    if alpha != 1:
        source = mul(source, alpha)
    result = _index_write("index_add", input, dim, index, source, True, IndexAdd)
    return result if out is None else write_exact("index_add", out, result, source, index)


def index_copy(input: Any, dim: int, index: Any, source: Any, *, out: Any = None) -> Any:
    """A copy of `input` with `source` written at the places `index` of dimension `dim`.

    Gradient: of `input`, grad with zeros at the places; of `source`, grad at the places.
    """
    if out is None:
        result = places.fast_put(_COPY, input, source, dim, index, False, False)
        if result is not None:
            return result
    result = _index_write("index_copy", input, dim, index, source, False, IndexCopy)
    return result if out is None else write_exact("index_copy", out, result, source, index)


def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """A copy of `input` with a number (or 0-d tensor) at the places `index` of dimension `dim`."""
    x = array_arg("index_fill", input)
    d, i = normalize_dim(dim, x.ndim), vector_arg("index_fill", index)
    if isinstance(value, complex):
        raise RuntimeError(
            "index_fill_(): Converting complex Scalar to non-complex type is not supported"
        )
    if isinstance(value, Variable) and value._array.ndim:
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._array.ndim} dimension(s)."
        )
    values = operand("index_fill", value, x.dtype)
    if not isinstance(value, Variable):
        values = array_of(values)
    n = x.shape[d] if x.ndim else 1
    a = once = array_of(i)
    if not places.all_between(a, 0, n):
        check_bounds(np.where(a < 0, a + n, a), d, n, IndexError)
        once = a % max(n, 1)
    if isinstance(value, Variable):
        once = np.unique(once)  # the value's gradient counts each place once
    return reshape_like(put_at(as_1d(input), values, [once], (d,), False, IndexFill), x.shape)


# -- elements of the flattened tensor ------------------------------------------------------------


def _flat_index(name: str, input: Any, index: Any) -> Any:
    i, n = array_arg(name, index, 2, "index"), array_arg(name, input).size
    if i.dtype != np.int64:
        raise RuntimeError(f"{name}(): Expected a long tensor for index, but got {i.dtype}")
    if i.size and not n:
        raise IndexError(f"{name}(): tried to take from an empty tensor")
    if not places.all_between(i, -n, n) and (bad := (i < -n) | (i >= n)).any():
        raise IndexError(
            f"out of range: tried to access index {int(i[bad].flat[0])} on a tensor of {n} "
            "elements."
        )
    return i


def take(input: Any, index: Any, *, out: Any = None) -> Any:
    """The elements with the numbers `index` in the flattened `input`, in the shape of `index`."""
    _flat_index("take", input, index)
    flat = reshape(input, (array_of(input).size,))
    result = take_at(flat, [index], (0,), Take)
    return result if out is None else write_exact("take", out, result, input, index)


def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """A copy of `input` with `source` at the elements `index` of the flattened tensor."""
    x, s = array_arg("put", input), array_arg("put", source, 3, "source")
    i = _flat_index("put", input, index)
    if x.dtype != s.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{type_name(dtypes.from_numpy(x.dtype))} and source.dtype = "
            f"{type_name(dtypes.from_numpy(s.dtype))}"
        )
    if i.size != s.size:
        raise RuntimeError(
            f"put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {s.size}, index.numel() = {i.size}"
        )
    flat = reshape(input, (x.size,))
    values = reshape(source, (s.size,))
    result = put_at(flat, values, [reshape(index, (i.size,))], (0,), accumulate, PutAt)
    return reshape(result, x.shape)


def take_along_dim(
    input: Any, indices: Any, dim: int | None = None, *, out: Any = None, axis: int | None = None
) -> Any:
    """`gather` whose input and index are broadcast against each other; flattened without `dim`."""
    if axis is not None:
        dim = axis
    x, i = array_arg("take_along_dim", input), index_arg("take_along_dim", indices, 2)
    if i.dtype != np.int64:
        raise RuntimeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got {i.dtype}"
        )
    if dim is None:
        result = gather(reshape(input, (x.size,)), 0, reshape(indices, (i.size,)))
        return result if out is None else write_exact("take_along_dim", out, result, input, indices)
    if x.ndim != i.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {x.ndim} dimensions for input, and {i.ndim} dimensions for indices"
        )
    d = normalize_dim(dim, x.ndim)
    if not x.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    if out is None and x.shape[:d] == i.shape[:d] and x.shape[d + 1 :] == i.shape[d + 1 :]:
        result = places.fast_gather(Gather, input, d, indices)  # unless some count from the end
        if result is not None:
            return result
    n = x.shape[d]
    if not places.all_between(i, -n, n) and (bad := (i < -n) | (i >= n)).any():
        raise RuntimeError(
            f"index {int(i[bad].flat[0])} is out of bounds for dimension {d} with size {n}"
        )
    shape = _broadcast_but(x.shape, i.shape, d)
    arrays = list(grid(np.empty(shape, np.bool_), d))
    for k, (m, size) in enumerate(zip(x.shape, shape)):
        if k != d and m == 1 and size != 1:
            arrays[k] = np.zeros_like(arrays[k])
    arrays[d] = indices
    # The index arrays broadcast together, so an index of size 1 is repeated by itself.
    result = take_at(input, arrays, tuple(range(x.ndim)), TakeAlong)
    return result if out is None else write_exact("take_along_dim", out, result, input, indices)


def _broadcast_but(a: tuple, b: tuple, dim: int) -> tuple[int, ...]:
    """The broadcast shape of `a` and `b`, with b's size at `dim`."""
    shape = []
    for k, (n, m) in enumerate(zip(a, b)):
        if k != dim and n != m and n != 1 and m != 1:
            raise RuntimeError(
                f"The size of tensor a ({n}) must match the size of tensor b ({m}) at "
                f"non-singleton dimension {k}"
            )
        shape.append(m if k == dim or n == 1 else n)
    return tuple(shape)


def repeat_interleave(
    input: Any,
    repeats: Any = None,
    dim: int | None = None,
    *,
    output_size: int | None = None,
    axis: int | None = None,
) -> Any:
    """Each place of `dim` (of the flattened input without it) repeated `repeats` times in a row.

    `repeats` is an int or an int tensor with a number for each place; `repeat_interleave(repeats)`
    gives the numbers of the places. Gradient: the sum over the repetitions.
    """
    if axis is not None:
        dim = axis
    if output_size is None:
        result = fast.fast_repeat_each(input, repeats, dim)
        if result is not None:
            return result
    x = array_arg("repeat_interleave", input)
    if repeats is None:
        if x.dtype.kind != "i" or x.ndim != 1:
            raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
        _check_repeats(x)
        return _v.wrap(np.repeat(np.arange(x.size, like=x), x))
    if dim is None:
        input, dim = reshape(input, (x.size,)), 0
        x = array_of(input)
    d = normalize_dim(dim, x.ndim)
    input, n = as_1d(input), x.shape[d] if x.ndim else 1
    r = array_of(repeats)
    if isinstance(r, np.ndarray):
        if r.dtype.kind != "i":
            raise RuntimeError("repeats has to be Long or Int tensor")
        if r.ndim > 1 or (r.size != 1 and r.size != n):
            raise RuntimeError(
                f"repeats must have the same size as input along dim, but got repeats.size(0) = "
                f"{r.shape[0] if r.ndim else 1} and input.size({d}) = {n}"
            )
        r = r.reshape(-1)
    else:
        times = operator.index(r)
        if times >= 0 and output_size is None:
            return apply(RepeatEach, (input,), times, d)
        r = np.asarray([times])
    _check_repeats(r)
    index = np.repeat(np.arange(n, like=r), r if r.size == n else int(r[0]))
    if output_size is not None and output_size != index.size:
        raise RuntimeError(
            f"repeat_interleave: output_size {output_size} given; the repeats sum up to "
            f"{index.size}"
        )
    return take_at(input, [index], (d,), IndexSelect)


def _check_repeats(r: Any) -> None:
    if (r < 0).any():
        raise RuntimeError("repeats can not be negative")
