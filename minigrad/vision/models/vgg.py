"""VGG networks (Simonyan and Zisserman 2015), with and without batch norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import nn, ops
from ._common import initialise, no_weights, takes_pretrained

# Channels of the convolutions; "M" stands for a pool.
_PLANS: dict[int, list] = {
    11: [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    13: [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    16: [
        64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M",
    ],
    19: [
        64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M",
    ],
}  # fmt: skip


class VGG(nn.Module):
    """Features, a pool to 7 x 7 and three linear layers; images (N, 3, H, W)."""

    def __init__(
        self, features: Any, num_classes: int = 1000, init_weights: bool = True,
        dropout: float = 0.5,
    ):  # fmt: skip
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            initialise(self)

    def forward(self, x: Any) -> Any:
        x = ops.flatten(self.avgpool(self.features(x)), 1)
        return self.classifier(x)


def make_layers(plan: list, batch_norm: bool = False) -> Any:
    """The convolutions of a plan."""
    layers: list[Any] = []
    channels = 3
    for step in plan:
        if step == "M":
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(channels, step, kernel_size=3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(step))
        layers.append(nn.ReLU(inplace=True))
        channels = step
    return nn.Sequential(*layers)


def _builder(depth: int, batch_norm: bool) -> Callable[..., VGG]:
    name = f"vgg{depth}_bn" if batch_norm else f"vgg{depth}"

    def build(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
        no_weights(name, weights)
        return VGG(make_layers(_PLANS[depth], batch_norm), **kwargs)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"{name}: `VGG` of {depth} layers{' with batch norm' if batch_norm else ''}."
    return takes_pretrained(build)


vgg11, vgg11_bn = _builder(11, False), _builder(11, True)
vgg13, vgg13_bn = _builder(13, False), _builder(13, True)
vgg16, vgg16_bn = _builder(16, False), _builder(16, True)
vgg19, vgg19_bn = _builder(19, False), _builder(19, True)
