"""Pooling by the compiled CUDA kernels, whose arguments are those of `_C`'s and a stream."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cuda_array import CudaArray
from .cuda_compiled import define_as, table
from .cuda_launch import is_float, kernel, stream

_NAMES = (
    "adaptive_avg_pool2d", "adaptive_avg_pool2d_backward", "adaptive_max_pool2d", "avg_pool2d",
    "avg_pool2d_backward", "max_pool2d",
)  # fmt: skip


def _takes(values: tuple) -> bool:
    """Whether the arrays among some arguments are dense, of floats and of indices in 32 bits."""
    arrays = [v for v in values if type(v) is CudaArray]
    return all(
        a.size and a.flags.c_contiguous and (is_float(a) or a.dtype == np.int32) for a in arrays
    )


def _pool(name: str, plain: Any) -> Any:
    def pool(*args: Any) -> None:
        run = kernel(name)
        if run is None or not _takes(args):
            plain(*args)
        else:
            run(*args, stream())

    return pool


for _name in _NAMES:
    define_as(_name, _pool(_name, getattr(table, _name)))
