"""Losses in NumPy: the fallback and oracle of the compiled kernels.

A pointwise loss is a pair: `name(x, t, *params)` gives the values, `name_slope(x, t, *params)` its
derivative with respect to x; both return new arrays in the type computed with.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import quiet
from .numpy_softmax import widen


@quiet
def reduce_loss(values: Any, reduction: str, dtype: np.dtype) -> Any:
    """The values (none), their sum or their mean, rounded to `dtype`."""
    if reduction == "none":
        return values.astype(dtype, copy=False)
    total = values.sum(dtype=values.dtype)
    if reduction == "mean":
        total = np.true_divide(total, np.asarray(values.size, values.dtype))
    return np.asarray(total).astype(dtype, copy=False)


@quiet
def scale_loss(slope: Any, grad: Any, reduction: str, dtype: np.dtype) -> Any:
    """slope * grad, divided by the number of elements for a mean; written into slope."""
    grad = widen(grad)
    if reduction == "mean":
        grad = grad / np.asarray(max(slope.size, 1), slope.dtype)
    slope *= grad
    return slope.astype(dtype, copy=False)


def _difference(x: Any, t: Any) -> Any:
    return np.subtract(widen(x), widen(t))


@quiet
def mse_loss(x: Any, t: Any) -> Any:
    """(x - t)^2."""
    d = np.asarray(_difference(x, t))
    return np.multiply(d, d, out=d)


@quiet
def mse_loss_slope(x: Any, t: Any) -> Any:
    """2 (x - t)."""
    d = np.asarray(_difference(x, t))
    d += d
    return d


@quiet
def l1_loss(x: Any, t: Any) -> Any:
    """|x - t|."""
    d = np.asarray(_difference(x, t))
    return np.abs(d, out=d)


@quiet
def l1_loss_slope(x: Any, t: Any) -> Any:
    """sign(x - t)."""
    d = np.asarray(_difference(x, t))
    return np.sign(d, out=d)


@quiet
def smooth_l1_loss(x: Any, t: Any, beta: float) -> Any:
    """d^2 / (2 beta) where d = |x - t| < beta, else d - beta / 2."""
    d = np.asarray(_difference(x, t))
    np.abs(d, out=d)
    return np.where(d < beta, d * d * d.dtype.type(0.5 / beta), d - d.dtype.type(0.5 * beta))


@quiet
def smooth_l1_loss_slope(x: Any, t: Any, beta: float) -> Any:
    """(x - t) / beta, held in [-1, 1]."""
    d = np.asarray(_difference(x, t))
    d /= d.dtype.type(beta)
    return np.clip(d, -1, 1, out=d)


@quiet
def huber_loss(x: Any, t: Any, delta: float) -> Any:
    """d^2 / 2 where d = |x - t| < delta, else delta (d - delta / 2)."""
    d = np.asarray(_difference(x, t))
    np.abs(d, out=d)
    f = d.dtype.type
    return np.where(d < delta, d * d * f(0.5), f(delta) * (d - f(0.5 * delta)))


@quiet
def huber_loss_slope(x: Any, t: Any, delta: float) -> Any:
    """x - t, held in [-delta, delta]."""
    d = np.asarray(_difference(x, t))
    return np.clip(d, -delta, delta, out=d)


@quiet
def binary_cross_entropy(x: Any, t: Any, w: Any = None) -> Any:
    """-(t log x + (1 - t) log(1 - x)), the logarithms held above -100, times w."""
    x, t = widen(x), widen(t)
    value = np.asarray(np.maximum(np.log1p(-x), -100))
    value *= t - 1
    value -= t * np.maximum(np.log(x), -100)
    if w is not None:
        value *= w
    return value


@quiet
def binary_cross_entropy_slope(x: Any, t: Any, w: Any = None) -> Any:
    """(x - t) / (x (1 - x)), the denominator held above 1e-12, times w."""
    x, t = widen(x), widen(t)
    slope = np.asarray(x - t)
    slope /= np.maximum((1 - x) * x, x.dtype.type(1e-12))
    if w is not None:
        slope *= w
    return slope


@quiet
def binary_cross_entropy_target_slope(x: Any, t: Any, w: Any = None) -> Any:
    """log(1 - x) - log x, both held above -100, times w."""
    x = widen(x)
    slope = np.asarray(np.maximum(np.log1p(-x), -100) - np.maximum(np.log(x), -100))
    if w is not None:
        slope *= w
    return slope


@quiet
def binary_cross_entropy_with_logits(x: Any, t: Any, w: Any = None, pos: Any = None) -> Any:
    """(1 - t) x + (1 + (pos - 1) t) log(1 + e^-x), times w; safe at any x."""
    x, t = widen(x), widen(t)
    softplus = np.asarray(np.log1p(np.exp(-np.abs(x))))
    softplus += np.maximum(-x, 0)
    if pos is not None:
        softplus *= (pos - 1) * t + 1
    softplus += (1 - t) * x
    if w is not None:
        softplus *= w
    return softplus


@quiet
def binary_cross_entropy_with_logits_slope(x: Any, t: Any, w: Any = None, pos: Any = None) -> Any:
    """sigmoid(x) - t, or with pos: (1 + (pos - 1) t) sigmoid(x) - pos t; times w."""
    x, t = widen(x), widen(t)
    slope = np.asarray(sigmoid_of(x))
    if pos is None:
        slope -= t
    else:
        slope *= (pos - 1) * t + 1
        slope -= pos * t
    if w is not None:
        slope *= w
    return slope


@quiet
def binary_cross_entropy_with_logits_target_slope(
    x: Any, t: Any, w: Any = None, pos: Any = None
) -> Any:
    """-x, plus (pos - 1) log(1 + e^-x) with pos; times w."""
    x = widen(x)
    slope = np.asarray(-x)
    if pos is not None:
        slope += (pos - 1) * (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0))
    if w is not None:
        slope *= w
    return slope


@quiet
def kl_div(x: Any, t: Any) -> Any:
    """t (log t - x), t log t being 0 where t is 0."""
    x, t = widen(x), widen(t)
    return np.asarray(np.where(t == 0, 0, t * np.log(t)) - t * x)


@quiet
def kl_div_slope(x: Any, t: Any) -> Any:
    """-t."""
    return np.asarray(np.negative(widen(t)))


@quiet
def kl_div_target_slope(x: Any, t: Any) -> Any:
    """log t + 1 - x."""
    x, t = widen(x), widen(t)
    return np.asarray(np.log(t) + 1 - x)


@quiet
def kl_div_log(x: Any, t: Any) -> Any:
    """e^t (t - x): `kl_div` for a target of logarithms."""
    x, t = widen(x), widen(t)
    return np.asarray(np.exp(t) * (t - x))


@quiet
def kl_div_log_slope(x: Any, t: Any) -> Any:
    """-e^t."""
    return np.asarray(-np.exp(widen(t)))


@quiet
def kl_div_log_target_slope(x: Any, t: Any) -> Any:
    """e^t (t - x + 1)."""
    x, t = widen(x), widen(t)
    return np.asarray(np.exp(t) * (t - x + 1))


def sigmoid_of(x: Any) -> Any:
    """1 / (1 + e^-x), without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _loss_terms(t: Any, w: Any, ignore: int, dtype: np.dtype) -> tuple[Any, Any, Any]:
    """(classes with ignored ones set to 0, weight of each sample, whether each counts)."""
    valid = t != ignore
    classes = np.where(valid, t, 0)
    weight = valid.astype(dtype) if w is None else np.where(valid, widen(w)[classes], 0)
    return classes, weight, valid


@quiet
def cross_entropy(
    x: Any, t: Any, w: Any, ignore: int, reduction: str, smoothing: float
) -> tuple[Any, Any, Any]:
    """Cross-entropy of logits x (N, C, L) and classes t (N, L): (loss, lse (N, L), denominator).

    A sample's loss is (1 - s) w[t] (lse - x[t]) + s / C sum_c w[c] (lse - x[c]) with s the
    smoothing, 0 if ignored. The denominator of the mean is the sum of w[t] over the others.
    """
    a = widen(x)
    classes, weight, valid = _loss_terms(t, w, ignore, a.dtype)
    top = a.max(1) if a.shape[1] else np.zeros(t.shape, a.dtype)
    lse = np.exp(a - top[:, None]).sum(1)
    np.log(lse, out=lse)
    lse += top
    picked = np.take_along_axis(a, classes[:, None], 1)[:, 0] if t.size else top
    loss = lse - picked
    # An ignored sample counts nothing, also where its own logits are not finite.
    loss = np.where(valid, loss * weight, 0)
    if smoothing:
        c = a.shape[1]
        if w is None:
            rest = c * lse - a.sum(1)
        else:
            v = widen(w)
            rest = v.sum() * lse - np.einsum("ncl,c->nl", a, v)
        loss = (1 - smoothing) * loss + smoothing / c * np.where(valid, rest, 0)
        loss = loss.astype(a.dtype, copy=False)
    denominator = weight.sum()
    if reduction == "none":
        return loss.astype(x.dtype, copy=False), lse, denominator
    total = loss.sum()
    if reduction == "mean":
        total = total / denominator
    return np.asarray(total).astype(x.dtype, copy=False), lse, denominator


@quiet
def cross_entropy_backward(
    grad: Any,
    x: Any,
    t: Any,
    w: Any,
    lse: Any,
    denominator: Any,
    ignore: int,
    reduction: str,
    smoothing: float,
) -> Any:
    """The gradient of `cross_entropy` for x: g (a p - (1 - s) w[t] onehot - s w / C).

    p is softmax(x), a = (1 - s) w[t] + s sum(w) / C, g the gradient of each sample's loss.
    """
    a = widen(x)
    c = a.shape[1]
    classes, weight, valid = _loss_terms(t, w, ignore, a.dtype)
    g = widen(grad)
    if reduction == "mean":
        g = g / denominator
    g = np.where(valid, g, a.dtype.type(0))
    hit = g * weight
    amount = hit
    if smoothing:
        hit = hit * a.dtype.type(1 - smoothing)
        total = c if w is None else widen(w).sum()
        amount = hit + g * np.asarray(smoothing / c * total, a.dtype)
    d = a - lse[:, None]
    np.exp(d, out=d)
    d *= amount[:, None]
    if t.size:
        n, _, length = a.shape
        d[np.arange(n)[:, None], classes, np.arange(length)] -= hit
    if smoothing:
        spread = a.dtype.type(smoothing / c)
        d -= (g * spread)[:, None] * (1 if w is None else widen(w)[:, None])
    if not valid.all():
        np.copyto(d, 0, where=~valid[:, None])
    return d.astype(x.dtype, copy=False)


@quiet
def nll_factor(classes: Any, valid: Any, w: Any, dtype: np.dtype, mean: bool) -> Any:
    """-w[class] of each sample (0 where not valid), over the sum of the weights for a mean."""
    wide = np.float32 if dtype.itemsize == 2 else dtype
    weight = valid.astype(wide) if w is None else np.where(valid, widen(w)[classes], 0)
    return weight / -weight.sum() if mean else -weight


@quiet
def pick(x: Any, classes: Any, valid: Any, factor: Any, reduction: str) -> Any:
    """x[n, classes[n, l], l] * factor[n, l], 0 where not valid: (N, L), or its sum.

    The reduction "mean" is a sum too (the factor holds the division), NaN if none is valid.
    """
    if classes.size:
        chosen = widen(np.take_along_axis(x, classes[:, None], 1)[:, 0])
        values = np.where(valid, chosen * factor, 0)
    else:
        values = np.zeros(classes.shape, factor.dtype)
    if reduction != "none":
        values = values.sum()
        if reduction == "mean" and not valid.any():
            values = np.asarray(np.nan, factor.dtype)
    return np.asarray(values).astype(x.dtype, copy=False)


@quiet
def place(grad: Any, classes: Any, valid: Any, factor: Any, channels: int) -> Any:
    """The transpose of `pick`: (N, C, L), zero but at the chosen classes."""
    n, length = classes.shape
    d = np.zeros((n, channels, length), grad.dtype)
    if classes.size:
        values = np.where(valid, widen(grad) * factor, 0)
        d[np.arange(n)[:, None], classes, np.arange(length)] = values
    return d
