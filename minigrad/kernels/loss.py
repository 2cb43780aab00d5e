"""Compiled losses, each with its NumPy form for what it does not take.

What the compiled kernels do not take as it is (16-bit floats, strides) is converted for them once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import _C, maps, numpy_loss
from ._quiet import rounded
from .reduction import dense, total, widened

__all__ = [
    "cross_entropy",
    "cross_entropy_backward",
    "nll",
    "nll_backward",
    "pair_loss",
    "pair_loss_backward",
]

# (x, target, weight, ignore_index, mean): the loss and the sum of the weights for a matrix and its
# classes; None where the general form has to look at it.
nll = _C.nll
nll_backward = _C.nll_backward  # (grad, target, weight, ignore_index, scale, classes)

# In the order of PairLoss in csrc/kernels/loss.h.
LOSSES = (
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "kl_div", "kl_div_log",
)  # fmt: skip
# Their parameter, where a compiled kernel computes them, is the weights of the losses.
_WEIGHTED = ("binary_cross_entropy", "binary_cross_entropy_with_logits")


def _plain(x: Any) -> Any:
    """x as a contiguous array of float32 or float64."""
    return dense(widened(x))


_m: Any = maps  # its functions are made at import


def _logits(x: Any, t: Any, w: Any, pos: Any) -> Any:
    """(1 - t) x + (1 + (pos - 1) t) log(1 + e^-x), times w."""
    loss = _C.weighted_logits(False, x, t, pos)
    if loss is None:
        loss = _m.softplus(_m.neg(x), 1.0, math.inf)
        loss = _m.mul(loss, _m.add(_m.mul(t, _m.sub(pos, 1.0)), 1.0))
        loss = _m.add(loss, _m.mul(_m.sub(1.0, t), x))
    return loss if w is None else _m.mul(loss, w)


def _logits_slope(x: Any, t: Any, w: Any, pos: Any) -> Any:
    """(1 + (pos - 1) t) sigmoid(x) - pos t, times w."""
    slope = _C.weighted_logits(True, x, t, pos)
    if slope is None:
        slope = _m.mul(_m.sigmoid(x), _m.add(_m.mul(t, _m.sub(pos, 1.0)), 1.0))
        slope = _m.sub(slope, _m.mul(pos, t))
    return slope if w is None else _m.mul(slope, w)


# The forms with weights of classes, made of compiled kernels; the others are NumPy's.
_FORMS = {
    "binary_cross_entropy_with_logits": _logits,
    "binary_cross_entropy_with_logits_slope": _logits_slope,
}


def _form(name: str, params: tuple, x: Any, t: Any) -> Any:
    """What computes the values or slopes `name` with parameters of the NumPy form."""
    compiled = _FORMS.get(name) if len(params) == 2 else None
    if compiled is not None and x.dtype == t.dtype and x.dtype.kind == "f" and x.itemsize > 2:
        return compiled
    return getattr(numpy_loss, name)


def _reduced(values: Any, reduction: str) -> Any:
    """The values (none), their sum or their mean."""
    if reduction == "none":
        return values
    loss = total(values, tuple(range(values.ndim)))
    return _m.div(loss, float(values.size)) if reduction == "mean" else loss


def pair_loss(name: str, terms: tuple, x: Any, t: Any) -> Any:
    """The loss `name` of the pairs of elements of x and t, reduced; of x's type.

    `terms` are the number of the compiled kernel (-1: there is none), its parameter, the reduction,
    and the parameters of the NumPy form.
    """
    op, number, reduction, params = terms
    if op >= 0 and x.size:
        weights = params if name in _WEIGHTED else ()
        loss = _C.pair_loss(op, _plain(x), _plain(t), "none" if weights else reduction, number)
        if loss is not None:
            loss = _reduced(_m.mul(loss, *weights), reduction) if weights else loss
            return rounded(loss, x.dtype)
    form = _form(name, params, x, t)
    values = form(x, t, *params)
    if form is _logits:
        return _reduced(values, reduction)
    return numpy_loss.reduce_loss(values, reduction, x.dtype)


def pair_loss_backward(name: str, terms: tuple, grad: Any, x: Any, t: Any, target: bool) -> Any:
    """The gradient of `pair_loss` for x, or for t if `target`."""
    op, number, reduction, params = terms
    weights = params if name in _WEIGHTED else ()
    d = _C.pair_loss_backward(op, grad, x, t, reduction, number, target)
    if d is not None:
        return _m.mul(d, *weights) if weights else d
    if op >= 0 and x.size:
        wide = _plain(grad), _plain(x), _plain(t)
        d = _C.pair_loss_backward(op, *wide, reduction, number, target)
        if d is not None:
            return rounded(_m.mul(d, *weights) if weights else d, x.dtype)
    slope = getattr(numpy_loss, f"{name}_target_slope", None) if target else None
    if slope is not None:
        return numpy_loss.scale_loss(slope(x, t, *params), grad, reduction, x.dtype)
    slope = _form(f"{name}_slope", params, x, t)(x, t, *params)
    d = numpy_loss.scale_loss(slope, grad, reduction, x.dtype)
    return np.negative(d, out=d) if target else d


def _rows(x: Any, t: Any) -> tuple[Any, Any]:
    """Scores (N, C, ...) and classes (N, ...) with one dimension for what stands behind."""
    length = math.prod(x.shape[2:])
    return x.reshape(*x.shape[:2], length), t.reshape(x.shape[0], length)


def cross_entropy(
    x: Any, t: Any, w: Any, ignore: int, reduction: str, smoothing: float
) -> tuple[Any, Any, Any]:
    """Scores x (N, C, ...), classes t (N, ...): (loss, log-sum-exp like t, denominator)."""
    wide = None if w is None else _plain(w)
    done = _C.cross_entropy(_plain(x), np.ascontiguousarray(t), wide, ignore, reduction, smoothing)
    if done is not None:
        return rounded(done[0], x.dtype), *done[1:]
    a, b = _rows(x, t)
    loss, lse, denominator = numpy_loss.cross_entropy(a, b, w, ignore, reduction, smoothing)
    return (
        (loss.reshape(t.shape) if reduction == "none" else loss),
        lse.reshape(t.shape),
        denominator,
    )


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
    """The gradient of `cross_entropy` for x (N, C, ...)."""
    rest = (lse, denominator, ignore, reduction, smoothing)
    d = _C.cross_entropy_backward(grad, x, t, w, *rest)
    if d is not None:
        return d
    wide = None if w is None else _plain(w)
    d = _C.cross_entropy_backward(_plain(grad), _plain(x), np.ascontiguousarray(t), wide, *rest)
    if d is not None:
        return rounded(d, x.dtype)
    a, b = _rows(x, t)
    grad, lse = (grad.reshape(b.shape) if grad.ndim else grad), lse.reshape(b.shape)
    return numpy_loss.cross_entropy_backward(grad, a, b, w, lse, *rest[1:]).reshape(x.shape)
