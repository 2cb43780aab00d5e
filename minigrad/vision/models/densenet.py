"""DenseNet (Huang et al. 2017): each layer sees all that came before it in its block."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from ... import nn, ops
from ...autograd.variable import Variable
from ...nn import init
from ...utils.checkpoint import checkpoint
from ._common import no_weights, takes_pretrained


class _DenseLayer(nn.Module):
    """A 1 x 1 and a 3 x 3 convolution of all features so far: `growth_rate` new ones."""

    def __init__(
        self,
        num_input_features: int,
        growth_rate: int,
        bn_size: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ):
        super().__init__()
        between = bn_size * growth_rate
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, between, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(between)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(between, growth_rate, kernel_size=3, padding=1, bias=False)
        self.drop_rate, self.memory_efficient = float(drop_rate), memory_efficient

    def bn_function(self, *inputs: Any) -> Any:
        """The features narrowed."""
        return self.conv1(self.relu1(self.norm1(ops.cat(inputs, 1))))

    def forward(self, input: Any) -> Any:
        features = [input] if isinstance(input, Variable) else input
        if self.memory_efficient and any(f.requires_grad for f in features):
            narrow = checkpoint(self.bn_function, *features, use_reentrant=False)
        else:
            narrow = self.bn_function(*features)
        made = self.conv2(self.relu2(self.norm2(narrow)))
        if self.drop_rate > 0:
            made = ops.dropout(made, p=self.drop_rate, training=self.training)
        return made


class _DenseBlock(nn.ModuleDict):
    """Layers whose results are joined to what they were given."""

    def __init__(self, count: int, channels: int, growth_rate: int, *rest: Any):
        super().__init__()
        for i in range(count):
            layer = _DenseLayer(channels + i * growth_rate, growth_rate, *rest)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, init_features: Any) -> Any:
        features = [init_features]
        for layer in self.values():
            features.append(layer(features))
        return ops.cat(features, 1)


class _Transition(nn.Sequential):
    """Fewer channels, half the size."""

    def __init__(self, num_input_features: int, num_output_features: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(num_input_features, num_output_features, kernel_size=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """Dense blocks with transitions between them; `memory_efficient` computes parts twice."""

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
    ):
        super().__init__()
        channels = num_init_features
        self.features = nn.Sequential(
            OrderedDict(
                conv0=nn.Conv2d(3, channels, kernel_size=7, stride=2, padding=3, bias=False),
                norm0=nn.BatchNorm2d(channels),
                relu0=nn.ReLU(inplace=True),
                pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            )
        )
        for i, count in enumerate(block_config):
            block = _DenseBlock(count, channels, growth_rate, bn_size, drop_rate, memory_efficient)
            self.features.add_module(f"denseblock{i + 1}", block)
            channels += count * growth_rate
            if i != len(block_config) - 1:
                self.features.add_module(f"transition{i + 1}", _Transition(channels, channels // 2))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                init.kaiming_normal_(m.weight)
            elif isinstance(m, nn.Linear):
                init.constant_(m.bias, 0)

    def forward(self, x: Any) -> Any:
        x = ops.adaptive_avg_pool2d(self.features(x).relu_(), (1, 1))
        return self.classifier(ops.flatten(x, 1))


def _builder(
    name: str, growth_rate: int, block_config: tuple[int, ...], features: int
) -> Callable[..., DenseNet]:
    def build(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> DenseNet:
        no_weights(name, weights)
        return DenseNet(growth_rate, block_config, features, **kwargs)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"{name}: `DenseNet` with blocks of {block_config} layers."
    return takes_pretrained(build)


densenet121 = _builder("densenet121", 32, (6, 12, 24, 16), 64)
densenet161 = _builder("densenet161", 48, (6, 12, 36, 24), 96)
densenet169 = _builder("densenet169", 32, (6, 12, 32, 32), 64)
densenet201 = _builder("densenet201", 32, (6, 12, 48, 32), 64)
