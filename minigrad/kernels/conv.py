"""Convolution kernels: what each function takes, gives, and which code runs it.

The functions allocate their result; `numpy_conv` says what they compute. Arrays are 4-d of one
dtype; 16-bit floats are accumulated in float32 and rounded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, numpy_conv
from .reduction import dense, widened

__all__ = ["conv2d", "conv2d_input", "conv2d_weight"]

Pair = tuple[int, int]


def _run(name: str, shape: tuple, a: Any, b: Any, *rest: Any) -> Any:
    dtype = a.dtype
    if dtype.itemsize == 2 and dtype.kind in "fV":
        a, b = widened(a), widened(b)
        rest = tuple([widened(r) if isinstance(r, np.ndarray) else r for r in rest])
    out = _C.empty(shape, a.dtype)
    *bias, stride, padding, dilation, groups = rest
    if a.dtype.kind == "f" and a.size and b.size and out.size:
        bias = [None if c is None else dense(c) for c in bias]
        a, b = dense(a), dense(b)
        getattr(_C, name)(out, a, b, *bias, *stride, *padding, *dilation, groups)
    else:
        getattr(numpy_conv, name)(out, a, b, *rest)
    return out if out.dtype == dtype else out.astype(dtype)


def conv2d(
    x: Any,
    w: Any,
    bias: Any,
    shape: tuple,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Any:
    """The convolution of x with w, plus bias (K) or None: a new array of `shape` (N, K, P, Q)."""
    return _run("conv2d", shape, x, w, bias, stride, padding, dilation, groups)


def conv2d_input(
    g: Any,
    w: Any,
    bias: Any,
    shape: tuple,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Any:
    """The gradient to the input, plus bias (C) or None: a new array of `shape` (N, C, H, W)."""
    return _run("conv2d_input", shape, g, w, bias, stride, padding, dilation, groups)


def conv2d_weight(
    x: Any, g: Any, shape: tuple, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    """The gradient to the weight: a new array of `shape` (K, C / groups, R, S)."""
    return _run("conv2d_weight", shape, x, g, stride, padding, dilation, groups)
