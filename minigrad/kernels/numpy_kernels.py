"""Every kernel of `cpu` in plain NumPy: the fallback, and what the tests compare with."""

from __future__ import annotations

import numpy as np

from .cpu import empty, empty_like
from .numpy_optim import adagrad_step, adam_step, rmsprop_step, sgd_step
from .products import addmm, gemm, linear, matmul

__all__ = [
    "adagrad_step",
    "adam_step",
    "addmm",
    "cast",
    "empty",
    "empty_like",
    "gemm",
    "linear",
    "matmul",
    "rmsprop_step",
    "sgd_step",
]


def cast(out: np.ndarray, src: np.ndarray) -> None:
    """Write src into out, of the same shape, in out's dtype."""
    out[...] = src.astype(out.dtype)
