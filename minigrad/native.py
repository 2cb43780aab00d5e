"""Functions of `torch` whose arguments or results are not those of `nn.functional` of that name.

They are what PyTorch's layers call; more arguments have no default, and reductions are numbers.
The default of these numbers is what PyTorch's argument parser makes of its "at::Reduction::Mean":
0, no reduction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import ops
from .autograd.inplace import bump, check_writable
from .ops._inplace import in_place
from .ops._nn import reduced
from .ops._shape import array_arg
from .ops.embeddings import renormalize

__all__ = [
    "adaptive_max_pool1d", "alpha_dropout", "alpha_dropout_", "batch_norm",
    "batch_norm_update_stats", "binary_cross_entropy_with_logits", "cosine_embedding_loss",
    "ctc_loss", "cudnn_is_acceptable", "dropout", "dropout_", "embedding", "embedding_renorm_",
    "feature_alpha_dropout", "feature_alpha_dropout_", "feature_dropout", "feature_dropout_",
    "flip", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "group_norm",
    "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm", "margin_ranking_loss",
    "max_pool1d", "max_pool1d_with_indices", "mkldnn_convolution",
    "poisson_nll_loss", "triplet_margin_loss",
]  # fmt: skip

# -- normalisation ---------------------------------------------------------------------------------


def batch_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """`nn.functional.batch_norm` with the parameters before the statistics."""
    return ops.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """`nn.functional.instance_norm` with the parameters before the statistics."""
    return ops.instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


def layer_norm(
    input: Any,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:
    """`nn.functional.layer_norm`."""
    return ops.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(
    input: Any,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    """`nn.functional.group_norm`."""
    return ops.group_norm(input, num_groups, weight, bias, eps)


def batch_norm_update_stats(
    input: Any, running_mean: Any, running_var: Any, momentum: float
) -> tuple[Any, Any]:
    """Mean and (biased) variance of each channel, towards which the running ones are moved."""
    x = array_arg("batch_norm_update_stats", input)
    across = tuple(d for d in range(x.ndim) if d != 1)
    var, mean = ops.var_mean(input, across, correction=0)
    count = x.size // max(x.shape[1], 1)
    for running, batch, scale in (
        (running_mean, mean, 1.0), (running_var, var, count / max(count - 1, 1)),
    ):  # fmt: skip
        if running is not None:
            running._array[...] += momentum * (scale * batch._array - running._array)
            bump(running)
    return mean, var


# -- dropout ---------------------------------------------------------------------------------------


def _dropout(op: Callable) -> tuple[Callable, Callable]:
    """PyTorch's form of a dropout, whose arguments are all given, and its form in place."""
    name = op.__name__

    def drop(input: Any, p: float, train: bool) -> Any:
        if not 0.0 <= p <= 1.0:
            raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")
        return op(input, p, train)

    drop.__name__ = drop.__qualname__ = name
    drop.__doc__ = f"`nn.functional.{name}`; RuntimeError for p outside [0, 1]."
    return drop, in_place(drop)


dropout, dropout_ = _dropout(ops.dropout)
feature_dropout, feature_dropout_ = _dropout(ops.feature_dropout)
alpha_dropout, alpha_dropout_ = _dropout(ops.alpha_dropout)
feature_alpha_dropout, feature_alpha_dropout_ = _dropout(ops.feature_alpha_dropout)


# -- pools, tables, convolutions -------------------------------------------------------------------


def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """`nn.functional.max_pool1d` without indices."""
    return ops.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """`nn.functional.max_pool1d` with indices."""
    return ops.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def adaptive_max_pool1d(input: Any, output_size: Any) -> Any:
    """`nn.functional.adaptive_max_pool1d` with indices."""
    return ops.adaptive_max_pool1d(input, output_size, True)


def embedding(
    weight: Any,
    indices: Any,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """`nn.functional.embedding` with the table first; `padding_idx` -1 is none."""
    padding = None if padding_idx == -1 else padding_idx
    return ops.embedding(indices, weight, padding, None, 2.0, scale_grad_by_freq, sparse)


def embedding_renorm_(input: Any, indices: Any, max_norm: float, norm_type: float) -> Any:
    """`input` (n, d), whose rows numbered by `indices` are shortened to norms of `max_norm`.

    In place, outside the graph. RuntimeError for indices that are not int32 or int64, IndexError
    for one out of range.
    """
    table, ids = array_arg("embedding_renorm_", input), array_arg("embedding_renorm_", indices)
    if table.ndim != 2:
        raise RuntimeError("'self' must be 2-D")
    if ids.dtype.kind != "i" or ids.dtype.itemsize not in (4, 8):
        raise RuntimeError(
            "Expected tensor for argument #2 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {indices.dtype} instead (while checking arguments for "
            "embedding_renorm_)"
        )
    if ids.size and not 0 <= ids.min() <= ids.max() < len(table):
        raise IndexError(
            f"embedding_renorm_: an index is out of range for a table of size {list(table.shape)}"
        )
    check_writable(input)
    renormalize(input, ids, max_norm, norm_type)
    return input


_SAMPLINGS = ("bilinear", "nearest", "bicubic")
_OUTSIDES = ("zeros", "border", "reflection")


def _sampler(name: str, dims: int | None) -> Callable:
    def sampler(
        input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool
    ) -> Any:
        x = array_arg(name, input)
        if dims is not None and x.ndim != dims + 2:
            raise RuntimeError(
                f"grid_sampler(): expected {dims + 2}D input and grid with same number of "
                f"dimensions, but got input with sizes {list(x.shape)} and grid with sizes "
                f"{list(grid.shape)}"
            )
        if interpolation_mode not in (0, 1, 2) or padding_mode not in (0, 1, 2):
            raise ValueError(
                f"{name}(): given modes {interpolation_mode!r} and {padding_mode!r}; needed: "
                "0 (bilinear), 1 (nearest) or 2 (bicubic), and 0 (zeros), 1 (border) or "
                "2 (reflection)"
            )
        mode, outside = _SAMPLINGS[interpolation_mode], _OUTSIDES[padding_mode]
        return ops.grid_sample(input, grid, mode, outside, bool(align_corners))

    sampler.__name__ = sampler.__qualname__ = name
    sampler.__doc__ = "`nn.functional.grid_sample`, the modes being numbers."
    return sampler


grid_sampler = _sampler("grid_sampler", None)
grid_sampler_2d = _sampler("grid_sampler_2d", 2)
grid_sampler_3d = _sampler("grid_sampler_3d", 3)


def mkldnn_convolution(
    input: Any, weight: Any, bias: Any, padding: Any, stride: Any, dilation: Any, groups: int
) -> Any:
    """`convolution` with the padding before the stride."""
    return ops.convolution(input, weight, bias, stride, padding, dilation, False, [0], groups)


def cudnn_is_acceptable(tensor: Any) -> bool:
    """False: there is no cuDNN."""
    return False


def flip(input: Any, dims: Any) -> Any:
    """`Tensor.flip` with the dimensions in a tuple. TypeError for a number."""
    if not isinstance(dims, (tuple, list)):
        kind = dims.__class__.__name__
        raise TypeError(f"flip(): argument 'dims' (position 2) must be tuple of ints, not {kind}")
    return ops.flip(input, dims=dims)


# -- losses, whose reduction is a number: mean, sum, any other none --------------------------------


def _named(function: str, reduction: int) -> str:
    if reduction.__class__ is bool or not isinstance(reduction, int):
        raise TypeError(
            f"{function}(): argument 'reduction' must be int, not {reduction.__class__.__name__}"
        )
    return {1: "mean", 2: "sum"}.get(reduction, "none")


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: int = 0
) -> Any:
    """`nn.functional.binary_cross_entropy_with_logits`, `reduction` being a number."""
    return ops.binary_cross_entropy_with_logits(
        input,
        target,
        weight,
        pos_weight=pos_weight,
        reduction=_named("binary_cross_entropy_with_logits", reduction),
    )


def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: int = 0
) -> Any:
    """`nn.functional.cosine_embedding_loss`, `reduction` being a number."""
    return ops.cosine_embedding_loss(
        input1, input2, target, margin, reduction=_named("cosine_embedding_loss", reduction)
    )


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 0,
    zero_infinity: bool = False,
) -> Any:
    """`nn.functional.ctc_loss`, `reduction` being a number."""
    return ops.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank,
        _named("ctc_loss", reduction), zero_infinity,
    )  # fmt: skip


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: int = 0) -> Any:
    """`nn.functional.hinge_embedding_loss`, `reduction` being a number."""
    return ops.hinge_embedding_loss(
        input, target, margin, reduction=_named("hinge_embedding_loss", reduction)
    )


def kl_div(input: Any, target: Any, reduction: int = 0, *, log_target: bool = False) -> Any:
    """`nn.functional.kl_div`, `reduction` being a number."""
    name = _named("kl_div", reduction)  # here "mean" is no surprise to warn of
    return reduced(ops.kl_div(input, target, reduction="none", log_target=log_target), name)


def margin_ranking_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: int = 0
) -> Any:
    """`nn.functional.margin_ranking_loss`, `reduction` being a number."""
    return ops.margin_ranking_loss(
        input1, input2, target, margin, reduction=_named("margin_ranking_loss", reduction)
    )


def poisson_nll_loss(
    input: Any, target: Any, log_input: bool, full: bool, eps: float, reduction: int
) -> Any:
    """`nn.functional.poisson_nll_loss`, `reduction` being a number."""
    return ops.poisson_nll_loss(
        input, target, log_input, full, eps=eps, reduction=_named("poisson_nll_loss", reduction)
    )


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 0,
) -> Any:
    """`nn.functional.triplet_margin_loss`, `reduction` being a number."""
    return ops.triplet_margin_loss(
        anchor,
        positive,
        negative,
        margin,
        p,
        eps,
        swap,
        reduction=_named("triplet_margin_loss", reduction),
    )
