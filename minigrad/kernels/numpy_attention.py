"""Scaled dot-product attention in NumPy: the fallback and oracle of the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import quiet
from .numpy_softmax import widen


def _scores(q: Any, k: Any, mask: Any, causal: bool, scale: float) -> Any:
    """q k^T scale, -inf where masked: (..., L, S)."""
    s = np.matmul(q * q.dtype.type(scale), k.swapaxes(-1, -2))
    if causal:
        rows, columns = s.shape[-2:]
        s[..., ~np.tri(rows, columns, dtype=bool)] = -np.inf
    if mask is None:
        return s
    if mask.dtype == np.bool_:
        s = np.where(mask, s, s.dtype.type(-np.inf))
    else:
        s = s + widen(mask)
    return s


def _probabilities(q: Any, k: Any, mask: Any, causal: bool, scale: float) -> Any:
    """The softmax of the scores; 0 in a row that is masked entirely."""
    p = _scores(q, k, mask, causal, scale)
    top = p.max(-1, keepdims=True, initial=-np.inf)
    np.copyto(top, 0, where=np.isneginf(top))
    p -= top
    np.exp(p, out=p)
    total = p.sum(-1, keepdims=True)
    np.copyto(total, 1, where=total == 0)
    p /= total
    return p


@quiet
def attention(
    q: Any, k: Any, v: Any, mask: Any, causal: bool, scale: float, noise: Any
) -> tuple[Any, Any]:
    """softmax(q k^T scale + mask) v for q (..., L, E), k (..., S, E), v (..., S, F): (..., L, F).

    A row that is masked entirely gives 0. `mask` is None, boolean (True takes part) or added;
    `noise` multiplies the probabilities (dropout), or is None. The second result is what
    `attention_backward` wants to know of it: here None.
    """
    p = _probabilities(widen(q), widen(k), mask, causal, scale)
    if noise is not None:
        p *= noise
    return np.matmul(p, widen(v)).astype(q.dtype, copy=False), None


@quiet
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
    """Gradients of (q, k, v, mask) where wanted, with the probabilities p computed again.

    `out` and `stats` are what `attention` returned; they are not needed here.

    dv = p^T grad; ds = p (r - sum(p r)) with r = grad v^T; dq = ds k scale; dk = ds^T q scale.
    """
    g, wide_q, wide_k = widen(grad), widen(q), widen(k)
    p = _probabilities(wide_q, wide_k, mask, causal, scale)
    dq = dk = dv = dmask = None
    if want[2]:
        used = p if noise is None else p * noise
        dv = _fit(np.matmul(used.swapaxes(-1, -2), g), v)
    if want[0] or want[1] or want[3]:
        ds = np.matmul(g, widen(v).swapaxes(-1, -2))
        if noise is not None:
            ds *= noise
        ds -= np.einsum("...j,...j->...", ds, p)[..., None]
        ds *= p
        if want[3]:
            dmask = _fit(ds, mask)
        ds = ds * ds.dtype.type(scale)  # the gradient of the mask may be ds itself
        if want[0]:
            dq = _fit(np.matmul(ds, wide_k), q)
        if want[1]:
            dk = _fit(np.matmul(ds.swapaxes(-1, -2), wide_q), k)
    return dq, dk, dv, dmask


def _fit(gradient: Any, operand: Any) -> Any:
    """A gradient summed over the dimensions that broadcasting widened."""
    shape = operand.shape
    lead = gradient.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(
        lead + i for i, n in enumerate(shape) if n == 1 and gradient.shape[lead + i] != 1
    )
    if axes:
        gradient = gradient.sum(axes, keepdims=True).reshape(shape)
    return gradient.astype(operand.dtype, copy=False)
