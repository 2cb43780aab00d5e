"""Observers: modules that watch values go by and choose a grid of integers for them.

Formulas are PyTorch's (`torch.ao.quantization.observer`).
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np

from ... import dtypes, nn
from ...creation import empty, from_numpy, tensor, zeros
from ...quantized.tensor import (
    per_channel_affine,
    per_channel_symmetric,
    per_tensor_affine,
    per_tensor_symmetric,
)
from .histogram import histogram_of, moved_histogram, search_bounds

__all__ = [
    "HistogramObserver",
    "MinMaxObserver",
    "MovingAverageMinMaxObserver",
    "MovingAveragePerChannelMinMaxObserver",
    "NoopObserver",
    "ObserverBase",
    "PerChannelMinMaxObserver",
    "PlaceholderObserver",
    "UniformQuantizationObserverBase",
    "default_debug_observer",
    "default_dynamic_quant_observer",
    "default_histogram_observer",
    "default_observer",
    "default_per_channel_weight_observer",
    "default_placeholder_observer",
    "default_weight_observer",
    "weight_observer_range_neg_127_to_127",
]

_EPS = float(np.finfo(np.float32).eps)


class PartialArguments:
    """A class with some of its arguments: `Observer.with_args(dtype=qint8)()` makes one."""

    def __init__(self, made: functools.partial):
        self.made = made

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.made(*args, **kwargs)

    def __repr__(self) -> str:
        return repr(self.made)

    def with_args(self, **kwargs: Any) -> PartialArguments:
        """The same with more arguments."""
        return PartialArguments(functools.partial(self, **kwargs))


class ObserverBase(nn.Module):
    """What every observer has: `forward` watches and returns its input, `with_args`."""

    def __init__(self, dtype: Any, is_dynamic: bool = False):
        super().__init__()
        self.dtype = dtype
        self.is_dynamic = is_dynamic

    def calculate_qparams(self) -> Any:
        """(scale, zero_point) as tensors."""
        raise NotImplementedError(f"{type(self).__name__}: calculate_qparams")

    @classmethod
    def with_args(cls, **kwargs: Any) -> PartialArguments:
        """A function that makes such observers with these arguments."""
        return PartialArguments(functools.partial(cls, **kwargs))

    with_callable_args = with_args


class UniformQuantizationObserverBase(ObserverBase):
    """The grid of a range: integers from `quant_min` to `quant_max`, 0 among the numbers.

    dtype is quint8, qint8 or qint32. `reduce_range` leaves out a bit, which PyTorch's kernels
    without VNNI need and minigrad's never do. ValueError for bounds that exclude each other.
    """

    eps: Any
    min_val: Any
    max_val: Any

    def __init__(
        self,
        dtype: Any = dtypes.quint8,
        qscheme: Any = per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        factory_kwargs: Any = None,
        eps: float = _EPS,
        is_dynamic: bool = False,
        **kwargs: Any,
    ):
        super().__init__(dtype, is_dynamic, **kwargs)
        self.qscheme = qscheme
        self.reduce_range = reduce_range
        self.register_buffer("eps", tensor([eps]))
        known = {dtypes.quint8: (0, 255), dtypes.uint8: (0, 255), dtypes.qint8: (-128, 127),
                 dtypes.int8: (-128, 127), dtypes.qint32: (-(2**31), 2**31 - 1)}  # fmt: skip
        if dtype not in known:
            raise NotImplementedError(
                f"{type(self).__name__}: dtype {dtype!r} was given; needed: quint8, qint8 or qint32"
            )
        self.has_customized_qrange = quant_min is not None and quant_max is not None
        low, high = known[dtype]
        if self.has_customized_qrange:
            assert quant_min is not None and quant_max is not None
            if not (quant_min <= 0 <= quant_max and quant_min < quant_max):
                raise ValueError(
                    f"{type(self).__name__}: quant_min {quant_min} and quant_max {quant_max} were "
                    "given; needed: quant_min <= 0 <= quant_max, not both 0"
                )
            if quant_max - quant_min > high - low:
                raise ValueError(
                    f"{type(self).__name__}: {quant_min} to {quant_max} does not fit {dtype!r}"
                )
            low, high = quant_min, quant_max
        if reduce_range and dtype is not dtypes.qint32:
            low, high = (low // 2, high // 2) if low else (0, high // 2)
        self.quant_min, self.quant_max = low, high

    def _grid(self, least: Any, largest: Any) -> tuple[Any, Any]:
        """(scale float32, zero_point int64) for ranges, single numbers or by channels."""
        least = np.minimum(least, np.float32(0))
        largest = np.maximum(largest, np.float32(0))
        eps = self.eps.numpy()
        span = np.float32(self.quant_max - self.quant_min)
        if self.qscheme in (per_tensor_symmetric, per_channel_symmetric):
            scale = np.maximum(-least, largest) / np.float32(span / 2)
            scale = np.maximum(scale, eps)
            unsigned = self.dtype in (dtypes.quint8, dtypes.uint8)
            middle = (self.quant_min + self.quant_max) // 2 if self.has_customized_qrange else 128
            zero = np.full(scale.shape, middle if unsigned else 0, np.int64)
        else:
            scale = np.maximum((largest - least) / span, eps)
            zero = self.quant_min - np.rint(least / scale).astype(np.int64)
            zero = np.clip(zero, self.quant_min, self.quant_max)
        return from_numpy(np.atleast_1d(scale)), from_numpy(np.atleast_1d(zero))

    def calculate_qparams(self) -> tuple[Any, Any]:
        """(scale, zero_point): float32 and int64, one each or one for each channel.

        What saw nothing warns and gives 1 and 0. RuntimeError where it saw NaN or infinities.
        """
        least, largest = self.min_val.numpy(), self.max_val.numpy()
        if not least.size or (np.isposinf(least).all() and np.isneginf(largest).all()):
            warnings.warn(
                "must run observer before calling calculate_qparams. Returning default values.",
                stacklevel=2,
            )
            return tensor([1.0]), tensor([0])
        if not (np.isfinite(least).all() and np.isfinite(largest).all()):
            raise RuntimeError(
                f"{type(self).__name__}: it observed NaN or infinities; finite values are needed"
            )
        return self._grid(least, largest)

    def reset_min_max_vals(self) -> None:
        """Forgets what was seen."""
        self._set(np.float32(np.inf), np.float32(-np.inf))

    def _set(self, least: Any, largest: Any) -> None:
        self.min_val = from_numpy(np.array(least, np.float32))
        self.max_val = from_numpy(np.array(largest, np.float32))

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


def _values(x: Any) -> Any:
    return x.detach().float().numpy()


class MinMaxObserver(UniformQuantizationObserverBase):
    """The least and the largest value seen (`min_val`, `max_val`)."""

    def __init__(self, dtype: Any = dtypes.quint8, qscheme: Any = per_tensor_affine, **kwargs: Any):
        if qscheme not in (per_tensor_affine, per_tensor_symmetric):
            raise NotImplementedError(
                f"{type(self).__name__}: {qscheme!r} was given; per_tensor_affine or "
                "per_tensor_symmetric is needed"
            )
        super().__init__(dtype, qscheme, **kwargs)
        self.register_buffer("min_val", tensor(float("inf")))
        self.register_buffer("max_val", tensor(float("-inf")))

    def forward(self, x_orig: Any) -> Any:
        x = _values(x_orig)
        if x.size:
            self._see(x.min(), x.max())
        return x_orig

    def _see(self, least: Any, largest: Any) -> None:
        before = self.min_val.numpy(), self.max_val.numpy()
        self._set(np.minimum(before[0], least), np.maximum(before[1], largest))


class MovingAverageMinMaxObserver(MinMaxObserver):
    """Moving averages of the least and the largest value of each batch."""

    def __init__(self, averaging_constant: float = 0.01, **kwargs: Any):
        self.averaging_constant = averaging_constant
        super().__init__(**kwargs)
        self.averaging_constant = averaging_constant

    def _see(self, least: Any, largest: Any) -> None:
        before = self.min_val.numpy(), self.max_val.numpy()
        self._set(*_averaged(before, (least, largest), self.averaging_constant))


def _averaged(before: tuple, now: tuple, share: float) -> tuple:
    if not np.isfinite(before[0]).all():
        return now
    return tuple(old + np.float32(share) * (new - old) for old, new in zip(before, now))


class PerChannelMinMaxObserver(UniformQuantizationObserverBase):
    """The least and the largest value seen for each index of dimension `ch_axis`."""

    def __init__(
        self,
        ch_axis: int = 0,
        dtype: Any = dtypes.quint8,
        qscheme: Any = per_channel_affine,
        **kwargs: Any,
    ):
        if qscheme not in (per_channel_affine, per_channel_symmetric):
            raise NotImplementedError(
                f"{type(self).__name__}: {qscheme!r} was given; per_channel_affine or "
                "per_channel_symmetric is needed"
            )
        super().__init__(dtype, qscheme, **kwargs)
        self.ch_axis = ch_axis
        self.register_buffer("min_val", empty(0))
        self.register_buffer("max_val", empty(0))

    def forward(self, x_orig: Any) -> Any:
        x = _values(x_orig)
        if x.size:
            rows = np.moveaxis(x, self.ch_axis, 0).reshape(x.shape[self.ch_axis], -1)
            self._see(rows.min(1), rows.max(1))
        return x_orig

    def _see(self, least: Any, largest: Any) -> None:
        if self.min_val.numel():
            least = np.minimum(self.min_val.numpy(), least)
            largest = np.maximum(self.max_val.numpy(), largest)
        self._set(least, largest)

    def reset_min_max_vals(self) -> None:
        """Forgets what was seen."""
        self._set(np.empty(0), np.empty(0))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        """The number of channels is the saved one's."""
        for name in ("min_val", "max_val"):
            if prefix + name in state_dict:
                setattr(self, name, zeros(state_dict[prefix + name].shape))
        super()._load_from_state_dict(state_dict, prefix, *args)


class MovingAveragePerChannelMinMaxObserver(PerChannelMinMaxObserver):
    """Moving averages of the extremes for each index of dimension `ch_axis`."""

    def __init__(self, averaging_constant: float = 0.01, ch_axis: int = 0, **kwargs: Any):
        super().__init__(ch_axis, **kwargs)
        self.averaging_constant = averaging_constant

    def _see(self, least: Any, largest: Any) -> None:
        if self.min_val.numel():
            before = self.min_val.numpy(), self.max_val.numpy()
            least, largest = _averaged(before, (least, largest), self.averaging_constant)
        self._set(least, largest)


class HistogramObserver(UniformQuantizationObserverBase):
    """A histogram of what was seen; bounds are those with the least squared error of rounding."""

    histogram: Any

    def __init__(
        self,
        bins: int = 2048,
        dtype: Any = dtypes.quint8,
        qscheme: Any = per_tensor_affine,
        **kwargs: Any,
    ):
        if qscheme not in (per_tensor_affine, per_tensor_symmetric):
            raise NotImplementedError(
                f"HistogramObserver: {qscheme!r} was given; per_tensor_affine or "
                "per_tensor_symmetric is needed"
            )
        if kwargs.get("is_dynamic"):
            raise NotImplementedError("HistogramObserver doesn't support dynamic quantization")
        super().__init__(dtype, qscheme, **kwargs)
        self.bins = bins
        self.register_buffer("histogram", zeros(bins))
        self.register_buffer("min_val", tensor(float("inf")))
        self.register_buffer("max_val", tensor(float("-inf")))

    def forward(self, x_orig: Any) -> Any:
        x = _values(x_orig)
        finite = np.isfinite(x)
        if not finite.all():
            if np.isnan(x).any():
                raise RuntimeError("HistogramObserver: NaN was given; numbers are needed")
            warnings.warn("torch.inf detected in input tensor, ignoring input", stacklevel=2)
            x = x[finite]
        if not x.size:
            return x_orig
        old = self.min_val.numpy(), self.max_val.numpy()
        seen = x.min(), x.max()
        if np.isinf(old[0]):
            new, histogram = seen, histogram_of(x, self.bins, *seen)
        else:
            new = np.minimum(old[0], seen[0]), np.maximum(old[1], seen[1])
            histogram = histogram_of(x, self.bins, *new)
            histogram = histogram + moved_histogram(self.histogram.numpy(), old, new)
        self._set(*new)
        self.histogram = from_numpy(histogram.astype(np.float32))
        return x_orig

    def calculate_qparams(self) -> tuple[Any, Any]:
        """(scale, zero_point) for the bounds with the least error."""
        if not self.histogram.sum().item():
            return super().calculate_qparams()
        least, largest = self.min_val.numpy(), self.max_val.numpy()
        levels = {dtypes.qint32: 2**32}.get(self.dtype, 256)
        return self._grid(*search_bounds(self.histogram.numpy(), least, largest, levels))

    def reset_min_max_vals(self) -> None:
        """Forgets what was seen."""
        super().reset_min_max_vals()
        self.histogram = zeros(self.bins)


class PlaceholderObserver(ObserverBase):
    """Watches nothing and says which dtype is wanted: for quantizing while the model runs."""

    def __init__(
        self,
        dtype: Any = dtypes.float32,
        custom_op_name: str = "",
        quant_min: int | None = None,
        quant_max: int | None = None,
        qscheme: Any = None,
        eps: float | None = None,
        is_dynamic: bool = False,
        reduce_range: bool = False,
        **kwargs: Any,
    ):
        super().__init__(dtype, is_dynamic)
        self.qscheme = per_tensor_affine if qscheme is None else qscheme
        self.quant_min, self.quant_max, self.eps = quant_min, quant_max, eps
        self.reduce_range = reduce_range

    def forward(self, x: Any) -> Any:
        return x

    def calculate_qparams(self) -> Any:
        """RuntimeError: nothing was watched."""
        raise RuntimeError(
            "calculate_qparams should not be called for PlaceholderObserver; needed: an observer "
            "that watches values, such as MinMaxObserver"
        )


class NoopObserver(PlaceholderObserver):
    """Watches nothing."""


default_observer = MinMaxObserver.with_args(quant_min=0, quant_max=127)
default_placeholder_observer = PlaceholderObserver
default_debug_observer = NoopObserver
default_histogram_observer = HistogramObserver.with_args(quant_min=0, quant_max=127)
default_dynamic_quant_observer = PlaceholderObserver.with_args(
    dtype=dtypes.quint8, quant_min=0, quant_max=255, is_dynamic=True
)
default_weight_observer = MinMaxObserver.with_args(dtype=dtypes.qint8, qscheme=per_tensor_symmetric)
weight_observer_range_neg_127_to_127 = MinMaxObserver.with_args(
    dtype=dtypes.qint8, qscheme=per_tensor_symmetric, quant_min=-127, quant_max=127, eps=2**-12
)
default_per_channel_weight_observer = PerChannelMinMaxObserver.with_args(
    dtype=dtypes.qint8, qscheme=per_channel_symmetric
)
