"""Functions whose code is exchanged under the same function object, and back again.

An operation is one function that everybody knows by its own name. What must sometimes come between
a caller and an operation (autocast's casts, classes of tensors that override operations) exchanges
the function's code for as long as it is wanted; at other times nothing is paid. Both may be on at
once: overriding comes first, what it leaves alone is cast, then comes the operation itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

Target = Callable[[tuple, dict], Any]


@functools.cache
def _template(free: int) -> CodeType:
    """Code of a function with so many free variables that calls "target" with its arguments.

    The constant is replaced in each function's copy of the code. The variables are named behind the
    return: a function's code must have as many as its closure.
    """
    names = [f"free_{i}" for i in range(free)]
    source = f"""
def outer({", ".join(names)}):
    def exchanged(*args, **kwargs):
        target = "target"
        return target(args, kwargs)
        ({", ".join(names)})
    return exchanged
"""
    space: dict[str, Any] = {}
    exec(source, space)
    return space["outer"](*names).__code__


class Exchange:
    """A function and what is between it and its callers.

    `bare` is the operation itself, `plain` the function without overriding. Call under one lock.
    """

    __slots__ = ("_casting", "_code", "_overriding", "bare", "function", "plain")

    bare: Any
    plain: Any

    def __init__(self, function: FunctionType):
        self.function: Any = function
        self._code = function.__code__
        self._casting: CodeType | None = None
        self._overriding: CodeType | None = None
        self.bare, self.plain = self._copy(), self._copy()
        function.__dict__["__wrapped__"] = self.bare  # for `inspect.signature`, whatever code runs

    def _copy(self) -> FunctionType:
        f = self.function
        copy: Any = FunctionType(
            self._code, f.__globals__, f.__name__, f.__defaults__, f.__closure__
        )
        copy.__kwdefaults__ = f.__kwdefaults__
        copy.__dict__.update(f.__dict__)
        return copy

    def calling(self, target: Target) -> CodeType:
        """Code for this function that calls `target(args, kwargs)`."""
        template = _template(len(self._code.co_freevars))
        constants = tuple(target if c == "target" else c for c in template.co_consts)
        return template.replace(co_consts=constants, co_name=self._code.co_name)

    def cast_by(self, code: CodeType | None) -> None:
        """Puts code made by `calling` before the operation, or takes it away."""
        self._casting = code
        self._put()

    def override_by(self, code: CodeType | None) -> None:
        """Puts code made by `calling` before everything, or takes it away."""
        self._overriding = code
        self.function.__code__ = code or self._casting or self._code

    def _put(self) -> None:
        below = self._casting or self._code
        self.plain.__code__ = below
        self.function.__code__ = self._overriding or below


_exchanges: dict[FunctionType, Exchange] = {}


def exchange(function: FunctionType) -> Exchange:
    """The one `Exchange` of a function."""
    found = _exchanges.get(function)
    if found is None:
        found = _exchanges[function] = Exchange(function)
    return found


def code_of(function: Any) -> CodeType:
    """The code of a function itself, whatever stands before it now."""
    found = _exchanges.get(function)
    return (function if found is None else found.bare).__code__
