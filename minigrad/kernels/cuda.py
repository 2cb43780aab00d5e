"""The kernels for CUDA devices, under the names that `cpu` has, and how operations come to them.

Operations name a kernel of `cpu` (or of another module here). When the first array on a GPU is
made, and not before, these names are exchanged for functions that look where their arguments lie.
So a program that uses no GPU pays nothing for there being one.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import on_gpu
from . import cuda_calls as cuda_calls  # gives CudaArray NumPy's protocols
from . import cuda_compiled, cuda_memory
from .cuda_array import CudaArray, elsewhere, mixed, same_place
from .cuda_forms import Forms
from .cuda_library import library
from .cuda_numpy import numpy as library_numpy
from .cuda_numpy import seeing

forms = Forms(cuda_compiled.table)

# Kernel modules whose functions operations call.
_EXCHANGED = (
    "bessel", "cpu", "distance", "factor", "gamma_integrals", "indexing", "normal", "places",
    "recurrent", "reduction", "sampling", "sorting", "sparse",
)  # fmt: skip
# Files of functions for the table that stands in `_C`'s place; later ones replace earlier ones'.
_FAMILIES = (
    "elementwise", "reduction", "products", "optimizers", "norm", "network", "plain",
    "convolution", "pool", "index",
)  # fmt: skip
# Kernels that read some of their arguments (lengths of sequences) on the CPU.
_TAKE_NUMPY = ("recurrent", "recurrent_backward")
_lock = threading.Lock()
_awake = False


def __getattr__(name: str) -> Any:
    """A kernel: `cuda.softmax` is `cpu.softmax` for arrays on a GPU."""
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(forms.module("cpu"), name)


def wake() -> None:
    """Makes operations look where their arrays lie. Called for the first array on a GPU."""
    global _awake
    with _lock:
        if _awake:
            return
        cuda_memory.start()
        for family in _FAMILIES:
            importlib.import_module(f"{__package__}.cuda_{family}")
        exchanged: dict[int, tuple[Any, Any]] = {}
        for name in _EXCHANGED:
            _exchange(name, exchanged)
        _rebind(exchanged)
        _awake = True


def _exchange(name: str, exchanged: dict[int, tuple[Any, Any]]) -> None:
    """Notes, for each function of a module, what takes its place."""
    module = importlib.import_module(f"{__package__}.{name}")
    theirs = vars(forms.module(name))
    for key, function in list(vars(module).items()):
        if key.startswith("_") or not callable(function) or isinstance(function, type):
            continue
        other = theirs.get(key)
        if other is not None and other is not function and id(function) not in exchanged:
            exchanged[id(function)] = (function, _choosing(function, other))


def _rebind(exchanged: dict[int, tuple[Any, Any]]) -> None:
    """Puts the choosing functions wherever the plain ones are bound: in modules and classes."""
    root = __package__.partition(".")[0] + "."
    own = __package__ + "."
    for name, module in list(sys.modules.items()):
        if not name.startswith(root) or name.startswith(own) and name[len(own) :] not in _EXCHANGED:
            continue
        if vars(module).get("np") is np and not name.startswith(own):
            vars(module)["np"] = seeing
        for key, value in list(vars(module).items()):
            found = exchanged.get(id(value))
            if found is not None:
                setattr(module, key, found[1])
            elif type(value) is type and value.__module__ == name:
                _rebind_in_class(value, exchanged)


def _rebind_in_class(cls: type, exchanged: dict[int, tuple[Any, Any]]) -> None:
    """The same for the kernel that a class of nodes names."""
    for key, value in list(vars(cls).items()):
        if isinstance(value, staticmethod):
            found = exchanged.get(id(value.__func__))
            if found is not None:
                setattr(cls, key, staticmethod(found[1]))


def _choosing(here: Callable, there: Callable) -> Callable:
    """A kernel that looks where its arguments lie."""

    name = getattr(here, "__name__", "")

    @functools.wraps(here)
    def kernel(*args: Any, **kwargs: Any) -> Any:
        for value in args:
            kind = type(value)
            if kind is CudaArray or (
                (kind is tuple or kind is list) and any(type(v) is CudaArray for v in value)
            ):
                first = value if kind is CudaArray else next(v for v in value if on_gpu(v))
                if name not in _TAKE_NUMPY:
                    args = _placed(args, first)
                if not elsewhere(first.store):
                    return there(*args, **kwargs)
                with library().cupy.cuda.Device(first.store.device.id):
                    return there(*args, **kwargs)
        return here(*args, **kwargs)

    return kernel


def _placed(args: tuple, array: Any) -> tuple:
    """Arguments for a kernel on a GPU: 0-d arrays of the CPU are copied, others are refused."""
    host = False
    for value in args:
        host |= type(value) is np.ndarray
        if type(value) is CudaArray:
            same_place(array, value)
    if not host:
        return args
    result = []
    for value in args:
        if type(value) is np.ndarray:
            if value.ndim:
                raise mixed(array)
            value = library_numpy.asarray(value)
        result.append(value)
    return tuple(result)
