"""Fake quantization: values on the grid that they will have, gradients as if they were not rounded.

Jacob et al. 2018 ("Quantization and training of neural networks for efficient integer-arithmetic-
only inference"); where a value was clamped its gradient is 0.
"""

from __future__ import annotations

import functools
from typing import Any

from ... import dtypes, nn, ops
from ...creation import tensor, zeros
from ...quantized.tensor import per_channel_symmetric, per_tensor_symmetric
from .observer import (
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PartialArguments,
    PerChannelMinMaxObserver,
)

__all__ = [
    "FakeQuantize",
    "FakeQuantizeBase",
    "FusedMovingAvgObsFakeQuantize",
    "default_fake_quant",
    "default_fused_act_fake_quant",
    "default_fused_per_channel_wt_fake_quant",
    "default_fused_wt_fake_quant",
    "default_per_channel_weight_fake_quant",
    "default_weight_fake_quant",
    "disable_fake_quant",
    "disable_observer",
    "enable_fake_quant",
    "enable_observer",
]


class FakeQuantizeBase(nn.Module):
    """Two switches, kept with the state: whether to round, and whether to observe."""

    fake_quant_enabled: Any
    observer_enabled: Any

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fake_quant_enabled", tensor([1], dtype=dtypes.uint8))
        self.register_buffer("observer_enabled", tensor([1], dtype=dtypes.uint8))

    def enable_fake_quant(self, enabled: bool = True) -> None:
        """Rounds from now on, or (False) lets values pass."""
        self.fake_quant_enabled[0] = int(enabled)

    def disable_fake_quant(self) -> None:
        """Lets values pass from now on."""
        self.enable_fake_quant(False)

    def enable_observer(self, enabled: bool = True) -> None:
        """Fits the grid to what goes by from now on, or (False) keeps it."""
        self.observer_enabled[0] = int(enabled)

    def disable_observer(self) -> None:
        """Keeps the grid as it is."""
        self.enable_observer(False)

    @classmethod
    def with_args(cls, **kwargs: Any) -> PartialArguments:
        """A function that makes such modules with these arguments."""
        return PartialArguments(functools.partial(cls, **kwargs))


class FakeQuantize(FakeQuantizeBase):
    """Rounds to the grid that `observer` chooses; other arguments are the observer's.

    `scale` and `zero_point` are buffers, one number or one for each channel; the observer is
    `activation_post_process`.
    """

    scale: Any
    zero_point: Any

    def __init__(
        self,
        observer: Any = MovingAverageMinMaxObserver,
        quant_min: int | None = None,
        quant_max: int | None = None,
        is_dynamic: bool = False,
        **observer_kwargs: Any,
    ):
        super().__init__()
        if is_dynamic:
            raise NotImplementedError("FakeQuantize: is_dynamic=True is not in minigrad")
        if quant_min is not None and quant_max is not None:
            observer_kwargs.update(quant_min=quant_min, quant_max=quant_max)
        self.activation_post_process = observer(**observer_kwargs)
        seen = self.activation_post_process
        self.quant_min, self.quant_max = seen.quant_min, seen.quant_max
        self.dtype, self.qscheme = seen.dtype, seen.qscheme
        self.ch_axis = getattr(seen, "ch_axis", -1)
        self.is_per_channel = isinstance(seen, PerChannelMinMaxObserver)
        self.register_buffer("scale", tensor([1.0]))
        self.register_buffer("zero_point", tensor([0], dtype=dtypes.int32))

    def calculate_qparams(self) -> tuple[Any, Any]:
        """The observer's (scale, zero_point)."""
        return self.activation_post_process.calculate_qparams()

    def forward(self, X: Any) -> Any:
        if self.observer_enabled[0] == 1:
            self.activation_post_process(X.detach())
            scale, zero_point = self.calculate_qparams()
            self.scale, self.zero_point = scale, zero_point.to(dtypes.int32)
        if self.fake_quant_enabled[0] == 1:
            bounds = self.quant_min, self.quant_max
            if self.is_per_channel:
                return ops.fake_quantize_per_channel_affine(
                    X, self.scale, self.zero_point, self.ch_axis, *bounds
                )
            return ops.fake_quantize_per_tensor_affine(X, self.scale, self.zero_point, *bounds)
        return X

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        """The number of channels is the saved one's."""
        for name in ("scale", "zero_point"):
            if prefix + name in state_dict:
                saved = state_dict[prefix + name]
                setattr(self, name, zeros(saved.shape, dtype=getattr(self, name).dtype))
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        return (
            f"fake_quant_enabled={self.fake_quant_enabled}, "
            f"observer_enabled={self.observer_enabled}, quant_min={self.quant_min}, "
            f"quant_max={self.quant_max}, dtype={self.dtype!r}, qscheme={self.qscheme!r}, "
            f"ch_axis={self.ch_axis}, scale={self.scale}, zero_point={self.zero_point}"
        )


class FusedMovingAvgObsFakeQuantize(FakeQuantize):
    """`FakeQuantize` with a moving average, under the name that PyTorch's one-kernel form has."""

    def __init__(self, observer: Any = MovingAverageMinMaxObserver, **kwargs: Any):
        kinds = (MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver)
        if observer not in kinds:
            raise ValueError(
                "Fused observer+fake_quant module only works with MovingAverageMinMaxObserver and "
                f"MovingAveragePerChannelMinMaxObserver; given {observer}"
            )
        super().__init__(observer, **kwargs)


_SYMMETRIC: dict[str, Any] = {"dtype": dtypes.qint8, "qscheme": per_tensor_symmetric}
_BY_CHANNEL: dict[str, Any] = {"dtype": dtypes.qint8, "qscheme": per_channel_symmetric}
_BYTES: dict[str, Any] = {"quant_min": 0, "quant_max": 255}
_SIGNED: dict[str, Any] = {"quant_min": -128, "quant_max": 127}

default_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, **_BYTES, dtype=dtypes.quint8, reduce_range=True
)
default_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, **_SIGNED, **_SYMMETRIC, reduce_range=False
)
default_per_channel_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver, **_SIGNED, **_BY_CHANNEL, reduce_range=False,
    ch_axis=0,
)  # fmt: skip
default_fused_act_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, **_BYTES, dtype=dtypes.quint8
)
default_fused_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, **_SIGNED, **_SYMMETRIC
)
default_fused_per_channel_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver, **_SIGNED, **_BY_CHANNEL
)


def disable_fake_quant(mod: Any) -> None:
    """For `model.apply`: values pass from now on."""
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_fake_quant()


def enable_fake_quant(mod: Any) -> None:
    """For `model.apply`: values are rounded from now on."""
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_fake_quant()


def disable_observer(mod: Any) -> None:
    """For `model.apply`: grids stay as they are."""
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_observer()


def enable_observer(mod: Any) -> None:
    """For `model.apply`: grids are fitted to what goes by."""
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_observer()
