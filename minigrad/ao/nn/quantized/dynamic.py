"""`torch.ao.nn.quantized.dynamic`: layers from float32 to float32 whose inputs are quantized in
passing, by their range.

`rows=True` gives each row of a linear layer's input a range of its own: a sample's result does not
depend on the batch around it, and an outlier costs its own row's precision only.
"""

from __future__ import annotations

from typing import Any

from .... import nn
from ....dtypes import qint8
from ....quantized import functional as Q
from .layers import _Conv, float_parts
from .weights import Weighted, quantized_weight

__all__ = ["Conv1d", "Conv2d", "Linear"]


class Linear(Weighted):
    """x (..., in) to (..., out), float32. `reduce_range` (PyTorch's default) leaves out a bit."""

    reduce_range, rows = True, False

    def __init__(
        self, in_features: int, out_features: int, bias_: bool = True, dtype: Any = qint8
    ) -> None:
        super().__init__()
        if dtype is not qint8:
            raise NotImplementedError(f"Linear: weights of {dtype!r} were asked for; needed: qint8")
        self.in_features, self.out_features = in_features, out_features
        self._set_up((out_features, in_features), bias_)

    def forward(self, x: Any) -> Any:
        y = Q.linear_dynamic(x, self.packed(), self.reduce_range, self.rows)
        return y if y.dtype is x.dtype else y.to(x.dtype)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """Of a layer with a `qconfig`; its weight's observer chooses the grid."""
        layer, observer, _ = float_parts(mod)
        new = cls(layer.in_features, layer.out_features, layer.bias is not None)
        new.set_weight_bias(quantized_weight(layer.weight, observer), layer.bias)
        return new.train(mod.training)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"dtype={qint8!r}, qscheme={self.weight().qscheme()!r}"
        )

    def _get_name(self) -> str:
        return "DynamicQuantizedLinear"


class _DynamicConv(_Conv):
    """Convolutions of float32, whose input has one range."""

    reduce_range = True
    scale, zero_point = 1.0, 0

    def forward(self, x: Any) -> Any:
        y = Q.conv_dynamic(x, self.packed(), self.reduce_range)
        return y if y.dtype is x.dtype else y.to(x.dtype)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """Of a layer with a `qconfig`; its weight's observer chooses the grid."""
        layer, observer, _ = float_parts(mod)
        new: Any = cls.__new__(cls)
        nn.Module.__init__(new)
        new._take(layer)
        new.set_weight_bias(quantized_weight(layer.weight, observer), layer.bias)
        return new.train(mod.training)

    def _get_name(self) -> str:
        return f"DynamicQuantized{self._float.__name__}"


class Conv1d(_DynamicConv):
    """(N, C, L) float32."""

    _float = nn.Conv1d


class Conv2d(_DynamicConv):
    """(N, C, H, W) float32; results lie with channels last."""

    _float = nn.Conv2d
