"""Pooling in three dimensions: the kernels of two, over the planes first and then along the depth.

Arrays are (N, C, D, H, W), steps (depth, height, width). A window's sum is the sum of its planes'
sums, its maximum that of its planes' maxima; of equal ones the first plane's counts, as in a walk
through the window. 16-bit floats are computed in float32 and rounded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import pool
from ._quiet import rounded
from .numpy_pool import counts, divided
from .reduction import dense, widened

__all__ = [
    "adaptive_avg_pool3d", "adaptive_avg_pool3d_backward", "adaptive_max_pool3d", "avg_pool3d",
    "avg_pool3d_backward", "max_pool3d",
]  # fmt: skip

Triple = tuple[int, int, int]


def _planes(shape: Any) -> tuple[int, ...]:
    """(N, C, D, H, W) as planes, one after the other."""
    n, c, d, h, w = shape
    return n, c * d, h, w


def _columns(shape: Any) -> tuple[int, ...]:
    """(N, C, D, H, W) as one plane for each channel, whose columns go through the depth."""
    n, c, d, h, w = shape
    return n, c, d, h * w


def _through(shape: Any, out: Any) -> tuple[int, ...]:
    """The shape between the two steps: the input's depth, the output's height and width."""
    return *shape[:3], *out[3:]


def _places(at: Any, depth: Any, between: tuple, shape: tuple) -> Any:
    """Where in the volumes maxima stood, from where in planes and in columns they did."""
    plane = shape[3] * shape[4]
    size = between[3] * between[4]
    if shape[2] * plane >= 1 << 31:
        at, depth = at.astype(np.int64), depth.astype(np.int64)
    where = pool.gather_planes(at.reshape(_columns(between)), depth)
    where += depth // max(size, 1) * plane
    return where


def _rounded(out: Any, shape: tuple, dtype: np.dtype) -> Any:
    out = out.reshape(shape)
    return rounded(out, dtype)


def max_pool3d(
    x: Any,
    shape: tuple,
    kernel: Triple,
    stride: Triple,
    padding: Triple,
    dilation: Triple,
    index: bool,
) -> tuple[Any, Any]:
    """Maxima of the windows of x as a new array of `shape`, and if asked where they stood."""
    between = _through(x.shape, shape)
    steps = kernel, stride, padding, dilation
    planes: Any = [(s[1], s[2]) for s in steps]
    ends: Any = [(s[0], one) for s, one in zip(steps, (1, 1, 0, 1))]
    part = dense(widened(x)).reshape(_planes(x.shape))
    part, at = pool.max_pool2d(part, _planes(between), *planes, index)  # type: ignore[call-arg]
    part = part.reshape(_columns(between))
    out, depth = pool.max_pool2d(part, _columns(shape), *ends, index)  # type: ignore[call-arg]
    where = _places(at, depth, between, x.shape).reshape(shape) if index else None
    return _rounded(out, shape, x.dtype), where


def _sums(a: Any, shape: tuple, name: str, *steps: Triple) -> Any:
    """Sums of windows or, for the backward kernel, their gradients, without a divisor."""
    backward = name == "avg_pool2d_backward"
    between = _through(shape, a.shape) if backward else _through(a.shape, shape)
    run = getattr(pool, name)
    planes = [(s[1], s[2]) for s in steps]
    ends = [(s[0], one) for s, one in zip(steps, (1, 1, 0))]
    if backward:
        a = run(a.reshape(_columns(a.shape)), _columns(between), *ends, True, 1)
        return run(a.reshape(_planes(between)), _planes(shape), *planes, True, 1).reshape(shape)
    a = run(a.reshape(_planes(a.shape)), _planes(between), *planes, True, 1)
    return run(a.reshape(_columns(between)), _columns(shape), *ends, True, 1).reshape(shape)


def _divisors(
    x_shape: tuple, shape: tuple, kernel: Triple, stride: Triple, padding: Triple, pad: bool
) -> Any:
    """How many elements each window counts: (O, P, Q)."""
    d, h, w = (counts(*args, pad) for args in zip(x_shape[2:], shape[2:], kernel, stride, padding))
    return d.reshape(-1, 1, 1) * h.reshape(-1, 1) * w


def avg_pool3d(
    x: Any, shape: tuple, kernel: Triple, stride: Triple, padding: Triple, pad: bool, divisor: int
) -> Any:
    """Averages of the windows of x as a new array of `shape`."""
    by = divisor if divisor else _divisors(x.shape, shape, kernel, stride, padding, pad)
    total = _sums(dense(widened(x)), shape, "avg_pool2d", kernel, stride, padding)
    return _rounded(divided(total, np.asarray(by)), shape, x.dtype)


def avg_pool3d_backward(
    g: Any, shape: tuple, kernel: Triple, stride: Triple, padding: Triple, pad: bool, divisor: int
) -> Any:
    """The gradient to the input of avg_pool3d, of `shape`, for output gradient g."""
    by = divisor if divisor else _divisors(shape, g.shape, kernel, stride, padding, pad)
    share = dense(divided(widened(g), np.asarray(by)))
    out = _sums(share, shape, "avg_pool2d_backward", kernel, stride, padding)
    return _rounded(out, shape, g.dtype)


def adaptive_avg_pool3d(x: Any, shape: tuple) -> Any:
    """Averages of the parts of x as a new array of `shape`."""
    between = _through(x.shape, shape)
    part = dense(widened(x)).reshape(_planes(x.shape))
    part = pool.adaptive_avg_pool2d(part, _planes(between)).reshape(_columns(between))
    return _rounded(pool.adaptive_avg_pool2d(part, _columns(shape)), shape, x.dtype)


def adaptive_avg_pool3d_backward(g: Any, shape: tuple) -> Any:
    """The gradient to the input of adaptive_avg_pool3d, of `shape`, for output gradient g."""
    between = _through(shape, g.shape)
    part = dense(widened(g)).reshape(_columns(g.shape))
    part = pool.adaptive_avg_pool2d_backward(part, _columns(between)).reshape(_planes(between))
    return _rounded(pool.adaptive_avg_pool2d_backward(part, _planes(shape)), shape, g.dtype)


def adaptive_max_pool3d(x: Any, shape: tuple) -> tuple[Any, Any]:
    """Maxima of the parts of x as a new array of `shape`, and where they stood."""
    between = _through(x.shape, shape)
    part = dense(widened(x)).reshape(_planes(x.shape))
    part, at = pool.adaptive_max_pool2d(part, _planes(between))
    part = part.reshape(_columns(between))
    out, depth = pool.adaptive_max_pool2d(part, _columns(shape))
    where = _places(at, depth, between, x.shape).reshape(shape)
    return _rounded(out, shape, x.dtype), where
