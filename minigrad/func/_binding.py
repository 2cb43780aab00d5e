"""What batching rules share: arguments by name, samples aligned for broadcasting, registration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import dtypes, ops
from ..autograd.variable import Variable
from ..exchange import code_of
from ..ops._operands import result_numpy
from ._batched import RULES, Batched, Level, batched, deepest, flatten, value_at, wrap_all

Rule = Callable[[Callable, tuple, dict], Any]

_names: dict[Callable, tuple[str, ...]] = {}
_ALIASES = {"axis": "dim", "keepdims": "keepdim", "x1": "x1"}


def bind(function: Callable, args: tuple, kwargs: dict) -> dict[str, Any]:
    """The arguments of a call by name; NumPy's names are replaced by PyTorch's."""
    names = _names.get(function)
    if names is None:
        code = code_of(function)
        names = _names[function] = code.co_varnames[: code.co_argcount]
    p = dict(zip(names, args))
    for name, value in kwargs.items():
        p[_ALIASES.get(name, name) if name not in names else name] = value
    if p.get("out") is not None:
        raise RuntimeError(
            f"vmap: {function.__name__}: out= was given; inside vmap results cannot be written to "
            "a tensor given as out="
        )
    return p


def rule(target: Rule | None, names: str, *namespaces: Any) -> None:
    """Makes `target` the batching rule of functions that exist under these names."""
    for name in names.split():
        for space in namespaces or (ops,):
            function = getattr(space, name, None)
            if function is not None:
                RULES[function] = target


def aligned(value: Any, level: Level, ndim: int) -> Any:
    """The value of a sample, with dimensions of size 1 behind the batch up to `ndim` of them.

    A tensor that is not of the level stays as it is: broadcasting repeats it.
    """
    if value.__class__ is not Batched or value.level is not level:
        return value
    missing = ndim - value._array.ndim
    v = value.value
    if missing <= 0:
        return v
    shape = v._array.shape
    return ops.reshape(v, (shape[0], *(1,) * missing, *shape[1:]))


def promoted(name: str, tensors: list) -> Any:
    """The dtype that samples without dimensions must be given, because as batches they have one.

    None where all dtypes agree.
    """
    first = tensors[0]._array.dtype
    if all(t._array.dtype == first for t in tensors):
        return None
    return dtypes.from_numpy(result_numpy(name, *tensors))


def broadcasting(function: Callable, args: tuple, kwargs: dict) -> Any:
    """The rule of functions of elements that broadcast."""
    if len(args) == 1 and not kwargs and args[0].__class__ is Batched:
        level = deepest(args)
        return wrap_all(function(args[0].value), level)
    level = deepest(args, kwargs.values())
    bind(function, args, kwargs)
    given = [v for v in flatten((args, tuple(kwargs.values()))) if isinstance(v, Variable)]
    ndim = max(v._array.ndim for v in given)
    dtype = promoted(function.__name__, given)

    def change(v: Any) -> Any:
        if v.__class__ is not Batched or v.level is not level:
            return v
        v_aligned = aligned(v, level, ndim)
        if dtype is not None and not v._array.ndim and v._array.dtype.kind != "b":
            return v_aligned.to(dtype)
        return v_aligned

    new = [change(v) for v in args]
    named = {name: change(v) for name, v in kwargs.items()}
    return wrap_all(function(*new, **named), level)


def leading(function: Callable, args: tuple, kwargs: dict) -> Any:
    """The rule of functions that take any number of batch dimensions in front, of all tensors."""
    level = deepest(args, kwargs.values())
    bind(function, args, kwargs)
    given = [v for v in (*args, *kwargs.values()) if isinstance(v, Variable)]
    if len(given) > 1:
        args = tuple([value_at(v, level) if isinstance(v, Variable) else v for v in args])
        kwargs = {
            k: value_at(v, level) if isinstance(v, Variable) else v for k, v in kwargs.items()
        }
        return wrap_all(function(*args, **kwargs), level)
    args = tuple([v.value if isinstance(v, Batched) else v for v in args])
    kwargs = {k: v.value if isinstance(v, Batched) else v for k, v in kwargs.items()}
    return wrap_all(function(*args, **kwargs), level)


def shifted(dim: Any, ndim: int) -> Any:
    """A dimension of a sample, or several, as those of the batch."""
    if isinstance(dim, (tuple, list)):
        return tuple([shifted(d, ndim) for d in dim])
    return ops._shape.normalize_dim(dim, ndim) + 1


def fold(value: Any) -> Any:
    """(B, N, ...) as (B * N, ...)."""
    shape = value._array.shape
    return ops.reshape(value, (shape[0] * shape[1], *shape[2:]))


def unfold(value: Any, batch: int) -> Any:
    """(B * N, ...) as (B, N, ...)."""
    shape = value._array.shape
    n = shape[0] // batch if batch else 0
    return ops.reshape(value, (batch, n, *shape[1:]))


def mapped(result: Any, change: Callable) -> Any:
    """`change` made to a tensor, or to each item of a tuple of tensors."""
    if isinstance(result, Variable):
        return change(result)
    items = [change(r) for r in result]
    return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)


__all__ = ["aligned", "batched", "bind", "broadcasting", "fold", "leading", "mapped", "promoted",
           "rule", "shifted", "unfold"]  # fmt: skip
