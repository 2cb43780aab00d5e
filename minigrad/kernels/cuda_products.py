"""Matrix products by the compiled CUDA kernels, called as those of `_C`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cuda_array import CudaArray, empty
from .cuda_compiled import define
from .cuda_launch import is_float, kernel, stream, work
from .precision import precision


@define
def gemm(out: Any, a: Any, b: Any, alpha: float, beta: float, bias: Any, relu: bool) -> None:
    """out = alpha a b + beta out + bias, cut at 0 if `relu`. ValueError: what no kernel takes."""
    run = kernel("gemm")
    if run is None or not is_float(a) or a.dtype != b.dtype:
        raise ValueError("gemm: no compiled kernel for these arrays")
    if out.size:
        scratch = work(kernel("gemm_workspace")(out, a, b))
        tf32 = precision.matmul_tf32
        run(out, a, b, float(alpha), float(beta), bias, relu, tf32, scratch, stream())


@define
def matmul(a: Any, b: Any) -> Any:
    """a @ b by NumPy's rules; None for what the kernel does not take."""
    if kernel("gemm") is None or not is_float(a) or not is_float(b) or a.dtype != b.dtype:
        return None
    if not a.ndim or not b.ndim:
        return None
    x = a.reshape(1, -1) if a.ndim == 1 else a
    y = b.reshape(-1, 1) if b.ndim == 1 else b
    if x.shape[-1] != y.shape[-2]:
        return None
    try:
        lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        return None
    out = empty((*lead, x.shape[-2], y.shape[-1]), a.dtype)
    gemm(out, x, y, 1.0, 0.0, None, False)
    if a.ndim == 1:
        out = out.reshape(*lead, y.shape[-1])
    return out.reshape(out.shape[:-1]) if b.ndim == 1 else out


@define
def linear(x: Any, weight: Any, bias: Any) -> Any:
    """x @ weight.T + bias; None for what the kernel does not take."""
    arrays = [v for v in (x, weight, bias) if v is not None]
    if kernel("gemm") is None or any(not is_float(v) or v.dtype != x.dtype for v in arrays):
        return None
    if weight.ndim != 2 or not x.ndim or x.shape[-1] != weight.shape[1]:
        return None
    if bias is not None and (bias.shape != weight.shape[:1] or not bias.flags.c_contiguous):
        return None
    if not x.flags.c_contiguous and x.ndim > 2:
        return None  # rows that no single stride leads through: copied first
    rows: CudaArray = x.reshape(-1, x.shape[-1]) if x.ndim != 2 else x
    out = empty((rows.shape[0], weight.shape[0]), x.dtype)
    gemm(out, rows, weight.T, 1.0, 0.0, bias, False)
    return out.reshape(*x.shape[:-1], weight.shape[0])
