"""In-place forms of ops: `x.add_(y)` from `add`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..autograd import inplace, modes, record
from ..autograd import variable as _v
from ..autograd.variable import INFERENCE, Leaf, Variable, cell_of
from ..dtypes import type_name
from ..kernels import fast
from ._operands import to_dtype
from ._overlap import check_overlap

# These take operands that share memory with what they write, in PyTorch too.
_UNCHECKED = {
    "addbmm", "addmm", "addmv", "baddbmm", "index_fill", "masked_fill", "masked_scatter",
}  # fmt: skip
_LIMITS = (float, int, None.__class__)


def in_place(op: Callable, name: str | None = None) -> Callable:
    """The method that writes `op(self, ...)` to self and returns self."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return write(self, op, args, kwargs)

    method.__name__ = method.__qualname__ = name or op.__name__ + "_"
    method.__doc__ = f"In-place form of `{op.__name__}`."
    return method


def in_place_arithmetic(op: Callable) -> Callable:
    """`in_place` for add, sub, mul and div, outside the graph in one compiled call."""
    index = fast.BINARY.index(op.__name__)
    scaled = fast.BINARY.index("add_scaled")
    sign = {"add": 1.0, "sub": -1.0}.get(op.__name__)

    def method(self: Any, other: Any, *args: Any, **kwargs: Any) -> Any:
        if not args and not kwargs:
            if fast.fast_in_place(index, self, other):
                return self
        elif sign is not None and not args and len(kwargs) == 1:
            alpha = kwargs.get("alpha")
            if (alpha.__class__ is float or alpha.__class__ is int) and fast.fast_in_place(
                scaled, self, other, sign * alpha
            ):
                return self
        return write(self, op, (other, *args), kwargs)

    method.__name__ = method.__qualname__ = op.__name__ + "_"
    method.__doc__ = f"In-place form of `{op.__name__}`."
    return method


def in_place_function(op: Callable) -> Callable:
    """`in_place` for an op of one tensor, outside the graph in one compiled call."""
    index = fast.UNARY.index(op.__name__)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not args and not kwargs and fast.fast_unary_in_place(index, self):
            return self
        return write(self, op, args, kwargs)

    method.__name__ = method.__qualname__ = op.__name__ + "_"
    method.__doc__ = f"In-place form of `{op.__name__}`."
    return method


def in_place_clamp(op: Callable) -> Callable:
    """`in_place` for clamp, between numbers and outside the graph in one compiled call."""
    index = fast.UNARY.index("clamp")

    def method(self: Any, min: Any = None, max: Any = None) -> Any:
        if min.__class__ in _LIMITS and max.__class__ in _LIMITS and min is not max:
            low = -math.inf if min is None else min
            high = math.inf if max is None else max
            if low == low and high == high and fast.fast_unary_in_place(index, self, low, high):
                return self
        return write(self, op, (min, max))

    method.__name__ = method.__qualname__ = op.__name__ + "_"
    method.__doc__ = f"In-place form of `{op.__name__}`."
    return method


def in_place_sum(op: Callable) -> Callable:
    """`in_place` for addcmul and addcdiv, outside the graph in one compiled call."""
    index = fast.TERNARY.index(op.__name__)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        value = kwargs.get("value", 1)
        if (
            len(args) == 2
            and len(kwargs) == ("value" in kwargs)
            and (value.__class__ is float or value.__class__ is int)
            and fast.fast_ternary_in_place(index, self, *args, value)
        ):
            return self
        return write(self, op, args, kwargs)

    method.__name__ = method.__qualname__ = op.__name__ + "_"
    method.__doc__ = f"In-place form of `{op.__name__}`."
    return method


def in_place_lerp(op: Callable) -> Callable:
    """`in_place` for lerp, outside the graph in one compiled call."""
    by_number = fast.BINARY.index("lerp_number")
    by_tensor = fast.TERNARY.index("lerp")

    def method(self: Any, end: Any, weight: Any) -> Any:
        if weight.__class__ is float:
            done = isinstance(end, Variable) and fast.fast_in_place(by_number, self, end, weight)
        else:
            done = fast.fast_ternary_in_place(by_tensor, self, end, weight)
        return self if done else write(self, op, (end, weight))

    method.__name__ = method.__qualname__ = op.__name__ + "_"
    method.__doc__ = f"In-place form of `{op.__name__}`."
    return method


def write(target: Any, op: Callable, args: tuple = (), kwargs: dict | None = None) -> Any:
    """Replaces the value of `target` by `op(target, *args, **kwargs)`; recorded like the op."""
    kwargs = kwargs or {}
    for a in args:
        is_other = isinstance(a, Variable) and a is not target
        if is_other and (a._view or target._view) and op.__name__ not in _UNCHECKED:
            check_overlap(target._array, a._array)
    old = target
    recorded = False
    if modes.is_grad_enabled():
        for a in (target, *args, *kwargs.values()):
            if isinstance(a, Variable) and a._fn is not None:
                recorded = True
    inplace.check_writable(target, recorded=recorded)
    if recorded:
        # The graph must keep what the value was: the op works on a copy of it.
        old = _v.wrap(target._array.copy(), target._fn)
        args = tuple([old if a is target else a for a in args])
    return assign(target, op(old, *args, **kwargs))


def assign(target: Any, result: Any) -> Any:
    """Writes `result`, computed from the target's old value, to `target`, with its graph."""
    if fast.fast_assign(target, result):
        return target
    array, value = target._array, result._array
    if value.dtype != array.dtype:
        from_, to = dtypes.from_numpy(value.dtype), dtypes.from_numpy(array.dtype)
        if not dtypes.can_cast(from_, to):
            raise RuntimeError(
                f"result type {type_name(from_)} can't be cast to the desired output type "
                f"{type_name(to)}"
            )
        result = to_dtype(result, array.dtype)
        value = result._array
    if value.shape != array.shape:
        raise RuntimeError(
            f"output with shape {list(array.shape)} doesn't match the broadcast shape "
            f"{list(value.shape)}"
        )
    array[...] = value
    inplace.bump(target)
    changed = result._fn is not None or target._fn is not None or target._view is not None
    if changed and modes.is_grad_enabled():
        inplace.rebase(target, result._fn)
    return target


def in_place_view(op: Callable, name: str) -> Callable:
    """The method that makes self the view `op(self, ...)` of its memory and returns self."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        recording = modes.is_grad_enabled()
        if recording and self._fn.__class__ is Leaf:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
        old = _v.wrap(self._array, self._fn)
        cell = old._cell = cell_of(self)
        old._view = self._view
        views = [v for ref in cell[2] or () if (v := ref()) is not None and v is not self]
        new = op(old, *args, **kwargs)
        self._array = new._array
        inplace.bump(self)
        if not recording or cell is INFERENCE:
            return self
        self._fn = new._fn
        children = [v for v in views if v._view is not None and v._view[0] is self]
        if self._view is not None or children:
            # What self was stays in the graph as the parent of self and of self's views.
            for view in children:
                view._view = (old, *view._view[1:])
            self._view = new._view
            for view in (old, self):
                if view._view is not None:
                    record.register_view(cell, view)
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Makes self the view that `{op.__name__}` gives, and returns self."
    return method
