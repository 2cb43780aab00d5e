"""Layers from quint8 to quint8 with weights of int8, and the ways in and out."""

from __future__ import annotations

from typing import Any

from .... import nn
from ....dtypes import qint8, quint8
from ....quantized import functional as Q
from ....quantized.tensor import dequantize, quantize_per_tensor
from .weights import ConvShape, OnGrid, Weighted, quantized_weight

__all__ = ["Conv1d", "Conv2d", "DeQuantize", "Linear", "Quantize"]


def _grid_of(observer: Any) -> tuple[float, int]:
    """The (scale, zero_point) of a layer's results. ValueError where nothing watched them."""
    if observer is None or not hasattr(observer, "calculate_qparams"):
        raise ValueError(
            "the layer's results were not observed; needed: prepare(model), then batches through it"
        )
    if observer.dtype is not quint8:
        raise ValueError(f"results of {observer.dtype!r} were asked for; needed: quint8")
    scale, zero_point = observer.calculate_qparams()
    return float(scale), int(zero_point)


class Quantize(OnGrid):
    """Real numbers to integers on a grid."""

    def __init__(self, scale: Any, zero_point: Any, dtype: Any = quint8):
        super().__init__()
        self.scale, self.zero_point, self.dtype = float(scale), int(zero_point), dtype

    def forward(self, X: Any) -> Any:
        return quantize_per_tensor(X, self.scale, self.zero_point, self.dtype)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """Of a `QuantStub` whose input was observed."""
        return cls(*_grid_of(getattr(mod, "activation_post_process", None)))

    def extra_repr(self) -> str:
        return f"scale={self.scale}, zero_point={self.zero_point}, dtype={self.dtype!r}"


class DeQuantize(nn.Module):
    """Integers to the real numbers that they stand for."""

    def forward(self, Xq: Any) -> Any:
        return dequantize(Xq)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """Of a `DeQuantStub`."""
        return cls()


def float_parts(mod: Any) -> tuple[Any, Any, Any]:
    """(layer, what chose its weight's grid, what watched its results) of a module to convert.

    Training with fake quantization leaves the grid of the weight; else it is chosen here. A batch
    norm is folded in.
    """
    watched = getattr(mod, "activation_post_process", None)
    if hasattr(mod, "weight_fake_quant"):
        layer = mod.to_float()
        layer = layer[0] if isinstance(layer, nn.Sequential) else layer
        fake = mod.weight_fake_quant
        if getattr(mod, "bn", None) is not None:
            fake(layer.weight)  # the statistics may have moved since the last batch
        return layer, fake, watched
    layer = mod[0] if isinstance(mod, nn.Sequential) else mod
    if watched is None and layer is not mod:
        watched = getattr(layer, "activation_post_process", None)
    qconfig = getattr(mod, "qconfig", None) or getattr(layer, "qconfig", None)
    if qconfig is None:
        raise AssertionError(f"{type(mod).__name__}: a qconfig is needed (QConfig)")
    observer = qconfig.weight()
    observer(layer.weight.detach())
    return layer, observer, watched


class Linear(OnGrid, Weighted):
    """`torch.ao.nn.quantized.Linear`: x (..., in) quint8 to (..., out) on `scale`, `zero_point`.

    A layer whose `real` is set gives float32 instead of rounding its results.
    """

    relu = real = False

    def __init__(
        self, in_features: int, out_features: int, bias_: bool = True, dtype: Any = qint8
    ) -> None:
        super().__init__()
        if dtype is not qint8:
            raise NotImplementedError(f"Linear: weights of {dtype!r} were asked for; needed: qint8")
        self.in_features, self.out_features = in_features, out_features
        self.scale, self.zero_point = 1.0, 0
        self._set_up((out_features, in_features), bias_)

    def forward(self, x: Any) -> Any:
        return Q.linear(x, self.packed(), self.scale, self.zero_point, self.relu, self.real)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """Of a layer that was prepared and observed, also one trained with fake quantization."""
        layer, observer, watched = float_parts(mod)
        new = cls(layer.in_features, layer.out_features, layer.bias is not None)
        new.set_weight_bias(quantized_weight(layer.weight, observer), layer.bias)
        new.scale, new.zero_point = _grid_of(watched)
        return new.eval()

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"scale={self.scale}, zero_point={self.zero_point}, qscheme={self.weight().qscheme()!r}"
        )

    def _get_name(self) -> str:
        return "QuantizedLinear" + ("ReLU" if self.relu else "")


class _Conv(OnGrid, Weighted):
    """Convolutions; arguments are those of `nn.Conv1d` and `nn.Conv2d`. For `real` see `Linear`."""

    relu = real = False
    _float: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self._take(self._float(*args, **kwargs))

    def _take(self, layer: Any) -> None:
        n = len(layer.kernel_size)
        self.window = ConvShape(layer, n).window
        self.in_channels, self.out_channels = layer.in_channels, layer.out_channels
        self.kernel_size, self.stride = layer.kernel_size, layer.stride
        self.padding, self.dilation = layer.padding, layer.dilation
        self.groups, self.padding_mode = layer.groups, layer.padding_mode
        self.scale, self.zero_point = 1.0, 0
        self._set_up(tuple(layer.weight.shape), layer.bias is not None)

    def forward(self, x: Any) -> Any:
        return Q.conv(x, self.packed(), self.scale, self.zero_point, self.relu, self.real)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """Of a layer that was prepared and observed, also one trained with fake quantization."""
        layer, observer, watched = float_parts(mod)
        new: Any = cls.__new__(cls)
        nn.Module.__init__(new)
        new._take(layer)
        new.set_weight_bias(quantized_weight(layer.weight, observer), layer.bias)
        new.scale, new.zero_point = _grid_of(watched)
        return new.eval()

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        parts.append(f"stride={self.stride}, scale={self.scale}, zero_point={self.zero_point}")
        for name, usual in (("padding", 0), ("dilation", 1)):
            if set(getattr(self, name)) != {usual}:
                parts.append(f"{name}={getattr(self, name)}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias_values is None:
            parts.append("bias=False")
        return ", ".join(parts)

    def _get_name(self) -> str:
        return f"Quantized{self._float.__name__}"


class Conv1d(_Conv):
    """`torch.ao.nn.quantized.Conv1d`: (N, C, L) quint8."""

    _float = nn.Conv1d


class Conv2d(_Conv):
    """`torch.ao.nn.quantized.Conv2d`: (N, C, H, W) quint8; results lie with channels last."""

    _float = nn.Conv2d
