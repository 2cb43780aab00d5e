"""Users' `autograd.Function` under `vmap`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .. import ops
from ..autograd.function import Function
from ..utils import _pytree as pytree
from ._batched import batched, deepest, is_at, loop, state

# The function behind the class method: its first argument is the class.
apply = Function.apply.__func__  # type: ignore[attr-defined]


class VmapInfo(NamedTuple):
    """What a `Function.vmap` is told of the map."""

    batch_size: int
    randomness: str


def mapped_apply(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Calls the class's `vmap` on the values of all samples, or its `apply` on each sample."""
    cls, *given = args
    name = cls.__name__
    overrides = cls.vmap is not Function.vmap
    if cls.setup_context is Function.setup_context:
        raise RuntimeError(
            "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, "
            f"jacrev, ...), it must override the setup_context staticmethod: {name} does not."
        )
    if overrides and cls.generate_vmap_rule:
        raise RuntimeError(
            f"You tried to vmap over {name}, but it has both generate_vmap_rule=True and an "
            "overriden vmap staticmethod. Please set generate_vmap_rule=False or delete the "
            "overriden vmap staticmethod to avoid ambiguity."
        )
    if cls.generate_vmap_rule:
        return loop(cls.apply, tuple(given), kwargs)
    if not overrides:
        raise RuntimeError(
            f"You tried to vmap over {name}, but it does not have vmap support. Please override "
            "and implement the vmap staticmethod or set generate_vmap_rule=True."
        )
    level = deepest(given)
    leaves, spec = pytree.tree_flatten(tuple(given))
    dims = [0 if is_at(v, level) else None for v in leaves]
    values = [v.value if is_at(v, level) else v for v in leaves]
    before = state.levels
    state.levels = before[: before.index(level)]
    try:
        result, out_dims = cls.vmap(
            VmapInfo(level.size, level.randomness), pytree.tree_unflatten(dims, spec),
            *pytree.tree_unflatten(values, spec),
        )  # fmt: skip
    finally:
        state.levels = before
    outputs, out_spec = pytree.tree_flatten(result)
    places = pytree.broadcast_to_and_flatten(out_dims, out_spec)
    if places is None:
        raise RuntimeError(
            f"{name}.vmap: out_dims {out_dims} do not fit the structure of the outputs: {out_spec}"
        )
    done = [
        v if d is None else batched(ops.movedim(v, d, 0) if d else v, level)
        for v, d in zip(outputs, places, strict=True)
    ]
    return pytree.tree_unflatten(done, out_spec)
