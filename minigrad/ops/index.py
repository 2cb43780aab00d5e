"""Indexing by arrays: the elements at given places, and writing to given places."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node
from ..backend import move, on_gpu
from ..dtypes import type_name
from ..kernels import cpu, places
from ..kernels.indexing import add_rows
from ._operands import to_dtype
from ._shape import array_arg, array_of, shape_of, sum_to

__all__ = ["index_put"]


_saving: dict[tuple, type[Node]] = {}


def saving(cls: type[Node], first: int, count: int) -> type[Node]:
    """`cls` with `count` saved inputs (the index arrays) from input `first` on."""
    found = _saving.get((cls, count))
    if found is None:
        saves = tuple(range(first, first + count))
        found = _saving[cls, count] = type(cls.__name__, (cls,), {"saves": saves})
    return found


# -- arrays --------------------------------------------------------------------------------------


def key_of(indices: Any, positions: tuple[int, ...]) -> tuple:
    """NumPy's index for arrays at some dimensions and everything of the others before them."""
    key: list = [slice(None)] * (positions[-1] + 1)
    for p, i in zip(positions, indices):
        key[p] = i
    return tuple(key)


def beside(x: Any, indices: Any) -> Any:
    """Index arrays on the device of x, as PyTorch takes those of the CPU for all devices."""
    return [move(i, x.place) for i in indices] if on_gpu(x) else indices


def take(x: Any, indices: Any, positions: tuple[int, ...]) -> Any:
    """The elements of an array at index arrays for the dimensions `positions`, as a copy."""
    indices = beside(x, indices)
    if len(positions) == 1:
        taken = cpu.take_rows(x, positions[0], indices[0], True)
        if taken is not None:
            return taken
    elif x.flags.c_contiguous and (at := _numbers(x.shape, indices, positions)) is not None:
        taken = cpu.take_rows(_merged(x, len(positions)), 0, at, False)
        if taken is not None:
            return taken
    try:
        if len(positions) == 1:
            return np.asarray(np.take(x, indices[0], axis=positions[0]))
        return np.asarray(x[key_of(indices, positions)])
    except (IndexError, ValueError) as error:
        if takes_nothing(x.shape, indices, positions):
            return np.empty(result_shape(x.shape, indices, positions), x.dtype)
        raise index_error(x.shape, indices, positions) or error from None


def _numbers(shape: tuple, indices: Any, positions: tuple[int, ...]) -> Any:
    """The numbers, among all places of the first dimensions, that index arrays of these name.

    None for other dimensions, and for index arrays that do not fit or are not all in range.
    """
    if positions[-1] != len(positions) - 1:
        return None
    return places.numbers(shape, indices)


def _merged(x: Any, count: int) -> Any:
    """An array in C order with its first `count` dimensions as one: a view."""
    return x.reshape(math.prod(x.shape[:count]), *x.shape[count:])


def takes_nothing(shape: tuple, indices: Any, positions: tuple[int, ...]) -> bool:
    """Whether index arrays name no element, so that PyTorch does not look at their values."""
    if 0 in [shape[p] for p in positions] and all(i.size for i in indices):
        return False  # places of a dimension that has none
    return 0 in result_shape(shape, indices, positions)


def index_error(shape: tuple, indices: Any, positions: tuple[int, ...]) -> Exception | None:
    """PyTorch's error for index arrays that do not fit a shape."""
    for p, i in zip(positions, indices):
        bad = (i < -shape[p]) | (i >= shape[p])
        if bad.any():
            return IndexError(
                f"index {int(i[bad].flat[0])} is out of bounds for dimension {p} with size "
                f"{shape[p]}"
            )
    try:
        np.broadcast_shapes(*[i.shape for i in indices])
    except ValueError:
        return IndexError(
            "shape mismatch: indexing tensors could not be broadcast together with shapes "
            + ", ".join(str(list(i.shape)) for i in indices)
        )
    return None


def result_shape(shape: tuple, indices: Any, positions: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of `take`. IndexError if the index arrays do not broadcast."""
    try:
        many = np.broadcast_shapes(*[i.shape for i in indices])
    except ValueError:
        raise index_error(shape, indices, positions) or RuntimeError("index") from None
    rest = [n for d, n in enumerate(shape) if d not in positions]
    at = _front(positions)
    return (*rest[:at], *many, *rest[at:])


def _front(positions: tuple[int, ...]) -> int:
    """Where the dimensions of the index arrays go: in place if neighbours, else to the front."""
    neighbours = positions[-1] - positions[0] == len(positions) - 1
    return positions[0] if neighbours else 0


def accumulate(x: Any, shape: tuple, values: Any, indices: Any, positions: tuple) -> Any:
    """A copy of `x` (zeros if None) of the given shape, with values added at the index arrays."""
    indices = beside(values, indices)
    if len(positions) == 1:
        given = shape if x is None else x
        added = cpu.put_rows(given, positions[0], indices[0], values, False, True, True)
        if added is not None:
            return added
    elif x is None or x.flags.c_contiguous:
        linear = _numbers(shape, indices, positions)
        if linear is not None:
            n = len(positions)
            given = (math.prod(shape[:n]), *shape[n:]) if x is None else _merged(x, n)
            added = cpu.put_rows(given, 0, linear, values, False, False, True)
            if added is not None:
                return added.reshape(shape)
    sizes = [shape[p] for p in positions]
    rest = [d for d in range(len(shape)) if d not in positions]
    order = (*positions, *rest)
    n, k = math.prod(sizes), math.prod([shape[d] for d in rest])
    many = np.broadcast_shapes(*[i.shape for i in indices])
    at, m = _front(positions), len(many)
    rows = np.moveaxis(values, range(at, at + m), range(m)).reshape(-1, k if k else 1)
    linear = None
    for i, size in zip(indices, sizes):
        if not places.all_between(i, 0, size):
            # Nothing to add: nothing to check.
            if rows.size and ((i < -size) | (i >= size)).any():
                raise index_error(shape, indices, positions)  # type: ignore[misc]
            i = np.where(i < 0, i + size, i)
        linear = i if linear is None else linear * size + i
    linear = np.broadcast_to(linear, many).reshape(-1)
    out = None
    if rows.size and k:
        given = (n, k) if x is None else _leading(x, order).reshape(n, k)
        out = cpu.put_rows(given, 0, linear, rows, False, False, True)
    if out is None:
        if x is None:
            out = np.zeros((n, k), values.dtype, like=values)
        else:
            out = np.array(x.transpose(order), order="C").reshape(n, k)
        if rows.size and k:
            add_rows(out, linear, rows)
    out = out.reshape([shape[d] for d in order])
    if order == tuple(range(len(shape))):
        return out
    return np.ascontiguousarray(out.transpose(np.argsort(order)))


def _leading(x: Any, order: tuple[int, ...]) -> Any:
    """An array in C order with its dimensions in another order; itself if that is its own."""
    return np.ascontiguousarray(x if order == tuple(range(x.ndim)) else x.transpose(order))


# -- operations ----------------------------------------------------------------------------------


class Index(Node):
    """The elements at index arrays for some dimensions."""

    fresh = True

    def forward(self, x: Any, *rest: Any) -> Any:
        *indices, self.positions = rest
        self.shape = x.shape
        return take(x, indices, self.positions)

    def backward(self, grad: Any) -> Any:
        """Zeros, with grad added at the places that were taken."""
        indices = self.saved
        cls = saving(IndexBackward, 1, len(indices))
        d_input = apply(cls, (grad, *indices), self.shape, self.positions)
        return d_input, *(None,) * len(indices)


class IndexBackward(Node):
    """Zeros of a shape, with values added at index arrays."""

    def forward(self, values: Any, *rest: Any) -> Any:
        *indices, shape, self.positions = rest
        return accumulate(None, shape, values, indices, self.positions)

    def backward(self, grad: Any) -> Any:
        """The elements of grad at the places."""
        return take_at(grad, self.saved, self.positions), *(None,) * len(self.saved)


def take_at(input: Any, indices: Any, positions: tuple, cls: type[Index] = Index) -> Any:
    """`take` as an operation. An index that is a tensor is checked for later writes to it."""
    return apply(saving(cls, 1, len(indices)), (input, *indices), positions)


class IndexPut(Node):
    """A copy of the first input with the second one written (or added) at index arrays."""

    def forward(self, x: Any, values: Any, *rest: Any) -> Any:
        *indices, self.positions, self.adds = rest
        self.shape = values.shape
        if self.adds:
            places = result_shape(x.shape, indices, self.positions)
            return accumulate(x, x.shape, np.broadcast_to(values, places), indices, self.positions)
        if len(indices) == 1:
            indices = beside(x, indices)
            out = cpu.put_rows(x, self.positions[0], indices[0], values, False, True, False)
            if out is not None:
                return out
        out = x.copy()
        put(out, values, indices, self.positions)
        return out

    def backward(self, grad: Any) -> Any:
        """d input = grad, with zeros where it was written; d values = grad at the places."""
        indices = self.saved
        rest = (None,) * len(indices)
        kept = values = None
        if self.next[0] is not None:
            kept = grad
            if not self.adds:
                zero = np.zeros((), array_of(grad).dtype)
                kept = put_at(grad, zero, indices, self.positions)
        if self.next[1] is not None:
            values = sum_to(take_at(grad, indices, self.positions), self.shape)
        return kept, values, *rest


def put(out: Any, values: Any, indices: Any, positions: tuple[int, ...]) -> None:
    """Writes values to an array at index arrays."""
    if len(positions) == 1:
        if places.write_rows(out, positions[0], indices[0], values):
            return
    elif out.flags.c_contiguous:
        at = _numbers(out.shape, indices, positions)
        if at is not None and places.write_rows(_merged(out, len(positions)), 0, at, values):
            return
    try:
        out[key_of(indices, positions)] = values
    except (IndexError, ValueError) as error:
        if takes_nothing(out.shape, indices, positions):
            return
        raise index_error(out.shape, indices, positions) or error from None


def put_at(
    input: Any,
    values: Any,
    indices: Any,
    positions: tuple,
    adds: bool = False,
    cls: type[IndexPut] = IndexPut,
) -> Any:
    """`put` into a copy (`adds`: sum instead of replace) as an operation."""
    return apply(saving(cls, 2, len(indices)), (input, values, *indices), positions, adds)


# -- arguments -----------------------------------------------------------------------------------


def index_arrays(shape: tuple, given: Any) -> tuple[list, tuple[int, ...]]:
    """Index arrays and their dimensions for a sequence of index tensors, masks and None.

    A mask stands for as many dimensions as it has. IndexError for other types and misfits.
    """
    indices: list = []
    positions: list[int] = []
    dim = 0
    for i in given:
        if i is None:
            dim += 1
            continue
        array = array_arg("index", i)
        if is_mask(i):
            check_mask(array.shape, shape, dim, dim)
            for found in array.nonzero():
                indices.append(found)
                positions.append(dim)
                dim += 1
            continue
        if array.dtype.kind != "i" or array.dtype.itemsize < 4:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        indices.append(i)
        positions.append(dim)
        dim += 1
    if dim > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)} (got {dim})")
    return indices, tuple(positions)


def is_mask(index: Any) -> bool:
    """Whether an index tensor or array is read as a mask."""
    return array_of(index).dtype in (np.bool_, np.uint8)


def check_mask(mask: tuple, shape: tuple, dim: int, number: int) -> None:
    """IndexError unless a mask's shape is that of the dimensions from `dim` on."""
    if shape[dim : dim + len(mask)] != mask:
        raise IndexError(
            f"The shape of the mask {list(mask)} at index {number} does not match the shape of "
            f"the indexed tensor {list(shape)} at index {dim}"
        )


def check_values(values: Any, places: tuple[int, ...]) -> None:
    """RuntimeError unless values broadcast to the indexed places."""
    shape = shape_of(values)
    while len(shape) > len(places) and shape[0] == 1:
        shape = shape[1:]
    if len(shape) > len(places) or any(n not in (1, m) for n, m in zip(shape[::-1], places[::-1])):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(shape_of(values))} cannot be broadcast "
            f"to indexing result of shape {list(places)}"
        )


def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """A copy of `input` with `values` written at `indices`, a sequence of index tensors or masks.

    With `accumulate` they are added, also where a place is named several times. Gradient: of
    `input`, grad with zeros at the places (grad itself if accumulated); of `values`, grad there.
    """
    x, v = array_arg("index_put", input), array_arg("index_put", values, 3, "values")
    if not isinstance(indices, (tuple, list)):
        raise TypeError(
            "index_put(): argument 'indices' (position 2) must be tuple of Tensors, not "
            f"{indices.__class__.__name__}"
        )
    arrays, positions = index_arrays(x.shape, indices)
    if x.dtype != v.dtype:
        lone = len(given := [i for i in indices if i is not None]) == 1 and is_mask(given[0])
        if accumulate or not lone or v.size != 1:
            raise dtype_error(x, v)
        values = to_dtype(values, x.dtype)
    if not arrays:
        raise IndexError("index_put: no index given; needed: at least one tensor")
    places = result_shape(x.shape, [array_of(i) for i in arrays], positions)
    check_values(v, places)
    return put_at(input, values, arrays, positions, bool(accumulate))


def dtype_error(destination: Any, source: Any) -> RuntimeError:
    """PyTorch's error for an index_put of another type."""
    from_, to = [type_name(dtypes.from_numpy(a.dtype)) for a in (source, destination)]
    return RuntimeError(
        "Index put requires the source and destination dtypes match, got "
        f"{to} for the destination and {from_} for the source."
    )
