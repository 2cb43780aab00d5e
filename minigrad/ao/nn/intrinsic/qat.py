"""`torch.ao.nn.intrinsic.qat`: fused layers that train with quantized weights.

A batch norm behind a convolution is trained as one that is folded into it: the weight is scaled by
the running deviation, quantized, and the result scaled back before the norm sees it (Krishnamoorthi
2018, "Quantizing deep convolutional networks for efficient inference", 3.2.2).
"""

from __future__ import annotations

from typing import Any

from .... import nn
from ....nn.utils.fusion import fuse_conv_bn_weights
from ..qat.layers import Conv1d, Conv2d, Linear, adopt, conv_arguments, need_qconfig
from . import fused

__all__ = [
    "ConvBn1d",
    "ConvBn2d",
    "ConvBnReLU1d",
    "ConvBnReLU2d",
    "ConvReLU1d",
    "ConvReLU2d",
    "LinearReLU",
    "freeze_bn_stats",
    "update_bn_stats",
]


class LinearReLU(Linear):
    """Linear with a fake quantized weight, then relu."""

    _FLOAT_MODULE: Any = fused.LinearReLU

    def forward(self, input: Any) -> Any:
        return super().forward(input).relu()

    def to_float(self) -> Any:
        """The container of plain layers."""
        return fused.LinearReLU(super().to_float(), nn.ReLU())


class ConvReLU1d(Conv1d):
    """Conv1d with a fake quantized weight, then relu."""

    def forward(self, input: Any) -> Any:
        return super().forward(input).relu()

    def to_float(self) -> Any:
        """The container of plain layers."""
        return fused.ConvReLU1d(super().to_float(), nn.ReLU())


class ConvReLU2d(Conv2d):
    """Conv2d with a fake quantized weight, then relu."""

    def forward(self, input: Any) -> Any:
        return super().forward(input).relu()

    def to_float(self) -> Any:
        """The container of plain layers."""
        return fused.ConvReLU2d(super().to_float(), nn.ReLU())


class _ConvBn:
    """A convolution and its batch norm `bn`; `relu` says whether one follows."""

    relu = False
    bn: Any

    def forward(self, input: Any) -> Any:
        me: Any = self
        deviation = (self.bn.running_var + self.bn.eps).sqrt()
        factor = self.bn.weight / deviation
        across = [1] * me.weight.ndim
        across[0] = -1
        weight = me.weight_fake_quant(me.weight * factor.reshape(across))
        across = [1] * me.weight.ndim
        across[1] = -1
        y = me._conv_forward(input, weight, None) / factor.reshape(across)
        if me.bias is not None:
            y = y + me.bias.reshape(across)
        y = self.bn(y)
        return y.relu() if self.relu else y

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """Takes over convolution and norm of a container that has a `qconfig`."""
        qconfig = need_qconfig(cls, mod)
        if mod[1].weight is None or mod[1].running_var is None:
            raise NotImplementedError(
                f"{cls.__name__}: a batch norm with weights and running statistics is needed"
            )
        made: Any = cls
        new = adopt(made(*conv_arguments(mod[0]), qconfig=qconfig), mod[0])
        new.bn = mod[1]
        return new.train(mod.training)

    def to_float(self) -> Any:
        """The convolution with the norm folded in, in a container if relu follows."""
        me: Any = self
        arguments = list(conv_arguments(me))
        arguments[7] = True
        conv = me._FLOAT_MODULE(*arguments)
        bn = self.bn
        conv.weight, conv.bias = fuse_conv_bn_weights(
            me.weight, me.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
        )
        return conv.train(me.training)

    def update_bn_stats(self) -> Any:
        """Statistics of the norm follow the batches while training."""
        self.bn.training = True
        return self

    def freeze_bn_stats(self) -> Any:
        """The norm uses its running statistics from now on, also while training."""
        self.bn.training = False
        return self


class ConvBn1d(_ConvBn, Conv1d):
    """Conv1d and BatchNorm1d with the weight that they will have."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bn = nn.BatchNorm1d(self.out_channels)


class ConvBn2d(_ConvBn, Conv2d):
    """Conv2d and BatchNorm2d with the weight that they will have."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bn = nn.BatchNorm2d(self.out_channels)


class ConvBnReLU1d(ConvBn1d):
    """Conv1d, BatchNorm1d and relu."""

    relu = True


class ConvBnReLU2d(ConvBn2d):
    """Conv2d, BatchNorm2d and relu."""

    relu = True


def update_bn_stats(mod: Any) -> None:
    """For `model.apply`: statistics of folded norms follow the batches."""
    if isinstance(mod, _ConvBn):
        mod.update_bn_stats()


def freeze_bn_stats(mod: Any) -> None:
    """For `model.apply`: folded norms keep their statistics."""
    if isinstance(mod, _ConvBn):
        mod.freeze_bn_stats()
