"""Elementwise kernels in NumPy: the fallback and oracle of the compiled ones, by the same names.

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
        return _quiet.run(function, *args, **kwargs)

    return call


add = quiet(np.add)
sub = quiet(np.subtract)
mul = quiet(np.multiply)
div = quiet(np.true_divide)
neg = np.negative
exp = quiet(np.exp)
log = quiet(np.log)
sqrt = quiet(np.sqrt)
tanh = quiet(np.tanh)


def relu(x: Any) -> Any:
    """max(x, 0); NaN stays NaN."""
    return np.maximum(x, x.dtype.type(0))
