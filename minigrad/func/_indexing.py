"""Batching rules of subscripts and of writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..autograd.variable import Variable, wrap
from ..ops import _inplace, assign, subscript
from ._batched import (
    RULES,
    batched,
    deepest,
    dynamic_shape,
    is_at,
    loop,
    renew,
    value_at,
)
from ._binding import aligned, bind


def _is_index(item: Any) -> bool:
    """Whether an item of a subscript is an array of places (or a mask)."""
    return isinstance(item, (Variable, list, np.ndarray, range)) or item.__class__ in (bool, tuple)


def _items(index: Any) -> tuple:
    if isinstance(index, tuple):
        return index
    if isinstance(index, list) and any(
        isinstance(i, (slice, list, tuple, Variable, np.ndarray)) or i is None or i is ...
        for i in index
    ):
        return tuple(index)
    return (index,)


def _is_mask(item: Any) -> bool:
    return isinstance(item, Variable) and item._array.dtype.kind == "b"


def _adjacent(items: list) -> bool:
    """Whether the arrays of places stand side by side once the integers are taken out."""
    kinds = [_is_index(i) for i in items if not isinstance(i, int) or isinstance(i, bool)]
    places = [i for i, k in enumerate(kinds) if k]
    return not places or places[-1] - places[0] + 1 == len(places)


def _width(item: Any) -> int:
    """How many dimensions of the tensor an item of a subscript takes."""
    if item is None or isinstance(item, bool) or item is ...:
        return 0
    if isinstance(item, Variable) and item._array.dtype.kind in "b":
        return item._array.ndim
    if isinstance(item, np.ndarray) and item.dtype.kind == "b":
        return item.ndim
    if isinstance(item, list):
        array = np.asarray(item)
        return array.ndim if array.dtype.kind == "b" else 1
    return 1


def _rank(item: Any) -> int:
    """The number of dimensions of an array of places."""
    if isinstance(item, Variable):
        return item._array.ndim if item._array.dtype.kind != "b" else 1
    array = np.asarray(item)
    return array.ndim if array.dtype.kind != "b" else 1


def _before(items: list, ndim: int) -> tuple[int, int]:
    """(dimensions of the result before those of the places, number of those of the places)."""
    taken = sum(_width(i) for i in items)
    before, found, rank = 0, False, 0
    for item in items:
        if _is_index(item):
            rank = max(rank, _rank(item))
            found = True
        elif found:
            continue
        elif item is ...:
            before += ndim - taken
        elif item is None or isinstance(item, slice):
            before += 1
    return before, rank


def _getitem(function: Callable, args: tuple, kwargs: dict) -> Any:
    x, index = args
    items = list(_items(index))
    level = deepest((x,), items)
    if any(_is_mask(i) and is_at(i, level) for i in items):
        raise dynamic_shape(function)
    batched_places = [i for i in items if is_at(i, level)]
    if len(batched_places) != sum(1 for v in _flat(items) if is_at(v, level)):
        return loop(function, args, kwargs)  # batched numbers within lists
    ndim = x._array.ndim
    before, rank = _before(items, ndim)
    if not batched_places:
        if _adjacent(items):
            return batched(subscript.getitem(x.value, (slice(None), *items)), level)
        # Places apart from each other come first in the result, before the batch.
        result = subscript.getitem(x.value, (slice(None), *items))
        return batched(ops.movedim(result, rank, 0), level)
    if any(_is_mask(i) for i in items) or any(isinstance(i, bool) for i in items):
        return loop(function, args, kwargs)
    places = _with_batch(items, level, rank)
    if is_at(x, level):
        key = (_numbers(level.size, rank), *places)
        result = subscript.getitem(x.value, key)  # (batch, places, others)
        first = 0
        joined = _adjacent([_numbers(level.size, rank), *items])
    else:
        result = subscript.getitem(x, tuple(places))
        joined = _adjacent(items)
        first = before if joined else 0
        if first:
            result = ops.movedim(result, first, 0)
        return batched(result, level)
    if not joined and _adjacent(items) and before:
        order = list(range(1, 1 + rank))
        result = ops.movedim(result, order, [d + before for d in order])
    return batched(result, level)


def _flat(items: Any) -> list:
    found = []
    for item in items:
        if isinstance(item, (list, tuple)):
            found.extend(_flat(item))
        else:
            found.append(item)
    return found


def _numbers(size: int, rank: int) -> Any:
    """0, 1 ... as (size, 1, ...) with `rank` dimensions of size 1."""
    return wrap(np.arange(size).reshape(size, *(1,) * rank))


def _with_batch(items: list, level: Any, rank: int) -> list:
    """The items of a subscript with arrays of places as those of all samples."""
    return [aligned(i, level, rank) if is_at(i, level) else i for i in items]


def _setitem(function: Callable, args: tuple, kwargs: dict) -> None:
    x, index, given = args
    items = list(_items(index))
    level = deepest((x, given), items)
    if not is_at(x, level):
        raise write_error(function)
    masks = [i for i in items if _is_mask(i) and is_at(i, level)]
    if masks:
        if len(items) != 1 or (isinstance(given, Variable) and given._array.ndim):
            return _set_each(x, index, given, level)
        mask = masks[0]
        for _ in range(x._array.ndim - mask._array.ndim):
            mask = ops.unsqueeze(mask, -1)
        return _overwrite(x, ops.where(mask, given, x), level)
    key: tuple
    before, rank = _before(items, x._array.ndim)
    if any(is_at(v, level) for v in _flat(items)):
        if before or not _adjacent(items) or any(_is_mask(i) for i in items):
            return _set_each(x, index, given, level)
        key = (_numbers(level.size, rank), *_with_batch(items, level, rank))
    elif _adjacent(items) or not (isinstance(given, Variable) and given._array.ndim):
        key = (slice(None), *items)
    else:
        return _set_each(x, index, given, level)
    if is_at(given, level):
        target = subscript.getitem(x.value.detach(), key)
        given = aligned(given, level, target._array.ndim - 1)
        extra = given._array.ndim - target._array.ndim
        if extra > 0:  # leading dimensions of size 1 are dropped, as PyTorch does
            shape = given._array.shape
            given = ops.reshape(given, (shape[0], *shape[1 + extra :]))
    subscript.setitem(x.value, key, given)


def _set_each(x: Any, index: Any, given: Any, level: Any) -> None:
    """x[index] = given for each sample."""

    def sample(value: Any, i: int) -> Any:
        if isinstance(value, (tuple, list)):
            return type(value)([sample(v, i) for v in value])
        return ops.select(value.value, 0, i) if is_at(value, level) else value

    for i in range(level.size):
        subscript.setitem(ops.select(x.value, 0, i), sample(index, i), sample(given, i))


def _overwrite(x: Any, result: Any, level: Any) -> None:
    assign.copy_(x.value, value_at(result, level))


RULES[subscript.getitem] = _getitem
RULES[subscript.setitem] = _setitem


def write_error(function: Callable) -> RuntimeError:
    """The error for a write of samples to a tensor that they share."""
    return RuntimeError(
        "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a "
        "Tensor `other` in extra_args that has more elements than `self`. This happened due to "
        "`other` being vmapped over but `self` not being vmapped over in a vmap "
        f"({getattr(function, '__name__', 'a write')}). Please try to use out-of-place operators "
        "instead, or make `self` from a mapped tensor (new_zeros)."
    )


def _write(function: Callable, args: tuple, kwargs: dict) -> Any:
    """In-place forms: the result for all samples is written to the target's value."""
    target, op, operands, *rest = (*args, (), {})[: max(len(args), 4)]
    options = (rest[0] if rest else {}) or {}
    level = deepest((target,), operands, options.values())
    if not is_at(target, level):
        raise write_error(op)
    at = [i for i, v in enumerate(operands) if is_at(v, level)]

    def on_values(old: Any, *values: Any) -> Any:
        samples = [batched(v, level) if i in at else v for i, v in enumerate(values)]
        result = op(batched(old, level), *samples, **options)
        if result._array.shape != target._array.shape:
            raise RuntimeError(
                f"output with shape {list(target._array.shape)} doesn't match the broadcast shape "
                f"{list(result._array.shape)}"
            )
        return value_at(result, level)

    values = tuple([v.value if is_at(v, level) else v for v in operands])
    _inplace.write(target.value, on_values, values)
    return target


def _copy(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    target, source = p["self"], p["src"]
    level = deepest((target, source))
    if not is_at(target, level):
        raise write_error(function)
    if is_at(source, level) and source._array.ndim > target._array.ndim:
        return loop(function, args, kwargs)
    assign.copy_(target.value, aligned(source, level, target._array.ndim))
    return target


def _fill(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    target, value = p["self"], p["value"]
    level = deepest((target, value))
    if not is_at(target, level):
        raise write_error(function)
    if is_at(value, level):
        assign.copy_(target.value, aligned(value, level, target._array.ndim))
    else:
        assign.fill_(target.value, value)
    return target


RULES[_inplace.write] = _write
RULES[assign.copy_] = _copy
RULES[assign.fill_] = _fill
RULES[assign.zero_] = None
INTERNAL = [_inplace.write]


def in_place_view(op: Callable) -> Callable:
    """The rule of `transpose_` and the like."""

    def change(function: Callable, args: tuple, kwargs: dict) -> Any:
        t = args[0]
        return renew(t, op(*args, **kwargs).value)

    return change
