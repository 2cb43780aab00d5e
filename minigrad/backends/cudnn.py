"""cuDNN's switches: that of TF32 tells our convolutions, others are kept; there is no cuDNN."""

from __future__ import annotations

import sys
import types
from typing import Any

from ..kernels.precision import checked, precision
from ._flags import set_inside

enabled = True
benchmark = False
benchmark_limit: int | None = None
deterministic = False
fp32_precision = "none"


class _Cudnn(types.ModuleType):
    """This module, with a switch that kernels read."""

    @property
    def allow_tf32(self) -> bool:
        """Whether convolutions of float32 on a GPU may be rounded to TF32 on their way in."""
        return precision.conv_tf32

    @allow_tf32.setter
    def allow_tf32(self, value: bool) -> None:
        precision.conv = precision.rnn = "tf32" if value else "none"


class _Precision:
    """The precision of one kind of operation, by its name in `precision`."""

    def __init__(self, name: str):
        self._name = name

    @property
    def fp32_precision(self) -> str:
        """ "tf32", "ieee" or "none"."""
        return getattr(precision, self._name)

    @fp32_precision.setter
    def fp32_precision(self, value: str) -> None:
        setattr(precision, self._name, checked(value))


conv = _Precision("conv")
rnn = _Precision("rnn")
_module: Any = sys.modules[__name__]
_module.__class__ = _Cudnn


def is_available() -> bool:
    """Whether cuDNN can be used."""
    return False


def version() -> int | None:
    """cuDNN's version: None without it."""
    return None


def is_acceptable(tensor: Any) -> bool:
    """Whether cuDNN would take a tensor: never."""
    return False


def set_flags(
    _enabled: bool | None = None,
    _benchmark: bool | None = None,
    _benchmark_limit: int | None = None,
    _deterministic: bool | None = None,
    _allow_tf32: bool | None = None,
    _fp32_precision: str = "none",
) -> tuple:
    """Sets the flags that are given and returns what all were."""
    global enabled, benchmark, benchmark_limit, deterministic
    allowed = precision.conv_tf32
    before = (enabled, benchmark, benchmark_limit, deterministic, allowed, fp32_precision)
    enabled = enabled if _enabled is None else _enabled
    benchmark = benchmark if _benchmark is None else _benchmark
    benchmark_limit = benchmark_limit if _benchmark_limit is None else _benchmark_limit
    deterministic = deterministic if _deterministic is None else _deterministic
    _module.allow_tf32 = allowed if _allow_tf32 is None else _allow_tf32
    return before


def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> Any:
    """Sets flags inside a `with` block."""
    return set_inside(
        __name__,
        enabled=enabled,
        benchmark=benchmark,
        benchmark_limit=benchmark_limit,
        deterministic=deterministic,
        allow_tf32=allow_tf32,
        fp32_precision=fp32_precision,
    )
