"""MobileNetV3 (Howard et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ... import nn, ops
from ._blocks import Conv2dNormActivation, SqueezeExcitation, make_divisible
from ._common import initialise, no_weights, takes_pretrained

# Kernel, expanded and resulting channels, squeeze and excitation, hard swish, stride, of each block
# (tables 1 and 2 of the paper), and the channels before the classes.
_LARGE = [
    (3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1), (5, 72, 40, 1, 0, 2),
    (5, 120, 40, 1, 0, 1), (5, 120, 40, 1, 0, 1), (3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1),
    (3, 184, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1), (3, 480, 112, 1, 1, 1), (3, 672, 112, 1, 1, 1),
    (5, 672, 160, 1, 1, 2), (5, 960, 160, 1, 1, 1), (5, 960, 160, 1, 1, 1),
]  # fmt: skip
_SMALL = [
    (3, 16, 16, 1, 0, 2), (3, 72, 24, 0, 0, 2), (3, 88, 24, 0, 0, 1), (5, 96, 40, 1, 1, 2),
    (5, 240, 40, 1, 1, 1), (5, 240, 40, 1, 1, 1), (5, 120, 48, 1, 1, 1), (5, 144, 48, 1, 1, 1),
    (5, 288, 96, 1, 1, 2), (5, 576, 96, 1, 1, 1), (5, 576, 96, 1, 1, 1),
]  # fmt: skip


class InvertedResidualConfig:
    """One block: its sizes, scaled by `width_mult`; `activation`: "RE" (ReLU) or "HS"."""

    def __init__(
        self,
        input_channels: int,
        kernel: int,
        expanded_channels: int,
        out_channels: int,
        use_se: bool,
        activation: str,
        stride: int,
        dilation: int,
        width_mult: float,
    ):
        self.input_channels = self.adjust_channels(input_channels, width_mult)
        self.expanded_channels = self.adjust_channels(expanded_channels, width_mult)
        self.out_channels = self.adjust_channels(out_channels, width_mult)
        self.kernel, self.use_se, self.use_hs = kernel, use_se, activation == "HS"
        self.stride, self.dilation = stride, dilation

    @staticmethod
    def adjust_channels(channels: int, width_mult: float) -> int:
        """The nearest multiple of 8."""
        return make_divisible(channels * width_mult, 8)


class InvertedResidual(nn.Module):
    """Widens, convolves each channel for itself, weighs channels, narrows."""

    def __init__(self, cnf: InvertedResidualConfig, norm_layer: Any, se_layer: Any = None):
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ValueError("illegal stride value")
        se_layer = se_layer or partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid)
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        wide = cnf.expanded_channels
        kind: Any = nn.Hardswish if cnf.use_hs else nn.ReLU
        layers: list[Any] = []
        if wide != cnf.input_channels:
            layers.append(Conv2dNormActivation(cnf.input_channels, wide, 1, 1, 1, norm_layer, kind))
        stride = 1 if cnf.dilation > 1 else cnf.stride
        layers.append(
            Conv2dNormActivation(
                wide, wide, cnf.kernel, stride, wide, norm_layer, kind, cnf.dilation
            )
        )
        if cnf.use_se:
            layers.append(se_layer(wide, make_divisible(wide // 4, 8)))
        layers.append(Conv2dNormActivation(wide, cnf.out_channels, 1, 1, 1, norm_layer, None))
        self.block = nn.Sequential(*layers)
        self.out_channels = cnf.out_channels

    def forward(self, input: Any) -> Any:
        return self.block(input) + input if self.use_res_connect else self.block(input)


class MobileNetV3(nn.Module):
    """Inverted residual blocks between two convolutions, and two linear layers."""

    def __init__(
        self,
        inverted_residual_setting: Sequence[InvertedResidualConfig],
        last_channel: int,
        num_classes: int = 1000,
        block: Any = None,
        norm_layer: Any = None,
        dropout: float = 0.2,
    ):
        super().__init__()
        if not inverted_residual_setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        block = block or InvertedResidual
        norm_layer = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        first = inverted_residual_setting[0].input_channels
        last = inverted_residual_setting[-1].out_channels
        self.features = nn.Sequential(
            Conv2dNormActivation(3, first, 3, 2, 1, norm_layer, nn.Hardswish),
            *(block(cnf, norm_layer) for cnf in inverted_residual_setting),
            Conv2dNormActivation(last, 6 * last, 1, 1, 1, norm_layer, nn.Hardswish),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * last, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )
        initialise(self, nonlinearity="leaky_relu")

    def forward(self, x: Any) -> Any:
        return self.classifier(ops.flatten(self.avgpool(self.features(x)), 1))


def _build(
    plan: list,
    last_channel: int,
    *,
    width_mult: float = 1.0,
    reduced_tail: bool = False,
    dilated: bool = False,
    **kwargs: Any,
) -> MobileNetV3:
    """`reduced_tail` halves the last channels, `dilated` dilates the last stage."""
    divisor, settings, before = 1 + reduced_tail, [], 16
    tail = len(plan) - 3
    for i, (kernel, wide, out, squeeze, swish, stride) in enumerate(plan):
        wide, out = wide // divisor if i > tail else wide, out // divisor if i >= tail else out
        kind, dilation = "HS" if swish else "RE", 1 + dilated if i >= tail else 1
        settings.append(
            InvertedResidualConfig(
                before, kernel, wide, out, bool(squeeze), kind, stride, dilation, width_mult
            )
        )
        before = out
    last = InvertedResidualConfig.adjust_channels(last_channel // divisor, width_mult)
    return MobileNetV3(settings, last, **kwargs)


@takes_pretrained
def mobilenet_v3_large(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> MobileNetV3:
    """MobileNetV3 large. ValueError if trained weights are asked for."""
    no_weights("mobilenet_v3_large", weights)
    return _build(_LARGE, 1280, **kwargs)


@takes_pretrained
def mobilenet_v3_small(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> MobileNetV3:
    """MobileNetV3 small. ValueError if trained weights are asked for."""
    no_weights("mobilenet_v3_small", weights)
    return _build(_SMALL, 1024, **kwargs)
