"""Recording: every call of an operation, of a backward and of marked blocks, with its times.

Python tells the recorder of calls (sys.setprofile) while it is on; nothing is paid while it is off.
The recorder's own time per call, about a microsecond, is part of what it measures.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..autograd.variable import Variable
from ..exchange import code_of
from ..kernels.cpu import _C
from ..ops import CATALOGUE, add, div, eq, ge, gt, le, lt, mul, ne, neg, sub
from ..ops.recurrent import recurrent
from .costs import Cost

_OPS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ops")
_BACKWARD = _C.run_backward
_now = time.perf_counter_ns


class Call:
    """One call: name, nanoseconds of start and end, the call it was made in, and what it got.

    `flops` and `bytes` (None: not known) are not counted again for the calls made inside.
    """

    __slots__ = (
        "bytes", "cost", "end", "flops", "memory", "name", "parent", "shapes", "start", "thread",
    )  # fmt: skip

    def __init__(self, name: str, parent: Call | None, thread: int):
        self.name = name
        self.parent = parent
        self.thread = thread
        self.shapes: list | None = None
        self.memory = 0
        self.cost: Cost | None = None
        self.flops: int | None = None
        self.bytes: int | None = None
        self.end = self.start = 0


# The functions of operators that are compiled: + - * / and the comparisons.
_OPERATORS: Any = (add, sub, mul, div, neg, lt, le, eq, ne, gt, ge)


def _names() -> dict[Any, str]:
    """The code of each public operation, and its name."""
    found: dict[Any, str] = {}
    for name, function in CATALOGUE.items():
        code = code_of(function) if hasattr(function, "__code__") else None
        if code is not None and code.co_filename.startswith(_OPS):
            known = found.get(code)
            if known is None or name == code.co_name:  # `mul`, which is also `multiply`
                found[code] = name
    found[code_of(recurrent)] = "recurrent"  # its mode says which layer it is
    return found


def _dimensions(name: str, given: dict) -> str:
    """conv2d for conv1d with a weight of four dimensions: one code serves them all."""
    weight = given.get("weight")
    n = weight.ndim - 2 if isinstance(weight, Variable) else 1
    return f"{name[:-2]}{n}d" if name in _CONVOLUTIONS else name


_CONVOLUTIONS = ("conv1d", "conv_transpose1d")


class Recorder:
    """Gathers calls of this thread, and of threads that start while it is on."""

    def __init__(self, shapes: bool = False, memory: bool = False, flops: bool = False):
        self.calls: list[Call] = []
        self.shapes = shapes
        self.flops = flops
        self.memory = memory
        self.codes = _names()
        self.local = threading.local()

    def start(self) -> None:
        # Compiled operators (x * y) make way for functions with other code than their own: an equal
        # copy of it is a frame that can be seen.
        self.own = [(f, f.__code__) for f in _OPERATORS]
        self.seen = [code.replace() for _, code in self.own]
        for f, copy in zip(_OPERATORS, self.seen, strict=True):
            f.__code__ = copy
        threading.setprofile(self.see)
        sys.setprofile(self.see)

    def stop(self) -> None:
        sys.setprofile(None)
        threading.setprofile(None)
        for (f, code), copy in zip(self.own, self.seen, strict=True):
            if f.__code__ is copy:  # or something stands before it by now
                f.__code__ = code
        for call, _ in getattr(self.local, "stack", []):
            call.end = call.end or _now()

    def see(self, frame: FrameType, event: str, argument: Any) -> None:
        """What Python calls for every call and return."""
        if event == "call":
            code = frame.f_code
            name = self.codes.get(code)
            if name is None:
                if code.co_name != "backward" or not code.co_filename.startswith(_OPS):
                    return
                name = type(frame.f_locals.get("self")).__name__  # such as ReluBackward0
            elif name.endswith("1d"):
                name = _dimensions(name, frame.f_locals)
            elif name == "recurrent":
                name = frame.f_locals["mode"].lower()
            self.enter(name, frame)
        elif event == "return":
            stack = getattr(self.local, "stack", None)
            if stack and stack[-1][1] is frame:
                self.leave(argument)
        elif event == "c_call":
            if argument is _BACKWARD:
                self.enter("backward", argument)
        elif event == "c_return" and argument is _BACKWARD:
            self.leave()

    def enter(self, name: str, key: Any) -> Call:
        stack = getattr(self.local, "stack", None)
        if stack is None:
            stack = self.local.stack = []
        call = Call(name, stack[-1][0] if stack else None, threading.get_ident())
        if self.shapes and isinstance(key, FrameType):
            values = list(key.f_locals.values())
            call.shapes = [list(v.shape) if isinstance(v, Variable) else [] for v in values]
        if self.flops and isinstance(key, FrameType):
            call.cost = Cost(name, dict(key.f_locals))
        if self.memory:
            call.memory = -_C.pool_stats()["allocated"]
        self.calls.append(call)
        stack.append((call, key))
        call.start = _now()
        return call

    def leave(self, result: Any = None) -> None:
        end = _now()
        call, _ = self.local.stack.pop()
        call.end = end
        if self.memory:
            call.memory += _C.pool_stats()["allocated"]
        if call.cost is not None:
            call.flops, call.bytes = call.cost.counted(result)
            call.cost = None


current: Recorder | None = None


def switch(recorder: Recorder | None) -> None:
    """Makes a recorder the current one; None switches recording off."""
    global current
    if current is not None:
        current.stop()
    current = recorder
    if recorder is not None:
        recorder.start()


class record_function:
    """`with record_function("data"):` names a block in the profile; also a decorator."""

    def __init__(self, name: str, args: str | None = None):
        self.name = name
        self.call: Call | None = None

    def __enter__(self) -> record_function:
        if current is not None:
            self.call = current.enter(self.name, self)
        return self

    def __exit__(self, *exc: object) -> None:
        stack = getattr(current.local, "stack", None) if current is not None else None
        if stack and stack[-1][1] is self:
            assert current is not None
            current.leave()
        elif self.call is not None and not self.call.end:
            self.call.end = _now()
        self.call = None

    def __call__(self, fn: Callable) -> Callable:
        @functools.wraps(fn)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return fn(*args, **kwargs)

        return wrapped
