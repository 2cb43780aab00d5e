"""`x[...]` and `x[...] = y`: PyTorch's rules over NumPy's basic and advanced indexing.

An index is taken apart into a basic part, which makes a view (ints, slices, None, `...`), and the
index arrays that are left for dimensions of that view. PyTorch applies ints before it decides where
the dimensions of index arrays go, NumPy does not: that is why the two parts are separate.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import inplace, modes, record
from ..autograd.record import apply_view
from ..autograd.variable import Variable, next_seq
from ..kernels import fast, places
from ._inplace import write
from ._operands import to_dtype
from ._overlap import check_overlap
from ._shape import array_of
from .assign import as_values, without_leading_ones, write_values
from .index import (
    Index,
    IndexPut,
    check_mask,
    check_values,
    dtype_error,
    index_put,
    is_mask,
    put,
    result_shape,
    saving,
    take_at,
)
from .movement import Unsqueeze, reshape
from .slices import Alias, Select, Slice

_TAKE = saving(Index, 1, 1)
_FULL = slice(None)
_NOTHING = np.zeros(0, np.int64)
_MEANS_TUPLE = (slice, list, tuple, range, Variable, np.ndarray)
_FIRST = np.zeros(1, np.int64)


class _Parsed:
    """An index taken apart: `key` for the view (None if it is the whole tensor), `cls` its node,
    `arrays` at the view's dimensions `positions`; `masked` says for each item that became arrays
    whether it was a mask.
    """

    __slots__ = ("arrays", "cls", "dim", "key", "masked", "out", "positions", "shape")

    def __init__(self, shape: tuple[int, ...], items: tuple):
        self.shape = shape
        self.key: list = []
        self.cls: type[Slice] | type[Unsqueeze] | None = None
        self.arrays: list = []
        self.positions: list[int] = []
        self.masked: list[bool] = []
        self.dim = self.out = 0
        for item in items:
            self.add(item)

    def add(self, item: Any) -> None:
        if isinstance(item, (bool, np.bool_)):
            self.flag(bool(item))
        elif isinstance(item, (int, np.integer)):
            self.integer(int(item))
        elif isinstance(item, slice):
            self.room(1)
            self.key.append(_checked_slice(item))
            self.cls = Slice
            self.dim += 1
            self.out += 1
        elif item is None:
            self.key.append(None)
            self.cls = Unsqueeze if self.cls in (None, Unsqueeze) else Slice
            self.out += 1
        else:
            self.array(item)

    def room(self, count: int) -> None:
        if self.dim + count > len(self.shape):
            raise IndexError(f"too many indices for tensor of dimension {len(self.shape)}")

    def skip(self, count: int) -> None:
        """`...` stands for `count` dimensions."""
        self.key.extend((_FULL,) * count)
        self.dim += count
        self.out += count

    def integer(self, i: int) -> None:
        self.room(1)
        n = self.shape[self.dim]
        if not -n <= i < n:
            raise IndexError(f"index {i} is out of bounds for dimension {self.dim} with size {n}")
        self.key.append(i)
        self.cls = Select
        self.dim += 1

    def flag(self, on: bool) -> None:
        """True and False are masks without dimensions: a new one of size 1 or 0."""
        self.key.append(None)
        self.cls = Unsqueeze if self.cls in (None, Unsqueeze) else Slice
        self.index(_FIRST if on else _NOTHING)

    def index(self, array: Any) -> None:
        self.arrays.append(array)
        self.positions.append(self.out)
        self.out += 1

    def array(self, item: Any) -> None:
        given = as_index(item)
        a = array_of(given)
        if is_mask(a):
            self.masked.append(a.ndim > 0)
            if not a.ndim:
                return self.flag(bool(a))
            self.room(a.ndim)
            check_mask(a.shape, self.shape, self.dim, self.dim)
            for found in a.nonzero():
                self.key.append(_FULL)
                self.dim += 1
                self.index(found)
            return None
        if a.dtype.kind not in "iu":
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        if not a.ndim:
            return self.integer(int(a))
        if a.dtype.itemsize < 4:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        self.room(1)
        self.key.append(_FULL)
        self.dim += 1
        self.masked.append(False)
        return self.index(given)


def _checked_slice(item: slice) -> slice:
    if item.step is not None and operator.index(item.step) <= 0:
        raise ValueError("step must be greater than zero")
    return item


def as_index(item: Any) -> Any:
    """An index tensor: tensors as they are, arrays and sequences of numbers as arrays."""
    if isinstance(item, Variable):
        return item
    if isinstance(item, np.ndarray):  # without elements it may have any type
        return item if item.size or item.dtype.kind != "f" else item.astype(np.int64)
    if isinstance(item, Sequence) and not isinstance(item, str):
        if len(item) == 0:
            return _NOTHING
        array = np.asarray(_plain(item))
        return array if array.size else array.astype(np.int64)  # no numbers: no type of theirs
    if isinstance(item, str):
        raise TypeError("new(): invalid data type 'str'")
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
        f"indices (got {item.__class__.__name__})"
    )


def _plain(item: Any) -> Any:
    """Nested sequences with the 0-d tensors in them as numbers."""
    if isinstance(item, Variable):
        return item._array
    if isinstance(item, (list, tuple, range)):
        return [_plain(i) for i in item]
    return item


def _parse(shape: tuple[int, ...], index: Any) -> _Parsed:
    if index.__class__ is tuple:
        items = index
    elif isinstance(index, list) and len(index) < 32 and _means_tuple(index):
        items = tuple(index)
    else:
        items = (index,)
    if not any(i is Ellipsis for i in items):
        parsed = _Parsed(shape, items)
    else:
        at = next(n for n, i in enumerate(items) if i is Ellipsis)
        parsed = _Parsed(shape, items[:at])
        after = items[at + 1 :]
        if any(i is Ellipsis for i in after):
            raise IndexError("an index can only have a single ellipsis ('...')")
        named = sum(_dims(i) for i in after)
        missing = len(shape) - parsed.dim - named
        if missing < 0:
            raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
        if parsed.cls is None and not after:
            parsed.cls = Alias
        parsed.skip(missing)
        for item in after:
            parsed.add(item)
    parsed.key.append(Ellipsis)
    return parsed


def _means_tuple(index: list) -> bool:
    """Whether a list is read as a tuple of indices (PyTorch's rule of old)."""
    return any(i is None or i is Ellipsis or isinstance(i, _MEANS_TUPLE) for i in index)


def _dims(item: Any) -> int:
    """How many dimensions of the tensor an item of an index stands for."""
    if item is None or isinstance(item, (bool, np.bool_)):
        return 0
    if isinstance(item, (int, np.integer, slice)):
        return 1
    a = array_of(as_index(item))
    return a.ndim if is_mask(a) else 1


def _dense(x: Any) -> bool:
    return x.flags.c_contiguous


def getitem(input: Any, index: Any) -> Any:
    """`input[index]`: a view for ints, slices, None and `...`; a copy for index arrays and masks.

    Gradient: grad at the places of `input`, summed where one is named several times. IndexError for
    places that do not exist.
    """
    seen = fast.fast_index(Select, Slice, Unsqueeze, Alias, input, index)
    if seen is not None:
        return seen
    x = input._array
    if isinstance(index, Variable):
        taken = places.fast_take(_TAKE, input, 0, index, True)
        if taken is not None:
            return taken
        m = index._array
        if m.dtype.kind == "b" and m.ndim > 1 and m.shape == x.shape and _dense(x) and _dense(m):
            # As a vector: the places are single numbers then.
            return take_at(reshape(input, (x.size,)), [m.reshape(-1).nonzero()[0]], (0,))
    parsed = _parse(x.shape, index)
    if not parsed.arrays:
        return apply_view(parsed.cls or Alias, input, tuple(parsed.key))
    base = input if parsed.cls is None else apply_view(parsed.cls, input, tuple(parsed.key))
    return take_at(base, parsed.arrays, tuple(parsed.positions))


# -- writing -------------------------------------------------------------------------------------


def _same_memory(x: Any, y: Any) -> bool:
    return (
        x.__array_interface__["data"] == y.__array_interface__["data"]
        and x.shape == y.shape
        and x.strides == y.strides
        and x.dtype == y.dtype
    )


def _fill_masked(target: Any, mask: Any, values: Any) -> bool:
    """Writes one number outside the graph where a mask of the target's shape is set."""
    array, value = target._array, values._array
    if mask.dtype.kind != "b" or mask.shape != array.shape or not array.ndim or value.ndim:
        return False
    if target._fn is not None or values._fn is not None or value.dtype != array.dtype:
        return False
    inplace.check_writable(target)
    np.copyto(array, value, where=mask)
    inplace.bump(target)
    return True


def setitem(input: Any, index: Any, value: Any) -> None:
    """`input[index] = value`: writes a number or a tensor that broadcasts to the indexed places.

    Recorded: `value` gets the gradient at the places, the old values none. RuntimeError for shapes
    that do not fit, leaves that require grad, and (with index arrays) values of another dtype.
    """
    values = as_values(input, value)
    if places.fast_put_at(input, index, values, False):
        return
    if isinstance(index, Variable) and _fill_masked(input, index._array, values):
        return
    if index.__class__ is bool:
        if not index:
            return  # no place at all, whatever the values' shape
        index = None
    parsed = _parse(input._array.shape, index)
    target = input
    if parsed.cls is not None:
        target = apply_view(parsed.cls, input, tuple(parsed.key))
    inplace.check_writable(target, recorded=values._fn is not None)
    if parsed.arrays:
        if parsed.masked == [True] and values._array.size == 1:  # PyTorch fills, with conversion
            values = to_dtype(values, target._array.dtype)
        elif values._view is not None or input._view is not None or values is input:
            check_overlap(target._array, values._array, same=False)
        _write_at(target, values, parsed.arrays, tuple(parsed.positions))
        return
    view = values._view
    if view is not None and view[0] is input and _same_memory(values._array, target._array):
        return  # the end of `x[i] += y`: the view was written already
    if view is not None or input._view is not None or values is input:
        array, read = target._array, values._array
        check_overlap(array, read.reshape(array.shape) if read.size == array.size else read)
    write_values(target, without_leading_ones(values, target._array.ndim))


def index_put_(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """In-place form of `index_put`; plain writes outside the graph without a copy of the tensor."""
    if accumulate.__class__ is bool and places.fast_put_at(input, indices, values, accumulate):
        return input
    return write(input, index_put, (indices, values, accumulate))


def _write_at(target: Any, values: Any, indices: list, positions: tuple[int, ...]) -> None:
    array = target._array
    arrays = [array_of(i) for i in indices]
    places = result_shape(array.shape, arrays, positions)
    check_values(values, places)
    if values._array.dtype != array.dtype:
        raise dtype_error(array, values._array)
    values = without_leading_ones(values, len(places))
    f, g = target._fn, values._fn
    tracked = (f is not None or g is not None) and modes.is_grad_enabled()
    put(array, values._array, arrays, positions)
    inplace.bump(target)
    if not tracked:
        return
    node = saving(IndexPut, 2, len(indices))()
    node.next = (f, g, *(None,) * len(indices))
    node.positions, node.adds, node.shape = positions, False, values._array.shape
    node.seq = next_seq()
    node.hooks = None
    record.save(node, (target, values, *indices), [array, values._array, *arrays], ())
    if modes.watched:
        record.note(node)
    inplace.rebase(target, node)
