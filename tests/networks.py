"""Small networks of well-known kinds, written once for PyTorch and minigrad."""

from __future__ import annotations

from typing import Any


def networks(torch: Any) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """name: (a function that makes the network for ten classes, the shape of a batch)."""
    nn = torch.nn
    F = nn.functional

    class Residual(nn.Module):
        def __init__(self, i: int, o: int, stride: int = 1) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(o)
            self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(o)
            self.shortcut = nn.Identity()
            if stride != 1 or i != o:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)
                )

        def forward(self, x: Any) -> Any:
            out = F.relu(self.bn1(self.conv1(x)), inplace=True)
            return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x), inplace=True)

    def resnet() -> Any:
        return nn.Sequential(
            nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(True),
            nn.MaxPool2d(3, 2, 1), Residual(16, 16), Residual(16, 32, 2),
            nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(1), nn.Linear(32, 10),
        )  # fmt: skip

    def vgg() -> Any:
        layers: list[Any] = []
        channels = 3
        for size in (8, 0, 16, 16, 0):
            if size == 0:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers += [nn.Conv2d(channels, size, 3, padding=1), nn.ReLU(inplace=True)]
            channels = size
        model = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d((7, 7)), nn.Flatten(), nn.Linear(16 * 49, 32),
            nn.ReLU(True), nn.Dropout(0.0), nn.Linear(32, 10),
        )  # fmt: skip
        for m in model.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                nn.init.constant_(m.bias, 0)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.constant_(m.bias, 0)
        return model

    class UNet(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            conv, norm = getattr(nn, f"Conv{n}d"), getattr(nn, f"BatchNorm{n}d")
            up, self.pool = getattr(nn, f"ConvTranspose{n}d"), getattr(nn, f"MaxPool{n}d")(2)

            def double(i: int, o: int) -> Any:
                return nn.Sequential(
                    conv(i, o, 3, padding=1), norm(o), nn.ReLU(inplace=True),
                    conv(o, o, 3, padding=1), nn.GroupNorm(2, o), nn.LeakyReLU(0.1),
                )  # fmt: skip

            self.down1, self.down2 = double(3, 8), double(8, 16)
            self.up = up(16, 8, 2, stride=2)
            self.last = double(16, 8)
            self.head = conv(8, 10, 1)

        def forward(self, x: Any) -> Any:
            a = self.down1(x)
            y = self.up(self.down2(self.pool(a)))
            return self.head(self.last(torch.cat([y, a], 1))).flatten(2).mean(-1)

    class Dense(nn.Module):
        def __init__(self, i: int, growth: int) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.BatchNorm2d(i), nn.BatchNorm2d(4 * growth)
            self.conv1 = nn.Conv2d(i, 4 * growth, 1, bias=False)
            self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

        def forward(self, x: Any) -> Any:
            new = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
            return torch.cat([x, new], 1)

    def densenet() -> Any:
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), Dense(8, 4), Dense(12, 4), nn.BatchNorm2d(16),
            nn.ReLU(), nn.Conv2d(16, 8, 1), nn.AvgPool2d(2, 2), Dense(8, 4),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10),
        )  # fmt: skip

    class Squeeze(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.fc1 = nn.Conv2d(channels, channels // 4, 1)
            self.fc2 = nn.Conv2d(channels // 4, channels, 1)

        def forward(self, x: Any) -> Any:
            return x * torch.sigmoid(self.fc2(F.silu(self.fc1(F.adaptive_avg_pool2d(x, 1)))))

    class Inverted(nn.Module):
        def __init__(self, i: int, o: int, stride: int, grow: int, act: Any, squeeze: bool) -> None:
            super().__init__()
            h, k = i * grow, 5 if squeeze else 3
            self.skip = stride == 1 and i == o
            self.conv = nn.Sequential(
                nn.Conv2d(i, h, 1, bias=False), nn.BatchNorm2d(h, eps=1e-3, momentum=0.01), act(),
                nn.Conv2d(h, h, k, stride, k // 2, groups=h, bias=False), nn.BatchNorm2d(h), act(),
                Squeeze(h) if squeeze else nn.Identity(),
                nn.Conv2d(h, o, 1, bias=False), nn.BatchNorm2d(o),
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            return x + self.conv(x) if self.skip else self.conv(x)

    def inverted(squeeze: bool, act: Any) -> Any:
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), act(),
            Inverted(8, 8, 1, 2, act, squeeze), Inverted(8, 16, 2, 4, nn.Hardswish, squeeze),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
        )  # fmt: skip

    def video() -> Any:
        return nn.Sequential(
            nn.Conv3d(3, 8, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), nn.BatchNorm3d(8),
            nn.ReLU(True), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            nn.Conv3d(8, 12, (1, 3, 3), padding=(0, 1, 1)), nn.InstanceNorm3d(12, affine=True),
            nn.Conv3d(12, 16, (3, 1, 1), padding=(1, 0, 0), padding_mode="replicate"), nn.ReLU(),
            nn.AvgPool3d(2, ceil_mode=True), nn.Conv3d(16, 16, 3, 2, 1, groups=4),
            nn.AdaptiveMaxPool3d((1, 2, 2)), nn.Flatten(), nn.LazyLinear(10),
        )  # fmt: skip

    def generator() -> Any:
        return nn.Sequential(
            nn.Flatten(), nn.Linear(48, 32), nn.Unflatten(1, (32, 1, 1)),
            nn.ConvTranspose2d(32, 16, 4, 1, 0, bias=False), nn.BatchNorm2d(16), nn.ReLU(True),
            nn.ConvTranspose2d(16, 8, 4, 2, 1, output_padding=1), nn.Tanh(), nn.ReflectionPad2d(2),
            nn.Conv2d(8, 4, 3, padding="same", padding_mode="circular"), nn.LocalResponseNorm(3),
            nn.LPPool2d(2, 3), nn.Flatten(), nn.LazyLinear(10),
        )  # fmt: skip

    return {
        "resnet": (resnet, (4, 3, 32, 32)),
        "vgg": (vgg, (4, 3, 16, 16)),
        "unet": (lambda: UNet(2), (2, 3, 16, 16)),
        "unet3d": (lambda: UNet(3), (2, 3, 4, 8, 8)),
        "densenet": (densenet, (4, 3, 8, 8)),
        "mobilenet": (lambda: inverted(False, nn.ReLU6), (4, 3, 16, 16)),
        "efficientnet": (lambda: inverted(True, nn.SiLU), (4, 3, 16, 16)),
        "video": (video, (2, 3, 8, 16, 16)),
        "generator": (generator, (3, 3, 4, 4)),
    }
