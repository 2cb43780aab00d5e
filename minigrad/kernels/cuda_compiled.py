"""The table that stands in the place of the compiled module `_C` for arrays on a GPU.

Its functions have the names and arguments of `_C`'s. One that it lacks declines: it returns None,
and the caller computes with the array library's functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C
from .cuda_array import CudaArray
from .cuda_array import empty as _empty

# What does not compute with arrays on a GPU: settings, and the state of random numbers.
_SAME = frozenset((
    "beta_slope", "draw32", "draw64", "gamma_slope", "get_num_threads", "integers", "isa",
    "mt_seed", "normal_fill", "sample_binomial", "sample_gamma", "sample_poisson", "set_isa",
    "set_num_threads", "set_pool_limit", "shuffle", "uniform32", "uniform64", "uniform_fill",
))  # fmt: skip


def _declines(*args: Any) -> None:
    """There is no such kernel: the caller does it otherwise."""


class Table:
    """Kernels by name."""

    def __init__(self) -> None:
        self._functions: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._functions:
            return self._functions[name]
        return getattr(_C, name) if name in _SAME else _declines

    def add(self, function: Any) -> Any:
        """Enters a function under its name."""
        self._functions[function.__name__] = function
        return function


table = Table()


@table.add
def empty(shape: tuple, dtype: np.dtype) -> CudaArray:
    """An array with arbitrary values on the current device."""
    return _empty(shape, dtype)


@table.add
def empty_like(x: CudaArray) -> CudaArray:
    """An array with arbitrary values, of the shape and type of another, in C order."""
    return _empty(x.shape, x.dtype, x.store.device.id)


@table.add
def cast(out: CudaArray, src: CudaArray) -> None:
    """Writes src into out, of the same shape, in out's type."""
    out[...] = src


@table.add
def convert(x: CudaArray, dtype: np.dtype) -> CudaArray:
    """A copy in C order of another type."""
    return x.astype(dtype, "C")


@table.add
def copy(x: CudaArray) -> CudaArray:
    """A copy in C order."""
    return x.copy("C")


@table.add
def expand(x: CudaArray, shape: tuple) -> Any:
    """A view with dimensions of size 1 repeated."""
    return np.broadcast_to(x, shape)
