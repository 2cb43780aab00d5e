"""Batching rules of places: subscripts, gather and scatter, masks, embeddings; and of writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..autograd.variable import Variable, wrap
from ..ops import _inplace, assign, subscript
from ..ops._shape import broadcast_shapes
from ._batched import (
    RULES,
    Batched,
    batched,
    deepest,
    dynamic_shape,
    is_at,
    loop,
    renew,
    value_at,
)
from ._binding import aligned, bind, broadcasting, fold, rule, shifted


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


def _repeat_inputs(*names: str) -> Callable:
    """The rule of functions with a `dim`, whose tensors are all given a batch."""

    def placed(function: Callable, args: tuple, kwargs: dict) -> Any:
        p = bind(function, args, kwargs)
        level = deepest(p.values())
        x = p["input"]
        tensors = [p[n] for n in names if isinstance(p.get(n), Variable)]
        if not x._array.ndim or any(not t._array.ndim for t in tensors):
            return loop(function, args, kwargs)
        if is_at(p.get("value"), level) or is_at(p.get("alpha"), level):
            return loop(function, args, kwargs)
        p["dim"] = shifted(p["dim"], x._array.ndim)
        for name in names:
            if isinstance(p.get(name), Variable):
                p[name] = value_at(p[name], level)
        return batched(function(**p), level)

    return placed


rule(_repeat_inputs("input", "index", "src"), "gather scatter scatter_add scatter_reduce")


def _indexed(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`index_select`, `index_add` ...: one index of places for all samples."""
    p = bind(function, args, kwargs)
    level = deepest(p.values())
    if is_at(p["index"], level):
        if function is ops.index_select and p["input"]._array.ndim == 1 == p["index"]._array.ndim:
            return ops.gather(p["input"], 0, p["index"])
        return loop(function, args, kwargs)
    x = p["input"]
    source = p.get("source")
    if not x._array.ndim or is_at(p.get("value"), level) or is_at(p.get("alpha"), level):
        return loop(function, args, kwargs)
    if source is not None:
        if not source._array.ndim:
            return loop(function, args, kwargs)
        p["source"] = value_at(source, level)
    p["dim"] = shifted(p["dim"], x._array.ndim)
    p["input"] = value_at(x, level)
    return batched(function(**p), level)


rule(_indexed, "index_select index_add index_copy index_fill")


def _take_along_dim(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x, index, dim = p["input"], p["indices"], p.get("dim")
    if dim is None:
        x, index, dim = ops.reshape(x, (-1,)), ops.reshape(index, (-1,)), 0
    ndim = x._array.ndim
    if ndim != index._array.ndim or not ndim:
        return loop(function, args, kwargs)
    dim %= ndim
    index = ops.where(ops.lt(index, 0), ops.add(index, x._array.shape[dim]), index)
    shape = list(
        broadcast_shapes(
            *[(*a.shape[:dim], 1, *a.shape[dim + 1 :]) for a in (x._array, index._array)]
        )
    )
    shape[dim] = x._array.shape[dim]
    x = ops.expand(x, shape)
    shape[dim] = index._array.shape[dim]
    return ops.gather(x, dim, ops.expand(index, shape))


def _take(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    return subscript.getitem(ops.reshape(p["input"], (-1,)), p["index"])


def _index_put(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    if p.get("accumulate"):
        return loop(function, args, kwargs)
    level = deepest(p.values())
    copy = batched(ops.clone(value_at(p["input"], level)), level)
    subscript.setitem(copy, tuple(p["indices"]), p["values"])
    return copy


rule(_take_along_dim, "take_along_dim")
rule(_take, "take")
rule(_index_put, "index_put")


def _dynamic(function: Callable, args: tuple, kwargs: dict) -> Any:
    raise dynamic_shape(function)


rule(_dynamic, "masked_select nonzero argwhere unique unique_consecutive")


def _where(function: Callable, args: tuple, kwargs: dict) -> Any:
    if len(args) + len(kwargs) == 1:
        raise dynamic_shape(function)
    return broadcasting(function, args, kwargs)


rule(_where, "where")


def _masked_fill(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x, value = p["input"], p["value"]
    if value.__class__ is not Batched:
        return broadcasting(function, args, kwargs)
    if value._array.ndim:
        return loop(function, args, kwargs)  # for its error
    return ops.where(p["mask"], value.to(x.dtype), x)


rule(_masked_fill, "masked_fill")


def _embedding(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    ids, weight = p["input"], p["weight"]
    level = deepest((ids, weight))
    if p.get("max_norm") is not None:
        return loop(function, args, kwargs)
    if not is_at(weight, level):
        p["input"] = ids.value
        return batched(function(**p), level)
    # The tables of all samples below each other; each sample's numbers count from its own.
    if weight._array.ndim != 2 or p.get("scale_grad_by_freq") or p.get("sparse"):
        return loop(function, args, kwargs)
    rows = weight._array.shape[0]
    numbers = value_at(ids, level)
    given = numbers._array
    if isinstance(given, np.ndarray) and given.size and (given.min() < 0 or given.max() >= rows):
        raise IndexError("index out of range in self")
    start = wrap(np.arange(level.size).reshape(level.size, *(1,) * ids._array.ndim) * rows)
    result = ops.embedding(ops.add(numbers, start), fold(weight.value))
    padding = p.get("padding_idx")
    if padding is not None:  # no gradient for the padding row
        is_padding = ops.unsqueeze(ops.eq(numbers, padding % rows), -1)
        result = ops.where(is_padding, result.detach(), result)
    return batched(result, level)


rule(_embedding, "embedding")


def _one_hot(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    if p.get("num_classes", -1) == -1:
        raise dynamic_shape(function)
    level = deepest((p["input"],))
    p["input"] = p["input"].value
    return batched(function(**p), level)


rule(_one_hot, "one_hot")


def _searched(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    boundaries: Any = p.get("boundaries", p.get("sorted_sequence"))
    level = deepest(p.values())
    if is_at(boundaries, level) or boundaries._array.ndim != 1 or not is_at(p["input"], level):
        return loop(function, args, kwargs)
    p["input"] = p["input"].value
    return batched(function(**p), level)


rule(_searched, "searchsorted bucketize")
