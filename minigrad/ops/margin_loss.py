"""Losses of margins, pairs and triplets, and likelihoods of counts and Gaussians.

They are compositions of differentiable operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.naming import named
from ..autograd.variable import wrap as constant
from ..kernels._quiet import quiet
from ._nn import REDUCTIONS, need_float, need_tensor, reduced, reduction_of, torch_name
from ._operands import to_dtype
from ._shape import broadcast_error
from .activation import logsigmoid
from .arith import add, div, mul, neg, sub
from .compare import eq, ne, where
from .distance import pairwise_distance
from .extrema import clamp_min, minimum
from .reduce import sum
from .unary import exp, log, log1p, sqrt

__all__ = [
    "cosine_embedding_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_soft_margin_loss",
    "poisson_nll_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]

_less = quiet(np.less)  # 16-bit NaN raise flags


def cosine_embedding_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """`1 - cos(input1, input2)` where target is 1, `max(0, cos - margin)` where -1; reduced.

    Inputs (N, D) with target (N,), or (D,) with (). RuntimeError for other shapes.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    name = "cosine_embedding_loss"
    a, b = need_tensor(name, "input1", input1), need_tensor(name, "input2", input2)
    t = need_tensor(name, "target", target)
    if t.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if a.ndim != t.ndim + 1 or b.ndim != t.ndim + 1:
        raise RuntimeError(
            f"{t.ndim}D target tensor expects {t.ndim + 1}D input tensors, but found inputs with "
            f"sizes {list(a.shape)} and {list(b.shape)}."
        )
    # 1e-12 under the root keeps the gradient finite for vectors of zeros.
    product = sum(mul(input1, input2), t.ndim)
    squares = [add(sum(mul(x, x), t.ndim), 1e-12) for x in (input1, input2)]
    cosine = div(product, sqrt(mul(*squares)))
    if t.shape != cosine._array.shape:
        try:
            np.broadcast_shapes(t.shape, cosine._array.shape)
        except ValueError:
            raise broadcast_error(t, cosine._array) from None
    zero = constant(np.zeros((), cosine._array.dtype))
    alike = where(eq(target, 1), sub(1.0, cosine), zero)
    apart = where(eq(target, -1), clamp_min(sub(cosine, margin), 0.0), zero)
    return reduced(add(alike, apart), reduction)


def hinge_embedding_loss(
    input: Any,
    target: Any,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """`input` where target is 1, `max(0, margin - input)` where -1; reduced.

    RuntimeError for shapes that do not broadcast.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    x = need_tensor("hinge_embedding_loss", "input", input)
    t = need_tensor("hinge_embedding_loss", "target", target)
    try:
        np.broadcast_shapes(x.shape, t.shape)
    except ValueError:
        raise broadcast_error(t, x) from None
    zero = constant(np.zeros((), x.dtype))
    edge = constant(np.asarray(margin).astype(x.dtype))
    far = where(ne(target, 1), clamp_min(sub(edge, input), 0), zero)
    near = where(ne(target, -1), input, zero)
    return reduced(add(far, near), reduction)


def margin_ranking_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """`max(0, -target (input1 - input2) + margin)`; reduced.

    RuntimeError for tensors of different rank and shapes that do not broadcast.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    name = "margin_ranking_loss"
    shapes = [
        need_tensor(name, which, value).shape
        for which, value in (("input1", input1), ("input2", input2), ("target", target))
    ]
    if len({len(s) for s in shapes}) > 1:
        one, two, three = (f"torch.Size({list(s)})" for s in shapes)
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {one}, input2: {two}, target: {three} "
        )
    values = clamp_min(add(mul(neg(target), sub(input1, input2)), float(margin)), 0)
    return reduced(values, reduction)


def soft_margin_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """`log(1 + exp(-target * input))`; reduced. RuntimeError for integers and unfit shapes."""
    reduction = reduction_of(size_average, reduce, reduction)
    x = need_tensor("soft_margin_loss", "input", input)
    need_tensor("soft_margin_loss", "target", target)
    if x.dtype.kind not in "fV":
        raise RuntimeError(
            f"result type Float can't be cast to the desired output type {torch_name(x)}"
        )
    result = reduced(log1p(exp(neg(mul(input, target)))), reduction)
    named("SoftMarginLossBackward0", result)
    return result if result._array.dtype == x.dtype else to_dtype(result, x.dtype)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """`max(0, d(anchor, positive) - d(anchor, negative) + margin)`, d the p-norm; reduced.

    `swap` uses the smaller of the distances of anchor and positive to negative. ValueError for a
    margin that is not positive; RuntimeError for tensors of different rank.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")

    def distance(a: Any, b: Any) -> Any:
        return pairwise_distance(a, b, p, eps)

    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """`triplet_margin_loss` with a distance of one's own (default: `pairwise_distance`)."""
    reduction = reduction_of(None, None, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    distance = pairwise_distance if distance_function is None else distance_function
    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def _triplet(
    anchor: Any,
    positive: Any,
    negative: Any,
    distance: Callable,
    margin: float,
    swap: bool,
    reduction: str,
) -> Any:
    named = (("anchor", anchor), ("positive", positive), ("negative", negative))
    dims = [need_tensor("triplet_margin_loss", which, value).ndim for which, value in named]
    if len(set(dims)) > 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {dims[0]}D, positive {dims[1]}D, and negative {dims[2]}D "
            "inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(clamp_min(add(sub(near, far), margin), 0.0), reduction)


def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """`exp(input) - target * input`, or `input - target log(input + eps)`; reduced.

    `full` adds Stirling's approximation of log(target!) for targets above 1. RuntimeError for
    shapes that do not broadcast.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    need_tensor("poisson_nll_loss", "input", input)
    t = need_tensor("poisson_nll_loss", "target", target)
    if log_input:
        loss = sub(exp(input), mul(target, input))
    else:
        loss = sub(input, mul(target, log(add(input, eps))))
    if full:
        above = constant(t > 1)
        safe = where(above, target, constant(np.ones((), t.dtype)))
        stirling = add(sub(mul(safe, log(safe)), safe), mul(log(mul(safe, 2.0 * math.pi)), 0.5))
        loss = add(loss, where(above, stirling, constant(np.zeros((), stirling._array.dtype))))
    return reduced(loss, reduction)


def gaussian_nll_loss(
    input: Any,
    target: Any,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any:
    """`(log(var) + (input - target)^2 / var) / 2`, var held above eps; reduced.

    `var` has the input's shape, lacks its last dimension or has size 1 there, or is a number.
    `full` adds log(2 pi) / 2. ValueError for a negative variance or a size that does not fit.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not valid")
    x = need_tensor("gaussian_nll_loss", "input", input)
    need_tensor("gaussian_nll_loss", "target", target)
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = constant(np.full(x.shape, var, x.dtype, like=x))
    v = need_tensor("gaussian_nll_loss", "var", var)
    if _less(v, 0).any():
        raise ValueError("var has negative entry/entries")
    if v.dtype.kind not in "fV":
        raise RuntimeError(
            f"result type Float can't be cast to the desired output type {torch_name(v)}"
        )
    if v.shape != x.shape:
        if x.shape[:-1] == v.shape and x.ndim:
            var = var.reshape(*v.shape, 1)
        elif x.ndim != v.ndim or [m for n, m in zip(x.shape, v.shape, strict=True) if n != m] != [
            1
        ]:
            raise ValueError("var is of incorrect size")
    # The bound does not stop the gradient of the variance, as in PyTorch.
    low = var._array < eps
    if low.any():
        lift = np.where(low, eps - var._array, 0).astype(v.dtype)
        var = add(var, constant(lift))
    difference = sub(input, target)
    loss = mul(add(log(var), div(mul(difference, difference), var)), 0.5)
    if full:
        loss = add(loss, 0.5 * math.log(2 * math.pi))
    return reduced(loss, reduction)


def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """`sum_c weight[t] max(0, margin - input[t] + input[c])^p / C` over c != t; reduced.

    Scores (N, C) with classes (N,), or (C,) or () with (). RuntimeError for shapes that do not fit
    and classes out of range; ValueError unless p is 1 or 2.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    x = need_tensor("multi_margin_loss", "input", input)
    t = need_tensor("multi_margin_loss", "target", target)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if x.ndim > 2 or (x.ndim and not x.shape[-1]):
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(x.shape)}"
        )
    need_float("multi_margin_loss", x)
    rows, channels = x.shape if x.ndim == 2 else (1, x.size)
    if t.ndim > 1 or t.size != rows:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
            f"samples (batch size). Expected target size [{rows}], but got {list(t.shape)}. Input "
            f"has shape {list(x.shape)}."
        )
    if weight is not None:
        w = need_tensor("multi_margin_loss", "weight", weight)
        if w.ndim != 1:
            raise ValueError("weight must be one-dimensional")
        if w.shape != (channels,):
            raise RuntimeError(
                f"inconsistent weight size, expected {channels} but got {list(w.shape)}"
            )
    if t.dtype != np.int64:
        raise RuntimeError(f"expected scalar type Long but found {torch_name(t)}")
    if t.size and (t.min() < 0 or t.max() >= channels):
        raise RuntimeError("target out of range")
    own = t.reshape(rows, 1) == np.arange(channels, like=t)
    table = input.reshape(rows, channels)
    score = sum(where(constant(own), table, constant(np.zeros((), x.dtype))), 1, True)
    gap = clamp_min(add(sub(table, score), margin), 0.0)
    if p == 2:
        gap = mul(gap, gap)
    if weight is not None:
        gap = mul(gap, constant(weight._array[t.reshape(rows, 1)]))
    gap = where(constant(own), constant(np.zeros((), x.dtype)), gap)
    loss = div(sum(gap, 1), float(channels))
    result = loss.reshape(t.shape) if reduction == "none" else reduced(loss, reduction)
    return named("MultiMarginLossBackward0", result)


def multilabel_soft_margin_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Binary cross-entropy of logits (N, C) averaged over the classes, then reduced.

    IndexError for an input without dimensions.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    x = need_tensor("multilabel_soft_margin_loss", "input", input)
    need_tensor("multilabel_soft_margin_loss", "target", target)
    if not x.ndim:
        raise IndexError("Dimension specified as -1 but tensor has no dimensions")
    loss = neg(add(mul(target, logsigmoid(input)), mul(sub(1, target), logsigmoid(neg(input)))))
    if weight is not None:
        loss = mul(loss, weight)
    # The classes are the input's last dimension, also where the target has more dimensions.
    return reduced(div(sum(loss, x.ndim - 1), x.shape[-1]), reduction)
