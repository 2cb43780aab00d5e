"""Batch normalisation layers, and what they share with those of instances."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import inplace
from ..autograd.variable import INFERENCE
from ..creation import ones, zeros
from . import functional as F
from . import init
from ._sizes import need_dims
from .normalization import _Scaled

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"]


class _NormBase(_Scaled):
    """Weight, bias and running statistics of one number for each channel."""

    _version = 2

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._add_scale(num_features, affine, affine and bias, device, dtype)
        self.running_mean: Any
        self.running_var: Any
        self.num_batches_tracked: Any
        if track_running_stats:
            for name, fill in (("running_mean", zeros), ("running_var", ones)):
                self.register_buffer(name, fill(num_features, device=device, dtype=dtype))
            count = zeros((), dtype=dtypes.int64, device=device)
            self.register_buffer("num_batches_tracked", count)
        else:
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                self.register_buffer(name, None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batches seen."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and `reset_running_stats`."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check_input_dim(self, input: Any) -> None:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict, *rest: Any
    ) -> None:
        version = local_metadata.get("version")
        if (version is None or version < 2) and self.track_running_stats:
            # Files of the first version have no counter.
            key = prefix + "num_batches_tracked"
            if key not in state_dict:
                state_dict[key] = self.num_batches_tracked.detach().clone()
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


def _count(batches: Any) -> None:
    """batches.add_(1), without the cost of a general write where nothing else has to follow it."""
    array = batches._array
    simple = batches._fn is None and batches._view is None and batches._cell is not INFERENCE
    if not (simple and array.__class__ is np.ndarray and array.dtype == np.int64):
        batches.add_(1)
        return
    inplace.check_memory(batches)
    array += 1
    inplace.bump(batches)


class _BatchNorm(_NormBase):
    def forward(self, input: Any) -> Any:
        self._check_input_dim(input)
        training = self.training
        tracking = self.track_running_stats
        factor = 0.0 if self.momentum is None else self.momentum
        if training and tracking and self.num_batches_tracked is not None:
            _count(self.num_batches_tracked)
            if self.momentum is None:  # the plain mean of all batches
                factor = 1.0 / float(self.num_batches_tracked.item())
        use_running = not training or tracking
        return F.batch_norm(
            input,
            self.running_mean if use_running else None,
            self.running_var if use_running else None,
            self.weight,
            self.bias,
            training or (self.running_mean is None and self.running_var is None),
            factor,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Normalises each channel of (N, C) or (N, C, L) over all other dimensions.

    In training with the batch's statistics, which are averaged into the running ones with
    `momentum` (None: plain mean); in evaluation with the running ones.
    """

    def _check_input_dim(self, input: Any) -> None:
        need_dims(input, (2, 3))


class BatchNorm2d(_BatchNorm):
    """Normalises each channel of (N, C, H, W) over all other dimensions; see `BatchNorm1d`."""

    def _check_input_dim(self, input: Any) -> None:
        need_dims(input, (4,))


class BatchNorm3d(_BatchNorm):
    """Normalises each channel of (N, C, D, H, W) over all other dimensions; see `BatchNorm1d`."""

    def _check_input_dim(self, input: Any) -> None:
        need_dims(input, (5,))


class SyncBatchNorm(_BatchNorm):
    """`BatchNorm` of any number of dimensions over the batches of all processes, which are one.

    ValueError for an input of fewer than two dimensions or without channels.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def _check_input_dim(self, input: Any) -> None:
        shape = input._array.shape
        if len(shape) < 2:
            raise ValueError(f"expected at least 2D input (got {len(shape)}D input)")
        if shape[1] == 0:
            raise ValueError("SyncBatchNorm number of input channels should be non-zero")

    @classmethod
    def convert_sync_batchnorm(cls, module: Any, process_group: Any = None) -> Any:
        """`module` with a SyncBatchNorm in place of each batch normalisation in it.

        The new ones have the old one's parameters and statistics themselves.
        """
        result = module
        if isinstance(module, _BatchNorm):
            result = cls(
                module.num_features, module.eps, module.momentum, module.affine,
                module.track_running_stats, process_group, bias=module.bias is not None,
            )  # fmt: skip
            result.weight, result.bias = module.weight, module.bias
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                setattr(result, name, getattr(module, name))
            result.training = module.training
        for name, child in module.named_children():
            result.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return result
