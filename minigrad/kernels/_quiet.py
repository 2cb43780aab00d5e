"""Running NumPy without its floating-point warnings, and 16-bit floats in float32.

NumPy warns of overflow, division by zero and NaN through a setting of the calling context; a tensor
library computes them silently. Each thread keeps one context in which the warnings are off, and
runs the functions in it: that costs a tenth of `np.errstate` and leaves the user's setting alone.
"""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from . import _C


class _Quiet(threading.local):
    def __init__(self) -> None:
        context = contextvars.copy_context()
        context.run(np.seterr, all="ignore")
        self.run = context.run


_quiet = _Quiet()


def quiet(function: Callable) -> Callable:
    """`function` without NumPy's floating-point warnings."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return _quiet.run(function, *args, **kwargs)
        except RuntimeError as error:
            if "already entered" not in str(error):
                raise
            return function(*args, **kwargs)  # called by another quiet function

    return call


def is_half(x: Any) -> bool:
    """Whether x is an array of 16-bit floats."""
    return hasattr(x, "dtype") and x.dtype.itemsize == 2 and x.dtype.kind in "fV"


def wide(function: Callable) -> Callable:
    """`function` of arrays, computed in float32 for 16-bit floats and rounded once; quiet."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        for a in args:
            if is_half(a):
                half = a.dtype
                break
        else:
            return function(*args)
        args = tuple([a.astype(np.float32) if is_half(a) else a for a in args])
        result = function(*args)
        return result.astype(half) if result.dtype.kind == "f" else result

    return quiet(call)


_astype = quiet(lambda x, dtype: x.astype(dtype))


def rounded(x: Any, dtype: np.dtype) -> Any:
    """x in a NumPy type, itself if it has it: what does not fit becomes infinite, silently."""
    if x.dtype == dtype:
        return x
    converted = _C.convert(x, dtype)
    return _astype(x, dtype) if converted is None else converted


def unsupported(name: str, x: Any) -> Exception:
    """PyTorch's error for an operation that a dtype does not have."""
    kind = dtypes.type_name(dtypes.from_numpy(x.dtype))
    return NotImplementedError(f"\"{name}\" not implemented for '{kind}'")
