"""Batching rules of numbered places: gather and scatter, masks, embeddings, searches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..autograd.variable import Variable, wrap
from ..ops import subscript
from ..ops._shape import broadcast_shapes
from ._batched import (
    Batched,
    batched,
    deepest,
    dynamic_shape,
    is_at,
    loop,
    value_at,
)
from ._binding import bind, broadcasting, fold, rule, shifted


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
