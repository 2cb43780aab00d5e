"""Batching rules of what rearranges: views, permutations, splits, joins, repeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..autograd.variable import Variable
from ..ops import _shape
from ..ops._operands import to_dtype
from ..ops._shape import as_shape, normalize_dim
from ..ops.permutation import matrix_transpose, reversed_dims
from ._batched import RULES, Batched, batched, deepest, is_at, loop, value_at, wrap_all
from ._binding import bind, broadcasting, rule, shifted


def _dims(*names: str, **defaults: Any) -> Callable:
    """The rule of functions of one tensor whose arguments `names` are dimensions."""

    def moved(function: Callable, args: tuple, kwargs: dict) -> Any:
        level = deepest(args, kwargs.values())
        p = {**defaults, **bind(function, args, kwargs)}
        first = "input" if "input" in p else "tensor"
        x = p[first]
        if not is_at(x, level) or not x._array.ndim:
            return loop(function, args, kwargs)
        if any(v.__class__ is Batched for name, v in p.items() if name != first):
            return loop(function, args, kwargs)
        for name in names:
            p[name] = shifted(p[name], x._array.ndim)
        p[first] = x.value
        return wrap_all(function(**p), level)

    return moved


rule(_dims("dim0", "dim1"), "transpose swapdims")
rule(_dims("axis0", "axis1"), "swapaxes")
rule(_dims("source", "destination"), "movedim moveaxis")
rule(_dims("dim"), "unflatten narrow select")
rule(_dims("dim", dim=0), "chunk split split_with_sizes tensor_split unbind")
rule(_dims("dimension"), "unfold")
rule(_dims("dim1", "dim2", dim1=0, dim2=1), "diagonal")


def _diff(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    if p.get("prepend") is not None or p.get("append") is not None:
        return loop(function, args, kwargs)
    return _DIFF(function, args, kwargs)


_DIFF = _dims("dim", dim=-1)
rule(_diff, "diff")
rule(_dims("dims", dims=(0, 1)), "rot90")


def _single(function: Callable, args: tuple, kwargs: dict) -> tuple[Any, Any, dict]:
    """(level, value, arguments) of a function of one batched tensor."""
    p = bind(function, args, kwargs)
    level = deepest(args, kwargs.values())
    return level, p["input"].value, p


def _unsqueeze(function: Callable, args: tuple, kwargs: dict) -> Any:
    level, value, p = _single(function, args, kwargs)
    dim = normalize_dim(p["dim"], p["input"]._array.ndim + 1)
    return batched(ops.unsqueeze(value, dim + 1), level)


def _squeeze(function: Callable, args: tuple, kwargs: dict) -> Any:
    level, value, p = _single(function, args, kwargs)
    shape = p["input"]._array.shape
    if not shape:
        return p["input"]
    dim = p.get("dim")
    if dim is None:
        dim = tuple([i for i, n in enumerate(shape) if n == 1])
    result = ops.squeeze(value, shifted(dim, len(shape)))
    return batched(result, level)


def _flatten(function: Callable, args: tuple, kwargs: dict) -> Any:
    level, value, p = _single(function, args, kwargs)
    ndim = p["input"]._array.ndim
    if not ndim:
        return batched(ops.unsqueeze(value, 1), level)
    start, end = shifted((p.get("start_dim", 0), p.get("end_dim", -1)), ndim)
    return batched(ops.flatten(value, start, end), level)


def _ravel(function: Callable, args: tuple, kwargs: dict) -> Any:
    return ops.reshape(args[0] if args else kwargs["input"], (-1,))


def _sizes(args: tuple, kwargs: dict) -> tuple:
    """The sizes of `f(input, 2, 3)`, `f(input, (2, 3))` or `f(input, size=(2, 3))`."""
    named = kwargs.get("size", kwargs.get("shape", kwargs.get("dims", kwargs.get("repeats"))))
    return as_shape(args[1:] if named is None else (tuple(named),))


def _reshape(function: Callable, args: tuple, kwargs: dict) -> Any:
    x = args[0] if args else kwargs["input"]
    level = deepest((x,))
    if "dtype" in kwargs or (len(args) == 2 and not isinstance(args[1], (int, tuple, list))):
        if not x._array.ndim:
            return loop(function, args, kwargs)
        return batched(function(x.value, *args[1:], **kwargs), level)
    sizes = _sizes(args, kwargs)
    if x._array.size == 0 or level.size == 0 or -1 in sizes:
        sizes = _without_unknown(sizes, x._array)
    return batched(function(x.value, (level.size, *sizes)), level)


def _without_unknown(sizes: tuple, array: Any) -> tuple:
    """Sizes with -1 replaced by what is left of a sample's elements."""
    if sizes.count(-1) != 1:
        return sizes
    known = 1
    for n in sizes:
        known *= n if n != -1 else 1
    if known == 0 or array.size % known:
        raise RuntimeError(f"shape '{list(sizes)}' is invalid for input of size {array.size}")
    return tuple([array.size // known if n == -1 else n for n in sizes])


def _as_other(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`reshape_as`, `view_as`, `expand_as`: the other tensor says the sizes alone."""
    p = bind(function, args, kwargs)
    direct: dict[str, Callable] = {
        "reshape_as": ops.reshape,
        "view_as": ops.view,
        "expand_as": ops.expand,
    }
    return direct[function.__name__](p["input"], p["other"]._array.shape)


def _expand(function: Callable, args: tuple, kwargs: dict) -> Any:
    x = args[0] if args else kwargs["input"]
    level = deepest((x,))
    sizes = _sizes(args, kwargs)
    shape = x._array.shape
    lead = len(sizes) - len(shape)
    if lead < 0:
        return loop(function, args, kwargs)  # for its error
    value = ops.reshape(x.value, (level.size, *(1,) * lead, *shape)) if lead else x.value
    return batched(ops.expand(value, (level.size, *sizes)), level)


def _internal_expand(function: Callable, args: tuple, kwargs: dict) -> Any:
    value, shape = args
    return _expand(function, (value, tuple(shape)), {})


def _sum_to(function: Callable, args: tuple, kwargs: dict) -> Any:
    value, shape = args
    if value._array.shape == tuple(shape):
        return value
    level = deepest((value,))
    lead = value._array.ndim - len(shape)
    full = value.value
    if lead:
        full = ops.sum(full, tuple(range(1, 1 + lead)))
    return batched(_shape.sum_to(full, (level.size, *shape)), level)


def _permute(function: Callable, args: tuple, kwargs: dict) -> Any:
    x = args[0] if args else kwargs["input"]
    level = deepest((x,))
    order = _sizes(args, kwargs)
    ndim = x._array.ndim
    if len(order) != ndim:
        return loop(function, args, kwargs)
    return batched(ops.permute(x.value, (0, *shifted(order, ndim))), level)


def _t(function: Callable, args: tuple, kwargs: dict) -> Any:
    x = args[0] if args else kwargs["input"]
    if x._array.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {x.ndim}D")
    return x if x._array.ndim < 2 else ops.transpose(x, 0, 1)


def _reversed(function: Callable, args: tuple, kwargs: dict) -> Any:
    x = args[0]
    return ops.permute(x, tuple(range(x._array.ndim))[::-1])


def _matrix_transposed(function: Callable, args: tuple, kwargs: dict) -> Any:
    x = args[0]
    if x._array.ndim < 2:
        return loop(function, args, kwargs)
    return ops.transpose(x, -2, -1)


rule(_unsqueeze, "unsqueeze")
rule(_squeeze, "squeeze")
rule(_flatten, "flatten")
rule(_ravel, "ravel")
rule(_reshape, "reshape view")
rule(_as_other, "reshape_as view_as expand_as")
rule(_expand, "expand broadcast_to")
rule(_permute, "permute")
rule(_t, "t")
RULES[reversed_dims] = _reversed
RULES[matrix_transpose] = _matrix_transposed
# What backward bodies use.
RULES[_shape.expand] = _internal_expand
RULES[_shape.sum_to] = _sum_to
RULES[to_dtype] = broadcasting
INTERNAL = [_shape.expand, _shape.sum_to, to_dtype]


def _flip(function: Callable, args: tuple, kwargs: dict) -> Any:
    x = args[0] if args else kwargs["input"]
    level = deepest((x,))
    if not x._array.ndim:
        return loop(function, args, kwargs)
    dims = _sizes(args, kwargs)
    return batched(ops.flip(x.value, shifted(dims, x._array.ndim)), level)


def _roll(function: Callable, args: tuple, kwargs: dict) -> Any:
    level, value, p = _single(function, args, kwargs)
    ndim, dims = p["input"]._array.ndim, p.get("dims")
    if not ndim:
        return loop(function, args, kwargs)
    if dims is None or dims == ():
        flat = ops.roll(ops.flatten(value, 1), p["shifts"], 1)
        return batched(ops.reshape(flat, value._array.shape), level)
    return batched(ops.roll(value, p["shifts"], shifted(dims, ndim)), level)


def _repeat(function: Callable, args: tuple, kwargs: dict) -> Any:
    x = args[0] if args else kwargs["input"]
    level = deepest((x,))
    times = _sizes(args, kwargs)
    ndim = x._array.ndim
    if function is ops.tile and len(times) < ndim:
        times = (1,) * (ndim - len(times)) + times
    if len(times) < ndim:
        return loop(function, args, kwargs)
    value = ops.reshape(x.value, (level.size, *(1,) * (len(times) - ndim), *x._array.shape))
    return batched(ops.repeat(value, (1, *times)), level)


def _matrices(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`tril`, `triu`: of the last two dimensions."""
    level, value, p = _single(function, args, kwargs)
    if p["input"]._array.ndim < 2:
        return loop(function, args, kwargs)
    p["input"] = value
    return batched(function(**p), level)


def _diag_embed(function: Callable, args: tuple, kwargs: dict) -> Any:
    level, value, p = _single(function, args, kwargs)
    ndim = p["input"]._array.ndim + 1
    dims = shifted((p.get("dim1", -2), p.get("dim2", -1)), ndim)
    return batched(ops.diag_embed(value, p.get("offset", 0), *dims), level)


def _diag(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x, offset = p["input"], p.get("diagonal", 0)
    if x._array.ndim == 1:
        return ops.diag_embed(x, offset)
    return ops.diagonal(x, offset) if x._array.ndim == 2 else loop(function, args, kwargs)


def _repeat_interleave(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x, dim = p["input"], p.get("dim")
    repeats = p.get("repeats")
    if x.__class__ is not Batched or repeats.__class__ is Batched or repeats is None:
        return loop(function, args, kwargs)
    if dim is None:
        x, dim = ops.reshape(x, (-1,)), 0
    if not x._array.ndim:
        return loop(function, args, kwargs)
    level = deepest((x,))
    p["input"], p["dim"] = x.value, shifted(dim, x._array.ndim)
    return batched(function(**p), level)


rule(_flip, "flip")
rule(lambda f, a, k: ops.flip(a[0] if a else k["input"], (1,)), "fliplr")
rule(lambda f, a, k: ops.flip(a[0] if a else k["input"], (0,)), "flipud")
rule(_roll, "roll")
rule(_repeat, "repeat tile")
rule(_matrices, "tril triu")
rule(_diag_embed, "diag_embed")
rule(_diag, "diag")
rule(_repeat_interleave, "repeat_interleave")


def _joined(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`cat`, `stack`: every tensor with the batch in front."""
    p = bind(function, args, kwargs)
    tensors = list(p["tensors"])
    level = deepest(tensors)
    ndim = max(t._array.ndim for t in tensors)
    if function is not ops.stack:
        if any(not t._array.ndim for t in tensors):
            return loop(function, args, kwargs)
        # PyTorch skips vectors without elements.
        kept = [t for t in tensors if t._array.shape != (0,)]
        tensors = kept or tensors
        ndim = max(t._array.ndim for t in tensors)
    if any(t._array.dtype != tensors[0]._array.dtype for t in tensors):
        return loop(function, args, kwargs)
    p["tensors"] = [value_at(t, level) for t in tensors]
    p["dim"] = shifted(p.get("dim", 0), ndim + (function is ops.stack))
    return batched(function(**p), level)


rule(_joined, "cat concat concatenate stack")
for _name in ("hstack", "vstack", "row_stack", "dstack", "column_stack", "block_diag",
              "cartesian_prod", "atleast_1d", "atleast_2d", "atleast_3d", "hsplit", "vsplit",
              "dsplit"):  # fmt: skip
    RULES[getattr(ops, _name)] = None


def _broadcast_tensors(function: Callable, args: tuple, kwargs: dict) -> Any:
    tensors = args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else args
    shape = _shape.broadcast_shapes(*[t._array.shape for t in tensors])
    return tuple([ops.expand(t, shape) for t in tensors])


def _meshgrid(function: Callable, args: tuple, kwargs: dict) -> Any:
    level = deepest(args)
    tensors = args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else args
    if any(not isinstance(t, Variable) or t._array.ndim > 1 for t in tensors):
        return loop(function, args, kwargs)
    swap = kwargs.get("indexing") == "xy" and len(tensors) > 1
    order = [tensors[1], tensors[0], *tensors[2:]] if swap else list(tensors)
    sizes = [t._array.size for t in order]
    grids = []
    for i, t in enumerate(order):
        value = value_at(t, level)
        shape = [1] * len(order)
        shape[i] = sizes[i]
        grid = ops.expand(ops.reshape(value, (level.size, *shape)), (level.size, *sizes))
        grids.append(batched(grid, level))
    return tuple([grids[1], grids[0], *grids[2:]] if swap else grids)


rule(_broadcast_tensors, "broadcast_tensors")
rule(_meshgrid, "meshgrid")
