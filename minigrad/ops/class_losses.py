"""Losses of class scores: cross-entropy and negative log-likelihood."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import on_gpu
from ..kernels import cpu
from ..kernels.fast import fast_cross_entropy
from ._nn import composed_grads, need_float, need_tensor, reduction_of, torch_name
from ._shape import shape_of
from .arith import add, div, mul, neg
from .compare import where
from .movement import reshape
from .reduce import sum
from .softmaxes import log_softmax

__all__ = ["cross_entropy", "nll_loss"]


class CrossEntropy(Node):
    """Cross-entropy of logits (N, C, ...) and class numbers (N, ...).

    `terms` are what the forward leaves: log-sum-exp (N, ...), the denominator of the mean, the
    ignored class, the reduction and the label smoothing.
    """

    saves = (0, 1, 2)
    fresh = True

    def forward(self, x: Any, t: Any, w: Any, ignore: int, reduction: str, smoothing: float) -> Any:
        loss, lse, denominator = cpu.cross_entropy(x, t, w, ignore, reduction, smoothing)
        self.terms = (lse, denominator, ignore, reduction, smoothing)
        return loss

    def backward(self, grad: Any) -> Any:
        """g (a p - (1 - s) w[t] onehot - s w / C), with p = softmax(x), s the smoothing,
        a = (1 - s) w[t] + s sum(w) / C and g the gradient of each sample's loss."""
        x, t, w = self.saved
        if isinstance(grad, Variable):
            return composed_grads(lambda x: self.formula(x, t, w), (x,), grad)[0], None, None
        return cpu.cross_entropy_backward(grad, x, t, w, *self.terms), None, None

    def formula(self, x: Any, t: Any, w: Any) -> Any:
        """The loss in differentiable ops (the classes and weights are constants)."""
        _, denominator, ignore, reduction, smoothing = self.terms
        shape = t._array.shape
        x, ids = _as_rows(x, t._array)
        valid = ids != ignore
        classes = np.where(valid, ids, 0)
        wide = x._array.dtype
        table: Any = None if w is None else w._array.astype(wide)
        weight = valid.astype(wide) if w is None else np.where(valid, table[classes], 0)
        log_p = log_softmax(x, 1)
        loss = apply(Pick, (log_p,), classes, valid, weight * (smoothing - 1), "none")
        if smoothing:
            share = smoothing / x._array.shape[1]
            each = np.ones(x._array.shape[1], wide) if w is None else table
            rest = sum(mul(log_p, _v.wrap(-share * each[:, None])), 1)
            loss = add(loss, where(_v.wrap(valid), rest, _v.wrap(np.zeros((), wide))))
        if reduction == "none":
            return reshape(loss, shape)
        total = sum(loss)
        return total if reduction == "sum" else div(total, float(denominator))

    def name(self) -> str:
        if self.terms[4]:  # what label smoothing adds
            return "AddBackward0"
        return "NllLossBackward0" if self.terms[0].ndim == 1 else "NllLoss2DBackward0"


class Pick(Node):
    """x[n, classes[n, l], l] * factor[n, l], 0 where not valid; summed unless "none"."""

    fresh = True

    def forward(self, x: Any, classes: Any, valid: Any, factor: Any, reduction: str) -> Any:
        self.channels, self.dtype = x.shape[1], x.dtype
        self.classes, self.valid, self.factor = classes, valid, factor
        self.reduction = reduction
        return cpu.pick(x, classes, valid, factor, reduction)

    def backward(self, grad: Any) -> Any:
        """grad * factor at the chosen class, 0 elsewhere."""
        return apply(Place, (grad,), self)

    def name(self) -> str:
        return "NllLossBackward0"


class Place(Node):
    """The transpose of `Pick`."""

    fresh = True

    def forward(self, grad: Any, pick: Pick) -> Any:
        self.pick = pick
        return cpu.place(grad, pick.classes, pick.valid, pick.factor, pick.channels)

    def backward(self, grad: Any) -> Any:
        """What `Pick` does to a gradient of its input."""
        p = self.pick
        return apply(Pick, (grad,), p.classes, p.valid, p.factor, p.reduction)

    def name(self) -> str:
        return "NllLossBackwardBackward0"


class NllLoss(Node):
    """-weight[target] * x[n, target[n]], summed or averaged: what `cpu.nll` has computed."""

    fresh = True

    def forward(
        self, x: Any, target: Any, weight: Any, ignored: int, mean: bool, done: tuple[Any, float]
    ) -> Any:
        loss, total = done
        if self.next[0] is not None:
            kept = None if weight is None else weight.copy()
            scale = (1 / total if total else math.inf) if mean else 1.0
            self.rest = target.copy(), kept, ignored, scale, x.shape[1]
        return loss

    def backward(self, grad: Any) -> Any:
        """-grad * weight at the targets (over the sum of the weights), 0 elsewhere."""
        if not isinstance(grad, Variable):
            return cpu.nll_backward(grad, *self.rest)
        one = np.ones((), grad._array.dtype)
        return mul(grad, _v.wrap(cpu.nll_backward(one, *self.rest)))

    def name(self) -> str:
        return "NllLossBackward0"


def _plain_nll(input: Any, target: Any, weight: Any, ignored: int, mean: bool) -> Any:
    """The loss of a matrix and its classes; None where the checks below have to look first."""
    if not isinstance(input, Variable) or not isinstance(target, Variable):
        return None
    if not (weight is None or isinstance(weight, Variable)):
        return None
    x, t = input._array, target._array
    w = None if weight is None else weight._array
    done = cpu.nll(x, t, w, ignored, mean)
    return None if done is None else apply(NllLoss, (input,), t, w, ignored, mean, done)


def _check_target(x: Any, t: Any) -> None:
    """The shapes of scores (N, C, ...) or (C,) and classes (N, ...) or ()."""
    if x.ndim == 0:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    batch = t.shape[0] if t.ndim else 0
    if x.ndim > 1 and x.shape[0] != batch:
        raise ValueError(
            f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({batch})."
        )
    if x.ndim > 1 and not t.ndim:  # of no scores
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    if x.ndim <= 2 and t.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if t.dtype.kind not in "iu" or t.dtype.itemsize not in (1, 8) or t.dtype.str == "|i1":
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {torch_name(t)}")
    if x.ndim == 1:
        if t.ndim == 1 and batch != 1:
            raise ValueError(
                f"For 1D input, 1D target must have size 1, but got target size: {batch}"
            )
    elif t.shape[1:] != x.shape[2:]:
        raise RuntimeError(
            f"Expected target size {[x.shape[0], *x.shape[2:]]}, got {list(t.shape)}"
        )


def _check_weight(x: Any, weight: Any) -> None:
    if weight is None:
        return
    w = need_tensor("nll_loss", "weight", weight)
    channels = x.shape[0 if x.ndim == 1 else 1]
    if w.shape != (channels,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {channels} classes or no classes but "
            f"got weight tensor of shape: {list(w.shape)}"
        )
    if w.dtype != x.dtype:
        raise RuntimeError(f"expected scalar type {torch_name(x)} but found {torch_name(w)}")
    if isinstance(weight, Variable) and weight._fn is not None:
        raise RuntimeError(
            "The function 'nll_loss_forward' is not differentiable with respect to argument "
            "'weight'. This input cannot have requires_grad True."
        )


def _check_classes(t: Any, channels: int, ignore: int) -> None:
    if on_gpu(t):  # looking here would wait for it
        t.watch(0, channels, ignore)
        return
    if not t.size or (t.min() >= 0 and t.max() < channels):
        return
    bad = t[((t < 0) | (t >= channels)) & (t != ignore)]
    if bad.size:
        raise IndexError(f"Target {bad.flat[0]} is out of bounds.")


def _as_rows(input: Any, target: Any) -> tuple[Any, Any]:
    """Scores as (N, C, L) and classes as an int64 array (N, L)."""
    x, t = shape_of(input), target
    n, c = (1, x[0]) if len(x) == 1 else x[:2]
    length = int(np.prod(x[2:], dtype=np.int64))
    return reshape(input, (n, c, length)), t.astype(np.int64, copy=False).reshape(n, length)


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Cross-entropy of logits (N, C, ...) or (C,) and targets; reduced.

    `target` holds class numbers (N, ...), of which `ignore_index` counts nothing, or probabilities
    of the input's shape. `weight` (C,) weights the classes; a mean over class numbers is weighted.
    IndexError for a class out of range; ValueError or RuntimeError for shapes that do not fit.
    """
    if size_average is None and reduce is None:
        terms = (ignore_index, reduction, label_smoothing)
        loss = fast_cross_entropy(CrossEntropy, input, target, weight, *terms)
        if loss is not None:
            return loss
    reduction = reduction_of(size_average, reduce, reduction)
    x = need_tensor("cross_entropy", "input", input)
    t = need_tensor("cross_entropy", "target", target)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if not x.ndim:
        raise IndexError(
            "Dimension out of range (expected to be in range of [-1, 0], but got 1): cross_entropy "
            "needs classes"
        )
    if x.shape == t.shape:
        return _soft_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    _check_target(x, t)
    need_float("log_softmax_lastdim_kernel_impl", x)
    _check_weight(x, weight)
    _check_classes(t, x.shape[0 if x.ndim == 1 else 1], ignore_index)
    classes = t.astype(np.int64, copy=False)
    scores = input
    if x.ndim == 1:
        scores, classes = reshape(input, (1, -1)), classes.reshape(1)
    operands = (scores, _v.wrap(classes), weight)
    loss = apply(CrossEntropy, operands, int(ignore_index), reduction, float(label_smoothing))
    return reshape(loss, ()) if x.ndim == 1 and reduction == "none" else loss


def _soft_cross_entropy(
    input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float
) -> Any:
    """-sum(weight * target' * log_softmax(input)) over the classes; the mean is over the rest."""
    x, t = input._array, target._array
    if t.dtype.kind not in "fV":
        raise RuntimeError(
            f"Expected floating point type for target with class probabilities, got {torch_name(t)}"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    need_float("log_softmax_lastdim_kernel_impl", x)
    dim = 0 if x.ndim < 2 else 1
    channels = x.shape[dim]
    if smoothing:
        target = add(mul(target, 1 - smoothing), smoothing / max(channels, 1))
    log_p = log_softmax(input, dim)
    if weight is not None:
        w = need_tensor("cross_entropy", "weight", weight)
        if w.shape != (channels,):
            raise RuntimeError(
                "cross_entropy: weight tensor should be defined either for all "
                f"{channels} classes or no classes but got weight tensor of shape: {list(w.shape)}"
            )
        log_p = mul(log_p, reshape(weight, (-1,) + (1,) * max(x.ndim - 2, 0)))
    loss = neg(sum(mul(log_p, target), dim if reduction == "none" else None))
    if reduction == "mean":
        return named("DivBackward1", div(loss, float(x.size / channels) if channels else 0.0))
    return loss


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """`-weight[target] * input[target]` for log-probabilities (N, C, ...) or (C,); reduced.

    A mean divides by the sum of the weights. IndexError for a class out of range; ValueError or
    RuntimeError for shapes that do not fit.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if reduction != "none" and ignore_index.__class__ is int:
        result = _plain_nll(input, target, weight, ignore_index, reduction == "mean")
        if result is not None:
            return result
    x, t = need_tensor("nll_loss", "input", input), need_tensor("nll_loss", "target", target)
    _check_target(x, t)
    need_float("nll_loss_out_frame", x)
    _check_weight(x, weight)
    _check_classes(t, x.shape[0 if x.ndim == 1 else 1], ignore_index)
    rows, ids = _as_rows(input, t)
    valid = ids != ignore_index
    classes = np.where(valid, ids, 0)
    w = None if weight is None else weight._array
    factor = cpu.nll_factor(classes, valid, w, x.dtype, reduction == "mean")
    loss = apply(Pick, (rows,), classes, valid, factor, reduction)
    if reduction != "none":
        return named("NllLoss2DBackward0", loss) if x.ndim > 2 else loss
    loss = reshape(loss, () if x.ndim == 1 else t.shape)
    names = {1: "NllLossBackward0", 2: "NllLossBackward0", 4: "NllLoss2DBackward0"}
    return named(names[x.ndim], loss) if x.ndim in names else loss
