"""EfficientNet (Tan and Le 2019): MobileNet's blocks, wider and deeper by one rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from ... import nn, ops
from ...nn import init
from ._blocks import Conv2dNormActivation, SqueezeExcitation, StochasticDepth, make_divisible
from ._common import initialise, no_weights, takes_pretrained


class MBConvConfig(NamedTuple):
    """One stage: what its blocks widen by, kernel, stride, channels and the number of blocks."""

    expand_ratio: float
    kernel: int
    stride: int
    input_channels: int
    out_channels: int
    num_layers: int


# Table 1 of the paper.
_STAGES = [
    MBConvConfig(1, 3, 1, 32, 16, 1), MBConvConfig(6, 3, 2, 16, 24, 2),
    MBConvConfig(6, 5, 2, 24, 40, 2), MBConvConfig(6, 3, 2, 40, 80, 3),
    MBConvConfig(6, 5, 1, 80, 112, 3), MBConvConfig(6, 5, 2, 112, 192, 4),
    MBConvConfig(6, 3, 1, 192, 320, 1),
]  # fmt: skip


class MBConv(nn.Module):
    """Widens, convolves each channel for itself, weighs channels, narrows."""

    def __init__(self, cnf: MBConvConfig, stochastic_depth_prob: float, norm_layer: Any):
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ValueError("illegal stride value")
        before, out = cnf.input_channels, cnf.out_channels
        self.use_res_connect = cnf.stride == 1 and before == out
        wide = make_divisible(before * cnf.expand_ratio, 8)
        both: Any = (norm_layer, nn.SiLU)
        layers: list[Any] = []
        if wide != before:
            layers.append(Conv2dNormActivation(before, wide, 1, 1, 1, *both))
        layers += [
            Conv2dNormActivation(wide, wide, cnf.kernel, cnf.stride, wide, *both),
            SqueezeExcitation(wide, max(1, before // 4), partial(nn.SiLU, inplace=True)),
            Conv2dNormActivation(wide, out, 1, 1, 1, norm_layer, None),
        ]
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.out_channels = out

    def forward(self, input: Any) -> Any:
        made = self.block(input)
        return self.stochastic_depth(made) + input if self.use_res_connect else made


class EfficientNet(nn.Module):
    """Stages of `MBConv` between two convolutions, and a linear layer."""

    def __init__(
        self,
        inverted_residual_setting: Sequence[MBConvConfig],
        dropout: float,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: Any = None,
        last_channel: int | None = None,
    ):
        super().__init__()
        if not inverted_residual_setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        norm_layer = norm_layer or nn.BatchNorm2d
        first = inverted_residual_setting[0].input_channels
        layers: list[Any] = [Conv2dNormActivation(3, first, 3, 2, 1, norm_layer, nn.SiLU)]
        total = sum(cnf.num_layers for cnf in inverted_residual_setting)
        count = 0
        for cnf in inverted_residual_setting:
            stage: list[Any] = []
            for _ in range(cnf.num_layers):
                # Blocks that stand deeper are dropped more often.
                stage.append(MBConv(cnf, stochastic_depth_prob * count / total, norm_layer))
                cnf = cnf._replace(input_channels=cnf.out_channels, stride=1)
                count += 1
            layers.append(nn.Sequential(*stage))
        last = inverted_residual_setting[-1].out_channels
        top = 4 * last if last_channel is None else last_channel
        layers.append(Conv2dNormActivation(last, top, 1, 1, 1, norm_layer, nn.SiLU))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(top, num_classes)
        )
        initialise(self, linear=False, nonlinearity="leaky_relu")
        bound = 1.0 / math.sqrt(num_classes)
        init.uniform_(self.classifier[1].weight, -bound, bound)
        init.zeros_(self.classifier[1].bias)

    def forward(self, x: Any) -> Any:
        return self.classifier(ops.flatten(self.avgpool(self.features(x)), 1))


def _builder(name: str, width: float, depth: float, drop: float, **norm: Any) -> Callable:
    def stage(cnf: MBConvConfig) -> MBConvConfig:
        return cnf._replace(
            input_channels=make_divisible(cnf.input_channels * width, 8),
            out_channels=make_divisible(cnf.out_channels * width, 8),
            num_layers=math.ceil(cnf.num_layers * depth),
        )

    def build(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
        no_weights(name, weights)
        options: dict[str, Any] = {"dropout": drop, **kwargs}
        if norm:
            options.setdefault("norm_layer", partial(nn.BatchNorm2d, **norm))
        return EfficientNet([stage(cnf) for cnf in _STAGES], **options)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"{name}: `EfficientNet` {width} times as wide and {depth} times as deep."
    return takes_pretrained(build)


efficientnet_b0 = _builder("efficientnet_b0", 1.0, 1.0, 0.2)
efficientnet_b1 = _builder("efficientnet_b1", 1.0, 1.1, 0.2)
efficientnet_b2 = _builder("efficientnet_b2", 1.1, 1.2, 0.3)
efficientnet_b3 = _builder("efficientnet_b3", 1.2, 1.4, 0.3)
efficientnet_b4 = _builder("efficientnet_b4", 1.4, 1.8, 0.4)
efficientnet_b5 = _builder("efficientnet_b5", 1.6, 2.2, 0.4, eps=0.001, momentum=0.01)
efficientnet_b6 = _builder("efficientnet_b6", 1.8, 2.6, 0.5, eps=0.001, momentum=0.01)
efficientnet_b7 = _builder("efficientnet_b7", 2.0, 3.1, 0.5, eps=0.001, momentum=0.01)
