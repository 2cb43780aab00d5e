"""MobileNetV2 (Sandler et al. 2018)."""

from __future__ import annotations

from typing import Any

from ... import nn, ops
from ._blocks import Conv2dNormActivation, make_divisible
from ._common import initialise, no_weights, takes_pretrained

# Expansion, channels, blocks and stride of each stage.
_STAGES = [
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
]  # fmt: skip


class InvertedResidual(nn.Module):
    """Widens, convolves each channel for itself, narrows; carries the input where sizes allow."""

    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: int, norm_layer: Any = None):
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        norm_layer = norm_layer or nn.BatchNorm2d
        hidden = round(inp * expand_ratio)
        layers: list[Any] = []
        if expand_ratio != 1:
            layers.append(Conv2dNormActivation(inp, hidden, 1, 1, 1, norm_layer, nn.ReLU6))
        layers += [
            Conv2dNormActivation(hidden, hidden, 3, stride, hidden, norm_layer, nn.ReLU6),
            nn.Conv2d(hidden, oup, 1, 1, 0, bias=False),
            norm_layer(oup),
        ]
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        self.conv = nn.Sequential(*layers)
        self.out_channels = oup

    def forward(self, x: Any) -> Any:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Inverted residual blocks between two convolutions, and a linear layer."""

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Any = None,
        round_nearest: int = 8,
        block: Any = None,
        norm_layer: Any = None,
        dropout: float = 0.2,
    ):
        super().__init__()
        block, norm_layer = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        stages = _STAGES if inverted_residual_setting is None else inverted_residual_setting
        if not stages or len(stages[0]) != 4:
            raise ValueError(
                "inverted_residual_setting should be non-empty or a 4-element list, got "
                f"{inverted_residual_setting}"
            )
        channels = make_divisible(32 * width_mult, round_nearest)
        self.last_channel = make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[Any] = [Conv2dNormActivation(3, channels, 3, 2, 1, norm_layer, nn.ReLU6)]
        for expansion, width, count, stride in stages:
            out = make_divisible(width * width_mult, round_nearest)
            for i in range(count):
                step = stride if i == 0 else 1
                features.append(block(channels, out, step, expansion, norm_layer))
                channels = out
        features.append(
            Conv2dNormActivation(channels, self.last_channel, 1, 1, 1, norm_layer, nn.ReLU6)
        )
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes)
        )
        initialise(self)

    def forward(self, x: Any) -> Any:
        x = ops.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(ops.flatten(x, 1))


@takes_pretrained
def mobilenet_v2(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> MobileNetV2:
    """MobileNetV2. ValueError if trained weights are asked for."""
    no_weights("mobilenet_v2", weights)
    return MobileNetV2(**kwargs)
