"""Finds CuPy, a GPU and the compiled CUDA kernels, when first asked for, and says what is missing.

Nothing here is imported by `import minigrad`: looking for a GPU costs half a second.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from typing import Any, NamedTuple

_INSTALL = 'needed: pip install "minigrad[cuda13]" (or "minigrad[cuda12]", as the driver says)'


class Library(NamedTuple):
    """What was found. `reason` says why there is no device, `note` what is amiss beside that."""

    cupy: Any = None  # the module, if it can be imported
    kernels: Any = None  # the compiled module `_cuda`, if it was built
    devices: int = 0  # how many that can be used
    reason: str = ""
    note: str = ""


_found: Library | None = None


def library() -> Library:
    """What there is for CUDA devices, looked for once."""
    global _found
    if _found is None:
        _found = _search()
    return _found


def forget() -> None:
    """Looks again at the next question: for tests that change what can be found."""
    global _found
    _found = None


def _search() -> Library:
    if "cupy" not in sys.modules and importlib.util.find_spec("cupy") is None:
        return Library(reason=f"CuPy is not installed; {_INSTALL}")
    note = _several()
    try:
        cupy = importlib.import_module("cupy")
    except Exception as error:  # a broken installation may raise anything
        return Library(reason=f"CuPy cannot be imported: {_said(error)}", note=note)
    reason = _trial(cupy)
    if reason:
        return Library(cupy, reason=reason, note=note)
    kernels, missing = _compiled()
    devices = cupy.cuda.runtime.getDeviceCount()
    return Library(cupy, kernels, devices, note="; ".join(n for n in (note, missing) if n))


def _trial(cupy: Any) -> str:
    """Why CuPy has no device that works; empty if it has one."""
    try:
        if not cupy.cuda.is_available():
            return "CuPy finds no CUDA device: no GPU, or no driver for it"
        with cupy.cuda.Device(0):
            cupy.zeros(1, "float32").fill(1)
    except Exception as error:  # of the driver, the compiler at run time, missing libraries
        return f"a first allocation on the CUDA device failed: {_said(error)}"
    return ""


def _compiled() -> tuple[Any, str]:
    """The compiled kernels, or why there are none: CuPy then does all of the work."""
    name = f"{__package__.rpartition('.')[0]}._cuda"
    try:
        return importlib.import_module(name), ""
    except ModuleNotFoundError:
        return None, "minigrad was built without its CUDA kernels (no nvcc): CuPy does their work"
    except ImportError as error:
        return None, f"minigrad's CUDA kernels cannot be loaded: {_said(error)}"


def _several() -> str:
    """A remark if more than one of CuPy's packages is installed: they overwrite each other."""
    names = set()
    for distribution in importlib.metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower()
        if name == "cupy" or name.startswith(("cupy-cuda", "cupy-rocm")):
            names.add(name)
    if len(names) < 2:
        return ""
    return f"several CuPy packages are installed ({', '.join(sorted(names))}); needed: one"


def _said(error: Exception) -> str:
    return f"{error.__class__.__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
