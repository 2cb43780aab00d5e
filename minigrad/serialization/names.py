"""Which classes of tensors a file may name, where they are found, and what names a file."""

from __future__ import annotations

import importlib
import os
from typing import Any

from ..autograd import variable as _v
from ..autograd.variable import Variable

# Name in the file: (module, class). Imported when a file names it; nothing else ever is.
_PLACES = {
    "Parameter": ("minigrad.nn.parameter", "Parameter"),
    "Buffer": ("minigrad.nn.parameter", "Buffer"),
}


def name_of_class(cls: type[Variable]) -> str:
    """The name to write for a tensor's class; other subclasses are saved as plain tensors."""
    for base in cls.__mro__:
        if base is _v.Tensor:
            break
        module, name = _PLACES.get(base.__name__, ("", ""))
        if base.__module__.startswith("minigrad.nn") and module and name == base.__name__:
            return name
    return "Tensor"


def class_named(name: str) -> Any:
    """The class that a file names. ValueError for one that is not known."""
    if name not in _PLACES:
        raise ValueError(f"tensor class {name!r} is not known")
    module, attribute = _PLACES[name]
    return getattr(importlib.import_module(module), attribute)


def path_of(function: str, f: Any, method: str) -> str:
    """The path that `f` is. AttributeError, as from PyTorch, for numbers, bytes and others."""
    if not isinstance(f, (str, os.PathLike)):
        raise AttributeError(
            f"{function}: a file was given as {f.__class__.__name__}; needed: a path (str or "
            f"os.PathLike), or a file object, which has {method!r}"
        )
    return os.fsdecode(f)
