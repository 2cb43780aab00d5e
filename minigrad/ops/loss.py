"""Losses that compare input and target element by element, each one fused kernel."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels import cpu
from ..kernels.fast import fast_pair_loss
from ._nn import (
    composed_grads,
    need_float,
    need_same_dtype,
    need_tensor,
    reduced,
    reduction_of,
    torch_name,
)
from ._operands import result_numpy, to_dtype
from ._shape import broadcast_error, expand, shape_of
from .activation import logsigmoid
from .arith import add, div, mul, neg, sub
from .extrema import clamp
from .reduce import sum
from .rounding import abs as abs_
from .unary import exp, log, log1p

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
]


class Pointwise(Node):
    """A loss of each element of input and target, then reduced. Subclasses name their kernel.

    `terms` are what `cpu.pair_loss` takes: the number of the compiled kernel, its parameter, the
    reduction, and the parameters of the NumPy form and of `formula`.
    """

    saves = (0, 1)
    fresh = True
    kernel: str

    def forward(self, x: Any, t: Any, terms: tuple) -> Any:
        self.terms = terms
        return cpu.pair_loss(self.kernel, terms, x, t)

    def backward(self, grad: Any) -> Any:
        """grad times the derivative of each element's loss, over their number for a mean."""
        x, t = self.saved
        if isinstance(grad, Variable):
            return composed_grads(self.reduced_formula, (x, t), grad)
        f, g = self.next
        return (
            cpu.pair_loss_backward(self.kernel, self.terms, grad, x, t, False) if f else None,
            cpu.pair_loss_backward(self.kernel, self.terms, grad, x, t, True) if g else None,
        )

    def reduced_formula(self, x: Any, t: Any) -> Any:
        """The whole loss in differentiable ops."""
        _, _, reduction, params = self.terms
        params = [_v.wrap(p) if isinstance(p, np.ndarray) else p for p in params]
        return reduced(self.formula(x, t, *params), reduction)

    def formula(self, x: Any, t: Any, *params: Any) -> Any:
        """Each element's loss in differentiable ops."""
        raise NotImplementedError(self.name())


def _composed_name(reduction: str, last: str) -> str:
    """The name of a loss that PyTorch composes of other operations: that of the last one."""
    return {"mean": "MeanBackward0", "sum": "SumBackward0"}.get(reduction, last)


def _pair(name: str, input: Any, target: Any, warn: bool = True) -> tuple[Any, Any]:
    """Input and target of one shape and dtype: broadcast (with a warning) and promoted."""
    x, t = need_tensor(name, "input", input), need_tensor(name, "target", target)
    if x.shape != t.shape:
        if warn:
            warnings.warn(
                f"Using a target size (torch.Size({list(t.shape)})) that is different to the input "
                f"size (torch.Size({list(x.shape)})). This will likely lead to incorrect results "
                "due to broadcasting. Please ensure they have the same size.",
                stacklevel=3,
            )
        try:
            shape = np.broadcast_shapes(x.shape, t.shape)
        except ValueError:
            raise broadcast_error(x, t) from None
        input, target = _expanded(input, shape), _expanded(target, shape)
    if x.dtype != t.dtype:
        dtype = result_numpy(name, input, target)
        input = input if x.dtype == dtype else to_dtype(input, dtype)
        target = target if t.dtype == dtype else to_dtype(target, dtype)
    return input, target


def _expanded(value: Any, shape: tuple[int, ...]) -> Any:
    return value if shape_of(value) == shape else expand(value, shape)


def weighted(values: Any, weight: Any, input: Any, reduction: str, by_weight: bool) -> Any:
    """Losses times weights of the input's shape, reduced; a mean divides by the weights' sum."""
    if shape_of(weight) != shape_of(input):
        raise ValueError("Weights and input must have the same size.")
    values = mul(values, weight)
    if reduction == "mean" and by_weight:
        return div(sum(values), sum(weight))
    return reduced(values, reduction)


class MseLoss(Pointwise):
    """(x - t)^2."""

    kernel = "mse_loss"

    def formula(self, x: Any, t: Any) -> Any:
        d = sub(x, t)
        return mul(d, d)


def mse_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """`(input - target)^2`, reduced; with `weight` a mean is weighted.

    RuntimeError for shapes that do not broadcast; NotImplementedError for integers.
    """
    if size_average is None and reduce is None and weight is None:
        loss = fast_pair_loss(MseLoss, input, target, (0, 0.0, reduction, ()))
        if loss is not None:
            return loss
    reduction = reduction_of(size_average, reduce, reduction)
    pair = _pair("mse_loss", input, target)
    need_float("mse_cpu", pair[0]._array)
    if weight is not None:
        return weighted(apply(MseLoss, pair, (0, 0.0, "none", ())), weight, input, reduction, True)
    return apply(MseLoss, pair, (0, 0.0, reduction, ()))


class L1Loss(Pointwise):
    """|x - t|."""

    kernel = "l1_loss"

    def formula(self, x: Any, t: Any) -> Any:
        return abs_(sub(x, t))

    def name(self) -> str:
        return _composed_name(self.terms[2], "AbsBackward0")


def l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """`|input - target|`, reduced; with `weight` a mean is weighted.

    RuntimeError for shapes that do not broadcast and for the mean of integers.
    """
    if size_average is None and reduce is None and weight is None:
        loss = fast_pair_loss(L1Loss, input, target, (1, 0.0, reduction, ()))
        if loss is not None:
            return loss
    reduction = reduction_of(size_average, reduce, reduction)
    pair = _pair("l1_loss", input, target)
    if "b" in (input._array.dtype.kind, target._array.dtype.kind) or (
        pair[0]._array.dtype.kind not in "fV"
    ):
        values = abs_(sub(input, target))  # which refuses booleans
        return reduced(values, reduction)
    if weight is not None:
        return weighted(apply(L1Loss, pair, (1, 0.0, "none", ())), weight, input, reduction, True)
    return apply(L1Loss, pair, (1, 0.0, reduction, ()))


class SmoothL1Loss(Pointwise):
    """d^2 / (2 beta) where d = |x - t| < beta, else d - beta / 2."""

    kernel = "smooth_l1_loss"

    def formula(self, x: Any, t: Any, beta: float) -> Any:
        d = abs_(sub(x, t))
        near = clamp(d, max=beta)
        return div(mul(near, sub(d, mul(near, 0.5))), beta)


def smooth_l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Any:
    """`d^2 / (2 beta)` where `d = |input - target| < beta`, else `d - beta / 2`; reduced.

    RuntimeError for a negative beta and for shapes that do not broadcast.
    """
    if size_average is None and reduce is None and beta > 0:
        loss = fast_pair_loss(SmoothL1Loss, input, target, (2, beta, reduction, (beta,)))
        if loss is not None:
            return loss
    reduction = reduction_of(size_average, reduce, reduction)
    pair = _pair("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return l1_loss(*pair, reduction=reduction)
    need_float("smooth_l1_cpu", pair[0]._array)
    beta = float(beta)
    return apply(SmoothL1Loss, pair, (2, beta, reduction, (beta,)))


class HuberLoss(Pointwise):
    """d^2 / 2 where d = |x - t| < delta, else delta (d - delta / 2)."""

    kernel = "huber_loss"

    def formula(self, x: Any, t: Any, delta: float) -> Any:
        d = abs_(sub(x, t))
        near = clamp(d, max=delta)
        return mul(near, sub(d, mul(near, 0.5)))


def huber_loss(
    input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None
) -> Any:
    """`d^2 / 2` where `d = |input - target| < delta`, else `delta (d - delta / 2)`; reduced.

    The result has the input's dtype. RuntimeError for delta <= 0 and shapes that do not broadcast.
    """
    if weight is None and delta > 0:
        loss = fast_pair_loss(HuberLoss, input, target, (3, delta, reduction, (delta,)))
        if loss is not None:
            return loss
    reduction = reduction_of(None, None, reduction)
    pair = _pair("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if input._array.dtype.kind not in "fV" and pair[0]._array.dtype.kind in "fV":
        raise RuntimeError(
            f"result type {torch_name(pair[0]._array)} can't be cast to the desired output type "
            f"{torch_name(input._array)}"
        )
    need_float("huber_cpu", pair[0]._array)
    delta = float(delta)
    if weight is not None:
        values = apply(HuberLoss, pair, (3, delta, "none", (delta,)))
        return weighted(values, weight, input, reduction, False)
    result = apply(HuberLoss, pair, (3, delta, reduction, (delta,)))
    dtype = input._array.dtype
    return result if result._array.dtype == dtype else to_dtype(result, dtype)


class BinaryCrossEntropy(Pointwise):
    """-(t log x + (1 - t) log(1 - x)), the logarithms held above -100; weighted."""

    kernel = "binary_cross_entropy"

    def formula(self, x: Any, t: Any, weight: Any = None) -> Any:
        yes = mul(t, clamp(log(x), min=-100.0))
        no = mul(sub(t, 1.0), clamp(log1p(neg(x)), min=-100.0))
        value = sub(no, yes)
        return value if weight is None else mul(value, weight)


def _weight_array(name: str, argument: str, weight: Any, x: Any) -> Any:
    """A constant weight as an array that broadcasts to x, in x's wide type; None stays None."""
    if weight is None:
        return None
    array = need_tensor(name, argument, weight)
    if isinstance(weight, Variable) and weight._fn is not None:
        raise RuntimeError(
            f"The function '{name}' is not differentiable with respect to argument '{argument}'. "
            "This input cannot have requires_grad True."
        )
    try:
        fits = np.broadcast_shapes(array.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(
            f"{name}: given {argument} of shape {list(array.shape)}; needed: a shape that "
            f"broadcasts to the input's, {list(x.shape)}"
        )
    return array.astype(np.float32 if x.dtype.itemsize == 2 else x.dtype, copy=False)


def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """`-weight (target log(input) + (1 - target) log(1 - input))`, logarithms >= -100; reduced.

    ValueError for shapes that differ; RuntimeError for probabilities outside [0, 1] or dtypes that
    differ.
    """
    if size_average is None and reduce is None and weight is None:
        loss = fast_pair_loss(BinaryCrossEntropy, input, target, (4, 0.0, reduction, ()))
        if loss is not None:
            return loss
    reduction = reduction_of(size_average, reduce, reduction)
    name = "binary_cross_entropy"
    x, t = need_tensor(name, "input", input), need_tensor(name, "target", target)
    if x.shape != t.shape:
        raise ValueError(
            f"Using a target size (torch.Size({list(t.shape)})) that is different to the input "
            f"size (torch.Size({list(x.shape)})) is deprecated. Please ensure they have the same "
            "size."
        )
    need_float(name, x)
    need_same_dtype(x, t)
    for which, a in (("input", x), ("target", t)):
        if a.size and not (a.min() >= 0 and a.max() <= 1):
            raise RuntimeError(f"all elements of {which} should be between 0 and 1")
    w = _weight_array(name, "weight", weight, x)
    terms = (4, 0.0, reduction, ()) if w is None else (-1, 0.0, reduction, (w,))
    return apply(BinaryCrossEntropy, (input, target), terms)


class BinaryCrossEntropyWithLogits(Pointwise):
    """(1 - t) x + (1 + (pos - 1) t) log(1 + e^-x); weighted."""

    kernel = "binary_cross_entropy_with_logits"

    def formula(self, x: Any, t: Any, weight: Any = None, pos: Any = None) -> Any:
        softplus = neg(logsigmoid(x))
        if pos is not None:
            softplus = mul(softplus, add(mul(sub(pos, 1.0), t), 1.0))
        value = add(mul(sub(1.0, t), x), softplus)
        return value if weight is None else mul(value, weight)


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:
    """Binary cross-entropy of `sigmoid(input)`, safe at any input; reduced.

    `pos_weight` multiplies the loss of positive targets. ValueError for shapes that differ;
    RuntimeError for integer targets and weights that do not broadcast.
    """
    cls = BinaryCrossEntropyWithLogits
    if size_average is None and reduce is None and weight is None and pos_weight is None:
        loss = fast_pair_loss(cls, input, target, (5, 0.0, reduction, ()))
        if loss is not None:
            return loss
    reduction = reduction_of(size_average, reduce, reduction)
    name = "binary_cross_entropy_with_logits"
    x, t = need_tensor(name, "input", input), need_tensor(name, "target", target)
    if x.shape != t.shape:
        raise ValueError(
            f"Target size (torch.Size({list(t.shape)})) must be the same as input size "
            f"(torch.Size({list(x.shape)}))"
        )
    need_float("log_sigmoid_cpu", x)
    if t.dtype.kind not in "fV":
        raise RuntimeError(
            f"result type {torch_name(x)} can't be cast to the desired output type {torch_name(t)}"
        )
    pair = _pair(name, input, target)
    x = pair[0]._array
    w = _weight_array(name, "weight", weight, x)
    pos = _weight_array(name, "pos_weight", pos_weight, x)
    params = (w, pos) if pos is not None else () if w is None else (w,)
    result = apply(cls, pair, (-1 if params else 5, 0.0, reduction, params))
    # PyTorch computes it in place on 1 - target.
    return result if result._array.dtype == t.dtype else to_dtype(result, t.dtype)


class KlDiv(Pointwise):
    """t (log t - x)."""

    kernel = "kl_div"

    def formula(self, x: Any, t: Any) -> Any:
        tiny = float(np.finfo(t._array.dtype).tiny)  # 0 log 0 is 0
        return mul(t, sub(log(clamp(t, min=tiny)), x))

    def name(self) -> str:
        return _composed_name(self.terms[2], "SubBackward0")


class KlDivLog(Pointwise):
    """e^t (t - x): `KlDiv` for a target of logarithms."""

    kernel = "kl_div_log"

    def formula(self, x: Any, t: Any) -> Any:
        return mul(exp(t), sub(t, x))

    def name(self) -> str:
        return _composed_name(self.terms[2], "MulBackward0")


def kl_div(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """Kullback-Leibler divergence of log-probabilities `input` from probabilities `target`.

    `target (log(target) - input)`, or `exp(target) (target - input)` with `log_target`. The
    reduction "batchmean" is the sum over the size of the first dimension. RuntimeError for
    integers.
    """
    batch = reduction == "batchmean" and size_average is None and reduce is None
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next major "
            "release.",
            stacklevel=2,
        )
    reduction = reduction_of(size_average, reduce, "sum" if batch else reduction)
    cls, op = (KlDivLog, 7) if log_target else (KlDiv, 6)
    result = fast_pair_loss(cls, input, target, (op, 0.0, reduction, ()))
    if result is None:
        pair = _pair("kl_div", input, target, warn=False)
        if input._array.dtype.kind not in "fV" or target._array.dtype.kind not in "fV":
            raise RuntimeError("kl_div: Integral inputs not supported.")
        result = apply(cls, pair, (op, 0.0, reduction, ()))
    shape = shape_of(input)
    return div(result, float(shape[0])) if batch and shape else result
