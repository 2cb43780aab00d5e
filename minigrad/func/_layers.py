"""Batching rules of layers: convolutions, pools, norms, padding, and losses with reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..autograd.variable import Variable
from ._batched import RULES, batched, deepest, is_at, loop, value_at, wrap_all
from ._binding import aligned, bind, fold, mapped, rule, unfold
from ._shared import batch_of_channels, channels_of_batch, is_shared, shared_convolution


def _convolution(dims: int, transposed: bool) -> Callable:
    """The rule of convolutions over `dims` dimensions.

    Samples with one weight are images of a larger batch; weights of their own make each sample a
    group of channels.
    """

    def convolve(function: Callable, args: tuple, kwargs: dict) -> Any:
        p = bind(function, args, kwargs)
        x, w, b = p["input"], p["weight"], p.pop("bias", None)
        level = deepest((x, w, b))
        ndim = x._array.ndim
        if w._array.ndim != dims + 2 or ndim not in (dims + 1, dims + 2):
            return loop(function, args, kwargs)
        one_image = ndim == dims + 1
        if is_at(b, level) or (b is not None and is_at(w, level)):
            result = function(**{**p, "bias": None})
            return ops.add(result, ops.reshape(b, (*b._array.shape, *(1,) * dims)))
        if not is_at(w, level):
            images = x.value if one_image else fold(x.value)
            p.update(input=images, bias=b)
            result = function(**p)
            return batched(result if one_image else unfold(result, level.size), level)
        samples = value_at(x, level)
        if one_image:
            samples = ops.unsqueeze(samples, 1)
        groups = p.get("groups", 1)
        if not transposed and is_at(x, level) and is_shared(w.value):
            steps = (p.get("stride", 1), p.get("padding", 0), p.get("dilation", 1))
            result = shared_convolution(samples, w.value, *steps, groups)
        else:
            result = _each_with_its_weight(function, p, x, samples, w, level, groups, transposed)
        return batched(ops.squeeze(result, 1) if one_image else result, level)

    return convolve


def _each_with_its_weight(
    function: Callable, p: dict, x: Any, samples: Any, w: Any, level: Any, groups: int,
    transposed: bool,
) -> Any:  # fmt: skip
    shared_input = not is_at(x, level) and groups == 1 and not transposed
    if shared_input:  # the weights of all samples are more output channels
        p.update(input=ops.select(samples, 0, 0), weight=fold(w.value))
    else:
        p.update(input=channels_of_batch(samples), weight=fold(w.value), groups=groups * level.size)
    return batch_of_channels(function(**p), level.size)


for _dims in (1, 2, 3):
    rule(_convolution(_dims, False), f"conv{_dims}d")
    rule(_convolution(_dims, True), f"conv_transpose{_dims}d")


def images(dims: int) -> Callable:
    """The rule of functions of images ([N,] C, ...): the samples are more images."""

    def over(function: Callable, args: tuple, kwargs: dict) -> Any:
        p = bind(function, args, kwargs)
        x = p["input"]
        level = deepest(p.values())
        ndim = x._array.ndim
        others = [v for name, v in p.items() if name != "input" and isinstance(v, Variable)]
        if others or ndim not in (dims + 1, dims + 2) or not level.size:
            return loop(function, args, kwargs)
        if ndim == dims + 1:
            p["input"] = x.value
            return wrap_all(function(**p), level)
        p["input"] = fold(x.value)
        result = function(**p)
        return wrap_all(mapped(result, lambda r: unfold(r, level.size)), level)

    return over


for _dims in (1, 2, 3):
    rule(
        images(_dims),
        f"avg_pool{_dims}d max_pool{_dims}d adaptive_avg_pool{_dims}d adaptive_max_pool{_dims}d "
        f"lp_pool{_dims}d",
    )


def _folded(function: Callable, args: tuple, kwargs: dict) -> Any:
    """The rule of functions of (N, C, ...) alone."""
    p = bind(function, args, kwargs)
    level = deepest(p.values())
    x = p["input"]
    others = [v for name, v in p.items() if name != "input" and isinstance(v, Variable)]
    if others or x._array.ndim < 2 or not level.size:
        return loop(function, args, kwargs)
    p["input"] = fold(x.value)
    return batched(unfold(function(**p), level.size), level)


rule(_folded, "local_response_norm channel_shuffle interpolate upsample")


def _leading_images(function: Callable, args: tuple, kwargs: dict) -> Any:
    level = deepest(args, kwargs.values())
    p = bind(function, args, kwargs)
    p["input"] = p["input"].value
    return batched(function(**p), level)


rule(_leading_images, "pixel_shuffle pixel_unshuffle")


def _pad(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x = p["input"]
    level = deepest((x,))
    count = len(p["pad"])
    if p.get("mode", "constant") == "constant":
        if count > 2 * x._array.ndim:
            return loop(function, args, kwargs)
        p["input"] = x.value
        return batched(function(**p), level)
    if x._array.ndim == count // 2 + 2 and level.size:
        return _folded(function, args, kwargs)
    if x._array.ndim == count // 2 + 1:
        p["input"] = x.value
        return batched(function(**p), level)
    return loop(function, args, kwargs)


rule(_pad, "pad")

# -- norms -----------------------------------------------------------------------------------------


def _own(value: Any, level: Any, ndim: int, at: int | None = None) -> Any:
    """A sample's weight, so that it broadcasts to samples of `ndim` dimensions.

    `at`: the dimension that a vector lies along; None: the last ones.
    """
    if at is not None:
        shape = value._array.shape
        value = ops.reshape(value, (*shape, *(1,) * (ndim - 1 - at)))
    return aligned(value, level, ndim)


def _scaled(result: Any, weight: Any, bias: Any, level: Any, ndim: int, at: int | None) -> Any:
    if weight is not None:
        result = ops.mul(result, _own(weight, level, ndim, at))
    if bias is not None:
        result = ops.add(result, _own(bias, level, ndim, at))
    return result


def _layer_norm(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x, weight, bias = p["input"], p.get("weight"), p.get("bias")
    level = deepest((x, weight, bias))
    shape = p["normalized_shape"]
    count = 1 if isinstance(shape, int) else len(shape)
    if not is_at(x, level) or count > x._array.ndim:
        return loop(function, args, kwargs)
    p["input"] = x.value
    if not is_at(weight, level) and not is_at(bias, level):
        return batched(function(**p), level)
    for name in ("weight", "bias"):
        p.pop(name, None)
    result = function(**p)
    return batched(_scaled(result, weight, bias, level, x._array.ndim, None), level)


rule(_layer_norm, "layer_norm rms_norm")


def _group_norm(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x, weight, bias = p["input"], p.pop("weight", None), p.pop("bias", None)
    level = deepest((x, weight, bias))
    ndim = x._array.ndim
    if not is_at(x, level) or ndim < 2 or not level.size:
        return loop(function, args, kwargs)
    p["input"] = fold(x.value)
    if not is_at(weight, level) and not is_at(bias, level):
        p.update(weight=weight, bias=bias)
        return batched(unfold(function(**p), level.size), level)
    result = unfold(function(**p), level.size)
    return batched(_scaled(result, weight, bias, level, ndim, 1), level)


rule(_group_norm, "group_norm")


def _channel_norm(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`batch_norm`, `instance_norm`: the samples are more channels, with their own statistics."""
    p = bind(function, args, kwargs)
    x, weight, bias = p["input"], p.pop("weight", None), p.pop("bias", None)
    mean, var = p.get("running_mean"), p.get("running_var")
    level = deepest((x, weight, bias, mean, var))
    ndim = x._array.ndim
    if ndim < 2 or not level.size:
        return loop(function, args, kwargs)
    own = function is ops.batch_norm
    training = p.get("training", False) if own else p.get("use_input_stats", True)
    shared = [v for v in (mean, var) if v is not None and not is_at(v, level)]
    if shared and training:
        raise RuntimeError(
            "Batch norm got a batched tensor as input while the running_mean or running_var, which "
            "will be updated in place, were not batched.\nIf you are using modules and do not need "
            "eval mode, set `track_running_stats=False` (or replace the modules by "
            "func.replace_all_batch_norm_modules_)."
        )
    p["input"] = channels_of_batch(value_at(x, level))
    flat = {}
    for name, stats in (("running_mean", mean), ("running_var", var)):
        if stats is not None:
            flat[name] = ops.reshape(value_at(stats, level), (-1,))
    result = batch_of_channels(function(**{**p, **flat}), level.size)
    for name, stats in (("running_mean", mean), ("running_var", var)):
        if stats is not None and training:
            stats.value.copy_(ops.reshape(flat[name], stats.value._array.shape))
    return batched(_scaled(result, weight, bias, level, ndim, 1), level)


rule(_channel_norm, "batch_norm instance_norm")

# -- losses ----------------------------------------------------------------------------------------


def _reduction(p: dict) -> str | None:
    """The reduction asked for; None if it is asked for in an old way, or is unknown."""
    if p.get("size_average") is not None or p.get("reduce") is not None:
        return None
    reduction = p.get("reduction", "mean")
    return reduction if reduction in ("mean", "sum", "none") else None


def _elementwise_loss(*names: str) -> Callable:
    """The rule of losses that broadcast their tensors `names` and reduce over all elements."""

    def lose(function: Callable, args: tuple, kwargs: dict) -> Any:
        p = bind(function, args, kwargs)
        reduction = _reduction(p)
        level = deepest(p.values())
        tensors = [p[n] for n in names if isinstance(p.get(n), Variable)]
        types = {t._array.dtype for t in tensors}
        if reduction is None or len(types) > 1 or len(tensors) < 2:
            return loop(function, args, kwargs)
        ndim = max(t._array.ndim for t in tensors)
        for name in names:
            if isinstance(p.get(name), Variable):
                p[name] = aligned(batched(value_at(p[name], level), level), level, ndim)
        p["reduction"] = "none"
        return _reduced(batched(function(**p), level), reduction)

    return lose


def _reduced(each: Any, reduction: str) -> Any:
    if reduction == "none" or (not each._array.ndim):
        return each
    return ops.mean(each) if reduction == "mean" else ops.sum(each)


rule(_elementwise_loss("input", "target"), "smooth_l1_loss kl_div soft_margin_loss "
     "poisson_nll_loss hinge_embedding_loss")  # fmt: skip
rule(_elementwise_loss("input", "target", "weight"), "binary_cross_entropy")
rule(_elementwise_loss("input", "target", "weight", "pos_weight"),
     "binary_cross_entropy_with_logits")  # fmt: skip


def _weighted_loss(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`mse_loss` and the like, whose mean with weights is over the weights."""
    p = bind(function, args, kwargs)
    if p.get("weight") is not None:
        return loop(function, args, kwargs)
    return _PAIR(function, args, kwargs)


_PAIR = _elementwise_loss("input", "target")
rule(_weighted_loss, "mse_loss l1_loss huber_loss")


def _class_loss(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`cross_entropy`, `nll_loss`: of (C,) with (), or (N, C, ...) with (N, ...)."""
    p = bind(function, args, kwargs)
    reduction = _reduction(p)
    x, target, weight = p["input"], p["target"], p.get("weight")
    level = deepest((x, target, weight))
    ndim = x._array.ndim
    numbers = target._array.dtype.kind in "iu"
    if (
        reduction is None or is_at(weight, level) or not ndim or not level.size
        or (numbers and target._array.ndim != max(ndim - 1, 0))
        or (numbers and ndim > 1 and x._array.shape[0] != target._array.shape[0])
        or (not numbers and target._array.shape != x._array.shape)
    ):  # fmt: skip
        return loop(function, args, kwargs)
    xs, targets = value_at(x, level), value_at(target, level)
    p["reduction"] = "none"
    if ndim == 1:
        p.update(input=xs, target=targets)
        each = batched(function(**p), level)
    else:
        p.update(input=fold(xs), target=fold(targets))
        each = batched(unfold(function(**p), level.size), level)
    if reduction != "mean":
        return _reduced(each, reduction)
    if not numbers:
        total = ops.sum(each)
        return total if ndim == 1 else ops.div(total, each._array.size)
    return _mean_over_classes(each, batched(targets, level), weight, p.get("ignore_index", -100))


def _mean_over_classes(each: Any, target: Any, weight: Any, ignored: int) -> Any:
    """The sum over the sum of the weights of the targets that are not ignored."""
    if weight is None and ignored < 0:
        array = target.value._array
        if hasattr(array, "min") and array.size and array.min() >= 0:
            return ops.mean(each) if each._array.ndim else each
    counted = ops.ne(target, ignored)
    if weight is None:
        total = ops.sum(counted).to(each.dtype)
    else:
        chosen = ops.where(counted, target, 0)
        weights = ops.reshape(
            ops.index_select(weight, 0, ops.reshape(chosen.value, (-1,))), chosen.value._array.shape
        )
        total = ops.sum(ops.mul(batched(weights, target.level), counted))
    return ops.div(ops.sum(each), total)


rule(_class_loss, "cross_entropy nll_loss")
for _name in ("cosine_embedding_loss", "gaussian_nll_loss", "margin_ranking_loss",
              "triplet_margin_loss", "triplet_margin_with_distance_loss",
              "multilabel_soft_margin_loss", "cosine_similarity", "pairwise_distance",
              "normalize"):  # fmt: skip
    if hasattr(ops, _name):
        RULES[getattr(ops, _name)] = None
