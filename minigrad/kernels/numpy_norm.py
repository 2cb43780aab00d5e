"""Normalisations in NumPy: the fallback and oracle of the compiled kernels.

Statistics and arithmetic are in the type given back as `mean` and `rstd`: float32 for 16-bit
inputs, else the input's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import quiet
from .numpy_softmax import widen


def _scale(y: Any, w: Any, b: Any) -> None:
    """y = y * w + b in place, where w and b broadcast and either may be None."""
    if w is not None:
        y *= widen(w)
    if b is not None:
        y += widen(b)


def row_means(rows: Any) -> Any:
    """The mean of each row, as a column; NaN without elements."""
    return rows.sum(1, keepdims=True) / np.asarray(rows.shape[1], rows.dtype)


@quiet
def layer_norm(x: Any, w: Any, b: Any, n: int, eps: float) -> tuple[Any, Any, Any]:
    """Normalises rows of n elements: (y in x's shape, mean (rows, 1), rstd (rows, 1))."""
    rows = widen(x.reshape(x.size // n if n else 0, n))
    mean = row_means(rows)
    y = rows - mean
    rstd = np.einsum("ij,ij->i", y, y)[:, None]
    rstd /= n
    rstd += eps
    np.sqrt(rstd, out=rstd)
    np.reciprocal(rstd, out=rstd)
    y *= rstd
    _scale(y, None if w is None else w.reshape(-1), None if b is None else b.reshape(-1))
    return y.astype(x.dtype, copy=False).reshape(x.shape), mean, rstd


@quiet
def layer_norm_backward(
    grad: Any, x: Any, mean: Any, rstd: Any, w: Any, dims: int, want: tuple
) -> tuple[Any, Any, Any]:
    """(dx, dw, db) where wanted, else None; dw and db in the type of mean.

    A row is the last `dims` dimensions of x; dw and db have their shape.

    With h = (x - mean) rstd and u = grad w: dx = rstd (u - mean(u) - h mean(u h)),
    dw = sum(grad h), db = sum(grad), the sums over rows.
    """
    shape = x.shape[x.ndim - dims :]
    n = int(np.prod(shape, dtype=np.int64))
    g = widen(grad).reshape(len(mean), n)
    dx = dw = None
    if want[0] or want[1]:
        h = widen(x).reshape(len(mean), n) - mean
        h *= rstd
        if want[1]:
            dw = np.einsum("ij,ij->j", g, h).reshape(shape)
        if want[0]:
            u = g if w is None else g * widen(w).reshape(-1)
            across = np.einsum("ij,ij->i", u, h)[:, None]
            across /= n
            h *= across
            np.subtract(u, h, out=h)
            h -= row_means(u)
            h *= rstd
            dx = h.astype(x.dtype, copy=False).reshape(x.shape)
    return dx, dw, g.sum(0).reshape(shape) if want[2] else None


@quiet
def rms_norm(x: Any, w: Any, n: int, eps: float) -> tuple[Any, Any]:
    """x / sqrt(mean(x^2) + eps) * w over rows of n elements: (y, rstd (rows, 1))."""
    rows = widen(x.reshape(x.size // n if n else 0, n))
    rstd = np.einsum("ij,ij->i", rows, rows)[:, None]
    rstd /= n
    rstd += eps
    np.sqrt(rstd, out=rstd)
    np.reciprocal(rstd, out=rstd)
    y = rows * rstd
    if w is not None:
        y *= widen(w).reshape(-1)
    return y.astype(x.dtype, copy=False).reshape(x.shape), rstd


@quiet
def rms_norm_backward(
    grad: Any, x: Any, rstd: Any, w: Any, dims: int, want: tuple
) -> tuple[Any, Any]:
    """(dx, dw) where wanted, of rows that are the last `dims` dimensions of x.

    With h = x rstd, u = grad w: dx = rstd (u - h mean(u h)).
    """
    shape = x.shape[x.ndim - dims :]
    n = int(np.prod(shape, dtype=np.int64))
    g = widen(grad).reshape(len(rstd), n)
    h = widen(x).reshape(len(rstd), n) * rstd
    dw = np.einsum("ij,ij->j", g, h).reshape(shape) if want[1] else None
    if not want[0]:
        return None, dw
    u = g if w is None else g * widen(w).reshape(-1)
    across = np.einsum("ij,ij->i", u, h)[:, None]
    across /= n
    h *= across
    np.subtract(u, h, out=h)
    h *= rstd
    return h.astype(x.dtype, copy=False).reshape(x.shape), dw


def _channels(x: Any) -> tuple[int, int, int]:
    """x (N, C, ...) as (N, C, L)."""
    n, c = x.shape[:2]
    return n, c, int(np.prod(x.shape[2:], dtype=np.int64))


@quiet
def channel_stats(x: Any) -> tuple[Any, Any]:
    """The mean and the (biased) variance of each channel of x (N, C, ...), both (C,)."""
    r = widen(x).reshape(_channels(x))
    count = np.asarray(r.shape[0] * r.shape[2], r.dtype)
    mean = r.sum((0, 2)) / count
    c = r - mean[:, None]
    return mean, np.einsum("ncl,ncl->c", c, c) / count


@quiet
def rstd_of(var: Any, eps: float) -> Any:
    """1 / sqrt(var + eps)."""
    return 1 / np.sqrt(var + eps)


def _move(running: Any, value: Any, momentum: float) -> None:
    """running = (1 - momentum) running + momentum value, in place; None stays."""
    if running is not None:
        mixed = (1 - momentum) * running.astype(value.dtype) + momentum * value
        running[...] = mixed.reshape(running.shape)


@quiet
def batch_norm(
    x: Any,
    w: Any,
    b: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Any, Any, Any]:
    """Normalises channels of x (N, C, ...): (y, mean (C,), rstd (C,)).

    In training by their own statistics, which the running ones (or None) follow; else by those.
    """
    if training:
        mean, var = channel_stats(x)
        n, _, length = _channels(x)
        if x.size:
            # Running statistics keep the unbiased variance, as PyTorch's.
            _move(running_mean, mean, momentum)
            _move(running_var, var * (n * length / max(n * length - 1, 1)), momentum)
    else:
        kind = np.dtype(np.float32) if x.dtype.itemsize == 2 else x.dtype
        mean, var = (r.astype(kind).reshape(-1) for r in (running_mean, running_var))
    rstd = rstd_of(var, eps)
    return normalized_channels(x, w, b, mean, rstd), mean, rstd


@quiet
def normalized_channels(x: Any, w: Any, b: Any, mean: Any, rstd: Any) -> Any:
    """(x - mean) rstd w + b, with one of each for a channel of x (N, C, ...)."""
    r = widen(x).reshape(_channels(x))
    y = r - mean[:, None]
    y *= (rstd if w is None else rstd * widen(w))[:, None]
    if b is not None:
        y += widen(b)[:, None]
    return y.astype(x.dtype, copy=False).reshape(x.shape)


@quiet
def batch_norm_backward(
    grad: Any, x: Any, w: Any, mean: Any, rstd: Any, training: bool, want: tuple
) -> tuple[Any, Any, Any]:
    """(dx, dw (C,), db (C,)) where wanted; dw and db in the type of mean.

    With h = (x - mean) rstd, over each channel of m elements: db = sum(grad), dw = sum(grad h),
    dx = rstd w (grad - (db + h dw) / m), and rstd w grad where the statistics were constants.
    """
    shape = _channels(x)
    g = widen(grad).reshape(shape)
    count = shape[0] * shape[2]
    scale = (rstd if w is None else rstd * widen(w))[:, None]
    dx: Any = None
    dw: Any = None
    db: Any = None
    if want[2] or (want[0] and training):
        db = g.sum((0, 2))
    if want[1] or (want[0] and training):
        h = widen(x).reshape(shape) - mean[:, None]
        h *= rstd[:, None]
        dw = np.einsum("ncl,ncl->c", g, h)
    if want[0]:
        if training:
            h *= (dw / count)[:, None]
            np.subtract(g, h, out=h)
            h -= (db / count)[:, None]
            h *= scale
        else:
            h = g * scale
        dx = h.astype(x.dtype, copy=False).reshape(x.shape)
    return dx, dw if want[1] else None, db if want[2] else None


@quiet
def group_norm(x: Any, w: Any, b: Any, groups: int, eps: float) -> tuple[Any, Any, Any]:
    """Normalises groups of channels of each sample: (y, mean (N * G, 1), rstd (N * G, 1))."""
    n, c, length = _channels(x)
    rows = widen(x).reshape(n * groups, x.size // (n * groups) if x.size else 0)
    mean = row_means(rows)
    y = rows - mean
    rstd = np.einsum("ij,ij->i", y, y)[:, None]
    rstd /= y.shape[1]
    rstd += eps
    np.sqrt(rstd, out=rstd)
    np.reciprocal(rstd, out=rstd)
    y *= rstd
    y = y.reshape(n, c, length)
    _scale(y, None if w is None else w[:, None], None if b is None else b[:, None])
    return y.astype(x.dtype, copy=False).reshape(x.shape), mean, rstd


@quiet
def group_norm_backward(
    grad: Any, x: Any, mean: Any, rstd: Any, w: Any, groups: int, want: tuple
) -> tuple[Any, Any, Any]:
    """(dx, dw (C,), db (C,)) where wanted, by the formulas of `layer_norm_backward`."""
    n, c, length = shape = _channels(x)
    rows = (len(mean), x.size // len(mean) if len(mean) else 0)
    g = widen(grad).reshape(shape)
    dx = dw = None
    if want[0] or want[1]:
        h = widen(x).reshape(rows) - mean
        h *= rstd
        if want[1]:
            dw = np.einsum("ncl,ncl->c", g, h.reshape(shape))
        if want[0]:
            u = (g if w is None else g * widen(w)[:, None]).reshape(rows)
            across = np.einsum("ij,ij->i", u, h)[:, None]
            across /= rows[1]
            h *= across
            np.subtract(u, h, out=h)
            h -= row_means(u)
            h *= rstd
            dx = h.astype(x.dtype, copy=False).reshape(x.shape)
    return dx, dw, g.sum((0, 2)) if want[2] else None
