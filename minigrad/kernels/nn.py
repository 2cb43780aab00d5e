"""Compiled kernels of neural networks, each with its NumPy form for what it does not take."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, numpy_attention, numpy_random, numpy_softmax

__all__ = [
    "attention", "attention_backward", "log_softmax", "log_softmax_backward",
    "philox_dropout", "philox_mask",
    "softmax", "softmax_backward",
]  # fmt: skip


def _wide(x: Any) -> Any:
    """A 16-bit float array in float32; others as they are."""
    if x.dtype.itemsize != 2:
        return x
    out = _C.empty(x.shape, np.dtype(np.float32))
    _C.cast(out, np.ascontiguousarray(x))
    return out


def _narrow(x: Any, dtype: Any) -> Any:
    """x in `dtype`, if that is its own or a 16-bit one."""
    if x.dtype == dtype:
        return x
    out = _C.empty(x.shape, dtype)
    _C.cast(out, np.ascontiguousarray(x))
    return out


def _rows(x: Any) -> Any:
    """x in float32 with neighbouring elements in its rows, if it is float32 or narrower."""
    x = _wide(x)
    return x if x.strides[-1] == x.itemsize or x.shape[-1] == 1 else np.ascontiguousarray(x)


def _float_mask(mask: Any) -> Any:
    return mask if mask is None or mask.dtype == np.bool_ else _wide(mask)


def attention(
    q: Any, k: Any, v: Any, mask: Any, causal: bool, scale: float, noise: Any
) -> tuple[Any, Any]:
    """softmax(q k^T scale + mask) v, times `noise` before v: (out, stats for backward or None)."""
    if noise is None and q.dtype.itemsize <= 4:
        done = _C.attention(_rows(q), _rows(k), _rows(v), _float_mask(mask), causal, scale)
        if done is not None:
            out, stats = done
            return _narrow(out, q.dtype), stats
    return numpy_attention.attention(q, k, v, mask, causal, scale, noise)


def attention_backward(
    grad: Any,
    q: Any,
    k: Any,
    v: Any,
    mask: Any,
    causal: bool,
    scale: float,
    noise: Any,
    want: tuple[bool, ...],
    out: Any = None,
    stats: Any = None,
) -> tuple[Any, Any, Any, Any]:
    """Gradients of (q, k, v, mask) where wanted; `out` and `stats` as `attention` gave them."""
    if stats is not None and not want[3]:
        m = _float_mask(mask)
        done = _C.attention_backward(
            _rows(grad), _rows(q), _rows(k), _rows(v), m, _rows(out), stats, causal, scale, want
        )
        if done is not None:
            dq, dk, dv = (d if d is None else _narrow(d, q.dtype) for d in done)
            return dq, dk, dv, None
    return numpy_attention.attention_backward(grad, q, k, v, mask, causal, scale, noise, want)


def _softmax(kernel: Any, plain: Any, axis: int, *arrays: Any) -> Any:
    """What a kernel does not take as it is: made contiguous, 16-bit floats computed in float32."""
    y = kernel(*[np.ascontiguousarray(_wide(x)) for x in arrays], axis)
    return plain(*arrays, axis) if y is None else _narrow(y, arrays[-1].dtype)


def softmax(x: Any, axis: int) -> Any:
    """exp(x - max) over its sum along an axis."""
    y = _C.softmax(x, axis)
    return _softmax(_C.softmax, numpy_softmax.softmax, axis, x) if y is None else y


def log_softmax(x: Any, axis: int) -> Any:
    """x - log(sum(exp(x))) along an axis."""
    y = _C.log_softmax(x, axis)
    return _softmax(_C.log_softmax, numpy_softmax.log_softmax, axis, x) if y is None else y


def softmax_backward(grad: Any, y: Any, axis: int) -> Any:
    """y (grad - sum(grad y))."""
    d = _C.softmax_backward(grad, y, axis)
    if d is None:
        return _softmax(_C.softmax_backward, numpy_softmax.softmax_backward, axis, grad, y)
    return d


def log_softmax_backward(grad: Any, y: Any, axis: int) -> Any:
    """grad - exp(y) sum(grad)."""
    d = _C.log_softmax_backward(grad, y, axis)
    if d is None:
        plain = numpy_softmax.log_softmax_backward
        return _softmax(_C.log_softmax_backward, plain, axis, grad, y)
    return d


def philox_mask(seed: int, offset: int, n: int, keep: float) -> Any:
    """n booleans, each True with probability `keep` (in steps of 2^-32)."""
    return _C.philox_mask(seed, offset, n, keep)


def philox_dropout(
    x: Any, seed: int, offset: int, keep: float, scale: float, kept: float, dropped: float
) -> Any:
    """x * mask * scale + (kept where the mask is True, dropped elsewhere), with `philox_mask`."""
    if not x.flags.c_contiguous:
        x = np.ascontiguousarray(x)
    y = _C.philox_dropout(x, seed, offset, keep, scale, kept, dropped)
    if y is None:
        return numpy_random.philox_dropout(x, seed, offset, keep, scale, kept, dropped)
    return y
