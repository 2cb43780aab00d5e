"""Where classes of tensors with their own idea of an operation hook in, at no cost until there are.

While nothing asks for it, an operation is a plain Python function and nobody looks at the classes
of its arguments. A running `vmap`, or a user's subclass of `Tensor`, *arms* the public functions:
each gets other code in place, under the same function object, so that every name and every method
that is bound to it follows. Armed, a function looks for arguments of overriding classes and hands
the call to `__torch_function__` of these, or runs as always; the check costs some 0.3 µs. Public
functions that take no tensor but depend on the surroundings (random numbers) are always handed on.

An overriding tensor may have a `LogicalArray` as its array: it says shape and dtype, so that checks
written for arrays hold, and raises `NeedsLoop` when somebody wants its elements.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from types import CodeType, FunctionType
from typing import Any

from .autograd.variable import Variable
from .exchange import Exchange, exchange
from .kernels import fast

# Modules whose public functions are armed, if they are loaded.
_NAMESPACES = (
    "", ".fft", ".linalg", ".nn.functional", ".nn.init", ".special",
)  # fmt: skip
# Public functions for whose arguments the class does not matter.
_IGNORED = {
    "broadcast_shapes", "can_cast", "compile", "is_storage", "is_tensor", "load", "promote_types",
    "save", "set_default_device", "typename", "vmap",
}  # fmt: skip
# Methods that are no operations.
_NO_OPERATIONS = {
    "__array__", "__array_wrap__", "__init_subclass__", "__new__", "__repr__", "_from_array",
    "__torch_function__", "as_subclass",
}  # fmt: skip
_PROPERTIES = ("H", "T", "mH", "mT")
# Armed calls without an overriding argument, after which we disarm: more after each time that the
# functions were armed again, up to what arming them costs.
_IDLE_CALLS, _MOST_IDLE_CALLS = 256, 4096


class NeedsLoop(Exception):
    """Somebody asked a `LogicalArray` for its elements."""

    def __str__(self) -> str:
        return (
            f"{super().__str__()} was asked of a tensor without an array of its own (complex, on "
            "device 'meta', or inside vmap), which is not possible here"
        )


class LogicalArray:
    """What a tensor looks like whose elements lie elsewhere: shape and dtype, no elements."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: Any):
        self.shape, self.dtype = shape, dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        n = 1
        for m in self.shape:
            n *= m
        return n

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getattr__(self, name: str) -> Any:
        raise NeedsLoop(name)


def _refuse(name: str) -> Callable:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise NeedsLoop(name)

    return method


for _name in (
    "abs", "add", "and", "array", "array_function", "array_ufunc", "bool", "contains", "eq",
    "float", "floordiv", "ge", "getitem", "gt", "iadd", "iand", "imul", "index", "int",
    "invert", "isub", "iter", "itruediv", "le", "lt", "matmul", "mod", "mul", "ne", "neg",
    "or", "pos", "pow", "radd", "rand", "rmatmul", "rmul", "ror", "rpow", "rsub", "rtruediv",
    "rxor", "setitem", "sub", "truediv", "xor",
):  # fmt: skip
    setattr(LogicalArray, f"__{_name}__", _refuse(_name))
LogicalArray.__hash__ = object.__hash__  # type: ignore[method-assign]


# The functions that can be armed, with the code that each has then.
_entries: dict[FunctionType, tuple[Exchange, CodeType]] = {}
_lock = threading.RLock()
_armed = False
_needed = 0  # who needs armed functions now: running vmaps, subclasses of Tensor
_idle = 0
_idle_calls = _IDLE_CALLS // 2  # doubled by the first arming
_seen: dict[str, int] = {}  # how many names each namespace had when it was looked through
# The subclasses of Tensor that operations treat as tensors.
plain_classes: set[type] = set()


def _enter(function: FunctionType, always: bool = False) -> None:
    if function in _entries and not always:
        return
    known = exchange(function)
    plain = known.plain
    overrides = fast.overrides

    def call(args: tuple, kwargs: dict) -> Any:
        if overrides(args, kwargs) or _modes:
            return handle(function, args, kwargs)
        global _idle
        _idle += 1
        if _idle > _idle_calls:
            _disarm()
        return plain(*args, **kwargs)

    def always_call(args: tuple, kwargs: dict) -> Any:
        return handle(function, args, kwargs)

    armed = known.calling(always_call if always else call)
    _entries[function] = (known, armed)
    if _armed:
        known.override_by(armed)


def register(functions: Iterable[Callable], always: bool = False) -> None:
    """Makes functions, which no public namespace holds, ones that are armed with the others.

    `always`: every call is handed on while armed, whatever the classes of its arguments.
    """
    with _lock:
        for function in functions:
            assert isinstance(function, FunctionType)
            _enter(function, always)


def _look_through(tensor_class: type) -> None:
    """Enters the public functions of the namespaces that were loaded since the last time."""
    package = __name__.rpartition(".")[0]
    for suffix in _NAMESPACES:
        module = sys.modules.get(package + suffix)
        if module is None or _seen.get(suffix) == len(module.__dict__):
            continue
        _seen[suffix] = len(module.__dict__)
        for name, value in list(module.__dict__.items()):
            if not isinstance(value, FunctionType) or name[0] == "_" or name in _IGNORED:
                continue
            # Helpers of operations are no public functions, wherever they were imported.
            if value.__closure__ or not value.__module__.startswith(f"{package}.ops._"):
                _enter(value)
    if "methods" in _seen:
        return
    _seen["methods"] = 1
    for cls in tensor_class.__mro__[:-1]:
        for name, value in list(vars(cls).items()):
            if isinstance(value, FunctionType) and name not in _NO_OPERATIONS:
                _enter(value)
            elif isinstance(value, property) and name in _PROPERTIES:
                assert isinstance(value.fget, FunctionType)
                _enter(value.fget)


def ignored() -> set[Callable]:
    """The public functions that are never armed."""
    package = sys.modules[__name__.rpartition(".")[0]]
    return {getattr(package, name) for name in _IGNORED if hasattr(package, name)}


def overridable(tensor_class: type) -> dict[Any, list[Callable]]:
    """The functions that can be armed, by module, and those of the tensor class."""
    with _lock:
        _look_through(tensor_class)
    package = __name__.rpartition(".")[0]
    found: dict[Any, list[Callable]] = {}
    for suffix in _NAMESPACES:
        module = sys.modules.get(package + suffix)
        if module is not None:
            values = list(module.__dict__.values())
            found[module] = [f for f in values if isinstance(f, FunctionType) and f in _entries]
    methods = [v for cls in tensor_class.__mro__[:-1] for v in vars(cls).values()]
    found[tensor_class] = [f for f in methods if isinstance(f, FunctionType) and f in _entries]
    return found


def arm(tensor_class: type) -> None:
    """Says that armed functions are needed, until `release`."""
    global _armed, _needed, _idle, _idle_calls
    with _lock:
        _needed += 1
        _idle = 0
        _look_through(tensor_class)
        if not _armed:
            for known, armed in _entries.values():
                known.override_by(armed)
            _armed = True
            _idle_calls = min(2 * _idle_calls, _MOST_IDLE_CALLS)


def namespace_loaded(tensor_class: type) -> None:
    """Arms the functions of a namespace that was loaded while others are armed."""
    with _lock:
        if _armed:
            _look_through(tensor_class)


def needed() -> bool:
    """Whether anybody wants to see calls now: modes, running vmaps, subclasses of Tensor."""
    return _needed > 0


def release() -> None:
    """Takes one `arm` back. The functions are disarmed later, when nothing has needed them."""
    global _needed
    with _lock:
        _needed -= 1


class Live:
    """Keeps public functions armed as long as a tensor that holds it lives."""

    __slots__ = ()
    count = 0

    def __init__(self, tensor_class: type) -> None:
        if not Live.count:
            arm(tensor_class)
        Live.count += 1

    def __del__(self) -> None:
        Live.count -= 1
        if not Live.count:
            release()


def _disarm() -> None:
    global _armed, _idle
    with _lock:
        _idle = 0
        if _needed or not _armed:
            return
        for known, _ in _entries.values():
            known.override_by(None)
        _armed = False


def plain(function: Callable) -> Callable:
    """A function as it is when it is not armed."""
    entry = _entries.get(function)  # type: ignore[call-overload]
    return function if entry is None else entry[0].plain


class _ThreadState(threading.local):
    disabled = False  # users' subclasses count as plain tensors
    modes: tuple = ()  # the innermost last


_state = _ThreadState()
_modes = 0  # how many modes are active in all threads
# Functions whose results the default `__torch_function__` leaves as they are.
returns_no_subclass: set[Callable] = set()


class DisableTorchFunctionSubclass:
    """Inside, subclasses of Tensor count as plain tensors (batched ones do not)."""

    def __enter__(self) -> None:
        self._before = _state.disabled
        _state.disabled = True

    def __exit__(self, *exc: object) -> None:
        _state.disabled = self._before


def push_mode(mode: Any, tensor_class: type) -> None:
    """Hands every call on this thread to `mode.__torch_function__` until `pop_mode`."""
    global _modes
    arm(tensor_class)
    with _lock:
        _modes += 1
    _state.modes = (*_state.modes, mode)


def pop_mode() -> None:
    global _modes
    _state.modes = _state.modes[:-1]
    with _lock:
        _modes -= 1
    release()


def handle(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Hands a call on to modes, then to `__torch_function__` of its overriding arguments."""
    found: list = []
    _find(args, found, 3)
    _find(tuple(kwargs.values()), found, 2)
    if _state.disabled:
        found = [v for v in found if type(v._array) is LogicalArray]
    types: list[type] = []
    for value in found:
        cls = type(value)
        if cls in types:
            continue
        # A subclass comes before its bases, else from left to right.
        at = next((i for i, other in enumerate(types) if issubclass(cls, other)), len(types))
        types.insert(at, cls)
    modes = _state.modes
    if modes and not _state.disabled:
        _state.modes = modes[:-1]
        try:
            return modes[-1].__torch_function__(function, tuple(types), args, kwargs)
        finally:
            _state.modes = modes
    if not found:
        return _call_surroundings(function, args, kwargs)
    for cls in types:
        result = cls.__torch_function__(function, tuple(types), args, kwargs)
        if result is not NotImplemented:
            return result
    name = getattr(function, "__qualname__", function)
    handlers = "".join(f"\n\n  - tensor subclass {cls}" for cls in types)
    raise TypeError(
        f"Multiple dispatch failed for '{name}'; all __torch_function__ handlers returned "
        f"NotImplemented:{handlers}"
    )


def _find(values: Any, found: list, depth: int) -> None:
    for value in values:
        if isinstance(value, Variable):
            if type(value) not in plain_classes:
                found.append(value)
        elif depth and isinstance(value, (tuple, list)):
            _find(value, found, depth - 1)


# What functions that are always handed on do without an overriding argument; vmap sets it.
surroundings: Callable[[Any, tuple, dict], Any] | None = None


def _call_surroundings(function: Callable, args: tuple, kwargs: dict) -> Any:
    if surroundings is None:
        return plain(function)(*args, **kwargs)
    return surroundings(function, args, kwargs)


def disabled_torch_function(
    func: Callable, types: Iterable[type], args: tuple = (), kwargs: dict | None = None
) -> Any:
    """As a class's `__torch_function__`: its tensors are taken for plain ones."""
    return plain(func)(*args, **(kwargs or {}))


def _apply(cls: type, inputs: tuple, *args: Any) -> Any:
    """`apply` of a node where an input has a logical array: its class knows how."""
    return _owner(inputs).apply_node(cls, inputs, *args)


def _apply_view(cls: type, input: Any, *args: Any) -> Any:
    return _owner((input,)).apply_node(cls, (input,), *args)


def _owner(inputs: tuple) -> Any:
    return next(
        type(v) for v in inputs if isinstance(v, Variable) and type(v._array) is LogicalArray
    )


fast.bind_overrides(plain_classes, LogicalArray, _apply, _apply_view)
