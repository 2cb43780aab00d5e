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
from .cuda_calls import missing

# What does not compute with arrays on a GPU: settings, and the state of random numbers.
_SAME = frozenset((
    "beta_slope", "draw32", "draw64", "gamma_slope", "get_num_threads", "integers", "isa",
    "mt_seed", "normal_fill", "set_isa", "set_num_threads", "set_pool_limit", "shuffle",
    "uniform32", "uniform64", "uniform_fill",
))  # fmt: skip


# Whose callers compute otherwise when they return None (or, of those that say so, False).
_MAY_DECLINE = frozenset((
    "all_between", "arg_extremum", "argsort", "attention", "attention_backward", "batch_norm",
    "batch_norm_backward", "binary", "combine", "compare", "cross_entropy",
    "cross_entropy_backward", "ctc_fits", "ctc_grad", "ctc_loss", "extremum", "fast_cumsum",
    "fast_embedding", "fast_gather", "fast_join", "fast_put", "fast_put_at", "fast_scatter",
    "fast_take", "flip", "gather", "group_norm", "group_norm_backward", "join", "layer_norm",
    "layer_norm_backward", "lerp_tensors", "linear", "log_softmax", "log_softmax_backward",
    "matmul", "nll", "numbers", "pad", "pad_backward", "pair_loss", "pair_loss_backward",
    "philox_dropout", "put", "record", "recurrent", "recurrent_backward", "reduce", "repeat",
    "repeat_each", "repeat_each_backward", "rms_norm", "rms_norm_backward", "roll", "scale_tensors",
    "scan", "search", "select", "softmax", "softmax_backward", "sort", "take", "tensor_norms",
    "triangle", "unary", "var_mean", "weighted_logits", "where", "write_rows",
))  # fmt: skip


def _declines(*args: Any) -> None:
    """There is no such kernel: the caller does it otherwise."""


def _missing(name: str) -> Any:
    def function(*args: Any) -> Any:
        raise missing(name)

    return function


class Table:
    """Kernels by name."""

    def __init__(self) -> None:
        self._functions: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._functions:
            return self._functions[name]
        if name in _SAME:
            return getattr(_C, name)
        return _declines if name in _MAY_DECLINE or name.endswith("_step") else _missing(name)


table = Table()


def define(function: Any) -> Any:
    """Enters a function into the table, under its name."""
    return define_as(function.__name__, function)


def define_as(name: str, function: Any) -> Any:
    """Enters a function into the table."""
    table._functions[name] = function
    return function


@define
def empty(shape: tuple, dtype: np.dtype) -> CudaArray:
    """An array with arbitrary values on the current device."""
    return _empty(shape, dtype)


@define
def empty_like(x: CudaArray) -> CudaArray:
    """An array with arbitrary values, of the shape and type of another, in C order."""
    return _empty(x.shape, x.dtype, x.store.device.id)


@define
def expand(x: CudaArray, shape: tuple) -> Any:
    """A view with dimensions of size 1 repeated."""
    return np.broadcast_to(x, shape)
