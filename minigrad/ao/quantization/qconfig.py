"""Choices of observers for a layer's results and its weights."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from .fake_quantize import (
    FusedMovingAvgObsFakeQuantize,
    default_fake_quant,
    default_fused_per_channel_wt_fake_quant,
    default_fused_wt_fake_quant,
    default_weight_fake_quant,
)
from .observer import (
    HistogramObserver,
    MovingAverageMinMaxObserver,
    default_dynamic_quant_observer,
    default_observer,
    default_per_channel_weight_observer,
    default_weight_observer,
)

__all__ = [
    "QConfig",
    "default_dynamic_qconfig",
    "default_per_channel_qconfig",
    "default_qat_qconfig",
    "default_qconfig",
    "get_default_qat_qconfig",
    "get_default_qconfig",
    "per_channel_dynamic_qconfig",
]

_BACKENDS = ("fbgemm", "x86", "qnnpack", "onednn")


class QConfig(namedtuple("QConfig", ["activation", "weight"])):
    """Makers of a layer's observers: `QConfig(MinMaxObserver, default_weight_observer)`."""

    __slots__ = ()

    def __new__(cls, activation: Any, weight: Any) -> Any:
        for made in (activation, weight):
            if hasattr(made, "forward") and not isinstance(made, type):
                raise ValueError(
                    "QConfig received observer instance, please pass observer class instead. "
                    "Use MyObserver.with_args(x=1) to override arguments to constructor if needed"
                )
        return super().__new__(cls, activation, weight)


default_qconfig = QConfig(default_observer, default_weight_observer)
default_per_channel_qconfig = QConfig(default_observer, default_per_channel_weight_observer)
default_dynamic_qconfig = QConfig(default_dynamic_quant_observer, default_weight_observer)
per_channel_dynamic_qconfig = QConfig(
    default_dynamic_quant_observer, default_per_channel_weight_observer
)
default_qat_qconfig = QConfig(default_fake_quant, default_weight_fake_quant)


def _need(backend: str) -> None:
    if backend not in _BACKENDS:
        raise AssertionError(
            f"backend: {backend} not supported. backend must be one of {_BACKENDS}"
        )


def get_default_qconfig(backend: str = "x86", version: int = 0) -> QConfig:
    """Histograms for results, extremes by channel for weights; as PyTorch's for its backends.

    "x86" and "fbgemm" leave out one bit of the results, which minigrad's kernels do not need:
    "onednn" uses all eight.
    """
    _need(backend)
    reduced = backend in ("fbgemm", "x86")
    weight = (
        default_weight_observer if backend == "qnnpack" else default_per_channel_weight_observer
    )
    return QConfig(HistogramObserver.with_args(reduce_range=reduced), weight)


def get_default_qat_qconfig(backend: str = "x86", version: int = 1) -> QConfig:
    """Fake quantization by moving averages, as PyTorch's for its backends."""
    _need(backend)
    reduced = {"reduce_range": True} if backend in ("fbgemm", "x86") else {}
    if backend == "qnnpack":
        reduced = {"reduce_range": False}
    activation = FusedMovingAvgObsFakeQuantize.with_args(
        observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=255, **reduced
    )
    weight = default_fused_wt_fake_quant if backend == "qnnpack" else (
        default_fused_per_channel_wt_fake_quant)  # fmt: skip
    return QConfig(activation, weight)
