"""1x1 convolutions of bfloat16 as products of matrices, where the processor has them faster.

With AVX-512-BF16 a product of bfloat16 matrices is about twice as fast as one of float32. Other
convolutions of bfloat16 are the compiled kernels' (`conv.py`). Sums are in float32, and rounded
once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C


def suits(x: Any, w: tuple, stride: Any, padding: Any, groups: int) -> bool:
    """Whether a kernel with weights of shape `w` is a plain product: steps are tuples."""
    if x.dtype.kind != "V" or x.dtype.itemsize != 2 or len(w) != 4 or groups != 1:
        return False
    if w[2:] != (1, 1) or stride != (1, 1) or padding != (0, 0):
        return False
    return _C.isa() == "avx512bf16" and w[0] > 0 and w[1] >= 16 and x.size > 0


def _matrices(x: Any) -> Any:
    """The planes of x as rows: (N, C, P * Q)."""
    return (x if x.flags.c_contiguous else x.copy()).reshape(*x.shape[:2], -1)


def conv(x: Any, w: Any, bias: Any, shape: tuple) -> Any:
    """`conv.conv` of bfloat16."""
    out = _C.empty((shape[0], shape[1], shape[2] * shape[3]), x.dtype)
    if bias is not None:
        out[...] = bias.reshape(-1, 1)
    w = w.reshape(shape[1], -1)
    _C.gemm(out, w, _matrices(x), 1.0, 0.0 if bias is None else 1.0, None, False)
    return out.reshape(shape)


def conv_input(g: Any, w: Any, bias: Any, shape: tuple) -> Any:
    """`conv.conv_input` of bfloat16."""
    out = _C.empty((shape[0], shape[1], shape[2] * shape[3]), g.dtype)
    if bias is not None:
        out[...] = bias.reshape(-1, 1)
    w = w.reshape(w.shape[0], -1).T
    _C.gemm(out, w, _matrices(g), 1.0, 0.0 if bias is None else 1.0, None, False)
    return out.reshape(shape)


def conv_weight(x: Any, g: Any, shape: tuple) -> Any:
    """`conv.conv_weight` of bfloat16, in float32."""
    out = _C.empty((shape[0], shape[1]), np.dtype(np.float32))
    x, g = _matrices(x), _matrices(g)
    for n in range(len(g)):
        _C.gemm(out, g[n], x[n].T, 1.0, float(n > 0), None, False)
    return out.reshape(shape)
