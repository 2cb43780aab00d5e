"""Whether a loader keeps up with training: the share of each step that waits for the next batch.

    python bench/loader.py [--steps 60] [--plot bench/results/loader.png]

Images are decoded and changed one by one in Python (a slow dataset), collated, and given to a
convolutional network's training step: without workers every batch is waited for; with one worker
it is made while the step before computes. The first batches of a pass, which nothing overlaps
with, are left out. "pipe" is how batches come where processes cannot share memory.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time

import numpy as np

import minigrad as mg
from minigrad import nn, optim
from minigrad.utils.data import DataLoader, Dataset, arena


class Decoded(Dataset):
    """Compressed images, decoded and flipped when they are asked for."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        self.files, self.labels = [], rng.integers(0, 10, count)
        for _ in range(256):
            file = io.BytesIO()
            np.savez_compressed(file, image=rng.integers(0, 256, (3, 32, 32), np.uint8))
            self.files.append(file.getvalue())

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple:
        image = np.load(io.BytesIO(self.files[i % len(self.files)]))["image"]
        image = image.astype(np.float32) / 255
        return (image[:, :, ::-1].copy() if i % 2 else image), int(self.labels[i])


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 64, 10),
    )  # fmt: skip


def trained(loader: DataLoader, skip: int) -> tuple[list[float], list[float]]:
    """Trains for one pass; the seconds of each step that went by waiting, and all of them."""
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    waits, steps, before = [], [], time.perf_counter()
    for images, labels in loader:
        waits.append(time.perf_counter() - before)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        now = time.perf_counter()
        steps.append(now - before)
        before = now
    return waits[skip:], steps[skip:]


def plot(rows: dict[str, tuple[list[float], list[float]]], path: str) -> None:
    """Where a step's time goes, and how long each single step waited."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    for place, (name, (waits, steps)) in enumerate(rows.items()):
        wait, step = 1e3 * statistics.fmean(waits), 1e3 * statistics.fmean(steps)
        left.bar(place, step - wait, color="#4c72b0", label=None if place else "training")
        left.bar(place, wait, bottom=step - wait, color="#c8102e", label=None if place else "wait")
        left.text(place, step, f"{wait / step:.1%}", ha="center", va="bottom", fontsize=8)
        right.semilogy([1e3 * w for w in waits], ".-", lw=0.6, ms=3, label=name)
    left.set_xticks(range(len(rows)), rows)
    left.set_ylabel("ms a step (share that waits)")
    left.margins(y=0.15)
    right.set_xlabel("step")
    right.set_ylabel("ms of waiting for the batch")
    left.legend(fontsize=7)
    right.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--skip", type=int, default=5, help="steps that are left out")
    parser.add_argument("--plot", help="the picture's file")
    args = parser.parse_args()
    mg.manual_seed(0)
    mg.set_num_threads(1)  # one processor trains, the other one loads
    data = Decoded((args.steps + args.skip) * args.batch_size)
    shares_memory = arena.available
    rows = {}
    print(f"{'workers':>8}{'ms a step':>12}{'of it waiting':>15}{'median':>11}{'longest wait':>14}")
    for name, workers, shared in (("0", 0, True), ("1, pipe", 1, False), ("1", 1, True),
                                  ("2", 2, True)):  # fmt: skip
        arena.available = shares_memory if shared else lambda: False
        waits, steps = trained(DataLoader(data, args.batch_size, num_workers=workers), args.skip)
        rows[name] = waits, steps
        print(
            f"{name:>8}{1e3 * statistics.median(steps):>12.2f}{sum(waits) / sum(steps):>15.1%}"
            f"{1e3 * statistics.median(waits):>8.2f} ms{1e3 * max(waits):>11.2f} ms",
            flush=True,
        )
    if args.plot:
        plot(rows, args.plot)


if __name__ == "__main__":
    main()
