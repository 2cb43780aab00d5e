"""`vmap`: a function of one sample, applied to all samples of a batch at once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import dispatch, ops
from ..autograd.variable import Variable
from ..tensor import Tensor
from ..utils import _pytree as pytree
from . import _layers, _libraries, _places, _pointwise, _products, _random, _reductions
from ._batched import Batched, Level, batched, is_at, state

_RULES = (
    _layers,
    _libraries,
    _places,
    _pointwise,
    _products,
    _random,
    _reductions,
)  # imported for what they register
_numbers = itertools.count(1)
_registered = False


def _arm() -> None:
    """Arms the public functions, and those inside that have rules."""
    global _registered
    if not _registered:
        dispatch.register(_pointwise.INTERNAL)
        dispatch.register(_random.ALL, always=True)
        _registered = True
    dispatch.arm(Tensor)


def vmap(
    func: Callable,
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable:
    """`func` mapped over a dimension of its arguments.

    `in_dims`: the mapped dimension of each argument, None for those that all samples share; an int
    for all, or a tuple with a structure that is a prefix of the arguments'. Keyword arguments are
    shared. `out_dims`: where the batch goes in each result. `randomness`: "error", "same" or
    "different" random numbers for the samples. `chunk_size`: how many samples at a time.

    The function must not look at values in Python (`if x > 0`, `.item()`): RuntimeError.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        flat, spec, dims, size = _inputs(func, in_dims, args)
        if chunk_size is None or size <= chunk_size:
            return _mapped(func, flat, spec, dims, size, out_dims, randomness, kwargs)
        return _chunked(func, flat, spec, dims, size, out_dims, randomness, kwargs, chunk_size)

    return wrapped


def _name(func: Callable) -> str:
    name = getattr(func, "__name__", None)
    return repr(func) if name is None else name


class _Call(NamedTuple):
    """The call, as errors name it: written out only there, as a partial shows its tensors."""

    func: Callable
    in_dims: Any

    def __str__(self) -> str:
        return f"vmap({_name(self.func)}, in_dims={self.in_dims}, ...)(<inputs>)"


def _inputs(func: Callable, in_dims: Any, args: tuple) -> tuple[list, Any, list, int]:
    """(leaves, structure, mapped dimension of each leaf, batch size), checked."""
    where = _Call(func, in_dims)
    if not isinstance(in_dims, (int, tuple)) or isinstance(in_dims, bool):
        raise ValueError(
            f"{where}: expected `in_dims` to be int or a (potentially nested) tuple matching the "
            f"structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({_name(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you "
            "are trying to vmap over a function with no inputs. The latter is unsupported."
        )
    flat, spec = pytree.tree_flatten(args)
    dims = pytree.broadcast_to_and_flatten(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"{where}: in_dims is not compatible with the structure of `inputs`. in_dims has "
            f"structure {pytree.tree_structure(in_dims)} but inputs has structure {spec}."
        )
    sizes = []
    for i, (value, dim) in enumerate(zip(flat, dims, strict=True)):
        if dim is None:
            continue
        if not isinstance(dim, int) or isinstance(dim, bool):
            raise ValueError(
                f"{where}: Got in_dim={dim} for an input but in_dim must be either an integer "
                "dimension or None."
            )
        if not isinstance(value, Variable):
            raise ValueError(
                f"{where}: Got in_dim={dim} for an input but the input is of type {type(value)}. "
                "We cannot vmap over non-Tensor arguments, please use None as the respective "
                "in_dim"
            )
        ndim = value._array.ndim
        if not -ndim <= dim < ndim:
            raise ValueError(
                f"{where}: Got in_dim={dim} for some input, but that input is a Tensor of "
                f"dimensionality {ndim} so expected in_dim to satisfy -{ndim} <= in_dim < {ndim}."
            )
        dims[i] = dim % ndim
        sizes.append(value._array.shape[dim])
    if not sizes:
        raise ValueError(
            "vmap: Expected at least one Tensor to vmap over. Please make sure that in_dims is not "
            "None for all inputs."
        )
    if len(set(sizes)) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return flat, spec, dims, sizes[0]


def _mapped(
    func: Callable, flat: list, spec: Any, dims: list, size: int, out_dims: Any, randomness: str,
    kwargs: dict,
) -> Any:  # fmt: skip
    level = Level(next(_numbers), size, randomness)
    _arm()
    before = state.levels
    try:
        values = [
            v if d is None else batched(ops.movedim(v, d, 0) if d else v, level)
            for v, d in zip(flat, dims, strict=True)
        ]
        state.levels = (*before, level)
        result = func(*pytree.tree_unflatten(values, spec), **kwargs)
        return _outputs(func, result, level, out_dims)
    finally:
        state.levels = before
        dispatch.release()


def _outputs(func: Callable, result: Any, level: Level, out_dims: Any) -> Any:
    flat, spec, dims = _out_dims(func, result, out_dims)
    done = []
    for value, dim in zip(flat, dims, strict=True):
        if not isinstance(value, Variable):
            raise ValueError(
                f"vmap({_name(func)}, ...): `{_name(func)}` must only return Tensors, got type "
                f"{type(value)}. Did you mean to set out_dims= to None for output?"
            )
        if dim is None:
            if is_at(value, level):
                raise ValueError(
                    f"vmap({_name(func)}, ...): `{_name(func)}` can not return a BatchedTensor "
                    "when out_dim is None"
                )
            done.append(value)
            continue
        if is_at(value, level):
            full = value.value
        else:
            shape = value._array.shape
            full = ops.expand(ops.unsqueeze(value, 0), (level.size, *shape))
        ndim = full._array.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but "
                f"got {dim})"
            )
        done.append(ops.movedim(full, 0, dim) if dim % ndim else full)
    return pytree.tree_unflatten(done, spec)


def _out_dims(func: Callable, result: Any, out_dims: Any) -> tuple[list, Any, list]:
    flat, spec = pytree.tree_flatten(result)
    if isinstance(result, Variable) and isinstance(out_dims, tuple) and len(out_dims) == 1:
        out_dims = out_dims[0]
    dims = pytree.broadcast_to_and_flatten(out_dims, spec)
    if dims is None or not all(d is None or isinstance(d, int) for d in dims):
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible "
            f"with the structure of `outputs`. out_dims has structure "
            f"{pytree.tree_structure(out_dims)} but outputs has structure {spec}."
        )
    return flat, spec, dims


def _chunked(
    func: Callable, flat: list, spec: Any, dims: list, size: int, out_dims: Any, randomness: str,
    kwargs: dict, chunk_size: int,
) -> Any:  # fmt: skip
    parts = []
    for start in range(0, size, chunk_size):
        count = min(chunk_size, size - start)
        piece = [
            v if d is None else ops.narrow(v, d, start, count)
            for v, d in zip(flat, dims, strict=True)
        ]
        parts.append(_mapped(func, piece, spec, dims, count, out_dims, randomness, kwargs))
    leaves, out_spec = pytree.tree_flatten(parts[0])
    places = pytree.broadcast_to_and_flatten(
        out_dims[0] if isinstance(out_dims, tuple) and isinstance(parts[0], Variable) else out_dims,
        out_spec,
    )
    columns = zip(*[pytree.tree_leaves(p) for p in parts], strict=True)
    assert places is not None
    joined = [
        column[0] if dim is None else ops.cat(list(column), dim)
        for column, dim in zip(columns, places, strict=True)
    ]
    return pytree.tree_unflatten(joined, out_spec)


def peel(t: Any, levels: tuple[Level, ...]) -> Any:
    """A tensor with the batches of `levels` as its first dimensions, the outermost first.

    One that is not of a level is repeated (a view). Levels deeper than these stay.
    """
    if not levels:
        return t
    if t.__class__ is Batched and t.level not in levels:
        inner = peel(t.value, levels)
        return batched(ops.movedim(inner, len(levels), 0), t.level)
    last = levels[-1]
    if is_at(t, last):
        value = t.value
    else:
        value = ops.expand(ops.unsqueeze(t, 0), (last.size, *t._array.shape))
    return peel(value, levels[:-1])


def unpeel(value: Any, levels: tuple[Level, ...]) -> Any:
    """The reverse of `peel`."""
    if value.__class__ is Batched and value.level not in levels:
        inner = unpeel(ops.movedim(value.value, 0, len(levels)), levels)
        return batched(inner, value.level)
    for level in levels:
        value = batched(value, level)
    return value
