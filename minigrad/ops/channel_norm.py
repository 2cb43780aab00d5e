"""Normalisations by channel: batch, instance and group."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import inplace
from ..autograd import variable as _v
from ..autograd.record import apply
from ..kernels import cpu, fast
from ._nn import need_float, need_same_params, need_tensor
from ._shape import expand
from .arith import mul, sub
from .movement import reshape
from .normalization import Affine, Param, standardize
from .rearrange import clone

__all__ = ["batch_norm", "group_norm", "instance_norm"]


class BatchNorm(Affine):
    """Each channel normalised by given statistics, then scaled and shifted."""

    def forward(
        self,
        x: Any,
        w: Any,
        b: Any,
        running_mean: Any,
        running_var: Any,
        training: bool,
        momentum: float,
        eps: float,
    ) -> Any:
        moved = (running_mean, running_var)
        y, mean, rstd = cpu.batch_norm(x, w, b, *moved, training, momentum, eps)
        self.kept = (mean, rstd, training, eps, Param(x if b is None else b))
        return y

    def gradients(self, grad: Any, x: Any, w: Any) -> Any:
        """With h = (x - mean) rstd over each channel's m elements, and the statistics its own:
        rstd w (grad - (sum(grad) + h sum(grad h)) / m); rstd w grad with constant statistics.

        The weight gets sum(grad h).
        """
        mean, rstd, training, *_ = self.kept
        return cpu.batch_norm_backward(grad, x, w, mean, rstd, training, self.next)

    def formula(self, x: Any, w: Any) -> Any:
        """The normalised and scaled channels, in differentiable ops."""
        mean, rstd, training, eps, _ = self.kept
        across = (1, -1) + (1,) * (x._array.ndim - 2)
        if training:
            others = tuple(d for d in range(x._array.ndim) if d != 1)
            y = standardize(x, others, eps)
        else:
            y = mul(sub(x, _v.wrap(mean.reshape(across))), _v.wrap(rstd.reshape(across)))
        return y if w is None else mul(y, reshape(w, across))

    def name(self) -> str:
        return "NativeBatchNormBackward0"


def _check_channels(channels: int, **params: Any) -> None:
    for name, p in params.items():
        if p is not None and need_tensor("batch_norm", name, p).size != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {p._array.size}")


def _values_per_channel(shape: tuple[int, ...]) -> int:
    count = shape[0] if shape else 1
    for n in shape[2:]:
        count *= n
    return count


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Normalises each channel of `input` (N, C, ...) by its batch's, or the running, statistics.

    When training, the running statistics (if given) move by `momentum` towards the batch's mean
    and unbiased variance. ValueError for one value a channel when training; RuntimeError for sizes
    that do not fit. (Ioffe, Szegedy 2015.)
    """
    t = fast.fast_batch_norm(
        BatchNorm, input, running_mean, running_var, weight, bias, training, momentum, eps
    )
    if t is not None:
        return t
    x = need_tensor("batch_norm", "input", input)
    if training:
        _need_several(x.shape)
        if eps <= 0.0:
            raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    elif eps < 0.0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    if x.ndim < 2 and (x.size or not x.ndim):
        raise IndexError(
            f"batch_norm: given an input of shape {list(x.shape)}; needed: (N, C, ...)"
        )
    if not training:
        for name, p in (("running_mean", running_mean), ("running_var", running_var)):
            if p is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
    if not x.size and x.ndim < 2:
        return clone(input)  # PyTorch does not look further
    _check_channels(
        x.shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    for name, p in (("running_mean", running_mean), ("running_var", running_var)):
        if p is not None and p._fn is not None:
            raise RuntimeError(
                f"The function 'native_batch_norm' is not differentiable with respect to argument "
                f"'{name}'. This input cannot have requires_grad True."
            )
    need_float("batch_norm", x)
    need_same_params(x, weight, bias, running_mean, running_var)
    moved = [None if p is None else p._array for p in (running_mean, running_var)]
    y = apply(BatchNorm, (input, weight, bias), *moved, bool(training), momentum, eps)
    if training and x.size:
        for p in (running_mean, running_var):
            if p is not None:
                inplace.bump(p)
    return y


def _need_several(shape: tuple[int, ...]) -> None:
    if _values_per_channel(shape) == 1:
        raise ValueError(
            "Expected more than 1 value per channel when training, got input size "
            f"torch.Size({list(shape)})"
        )


def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Normalises each channel of each sample of `input` (N, C, ...) by its own statistics.

    Running statistics, if given, follow the mean over the batch; with `use_input_stats` False they
    are used instead. ValueError for one element a channel; RuntimeError for sizes that do not fit.
    """
    x = need_tensor("instance_norm", "input", input)
    if use_input_stats:
        if x.ndim < 3 or _values_per_channel((1, 1, *x.shape[2:])) == 1:
            raise ValueError(
                "Expected more than 1 spatial element when training, got input size "
                f"torch.Size({list(x.shape)})"
            )
    elif running_mean is None or running_var is None:
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when use_input_stats is false"
        )
    n, c = x.shape[:2]
    if not use_input_stats:
        t = fast.fast_batch_norm(
            BatchNorm, input, running_mean, running_var, weight, bias, False, momentum, eps
        )
    elif running_mean is None and running_var is None:
        t = fast.fast_group_norm(InstanceNorm, input, c, weight, bias, eps)
    else:
        t = None
    if t is not None:
        return t

    def repeated(p: Any) -> Any:
        if p is None:
            return None
        size = p._array.size
        return reshape(expand(reshape(p, (1, size)), (n, size)), (n * size,))

    # One sample of n * c channels: batch normalisation's statistics are then each channel's own.
    mean, var = (  # type: Any, Any
        None if p is None else _v.wrap(np.tile(p._array, n)) for p in (running_mean, running_var)
    )
    y = batch_norm(
        reshape(input, (1, n * c, *x.shape[2:])),
        mean,
        var,
        repeated(weight),
        repeated(bias),
        use_input_stats,
        momentum,
        eps,
    )
    if use_input_stats and x.size:
        for running, moved in ((running_mean, mean), (running_var, var)):
            if running is not None:
                running._array[...] = moved._array.reshape(n, c).mean(0)
                inplace.bump(running)
    return reshape(y, x.shape)


class GroupNorm(Affine):
    """Groups of channels of each sample normalised, then scaled and shifted by channel."""

    def forward(self, x: Any, w: Any, b: Any, groups: int, eps: float) -> Any:
        y, mean, rstd = cpu.group_norm(x, w, b, groups, eps)
        self.kept = (mean, rstd, groups, eps, Param(x if b is None else b))
        return y

    def gradients(self, grad: Any, x: Any, w: Any) -> Any:
        """As of `LayerNorm`, the groups being the rows; the weight gets the sum of grad h over all
        but the channels."""
        mean, rstd, groups, *_ = self.kept
        return cpu.group_norm_backward(grad, x, mean, rstd, w, groups, self.next)

    def formula(self, x: Any, w: Any) -> Any:
        """The normalised and scaled groups, in differentiable ops."""
        mean, _, _, eps, _ = self.kept
        shape = x._array.shape
        rows = reshape(x, (len(mean), x._array.size // max(len(mean), 1)))
        y = reshape(standardize(rows, (1,), eps), shape)
        return y if w is None else mul(y, reshape(w, (1, -1) + (1,) * (len(shape) - 2)))

    def name(self) -> str:
        return "NativeGroupNormBackward0"


class InstanceNorm(GroupNorm):
    """Each channel of each sample normalised by its own statistics: groups of one channel."""

    def name(self) -> str:
        return "ViewBackward0"


def group_norm(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Normalises each of `num_groups` groups of channels of each sample of `input` (N, C, ...).

    `weight` and `bias` have one element a channel. RuntimeError where C is no multiple of
    `num_groups` or a size does not fit. (Wu, He 2018.)
    """
    t = fast.fast_group_norm(GroupNorm, input, num_groups, weight, bias, eps)
    if t is not None:
        return t
    x = need_tensor("group_norm", "input", input)
    if x.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {x.ndim}")
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    channels = x.shape[1]
    _need_several((x.shape[0] * channels // num_groups, num_groups, *x.shape[2:]))
    if channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(x.shape)} and num_groups={num_groups}"
        )
    for name, p in (("weight", weight), ("bias", bias)):
        if p is not None and need_tensor("group_norm", name, p).shape != (channels,):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                f"but got {name} of shape {list(p._array.shape)} and input of shape "
                f"{list(x.shape)}"
            )
    need_float("GroupNormKernelImpl", x)
    need_same_params(x, weight, bias)
    return apply(GroupNorm, (input, weight, bias), num_groups, eps)
