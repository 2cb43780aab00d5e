"""Tensors in the safetensors format, through the package of that name."""

from __future__ import annotations

import os
from typing import Any

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.variable import Variable

__all__ = ["load_safetensors", "save_safetensors"]


def _package() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(
            "save_safetensors and load_safetensors need the package safetensors: "
            'pip install "minigrad[safetensors]"'
        ) from None
    return safetensors.numpy


def save_safetensors(
    tensors: dict[str, Any], filename: Any, metadata: dict[str, str] | None = None
) -> None:
    """Writes a dictionary of tensors to a safetensors file, at once (the package sees to it).

    TypeError for other values; RuntimeError for what cannot be written.
    """
    package = _package()
    if not isinstance(tensors, dict):
        raise TypeError(
            f"save_safetensors: tensors are a {tensors.__class__.__name__}; needed: a dictionary "
            "of names and tensors"
        )
    arrays = {}
    for name, t in tensors.items():
        if not isinstance(name, str) or not isinstance(t, Variable):
            raise TypeError(
                f"save_safetensors: entry {name!r} is a {t.__class__.__name__}; needed: a "
                "dictionary of names and tensors"
            )
        arrays[name] = t._array.copy(order="C")
    try:
        package.save_file(arrays, os.fspath(filename), metadata)
    except (OSError, TypeError):
        raise
    except Exception as error:  # the package has error classes of its own
        raise RuntimeError(f"save_safetensors: {os.fspath(filename)!r}: {error}") from error


def load_safetensors(filename: Any, device: Any = "cpu") -> dict[str, Any]:
    """The dictionary of tensors in a safetensors file. RuntimeError for a damaged one."""
    package = _package()
    try:
        arrays = package.load_file(os.fspath(filename))
    except OSError:
        raise
    except Exception as error:  # the package has error classes of its own
        raise RuntimeError(f"load_safetensors: {os.fspath(filename)!r}: {error}") from error
    for array in arrays.values():
        dtypes.from_numpy(array.dtype)
    return {name: _v.wrap(array.copy()) for name, array in arrays.items()}
