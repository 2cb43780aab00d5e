"""Convolution kernels: what each function takes, gives, and which code runs it.

The functions allocate their result; `numpy_conv` says what they compute. Arrays have one dtype and
two spatial dimensions or three; 16-bit floats are accumulated in float32 and rounded once: bfloat16
as it is where `csrc/cpu/conv_pairs.cpp` or Winograd's form has it, else converted. A GPU's kernels
take both as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, conv_half, numpy_conv
from ._quiet import rounded
from .reduction import dense, widened

__all__ = ["conv", "conv_input", "conv_weight"]

Steps = tuple[int, ...]  # one for each spatial dimension


def _call(name: str, out: Any, a: Any, b: Any, rest: tuple) -> bool:
    """Whether the compiled kernel has done it: it need not for 16-bit floats."""
    *bias, stride, padding, dilation, groups = rest
    bias = [None if c is None else dense(c) for c in bias]
    run = getattr(_C, f"conv{out.ndim - 2}d{name}")
    return run(out, dense(a), dense(b), *bias, *stride, *padding, *dilation, groups)


def _run(name: str, shape: tuple, a: Any, b: Any, *rest: Any) -> Any:
    dtype = a.dtype
    half = dtype.itemsize == 2 and dtype.kind in "fV"
    if half and (dtype.kind == "V" or _C.isa() == "cuda") and a.size and b.size:
        made = _C.empty(shape, dtype)
        if made.size and _call(name, made, a, b, rest):
            return made
    if half:
        a, b = widened(a), widened(b)
        rest = tuple([widened(r) if isinstance(r, np.ndarray) else r for r in rest])
    out = _C.empty(shape, a.dtype)
    if a.dtype.kind == "f" and a.size and b.size and out.size:
        _call(name, out, a, b, rest)
    else:
        getattr(numpy_conv, "conv" + name)(out, a, b, *rest)
    return rounded(out, dtype)


def conv(
    x: Any,
    w: Any,
    bias: Any,
    shape: tuple,
    stride: Steps,
    padding: Steps,
    dilation: Steps,
    groups: int,
) -> Any:
    """The convolution of x with w, plus bias (K) or None: an array of `shape` (N, K, [O,] P, Q)."""
    if conv_half.suits(x, w.shape, stride, padding, groups):
        return conv_half.conv(x, w, bias, shape)
    return _run("", shape, x, w, bias, stride, padding, dilation, groups)


def conv_input(
    g: Any,
    w: Any,
    bias: Any,
    shape: tuple,
    stride: Steps,
    padding: Steps,
    dilation: Steps,
    groups: int,
) -> Any:
    """The gradient to the input, plus bias (C) or None: an array of `shape` (N, C, [D,] H, W)."""
    if conv_half.suits(g, w.shape, stride, padding, groups):
        return conv_half.conv_input(g, w, bias, shape)
    return _run("_input", shape, g, w, bias, stride, padding, dilation, groups)


def conv_weight(
    x: Any, g: Any, shape: tuple, stride: Steps, padding: Steps, dilation: Steps, groups: int
) -> Any:
    """The gradient to the weight: a new array of `shape` (K, C / groups, [T,] R, S)."""
    if conv_half.suits(x, shape, stride, padding, groups) and g.size:
        return rounded(conv_half.conv_weight(x, g, shape), x.dtype)
    return _run("_weight", shape, x, g, stride, padding, dilation, groups)
