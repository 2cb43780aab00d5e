"""Losses of differences between input and target, each one fused kernel."""

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
    need_tensor,
    reduced,
    reduction_of,
    torch_name,
)
from ._operands import result_numpy, to_dtype
from ._shape import broadcast_error, expand, shape_of
from .arith import div, mul, sub
from .extrema import clamp
from .reduce import sum
from .rounding import abs as abs_

__all__ = [
    "huber_loss",
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


def composed_name(reduction: str, last: str) -> str:
    """The name of a loss that PyTorch composes of other operations: that of the last one."""
    return {"mean": "MeanBackward0", "sum": "SumBackward0"}.get(reduction, last)


def pair_of(name: str, input: Any, target: Any, warn: bool = True) -> tuple[Any, Any]:
    """Input and target of one shape and dtype: promoted and broadcast, or with `warn` in turn.

    A loss of PyTorch that warns broadcasts first, so that a tensor without dimensions counts like
    the others when types are promoted.
    """
    x, t = need_tensor(name, "input", input), need_tensor(name, "target", target)
    dtype = x.dtype if x.dtype == t.dtype or warn else result_numpy(name, input, target)
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
        dtype = result_numpy(name, input, target) if warn else dtype
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
    pair = pair_of("mse_loss", input, target)
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
        return composed_name(self.terms[2], "AbsBackward0")


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
    pair = pair_of("l1_loss", input, target)
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
    pair = pair_of("smooth_l1_loss", input, target)
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
    pair = pair_of("huber_loss", input, target)
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
