"""Small networks of the kinds whose channels are traced."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F


class Residual(nn.Module):
    """Blocks around which the input is carried, a projection and an in-place sum."""

    def __init__(self, norm: Any = nn.BatchNorm2d) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.a = nn.Conv2d(8, 12, 3, padding=1, bias=False)
        self.norm = norm(12)
        self.b = nn.Conv2d(12, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 16, 1, stride=2)
        self.c = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.stem(x))
        x = x + self.b(F.relu(self.norm(self.a(x))))
        y = self.c(x)
        y += self.down(x)
        return self.head(F.silu(y).mean((2, 3)))


class Dense(nn.Module):
    """Concatenated features, split again, and a gate for each channel (squeeze and excite)."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(2, 6, 3, padding=1)
        self.b = nn.Conv2d(8, 10, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.c = nn.Conv2d(16, 8, 1)
        self.squeeze, self.excite = nn.Linear(8, 4), nn.Linear(4, 8)
        self.shuffle = nn.PixelShuffle(2)
        self.up = nn.Conv2d(8, 12, 1)
        self.head = nn.Conv2d(3, 4, 1)

    def forward(self, x: Any) -> Any:
        a = mg.relu(self.a(x))
        b = self.b(mg.cat([x, a], 1))
        y = self.c(F.gelu(self.norm(mg.cat((a, b), dim=1))))
        n, c, _, _ = y.size()
        gate = self.excite(mg.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1).view(n, c))))
        y = y * mg.sigmoid(gate).view(n, c, 1, 1)
        return self.head(self.shuffle(self.up(1 - y / 2))).flatten(1)


class Mobile(nn.Module):
    """Depthwise and grouped convolutions, shuffled channels, padding, flattened features."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Conv2d(3, 12, 1)
        self.depth = nn.Conv2d(12, 24, 3, padding=1, groups=12)
        self.act = nn.PReLU(24)
        self.grouped = nn.Conv2d(24, 16, 3, groups=4)
        self.back = nn.ConvTranspose2d(16, 12, 2, stride=2, groups=2)
        self.norm = nn.InstanceNorm2d(12, affine=True)
        self.scale = nn.Parameter(mg.rand(12, 1, 1))
        self.flat = nn.Linear(12 * 4 * 4, 20)
        self.head = nn.Linear(20, 3)

    def forward(self, x: Any) -> Any:
        x = self.act(self.depth(F.relu6(self.expand(x))))
        x = self.grouped(F.pad(x, (1, 1, 1, 1)))
        x = F.channel_shuffle(x, 2) if hasattr(F, "channel_shuffle") else x
        x = self.norm(self.back(x)) * self.scale
        x = F.max_pool2d(F.interpolate(x, scale_factor=0.5), 2)
        return self.head(mg.tanh(self.flat(x.reshape(x.shape[0], -1))))


class Fixed(nn.Module):
    """A size of the features that is written in the code, as in many first programs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1)
        self.fc1 = nn.Linear(8 * 4 * 4, 10)
        self.fc2 = nn.Linear(10, 3)

    def forward(self, x: Any) -> Any:
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return self.fc2(F.relu(self.fc1(x.view(-1, 8 * 4 * 4))))


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers with sigmoids, for which zero is not the value of a missing neuron."""
    layers: list = []
    for i, o in zip(sizes, sizes[1:]):
        layers += [nn.Linear(i, o), nn.Sigmoid()]
    return nn.Sequential(*layers[:-1])


def unsettle(model: Any) -> Any:
    """Gives norms weights, biases and statistics as after training."""
    with mg.no_grad():
        for module in model.modules():
            for name in ("weight", "bias", "running_mean", "running_var"):
                t = getattr(module, name, None)
                if t is not None and t.ndim == 1:
                    t.copy_(mg.rand(*t.shape) + 0.2)
    return model


class PreActivated(nn.Module):
    """Concatenations that grow, each normalised anew (DenseNet)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(8 + 4 * i) for i in range(4)])
        self.convs = nn.ModuleList([nn.Conv2d(8 + 4 * i, 4, 3, padding=1) for i in range(3)])
        self.head = nn.Linear(20, 3)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        for norm, conv in zip(self.norms, self.convs):
            x = mg.cat([x, conv(F.relu(norm(x)))], 1)
        return self.head(F.relu(self.norms[3](x)).mean((-1, -2)))


class UNet(nn.Module):
    """A path down and up again, with a connection across."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.norm = nn.GroupNorm(4, 16)
        self.up, self.c = nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(16, 8, 3, padding=1)
        self.out = nn.Conv2d(8, 2, 1)

    def forward(self, x: Any) -> Any:
        a = F.relu(self.a(x))
        b = F.relu(self.norm(self.b(F.max_pool2d(a, 2))))
        return self.out(F.leaky_relu(self.c(mg.cat([self.up(b), a], 1)), 0.1))


class Gated(nn.Module):
    """Products of two branches, glu, a scale of its own, where, flips and stacks."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(6, 20), nn.Linear(6, 20), nn.Linear(20, 8)
        self.both, self.mix = nn.Linear(8, 24), nn.Linear(12, 8)
        self.scale = nn.Parameter(mg.rand(12))
        self.head = nn.Linear(16, 2)

    def forward(self, x: Any) -> Any:
        x = self.down(F.silu(self.gate(x)) * self.up(x))
        y = F.glu(self.both(x)) * self.scale
        z = self.mix(mg.where(y > 0, y, 0.1 * y).flip(-1))
        return self.head(mg.stack([z, z.neg()], -1).flatten(-2))
