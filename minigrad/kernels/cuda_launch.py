"""What the calls of compiled CUDA kernels share: the module, the stream, workspaces, precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cuda_array import CudaArray
from .cuda_library import library

U8 = np.dtype(np.uint8)
FLOATS = "fV"


class Precision:
    """Whether products and convolutions of float32 may be rounded to TF32 on their way in."""

    matmul_tf32 = False
    conv_tf32 = False


precision = Precision()


def kernel(name: str) -> Any:
    """The compiled kernel of that name; None where there is none."""
    return getattr(library().kernels, name, None)


def stream() -> int:
    """The address of the stream that work goes to."""
    return library().cupy.cuda.get_current_stream().ptr


def work(size: int) -> Any:
    """Bytes for a kernel to work in; None if it needs none."""
    return library().cupy.empty(size, U8) if size else None


def is_float(x: Any) -> bool:
    """Whether x is an array on a GPU of a floating-point type."""
    return type(x) is CudaArray and x.dtype.kind in FLOATS
