"""The kernels for CUDA devices, under the names that `cpu` has, and how operations come to them.

Operations name a kernel of `cpu` (or of another module here). When the first array on a GPU is
made, and not before, these names are exchanged for functions that look where their arguments lie.
So a program that uses no GPU pays nothing for there being one.
"""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
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

_OWN = __package__ + "."
_ROOT = __package__.partition(".")[0] + "."
# Kernel modules whose functions operations call.
_EXCHANGED = (
    "bessel", "cpu", "distance", "factor", "gamma_integrals", "indexing", "normal", "orthogonal",
    "places", "recurrent", "reduction", "sampling", "sorting", "sparse",
)  # fmt: skip
# Files of functions for the table that stands in `_C`'s place; later ones replace earlier ones'.
_FAMILIES = (
    "elementwise", "reduction", "products", "optimizers", "norm", "network", "plain",
    "convolution", "factor", "pool", "index",
)  # fmt: skip
# Kernels that read some of their arguments (lengths of sequences) on the CPU.
_TAKE_NUMPY = ("recurrent", "recurrent_backward")
_lock = threading.Lock()
_awake = False
_exchanged: dict[int, tuple[Any, Any]] = {}  # by a function's id: it, and what takes its place


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
        for name in _EXCHANGED:
            module = importlib.import_module(f"{__package__}.{name}")
            _exchange(vars(module), vars(forms.module(name)))
        seen: set[type] = set()
        for name, module in list(sys.modules.items()):
            _rebind(name, module, seen)
        sys.meta_path.insert(0, _Late())
        _awake = True


def _exchange(here: dict[str, Any], there: dict[str, Any]) -> None:
    """Notes, for each function of a module or of a table in it, what takes its place."""
    for key, function in list(here.items()):
        other = there.get(key)
        if key.startswith("_") or isinstance(function, type) or other is function:
            continue
        if type(function) is dict and type(other) is dict:
            _exchange(function, other)
        elif callable(function) and other is not None and id(function) not in _exchanged:
            _exchanged[id(function)] = (function, _choosing(function, other))


def _rebind(name: str, module: Any, seen: set[type]) -> None:
    """Puts the choosing functions where a module binds the plain ones, and where classes do."""
    if not name.startswith(_ROOT):
        return
    if name.startswith(_OWN):
        if name[len(_OWN) :] not in _EXCHANGED:
            return
    elif vars(module).get("np") is np:
        vars(module)["np"] = seeing
    for key, value in list(vars(module).items()):
        found = _exchanged.get(id(value))
        if found is not None:
            setattr(module, key, found[1])
        elif type(value) is type and value.__module__.startswith(_ROOT):
            _rebind_in_class(value, seen)


def _rebind_in_class(cls: type, seen: set[type]) -> None:
    """The same for the kernels that a class of nodes and those made from it name."""
    if cls in seen:
        return
    seen.add(cls)
    for key, value in list(vars(cls).items()):
        if isinstance(value, staticmethod):
            found = _exchanged.get(id(value.__func__))
            if found is not None:
                setattr(cls, key, staticmethod(found[1]))
    subclasses: list[type] = type.__subclasses__(cls)
    for sub in subclasses:
        _rebind_in_class(sub, seen)


class _Late(importlib.abc.MetaPathFinder):
    """Does the same for the modules of this package that are imported later on."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """The module's own spec, with a loader that rebinds."""
        if not name.startswith(_ROOT) or name.startswith(_OWN):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader.__class__ = _Loader
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module: Any) -> None:
        super().exec_module(module)
        _rebind(module.__name__, module, set())


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
