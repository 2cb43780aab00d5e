"""Linear and convolution with fake quantized weights."""

from __future__ import annotations

from typing import Any

from .... import nn
from ....nn import functional as F

__all__ = ["Conv1d", "Conv2d", "Linear"]


def need_qconfig(cls: type, mod: Any) -> Any:
    """The module's qconfig. AssertionError where there is none."""
    qconfig = getattr(mod, "qconfig", None)
    if not qconfig:
        raise AssertionError(f"{cls.__name__}: the module needs a qconfig (QConfig)")
    return qconfig


def adopt(new: Any, mod: Any) -> Any:
    """Gives a new layer the parameters and the mode of one that it takes the place of."""
    new.weight, new.bias = mod.weight, mod.bias
    return new.train(mod.training)


class Linear(nn.Linear):
    """`nn.Linear` whose weight goes through `weight_fake_quant`; its result is observed outside."""

    _FLOAT_MODULE = nn.Linear

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, qconfig: Any = None,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(in_features, out_features, bias, device, dtype)
        if not qconfig:
            raise AssertionError("qconfig must be provided for QAT module")
        self.qconfig = qconfig
        self.weight_fake_quant = qconfig.weight()

    def forward(self, input: Any) -> Any:
        return F.linear(input, self.weight_fake_quant(self.weight), self.bias)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """Takes over the parameters of a module that has a `qconfig`."""
        qconfig = need_qconfig(cls, mod)
        layer = mod[0] if isinstance(mod, nn.Sequential) else mod
        size = layer.in_features, layer.out_features
        return adopt(cls(*size, layer.bias is not None, qconfig), layer)

    def to_float(self) -> Any:
        """The `nn.Linear` with the same parameters."""
        return adopt(nn.Linear(self.in_features, self.out_features, self.bias is not None), self)


def conv_arguments(layer: Any) -> tuple:
    """What makes a convolution like this one."""
    return (
        layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
        layer.dilation, layer.groups, layer.bias is not None, layer.padding_mode,
    )  # fmt: skip


class _ConvMixin:
    """A convolution whose weight goes through `weight_fake_quant`."""

    _FLOAT_MODULE: Any

    def __init__(self, *args: Any, qconfig: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not qconfig:
            raise AssertionError("qconfig must be provided for QAT module")
        self.qconfig: Any = qconfig
        self.weight_fake_quant = qconfig.weight()

    def forward(self, input: Any) -> Any:
        me: Any = self
        return me._conv_forward(input, self.weight_fake_quant(me.weight), me.bias)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """Takes over the parameters of a module that has a `qconfig`."""
        qconfig = need_qconfig(cls, mod)
        layer = mod[0] if isinstance(mod, nn.Sequential) else mod
        return adopt(cls(*conv_arguments(layer), qconfig=qconfig), layer)

    def to_float(self) -> Any:
        """The plain convolution with the same parameters."""
        return adopt(self._FLOAT_MODULE(*conv_arguments(self)), self)


class Conv1d(_ConvMixin, nn.Conv1d):
    """`nn.Conv1d` with a fake quantized weight."""

    _FLOAT_MODULE = nn.Conv1d


class Conv2d(_ConvMixin, nn.Conv2d):
    """`nn.Conv2d` with a fake quantized weight."""

    _FLOAT_MODULE = nn.Conv2d
