"""Losses of probabilities, element by element: binary cross-entropy and divergence."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Variable
from ..kernels._quiet import quiet
from ..kernels.fast import fast_pair_loss
from ._nn import (
    need_float,
    need_same_dtype,
    need_tensor,
    reduction_of,
    torch_name,
)
from ._operands import to_dtype
from ._shape import shape_of
from .activation import logsigmoid
from .arith import add, div, mul, neg, sub
from .extrema import clamp
from .loss import Pointwise, composed_name, pair_of
from .unary import exp, log, log1p

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"]


class BinaryCrossEntropy(Pointwise):
    """-(t log x + (1 - t) log(1 - x)), the logarithms held above -100; weighted."""

    kernel = "binary_cross_entropy"

    def formula(self, x: Any, t: Any, weight: Any = None) -> Any:
        yes = mul(t, clamp(log(x), min=-100.0))
        no = mul(sub(t, 1.0), clamp(log1p(neg(x)), min=-100.0))
        value = sub(no, yes)
        return value if weight is None else mul(value, weight)


@quiet
def _are_shares(a: Any) -> bool:
    return bool(a.min() >= 0 and a.max() <= 1)


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
        if a.size and not _are_shares(a):
            raise RuntimeError(f"all elements of {which} should be between 0 and 1")
    w = _weight_array(name, "weight", weight, x)
    return apply(
        BinaryCrossEntropy, (input, target), (4, 0.0, reduction, () if w is None else (w,))
    )


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
    pair = pair_of(name, input, target)
    x = pair[0]._array
    w = _weight_array(name, "weight", weight, x)
    pos = _weight_array(name, "pos_weight", pos_weight, x)
    params = (w, pos) if pos is not None else () if w is None else (w,)
    result = apply(cls, pair, (5 if pos is None else -1, 0.0, reduction, params))
    # PyTorch computes it in place on 1 - target.
    return result if result._array.dtype == t.dtype else to_dtype(result, t.dtype)


class KlDiv(Pointwise):
    """t (log t - x)."""

    kernel = "kl_div"

    def formula(self, x: Any, t: Any) -> Any:
        tiny = float(np.finfo(t._array.dtype).tiny)  # 0 log 0 is 0
        return mul(t, sub(log(clamp(t, min=tiny)), x))

    def name(self) -> str:
        return composed_name(self.terms[2], "SubBackward0")


class KlDivLog(Pointwise):
    """e^t (t - x): `KlDiv` for a target of logarithms."""

    kernel = "kl_div_log"

    def formula(self, x: Any, t: Any) -> Any:
        return mul(exp(t), sub(t, x))

    def name(self) -> str:
        return composed_name(self.terms[2], "MulBackward0")


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
        pair = pair_of("kl_div", input, target, warn=False)
        if input._array.dtype.kind not in "fV" or target._array.dtype.kind not in "fV":
            raise RuntimeError("kl_div: Integral inputs not supported.")
        result = apply(cls, pair, (op, 0.0, reduction, ()))
    shape = shape_of(input)
    return div(result, float(shape[0])) if batch and shape else result
