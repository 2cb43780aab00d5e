"""Whether a loader keeps up with training: the share of each step that waits for the next batch.

    python bench/loader.py [--steps 60]

Images are decoded and changed one by one in Python (a slow dataset), collated, and given to a
convolutional network's training step: without workers every batch is waited for; with one worker
it is made while the step before computes. The first batches of a pass, which nothing overlaps
with, are left out.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time

import numpy as np

import minigrad as mg
from minigrad import nn, optim
from minigrad.utils.data import DataLoader, Dataset


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--skip", type=int, default=5, help="steps that are left out")
    args = parser.parse_args()
    mg.manual_seed(0)
    mg.set_num_threads(1)  # one processor trains, the other one loads
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 64, 10),
    )  # fmt: skip
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    data = Decoded((args.steps + args.skip) * args.batch_size)
    print(f"{'workers':>8}{'ms a step':>12}{'of it waiting':>15}{'longest wait':>14}")
    for workers in (0, 1, 2):
        loader = DataLoader(data, args.batch_size, num_workers=workers)
        waits, steps, before = [], [], time.perf_counter()
        for images, labels in loader:
            came = time.perf_counter()
            waits.append(came - before)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
            now = time.perf_counter()
            steps.append(now - before)
            before = now
        waits, steps = waits[args.skip :], steps[args.skip :]
        print(
            f"{workers:>8}{1e3 * statistics.median(steps):>12.2f}"
            f"{sum(waits) / sum(steps):>15.1%}{1e3 * max(waits):>11.2f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
