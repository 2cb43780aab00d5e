"""Autocast at work: while some thread has it on, the operations of the lists cast their operands.

Their functions' code is exchanged for code that casts and calls the original (`exchange`). This
costs as much as a step of a small model, so that it stays when autocast goes off, and the
original code is back after 128 calls that autocast did not want: nothing is paid from then on.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

from .. import dtypes
from ..autograd import is_grad_enabled
from ..autograd.precision import state
from ..autograd.variable import Leaf, Variable
from ..backend import on_gpu
from ..exchange import exchange
from .policy import ALONE, EXCEPT, FLOAT32, FLOAT32_ON_GPU, LOWER, LOWER_IF, WIDEST

_PACKAGE = __name__.partition(".")[0]


def _eligible(value: Any) -> bool:
    if not isinstance(value, Variable):
        return False
    array = value._array
    dtype = array.dtype
    return (
        dtype.kind in "fV"
        and dtype.itemsize < 8
        and state.enabled["cuda" if on_gpu(array) else "cpu"]
    )


def _on_gpu(values: Any) -> bool:
    """Whether a nest of arguments has a tensor on a GPU."""
    return any(
        on_gpu(v._array) if isinstance(v, Variable) else v.__class__ in (list, tuple) and _on_gpu(v)
        for v in values
    )


def _cast(value: Any, dtype: dtypes.dtype) -> Any:
    """A tensor in `dtype`, if it is of floating point and not float64; others as they are."""
    if value is None:
        return None
    known = state.cache.get(id(value))
    if known is not None:  # most often a parameter
        made = known[1]
        if made._array.dtype is dtype.numpy and (made._fn is not None or not is_grad_enabled()):
            return made
    if isinstance(value, (list, tuple)) and value and not hasattr(value, "_fields"):
        return type(value)([_cast(item, dtype) for item in value])
    if not isinstance(value, Variable):
        return value
    here = value._array.dtype
    if here is dtype.numpy or here.kind not in "fV" or here.itemsize >= 8:
        return value
    if not state.enabled["cuda" if on_gpu(value._array) else "cpu"]:
        return value
    made = value.to(dtype)
    if (
        state.cache_enabled
        and dtype is not dtypes.float32
        and value._fn.__class__ is Leaf
        and value._view is None
        and here is dtypes.float32.numpy
    ):
        state.cache[id(value)] = (value, made)
    return made


def _alone(args: tuple, kwargs: dict) -> None:
    return None


def _lower(args: tuple, kwargs: dict) -> dtypes.dtype:
    there = state.enabled["cuda"] and _on_gpu((*args, *kwargs.values()))
    return state.dtypes["cuda" if there else "cpu"]


def _float32(args: tuple, kwargs: dict) -> dtypes.dtype:
    return dtypes.float32


def _widest(args: tuple, kwargs: dict) -> dtypes.dtype:
    """float32 if any operand is that, else the chosen type."""
    stack = [*args, *kwargs.values()]
    while stack:
        value = stack.pop()
        if isinstance(value, (list, tuple)):
            stack.extend(value)
        elif _eligible(value) and value._array.dtype is dtypes.float32.numpy:
            return dtypes.float32
    return _lower(args, kwargs)


def _float32_on_gpu(args: tuple, kwargs: dict) -> dtypes.dtype | None:
    return dtypes.float32 if _on_gpu((*args, *kwargs.values())) else None


class _Casting:
    """An operation of a list, called in place of it."""

    def __init__(self, function: FunctionType, choose: Callable, name: str):
        self.exchange = exchange(function)
        self.choose = choose
        self.leave = EXCEPT.get(name)
        self.code = self.exchange.calling(self)
        self.original = self.exchange.bare

    def __call__(self, args: tuple, kwargs: dict) -> Any:
        if not state.active:
            if not _threads_on:
                _count_idle()
            return self.original(*args, **kwargs)
        if self.leave is not None and self.leave(args, kwargs):
            return self.original(*args, **kwargs)
        dtype = self.choose(args, kwargs)
        # Off while casting and computing: what the operation calls is part of it.
        state.active = False
        try:
            if dtype is not None:
                args = tuple([_cast(value, dtype) for value in args])
            if dtype is not None and kwargs:
                kwargs = {name: _cast(value, dtype) for name, value in kwargs.items()}
            return self.original(*args, **kwargs)
        finally:
            state.active = True


_castings: list[_Casting] = []
_lock = threading.Lock()
_threads_on = 0
_exchanged = False
_idle_calls = 0
_IDLE_LIMIT = 128


def _collect() -> None:
    seen: set[int] = set()

    def add(module_name: str, name: str, choose: Callable) -> None:
        module = importlib.import_module(f"{_PACKAGE}.{module_name}".rstrip("."))
        function = getattr(module, name, None)
        if isinstance(function, FunctionType) and id(function) not in seen:
            seen.add(id(function))
            _castings.append(_Casting(function, choose, name))

    tables: tuple[tuple[dict, Callable], ...] = (
        (LOWER, _lower), (FLOAT32, _float32), (WIDEST, _widest), (ALONE, _alone),
        (FLOAT32_ON_GPU, _float32_on_gpu),
    )  # fmt: skip
    for table, choose in tables:
        for module_name, names in table.items():
            for name in names:
                add(module_name, name, choose)
    for module_name, conditions in LOWER_IF.items():
        for name, condition in conditions.items():
            add(module_name, name, _if(condition))


def _if(condition: Callable) -> Callable:
    return lambda args, kwargs: (_lower if condition(args, kwargs) else _float32)(args, kwargs)


def activate(on: bool) -> None:
    """Switches casting for this thread."""
    global _threads_on, _exchanged, _idle_calls
    if on is state.active:
        return
    with _lock:
        _threads_on += 1 if on else -1
        _idle_calls = 0
        if on and not _exchanged:
            if not _castings:
                _collect()
            for casting in _castings:
                casting.exchange.cast_by(casting.code)
            _exchanged = True
    state.active = on


def _count_idle() -> None:
    """Counts a call while autocast is off everywhere; after some the original code is back."""
    global _exchanged, _idle_calls
    _idle_calls += 1
    if _idle_calls < _IDLE_LIMIT:
        return
    with _lock:
        if _exchanged and not _threads_on:
            for casting in _castings:
                casting.exchange.cast_by(None)
            _exchanged = False
