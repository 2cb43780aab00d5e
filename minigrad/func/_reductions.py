"""Batching rules of what works along dimensions: reductions, scans, sorting, softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import linalg, ops
from ..autograd.variable import Variable
from ..ops._shape import normalize_dim
from ._batched import deepest, is_at, loop, wrap_all
from ._binding import bind, mapped, rule, shifted

# Functions with a `dim` that is None, or absent, by default: then all elements are meant.
_OF_ALL = {
    getattr(ops, name)
    for name in (
        "sum", "nansum", "mean", "nanmean", "prod", "all", "any", "count_nonzero", "amax",
        "amin", "argmax", "argmin", "max", "min", "aminmax", "var", "std", "var_mean",
        "std_mean", "norm", "quantile", "nanquantile", "median", "nanmedian", "logsumexp",
    )
}  # fmt: skip
_OF_ALL |= {linalg.vector_norm, linalg.norm}
# Of these the form with a `dim` returns indices too, the form without does not.
_WITH_INDICES = {ops.max, ops.min, ops.median, ops.nanmedian}
_KEEPS_SHAPE = {
    getattr(ops, name)
    for name in (
        "cumsum", "cumprod", "logcumsumexp", "cummax", "cummin", "softmax", "log_softmax",
        "softmin", "sort", "argsort", "topk",
    )
}  # fmt: skip


def along(function: Callable, args: tuple, kwargs: dict) -> Any:
    """One tensor, a `dim` (several, or none for all elements)."""
    p = bind(function, args, kwargs)
    first = next(iter(p)) if args else "input"
    x = p[first]
    level = deepest(args, kwargs.values())
    others = [v for name, v in p.items() if name != first and isinstance(v, Variable)]
    if others or not is_at(x, level) or p.get("p") == "nuc":
        return loop(function, args, kwargs)
    value, ndim = x.value, x._array.ndim
    if function in _OF_ALL and _every(p.get("dim")):
        return _all_elements(function, p, first, value, ndim, level)
    if function is ops.count_nonzero and not isinstance(p.get("dim"), int):
        return loop(function, args, kwargs)
    dim = p.get("dim", -1)
    if isinstance(dim, bool) or not isinstance(dim, (int, tuple, list)):
        return loop(function, args, kwargs)  # for its error
    if ndim == 0:
        return _of_numbers(function, p, first, value, dim, level)
    p[first], p["dim"] = value, shifted(dim, ndim)
    return wrap_all(function(**p), level)


def _every(dim: Any) -> bool:
    return dim is None or (isinstance(dim, (tuple, list)) and not dim)


def _all_elements(
    function: Callable, p: dict, first: str, value: Any, ndim: int, level: Any
) -> Any:
    keepdim = p.pop("keepdim", False)
    size = 1
    for n in value._array.shape[1:]:
        size *= n
    flat = ops.reshape(value, (value._array.shape[0], size))
    p[first], p["dim"] = flat, 1
    result = function(**p)
    if function in _WITH_INDICES:
        result = result[0]
    if keepdim:
        ones = (1,) * ndim
        result = mapped(result, lambda r: ops.reshape(r, (*r._array.shape, *ones)))
    return wrap_all(result, level)


def _of_numbers(function: Callable, p: dict, first: str, value: Any, dim: Any, level: Any) -> Any:
    """Samples without dimensions: their dimension 0 is one of size 1."""
    for d in dim if isinstance(dim, (tuple, list)) else (dim,):
        normalize_dim(d, 0)
    p.pop("keepdim", None)
    p[first] = ops.unsqueeze(value, 1)
    p["dim"] = 1 if isinstance(dim, int) else (1,)
    result = function(**p)
    if function in _KEEPS_SHAPE:
        result = mapped(result, lambda r: ops.reshape(r, r._array.shape[:1]))
    return wrap_all(result, level)


rule(
    along,
    "sum nansum mean nanmean prod logsumexp all any count_nonzero amax amin argmax argmin "
    "var std var_mean std_mean cumsum cumprod logcumsumexp cummax cummin softmax log_softmax "
    "softmin sort argsort topk kthvalue median nanmedian mode aminmax norm glu",
)


def _maximum_or_along(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`max` and `min`: of one tensor along a dimension, or elementwise of two."""
    second = args[1] if len(args) > 1 else kwargs.get("other", kwargs.get("dim"))
    if isinstance(second, Variable):
        both = ops.maximum if function is ops.max else ops.minimum
        return both(args[0] if args else kwargs["input"], second)
    return along(function, args, kwargs)


rule(_maximum_or_along, "max min")


def _quantile(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    q = p.get("q")
    if isinstance(q, Variable) and q._array.ndim:
        return loop(function, args, kwargs)  # the quantiles' dimension comes first in the result
    if isinstance(q, Variable):
        level = deepest(args, kwargs.values())
        if is_at(q, level):
            return loop(function, args, kwargs)
        p["q"] = q.item()
    x = p.pop("input")
    return along(function, (x,), p)


rule(_quantile, "quantile nanquantile")


def _trace(function: Callable, args: tuple, kwargs: dict) -> Any:
    x = args[0] if args else kwargs["input"]
    if x._array.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {x._array.ndim}")
    return ops.sum(ops.diagonal(x), 0)


rule(_trace, "trace")


def _msort(function: Callable, args: tuple, kwargs: dict) -> Any:
    return ops.sort(args[0] if args else kwargs["input"], 0)[0]


rule(_msort, "msort")
