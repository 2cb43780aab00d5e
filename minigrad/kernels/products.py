"""Matrix products in NumPy: the fallback and oracle of the compiled ones, by the same names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._quiet import rounded
from .elementwise import quiet


def _matmul(a: Any, b: Any) -> Any:
    if a.dtype.itemsize == 2 and a.dtype.kind in "fV":  # accumulated in float32, rounded once
        wide = np.matmul(a.astype(np.float32), b.astype(np.float32))
        return np.asarray(wide.astype(a.dtype))
    return np.asarray(np.matmul(a, b))


def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    if x.dtype.itemsize == 2 and x.dtype.kind in "fV":
        wide = np.matmul(x.astype(np.float32), weight.T.astype(np.float32))
        if bias is not None:
            wide += bias.astype(np.float32)
        return rounded(wide, x.dtype)
    result = np.matmul(x, weight.T)
    if bias is not None:
        result += bias
    return result


def _addmm(input: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
    half = a.dtype.itemsize == 2 and a.dtype.kind in "fV"
    dtype = np.dtype(np.float32) if half else a.dtype
    result = np.matmul(a.astype(dtype, copy=False), b.astype(dtype, copy=False))
    if alpha != 1:
        result = result * dtype.type(alpha)
    if beta != 0:  # with 0 not even a NaN of the input counts
        term = input.astype(dtype, copy=False)
        result = result + (term if beta == 1 else term * dtype.type(beta))
    return rounded(np.asarray(result), a.dtype)


matmul = quiet(_matmul)
matmul.__doc__ = "`a @ b` by NumPy's rules for 1 to n dimensions; 16-bit floats add in float32."
linear = quiet(_linear)
linear.__doc__ = "`x @ weight.T + bias`; weight (out, in), bias (out,) or None."
addmm = quiet(_addmm)
addmm.__doc__ = "`beta * input + alpha * (a @ b)`; input broadcasts, and is not read if beta is 0."


def gemm(out: Any, a: Any, b: Any, alpha: float, beta: float, bias: Any, relu: bool) -> None:
    """`out = alpha * (a @ b) + beta * out + bias`, cut at 0 if `relu`; beta 0 reads no out."""
    wide = np.float32 if out.dtype.itemsize <= 4 else np.float64
    result = _addmm(out.astype(wide), a.astype(wide), b.astype(wide), beta, alpha)
    if bias is not None:
        result = result + bias.astype(wide)
    out[...] = np.maximum(result, wide(0)) if relu else result
