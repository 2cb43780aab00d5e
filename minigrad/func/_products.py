"""Batching rules of products: matrices and vectors, linear layers, contractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import ops
from ..autograd.variable import Variable
from ..creation import ones
from ..ops._matrices import mt
from ..ops.linalg import operator_matmul, operator_rmatmul
from ._batched import RULES, Batched, batched, deepest, is_at, loop, value_at, wrap_all
from ._binding import aligned, bind, rule
from ._shared import is_shared, shared_linear


def _matmul(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x, y = p["input"], p["other"]
    if not isinstance(x, Variable) or not isinstance(y, Variable):
        return loop(function, args, kwargs)
    return product(x, y)


def product(x: Any, y: Any) -> Any:
    """`matmul` of samples."""
    level = deepest((x, y))
    m, n = x._array.ndim, y._array.ndim
    if not m or not n:
        raise RuntimeError("both arguments to matmul need to be at least 1D, but they are "
                           f"{m}D and {n}D")  # fmt: skip
    if not is_at(y, level):
        if n <= 2:
            return batched(ops.matmul(x.value, y), level)
    elif not is_at(x, level):
        if n == 1 and m == 2:  # the batch of vectors as the columns of one matrix
            return batched(ops.matmul(y.value, mt(x)), level)
        if m <= 2 and n >= 2:
            return batched(ops.matmul(x, y.value), level)
    elif m == 2 and n <= 2 and is_shared(x.value) and not is_shared(y.value):
        columns = mt(y.value) if n == 2 else ops.unsqueeze(y.value, 1)
        out = shared_linear(columns, x.value)
        return batched(mt(out) if n == 2 else ops.squeeze(out, 1), level)
    elif n == 2 and is_shared(y.value):
        rows = ops.reshape(x.value, (level.size, math.prod(x._array.shape[:-1]), -1))
        out = shared_linear(rows, mt(y.value))
        return batched(ops.reshape(out, (level.size, *x._array.shape[:-1], -1)), level)
    # Vectors as matrices, then equal numbers of dimensions.
    ndim = max(m, n, 2)
    a = _as_matrix(x, level, row=True, ndim=ndim)
    b = _as_matrix(y, level, row=False, ndim=ndim)
    result = ops.matmul(a, b)
    if n == 1:
        result = ops.squeeze(result, -1)
    if m == 1:
        result = ops.squeeze(result, -1 if n == 1 else -2)
    return batched(result, level)


def _as_matrix(x: Any, level: Any, row: bool, ndim: int) -> Any:
    if x._array.ndim == 1:
        x = ops.unsqueeze(x, 0 if row else 1)
    return aligned(x, level, ndim)


def _checked_product(m: int, n: int) -> Callable:
    """The rule of `mm`, `mv`, `bmm` and `dot`: operands of m and n dimensions."""

    def times(function: Callable, args: tuple, kwargs: dict) -> Any:
        bind(function, args, kwargs)
        x, y = [*args, *(v for name, v in kwargs.items() if name != "out")]
        a, b = x._array, y._array
        fits = a.ndim == m and b.ndim == n and a.dtype == b.dtype
        if fits and m == 3:
            fits = a.shape[0] == b.shape[0]
        return product(x, y) if fits else loop(function, args, kwargs)

    return times


RULES[operator_matmul] = None
RULES[operator_rmatmul] = None
rule(_matmul, "matmul")
rule(_checked_product(2, 2), "mm")
rule(_checked_product(2, 1), "mv")
rule(_checked_product(1, 1), "dot vdot")
rule(_checked_product(3, 3), "bmm")


def _outer(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x, y = p["input"], p["vec2"]
    if x._array.ndim != 1 or y._array.ndim != 1:
        return loop(function, args, kwargs)
    return ops.mul(ops.unsqueeze(x, 1), y)


rule(_outer, "outer ger")


def _added(first: str, second: str, m: int, n: int) -> Callable:
    """The rule of `addmm` and the like: beta * input + alpha * product."""

    def added(function: Callable, args: tuple, kwargs: dict) -> Any:
        p = bind(function, args, kwargs)
        x, a, b = p["input"], p[first], p[second]
        alpha, beta = p.get("alpha", 1), p.get("beta", 1)
        fits = a._array.ndim == m and b._array.ndim == n
        if not fits or x._array.dtype.kind not in "fV" or isinstance(alpha, Variable):
            return loop(function, args, kwargs)
        result = ops.outer(a, b) if m == 1 else ops.matmul(a, b)
        if function is ops.addbmm:
            result = ops.sum(result, 0)
        if alpha != 1:
            result = ops.mul(result, alpha)
        if beta == 0:
            return result
        return ops.add(x if beta == 1 else ops.mul(x, beta), result)

    return added


rule(_added("mat1", "mat2", 2, 2), "addmm")
rule(_added("mat", "vec", 2, 1), "addmv")
rule(_added("batch1", "batch2", 3, 3), "baddbmm addbmm")
rule(_added("vec1", "vec2", 1, 1), "addr")


def _linear(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x, w, b = p["input"], p["weight"], p.get("bias")
    level = deepest((x, w, b))
    if w._array.ndim != 2 or not x._array.ndim or x._array.shape[-1] != w._array.shape[1]:
        return loop(function, args, kwargs)
    if not is_at(w, level):
        if not is_at(b, level):
            return batched(ops.linear(x.value, w, b), level)
        result = ops.linear(x.value, w) if is_at(x, level) else ops.linear(x, w)
        result = batched(result, level) if is_at(x, level) else result
        return ops.add(result, b)
    weight = w.value
    shape = x._array.shape
    if is_at(x, level):
        rows = ops.reshape(x.value, (level.size, math.prod(shape[:-1]), shape[-1]))
        if is_shared(weight):
            result = shared_linear(rows, weight)
        else:
            result = ops.matmul(rows, mt(weight))
    else:  # one product with the weights of all samples below each other
        out, size = w._array.shape
        rows = ops.reshape(x, (math.prod(shape[:-1]), shape[-1]))
        tall = ops.linear(rows, ops.reshape(weight, (level.size * out, size)))
        result = ops.permute(ops.reshape(tall, (-1, level.size, out)), (1, 0, 2))
    if b is not None:
        bias = ops.unsqueeze(b.value, 1) if is_at(b, level) else b
        result = ops.add(result, bias)
    return batched(ops.reshape(result, (level.size, *shape[:-1], w._array.shape[0])), level)


rule(_linear, "linear")


def _einsum(function: Callable, args: tuple, kwargs: dict) -> Any:
    """The batch as one more letter, in front of each batched operand and of the result."""
    equation, *operands = args
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = list(operands[0])
    if not isinstance(equation, str):
        return loop(function, args, kwargs)
    level = deepest(operands)
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in equation]
    if len(terms) != len(operands) or not free:
        return loop(function, args, kwargs)
    if not arrow:
        letters = [c for c in inputs if c.isalpha()]
        once = sorted(c for c in set(letters) if letters.count(c) == 1)
        output = ("..." if "..." in inputs else "") + "".join(once)
    letter = free[0]
    terms = [letter + t if is_at(v, level) else t for t, v in zip(terms, operands, strict=True)]
    values = [v.value if is_at(v, level) else v for v in operands]
    return batched(ops.einsum(f"{','.join(terms)}->{letter}{output}", *values), level)


rule(_einsum, "einsum")
for _name in ("tensordot", "chain_matmul", "inner", "kron"):
    RULES[getattr(ops, _name)] = None


def _bilinear(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    result = ops.einsum("...i,oij,...j->...o", p["input1"], p["weight"], p["input2"])
    bias = p.get("bias")
    return result if bias is None else ops.add(result, bias)


rule(_bilinear, "bilinear")


def _cross(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x, y = p["input"], p["other"]
    level = deepest((x, y))
    ndim = x._array.ndim
    if ndim != y._array.ndim:
        return loop(function, args, kwargs)
    dim = p.get("dim")
    if dim is None:
        if 3 not in x._array.shape:
            return loop(function, args, kwargs)
        dim = x._array.shape.index(3)
    p.update(input=value_at(x, level), other=value_at(y, level), dim=dim % ndim + 1)
    return wrap_all(function(**p), level)


rule(_cross, "cross")


def _attention(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    level = deepest(p.values())
    names = [n for n in ("query", "key", "value", "attn_mask") if isinstance(p.get(n), Variable)]
    if p.get("dropout_p", 0.0) and any(p[n].__class__ is Batched for n in names):
        return _attention_with_dropout(function, p)
    ndim = max(p[n]._array.ndim for n in names)
    for name in names[:3]:
        p[name] = aligned(_repeated(p[name], level), level, ndim)
    if "attn_mask" in names:
        p["attn_mask"] = aligned(p["attn_mask"], level, ndim)
    return batched(function(**p), level)


def _repeated(x: Any, level: Any) -> Any:
    return x if is_at(x, level) else batched(value_at(x, level), level)


def _attention_with_dropout(function: Callable, p: dict) -> Any:
    """The composition, whose dropout follows vmap's way with randomness."""
    query, key, mask = p["query"], p["key"], p.get("attn_mask")
    if p.get("enable_gqa"):
        times = query._array.shape[-3] // key._array.shape[-3]
        key = ops.repeat_interleave(key, times, -3)
        p["value"] = ops.repeat_interleave(p["value"], times, -3)
    scale = p.get("scale") or 1 / math.sqrt(query._array.shape[-1])
    scores = ops.matmul(ops.mul(query, scale), ops.transpose(key, -2, -1))
    if p.get("is_causal"):
        rows, columns = scores._array.shape[-2:]
        lower = ops.tril(ones(rows, columns))
        scores = ops.masked_fill(scores, ops.eq(lower, 0), -math.inf)
    if mask is not None:
        if mask._array.dtype.kind == "b":
            scores = ops.masked_fill(scores, ops.logical_not(mask), -math.inf)
        else:
            scores = ops.add(scores, mask)
    weights = ops.dropout(ops.softmax(scores, -1), p["dropout_p"], True)
    return ops.matmul(weights, p["value"])


rule(_attention, "scaled_dot_product_attention")
