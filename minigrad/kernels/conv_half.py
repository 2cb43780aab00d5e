"""Convolutions of bfloat16 as products of matrices, where the processor multiplies these faster.

The float32 kernels take 16-bit floats converted, which costs a pass over memory and gains nothing.
With AVX-512-BF16 a product of bfloat16 matrices is about twice as fast as one of float32: 1x1
convolutions are such products; 3x3 ones with a stride become them by im2col. Others stay: what
im2col makes of them is too large, and Winograd's form of 3x3 in float32 is as fast as the product.
Sums are in float32, and rounded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C

Steps = Any  # a tuple of two numbers, where `suits` says so


def _plain(w: tuple, stride: Steps, padding: Steps) -> bool:
    """Whether a convolution is a product without im2col."""
    return w[2:] == (1, 1) and stride == (1, 1) and padding == (0, 0)


def suits(name: str, x: Any, w: tuple, stride: Steps, padding: Steps, groups: int) -> bool:
    """Whether a kernel ("", "_input", "_weight") with weights of shape `w` is one of these."""
    if x.dtype.kind != "V" or x.dtype.itemsize != 2 or len(w) != 4 or groups != 1:
        return False
    if _C.isa() != "avx512bf16" or 0 in w or not x.size or w[1] * w[2] * w[3] < 16:
        return False
    if _plain(w, stride, padding):
        return True
    return name != "_input" and w[2] * w[3] <= 9 and min(stride) > 1


def _columns(x: Any, w: tuple, stride: Steps, padding: Steps, dilation: Steps) -> Any:
    """The windows of x: (N, C * R * S, P * Q)."""
    x = x if x.flags.c_contiguous else x.copy()
    if _plain(w, stride, padding):
        return x.reshape(x.shape[0], w[1], -1)
    return _C.im2col(x, w[2:], stride, padding, dilation)


def conv(
    x: Any, w: Any, bias: Any, shape: tuple, stride: Steps, padding: Steps, dilation: Steps
) -> Any:
    """`conv.conv` of bfloat16."""
    columns = _columns(x, w.shape, stride, padding, dilation)
    out = _C.empty((shape[0], shape[1], columns.shape[2]), x.dtype)
    if bias is not None:
        out[...] = bias.reshape(-1, 1)
    _C.gemm(out, w.reshape(shape[1], -1), columns, 1.0, 0.0 if bias is None else 1.0, None, False)
    return out.reshape(shape)


def conv_input(g: Any, w: Any, bias: Any, shape: tuple) -> Any:
    """`conv.conv_input` of bfloat16, for 1x1 kernels without stride."""
    out = _C.empty((shape[0], shape[1], shape[2] * shape[3]), g.dtype)
    if bias is not None:
        out[...] = bias.reshape(-1, 1)
    g = (g if g.flags.c_contiguous else g.copy()).reshape(*g.shape[:2], -1)
    w = w.reshape(w.shape[0], -1).T
    _C.gemm(out, w, g, 1.0, 0.0 if bias is None else 1.0, None, False)
    return out.reshape(shape)


def conv_weight(
    x: Any, g: Any, shape: tuple, stride: Steps, padding: Steps, dilation: Steps
) -> Any:
    """`conv.conv_weight` of bfloat16, in float32."""
    columns = _columns(x, shape, stride, padding, dilation)
    g = (g if g.flags.c_contiguous else g.copy()).reshape(*g.shape[:2], -1)
    out = _C.empty((shape[0], columns.shape[1]), np.dtype(np.float32))
    for n in range(len(g)):
        _C.gemm(out, g[n], columns[n].T, 1.0, float(n > 0), None, False)
    return out.reshape(shape)
