"""Batched tensors: what `vmap` gives the function that it maps, and the levels of nested maps.

A `Batched` stands for one sample: shape and dtype are a sample's. Its `value` holds all samples,
with the batch as the first dimension; under nested maps that value is itself batched, of an outer
level. Gradients are the values' business: a `Batched` is in no graph.

Each call with a `Batched` arrives at `Batched.__torch_function__`, which looks for the function's
batching rule in `RULES`. A rule works on the values of the deepest level among the arguments, with
public functions, so that outer levels get their turn. Without a rule the function runs for each
sample and the results are stacked: always right, not fast.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from .. import dispatch, ops
from ..autograd.record import apply, apply_view
from ..autograd.variable import Variable
from ..dispatch import LogicalArray, NeedsLoop
from ..size import Size
from ..tensor import Tensor


class Level:
    """One running `vmap`: its number (deeper is larger), batch size and way with randomness."""

    __slots__ = ("number", "randomness", "size")

    def __init__(self, number: int, size: int, randomness: str):
        self.number, self.size, self.randomness = number, size, randomness


class _ThreadState(threading.local):
    levels: tuple[Level, ...] = ()  # the running maps of this thread, the innermost last


state = _ThreadState()
_new = object.__new__
plain = dispatch.plain

# function -> rule(function, args, kwargs). None: the function's own body serves batched tensors.
RULES: dict[Callable, Callable | None] = {}


class Batched(Tensor, arms=False):
    """One of the samples along a mapped dimension."""

    __slots__ = ("level", "value")

    level: Level
    value: Any

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        rule = RULES.get(func, loop)
        try:
            return plain(func)(*args, **kwargs) if rule is None else rule(func, args, kwargs)
        except NeedsLoop:
            return loop(func, args, kwargs)

    @staticmethod
    def apply_node(cls: type, inputs: tuple, *args: Any) -> Any:
        """Applies a node, for which there are no rules, to each sample."""
        if cls.views_input:  # type: ignore[attr-defined]
            return loop(lambda x: apply_view(cls, x, *args), inputs, {})
        return loop(lambda *xs: apply(cls, xs, *args), inputs, {})

    def __repr__(self, **options: Any) -> str:
        return f"BatchedTensor(lvl={self.level.number}, bdim=0, value=\n{self.value!r}\n)"

    def __deepcopy__(self, memo: dict) -> Any:
        return batched(self.value.__deepcopy__(memo), self.level)

    @property
    def requires_grad(self) -> bool:
        return self.value.requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.value.requires_grad = value

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        raise RuntimeError(
            "You are attempting to call Tensor.requires_grad_() inside of a function being "
            "transformed by vmap. Use func.grad or func.vjp instead."
        )

    def backward(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            "backward() called inside a functorch transform. This is not supported, please use "
            "func.grad or func.vjp instead or call backward() outside of it."
        )

    is_leaf = property(lambda self: self.value.is_leaf)
    grad_fn = property(lambda self: self.value.grad_fn)
    shape = property(lambda self: Size(self._array.shape))
    device = property(lambda self: self.value.device)

    @property  # type: ignore[misc]
    def grad(self) -> Any:
        grad = self.value.grad
        return None if grad is None else batched(grad, self.level)

    @property  # type: ignore[misc]
    def data(self) -> Any:
        return batched(self.value.detach(), self.level)


def batched(value: Any, level: Level) -> Batched:
    """One sample of `value`, whose first dimension is the batch."""
    t = _new(Batched)
    array = value._array
    t._array = LogicalArray(array.shape[1:], array.dtype)
    t._fn = t._grad = t._cell = t._view = None
    t.level, t.value = level, value
    return t


def renew(t: Batched, value: Any) -> Batched:
    """Gives a batched tensor another value."""
    t.value = value
    t._array = LogicalArray(value._array.shape[1:], value._array.dtype)
    return t


def deepest(*groups: Iterable) -> Level:
    """The innermost level among batched tensors, also in lists and tuples."""
    found: Level | None = None
    for group in groups:
        for value in flatten(group):
            if value.__class__ is Batched and (found is None or value.level.number > found.number):
                found = value.level
    assert found is not None
    if found not in state.levels:
        raise RuntimeError(
            "vmap: a tensor of a vmap that has ended was used; needed: return it from the function"
        )
    return found


def flatten(values: Any) -> Iterable:
    """All items of nested lists and tuples."""
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from flatten(value)
        else:
            yield value


def replace(values: Any, change: Callable[[Any], Any]) -> Any:
    """Nested lists and tuples with `change` made to the batched tensors in them."""
    if values.__class__ is Batched:
        return change(values)
    if isinstance(values, (tuple, list)):
        items = [replace(v, change) for v in values]
        return items if isinstance(values, list) else rebuild(values, items)
    return values


def rebuild(like: tuple, items: list) -> Any:
    """A tuple of the kind of `like` (a named one or a return type) with other items."""
    return type(like)(*items) if hasattr(like, "_fields") else type(like)(items)


def is_at(value: Any, level: Level) -> bool:
    """Whether a value is a sample of this very level."""
    return value.__class__ is Batched and value.level is level


def value_at(value: Any, level: Level) -> Any:
    """All samples of a tensor, (batch, ...): one that is not of the level is repeated (a view)."""
    if value.__class__ is Batched and value.level is level:
        return value.value
    return ops.expand(ops.unsqueeze(value, 0), level.size, *value._array.shape)


def wrap_all(result: Any, level: Level) -> Any:
    """Results, tensors in tuples or lists, as samples; other values as they are."""
    if isinstance(result, Variable):
        return batched(result, level)
    if isinstance(result, (tuple, list)):
        items = [wrap_all(r, level) for r in result]
        return items if isinstance(result, list) else rebuild(result, items)
    return result


def loop(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Runs a function on each sample and stacks the results."""
    level = deepest(args, kwargs.values())
    names = list(kwargs)
    given = (*args, *kwargs.values())

    def call(i: int) -> Any:
        def sample(t: Batched) -> Any:
            if t.level is not level:
                return t
            if level.size == 0:  # for the shape of the result alone
                return ops.reshape(t.value.new_zeros(t._array.shape), t._array.shape)
            return ops.select(t.value, 0, i)

        values = replace(tuple(given), sample)
        at = len(args)
        return function(*values[:at], **dict(zip(names, values[at:], strict=True)))

    results = [call(i) for i in range(max(level.size, 1))]
    if _writes(function) and isinstance(given[0], Batched):
        return given[0]
    return _stacked(results, level, function)


def _writes(function: Callable) -> bool:
    name = getattr(function, "__name__", "")
    return name.endswith("_") and not name.endswith("__")


def _stacked(results: list, level: Level, function: Callable) -> Any:
    first = results[0]
    if isinstance(first, Variable):
        if any(r._array.shape != first._array.shape for r in results):
            raise dynamic_shape(function)
        if level.size == 0:
            return batched(ops.expand(ops.unsqueeze(first, 0), 0, *first._array.shape), level)
        return batched(ops.stack(results), level)
    if isinstance(first, (tuple, list)):
        if any(len(r) != len(first) for r in results):
            raise dynamic_shape(function)
        items = [_stacked(list(column), level, function) for column in zip(*results, strict=True)]
        return items if isinstance(first, list) else rebuild(first, items)
    if any(type(r) is not type(first) or r != first for r in results):
        raise data_dependent()
    return first


def dynamic_shape(function: Callable) -> RuntimeError:
    """The error for results whose shape depends on the values."""
    name = getattr(function, "__name__", "function")
    return RuntimeError(
        f"vmap: {name}: We do not support batching operators that can output dynamic shape: the "
        "samples' results differ in shape, or could."
    )


def data_dependent(what: str = "a Tensor in some data-dependent control flow") -> RuntimeError:
    """The error for Python code that wants to know a sample's value."""
    return RuntimeError(
        f"vmap: It looks like you're attempting to use {what}. We don't support that: inside vmap "
        "a tensor stands for all samples of a batch, which may differ. torch.where selects values "
        "for each sample."
    )
