"""`minigrad.jit`: scripting and tracing return the function or module as it is, and say so once."""

from __future__ import annotations

from builtins import isinstance as _isinstance
from typing import Any, TypeVar

from .compiler import note
from .nn.module import Module
from .serialization import load as _load
from .serialization import save as _save

ScriptModule = Module
T = TypeVar("T")


def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
    """The function, class or module as it is."""
    note("jit.script")
    return obj


def trace(func: Any, example_inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The function or module as it is: its control flow keeps following its inputs."""
    note("jit.trace")
    return func


def trace_module(mod: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
    """The module as it is."""
    note("jit.trace_module")
    return mod


def freeze(mod: Any, *args: Any, **kwargs: Any) -> Any:
    """The module as it is."""
    note("jit.freeze")
    return mod


def optimize_for_inference(mod: Any, *args: Any, **kwargs: Any) -> Any:
    """The module as it is."""
    note("jit.optimize_for_inference")
    return mod


def export(fn: T) -> T:
    """The method as it is."""
    return fn


unused = script_method = script_if_tracing = export


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """The method as it is, also as `@ignore()`."""
    return drop if callable(drop) else (lambda fn: fn)


def interface(obj: T) -> T:
    """The class as it is."""
    return obj


def annotate(the_type: Any, the_value: T) -> T:
    """The value."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:  # PyTorch's name
    """Python's isinstance, for plain classes and tuples of them."""
    return _isinstance(obj, target_type)


def is_scripting() -> bool:
    """False."""
    return False


is_tracing = is_scripting


class ScriptFunction:
    """What scripted functions are in PyTorch: none is, here."""


class TracerWarning(Warning):
    """What tracing warns of in PyTorch."""


def enable_onednn_fusion(enabled: bool) -> None:
    """An option of a compiler that is not there: nothing."""


def onednn_fusion_enabled() -> bool:
    """False."""
    return False


def set_fusion_strategy(strategy: list) -> list:
    """An option of a compiler that is not there; what it was: nothing."""
    return []


class _Done:
    """A task that `fork` ran."""

    def __init__(self, value: Any):
        self._value = value

    def wait(self) -> Any:
        """The result."""
        return self._value

    value = wait

    def done(self) -> bool:
        """True."""
        return True


def fork(func: Any, *args: Any, **kwargs: Any) -> _Done:
    """Runs a function, at once; `wait` gives its result."""
    return _Done(func(*args, **kwargs))


def wait(future: Any) -> Any:
    """The result of what `fork` ran."""
    return future.wait()


class Attribute:
    """A value with its type, which scripting would read."""

    def __new__(cls, value: Any, type: Any) -> Any:
        return value


Final = Any


def save(m: Any, f: Any, _extra_files: Any = None) -> None:
    """Writes the module as `minigrad.save` does: for minigrad, as it is no TorchScript archive."""
    note("jit.save")
    _save(m, f, format="pt")


def load(f: Any, map_location: Any = None, _extra_files: Any = None) -> Any:
    """Reads a module that `save` wrote. RuntimeError for TorchScript's archives."""
    return _load(f, map_location, weights_only=False)


class fuser:
    """`with fuser("fuser1"):` chooses a fuser in PyTorch, nothing here."""

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass
