"""Softmax, cross-entropy, attention and dropout by the compiled CUDA kernels, as those of `_C`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import cuda
from .cuda_array import empty
from .cuda_compiled import define, define_as
from .cuda_launch import is_float, kernel, stream, work

_F32 = np.dtype(np.float32)


def _dense(*arrays: Any) -> bool:
    """Whether all arrays are dense, with elements, of one floating-point type."""
    first = arrays[0]
    return bool(first.size) and all(
        is_float(a) and a.dtype == first.dtype and a.flags.c_contiguous for a in arrays
    )


def _along(name: str) -> None:
    """Enters a function of arrays of one shape and an axis."""

    def function(*args: Any) -> Any:
        *arrays, axis = args
        run = kernel(name)
        if run is None or not _dense(*arrays) or not arrays[0].ndim:
            return None
        out = empty(arrays[0].shape, arrays[0].dtype)
        run(out, *arrays, axis % arrays[0].ndim, stream())
        return out

    define_as(name, function)


for _name in ("softmax", "log_softmax", "softmax_backward", "log_softmax_backward"):
    _along(_name)


@define
def cross_entropy(
    x: Any, target: Any, weight: Any, ignored: int, reduction: str, smoothing: float
) -> Any:
    """(loss, log-sum-exp like target, denominator), all arrays."""
    run = kernel("cross_entropy")
    weights = () if weight is None else (weight,)
    if run is None or not _dense(x, *weights) or x.itemsize < 4 or target.dtype != np.int64:
        return None
    loss = empty(target.shape if reduction == "none" else (), x.dtype)
    lse, denominator = empty(target.shape, x.dtype), empty((), x.dtype)
    scratch = work(kernel("cross_entropy_workspace")(x, target, weight))
    rest = (ignored, reduction, float(smoothing), stream())
    run(loss, lse, denominator, x, target, weight, scratch, *rest)
    return loss, lse, denominator


@define
def cross_entropy_backward(
    grad: Any, x: Any, target: Any, weight: Any, lse: Any, denominator: Any, ignored: int,
    reduction: str, smoothing: float,
) -> Any:  # fmt: skip
    """The gradient of `cross_entropy` for x."""
    run = kernel("cross_entropy_backward")
    weights = () if weight is None else (weight,)
    if run is None or not _dense(x, grad, *weights) or lse.dtype != x.dtype:
        return None
    if target.dtype != np.int64 or not target.flags.c_contiguous:
        return None
    out = empty(x.shape, x.dtype)
    rest = (ignored, reduction, float(smoothing), stream())
    run(out, grad, x, target, weight, lse, denominator, *rest)
    return out


# The kernels take 16-bit operands as they are: what the CPU widens first stays.
cuda.forms.nn._wide = lambda x: x


@define
def attention(q: Any, k: Any, v: Any, mask: Any, causal: bool, scale: float) -> Any:
    """(softmax(q k^T scale + mask) v, statistics for backward); None for what is not taken."""
    run = kernel("attention")
    if run is None or not (q.dtype == k.dtype == v.dtype) or not is_float(q) or q.itemsize > 4:
        return None
    if not (q.size and k.size and v.size) or not (q.shape[:-2] == k.shape[:-2] == v.shape[:-2]):
        return None
    out = empty((*q.shape[:-1], v.shape[-1]), q.dtype)
    stats = empty((2, math.prod(q.shape[:-2]), q.shape[-2]), _F32)
    try:
        run(out, stats, q, k, v, mask, causal, float(scale), stream())
    except ValueError:  # more dimensions or wider rows than the kernel has room for
        return None
    return out, stats


@define
def attention_backward(
    grad: Any, q: Any, k: Any, v: Any, mask: Any, out: Any, stats: Any, causal: bool, scale: float,
    want: tuple,
) -> Any:  # fmt: skip
    """Gradients of (q, k, v) where wanted."""
    run = kernel("attention_backward")
    if run is None:
        return None
    rooms = [empty(x.shape, x.dtype) if w else None for x, w in zip((q, k, v), want[:3])]
    scratch = work(4 * math.prod(q.shape[:-1]))
    rest = (mask, out, stats, causal, float(scale), scratch, stream())
    run(*rooms, grad, q, k, v, *rest)
    return tuple(rooms)


@define
def philox_mask(seed: int, offset: Any, n: int, keep: float) -> Any:
    """n booleans, each True with probability `keep`; the offset may stand on the device."""
    run = kernel("philox_mask")
    if run is None:
        return cuda.forms.numpy_random.philox_mask(seed, offset, n, keep)
    out = empty((n,), np.dtype(bool))
    run(out, seed, offset, keep, stream())
    return out


@define
def philox_dropout(
    x: Any, seed: int, offset: Any, keep: float, scale: float, kept: float, dropped: float
) -> Any:
    """x * mask * scale + shift, the mask the CPU's."""
    run = kernel("philox_dropout")
    if run is None or not _dense(x):
        return None
    out = empty(x.shape, x.dtype)
    run(out, x, seed, offset, keep, float(scale), float(kept), float(dropped), stream())
    return out
