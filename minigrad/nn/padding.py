"""Layers that pad."""

from __future__ import annotations

from typing import Any

from . import functional as F
from ._sizes import need_dims, ntuple
from .module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    ndim: int
    mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = ntuple(padding, 2 * self.ndim)

    def forward(self, input: Any) -> Any:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_Pad):
    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Any) -> Any:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Puts a value around the last dimension."""

    ndim = 1


class ConstantPad2d(_ConstantPadNd):
    """Puts a value around the last two dimensions."""

    ndim = 2


class ConstantPad3d(_ConstantPadNd):
    """Puts a value around the last three dimensions."""

    ndim = 3


class _ZeroPad(_ConstantPadNd):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Puts zeros around the last dimension."""

    ndim = 1


class ZeroPad2d(_ZeroPad):
    """Puts zeros around the last two dimensions."""

    ndim = 2


class ZeroPad3d(_ZeroPad):
    """Puts zeros around the last three dimensions."""

    ndim = 3


class _ReflectionPadNd(_Pad):
    mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """Mirrors the last dimension at its ends, which are not repeated."""

    ndim = 1


class ReflectionPad2d(_ReflectionPadNd):
    """Mirrors the last two dimensions at their ends, which are not repeated."""

    ndim = 2


class ReflectionPad3d(_ReflectionPadNd):
    """Mirrors the last three dimensions at their ends, which are not repeated."""

    ndim = 3


class _ReplicationPadNd(_Pad):
    mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """Repeats the ends of the last dimension."""

    ndim = 1


class ReplicationPad2d(_ReplicationPadNd):
    """Repeats the ends of the last two dimensions."""

    ndim = 2


class ReplicationPad3d(_ReplicationPadNd):
    """Repeats the ends of the last three dimensions."""

    ndim = 3


class _CircularPadNd(_Pad):
    mode = "circular"

    def forward(self, input: Any) -> Any:
        need_dims(input, (self.ndim + 1, self.ndim + 2))
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """Goes on with the other end of the last dimension."""

    ndim = 1


class CircularPad2d(_CircularPadNd):
    """Goes on with the other ends of the last two dimensions."""

    ndim = 2


class CircularPad3d(_CircularPadNd):
    """Goes on with the other ends of the last three dimensions."""

    ndim = 3
