"""`torch.ao.nn.intrinsic.quantized`: layers of integers with relu in the rounding of results."""

from __future__ import annotations

from ..quantized.layers import Conv1d, Conv2d, Linear

__all__ = ["ConvReLU1d", "ConvReLU2d", "LinearReLU"]


class LinearReLU(Linear):
    """Linear and relu."""

    relu = True


class ConvReLU1d(Conv1d):
    """Conv1d and relu."""

    relu = True

    def _get_name(self) -> str:
        return "QuantizedConvReLU1d"


class ConvReLU2d(Conv2d):
    """Conv2d and relu."""

    relu = True

    def _get_name(self) -> str:
        return "QuantizedConvReLU2d"
