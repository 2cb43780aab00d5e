"""The memory order of convolutions' weights: accepted, and without effect."""

from __future__ import annotations

from typing import Any

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def convert_conv2d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """The module itself: the kernels read weights in one order, whatever is asked for."""
    return module


def convert_conv3d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """The module itself: the kernels read weights in one order, whatever is asked for."""
    return module
