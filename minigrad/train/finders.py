"""Finders: a range test for learning rates, and one for batch sizes. Both leave no trace."""

from __future__ import annotations

import contextlib
import io
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..config import config
from ..serialization import load, save
from ..utils.data import DataLoader
from ._extra import need
from .feed import Feed, device_of


@contextlib.contextmanager
def _untouched(trainer: Any, loader: Any) -> Iterator[None]:
    """Restores the trainer's whole state, random numbers included, after the block."""
    before, trainer.train_dataloader = trainer.train_dataloader, loader
    resumed = trainer._resumed_random
    stream = io.BytesIO()
    save(trainer.state_dict(), stream, format="mg")
    grads = [p.grad for p in trainer.model.parameters()]
    training = [(m, m.training) for m in trainer.model.modules()]
    try:
        yield
    finally:
        stream.seek(0)
        trainer.load_state_dict(load(stream))
        trainer.train_dataloader = before
        trainer._resumed_random = resumed
        for p, grad in zip(trainer.model.parameters(), grads):
            p.grad = grad
        for module, mode in training:
            module.training = mode


@dataclass
class LRFinder:
    """What `lr_find` saw: `results["lr"]`, `results["loss"]`, smoothed, of each update."""

    mode: str
    results: dict[str, list[float]] = field(default_factory=lambda: {"lr": [], "loss": []})

    def suggestion(self, skip_begin: int = 10, skip_end: int = 1) -> float | None:
        """The learning rate at which the loss falls the most steeply; None if nothing can be said.

        Neither the first updates nor the last count. The slope is the one over the update number:
        over log lr for the exponential mode.
        """
        end = len(self.results["loss"]) - skip_end
        losses = self.results["loss"][skip_begin:end]
        rates = self.results["lr"][skip_begin:end]
        if len(losses) < 2:
            return None
        slopes = [
            (losses[min(i + 1, len(losses) - 1)] - losses[max(i - 1, 0)])
            / (min(i + 1, len(losses) - 1) - max(i - 1, 0))
            for i in range(len(losses))
        ]
        steepest = min(range(len(slopes)), key=slopes.__getitem__)
        return rates[steepest] if slopes[steepest] < 0 else None

    def plot(self, suggest: bool = True) -> Any:
        """A Matplotlib figure of loss over learning rate (`minigrad[train]`)."""
        figure = need("matplotlib.figure", "Matplotlib", "train").Figure(layout="constrained")
        axes = figure.subplots()
        axes.plot(self.results["lr"], self.results["loss"])
        axes.set(
            xscale="log" if self.mode == "exponential" else "linear",
            xlabel="learning rate", ylabel="loss (smoothed)",
        )  # fmt: skip
        best = self.suggestion() if suggest else None
        if best is not None:
            loss = self.results["loss"][self.results["lr"].index(best)]
            axes.plot([best], [loss], "o", color="red", label=f"suggestion: {best:.2e}")
            axes.legend(frameon=False)
        return figure


def lr_find(
    trainer: Any,
    train_dataloader: Iterable,
    min_lr: float = 1e-8,
    max_lr: float = 1.0,
    num_training: int = 100,
    mode: str = "exponential",
    early_stop_threshold: float | None = 4.0,
) -> LRFinder:
    """Trains for `num_training` updates while the learning rate rises (Smith, 2017).

    The updates are the trainer's (precision, accumulation, clipping); `mode` is "exponential" or
    "linear". It ends when the smoothed loss exceeds `early_stop_threshold` times the best. Groups
    keep the ratios of their learning rates to the first's. Afterwards model, optimizer and random
    numbers are as before. Arguments are those of Lightning. ValueError for rates out of order.
    """
    if mode not in ("exponential", "linear"):
        raise ValueError(f"lr_find: mode is {mode!r}; needed: 'exponential' or 'linear'")
    if not 0 < min_lr < max_lr:
        raise ValueError(f"lr_find: given rates {min_lr} to {max_lr}; needed: 0 < min_lr < max_lr")
    if num_training < 2:
        raise ValueError(f"lr_find: num_training is {num_training}; needed: 2 or more")
    found = LRFinder(mode)
    groups = trainer.optimizer.param_groups
    first = float(groups[0]["lr"])
    ratios = [float(g["lr"]) / first if first else 1.0 for g in groups]
    with _untouched(trainer, train_dataloader):
        trainer.model.train()
        average = 0.0
        batches = _endless(train_dataloader, trainer.update.accumulate)
        here = device_of(trainer.model)
        for i in range(num_training):
            part = i / (num_training - 1)
            if mode == "linear":
                lr = min_lr + (max_lr - min_lr) * part
            else:
                lr = min_lr * (max_lr / min_lr) ** part
            for group, ratio in zip(groups, ratios):
                group["lr"] = lr * ratio
            group_of = [Feed.moved(b, here) for b in next(batches)]
            made = trainer.update.step(trainer.model, trainer.compute, group_of)
            loss = sum(result[0].item() for result in made.results) / len(made.results)
            average = 0.98 * average + 0.02 * loss
            smooth = average / (1 - 0.98 ** (i + 1))
            best = min(found.results["loss"], default=smooth)
            if not math.isfinite(loss) or (
                early_stop_threshold is not None and i > 1 and smooth > early_stop_threshold * best
            ):
                break
            found.results["lr"].append(lr)
            found.results["loss"].append(smooth)
    return found


def _endless(loader: Iterable, n: int) -> Iterator[list]:
    while True:
        feed = Feed(loader)
        while batches := feed.take(n):
            yield batches
        if not feed.position:
            raise ValueError("the loader gives no batch; needed: one at least")


@dataclass
class BatchSizes:
    """What `scale_batch_size` saw: rows of "batch_size", "samples_per_second", "bytes"."""

    rows: list[dict[str, float]] = field(default_factory=list)
    stopped_by: str = ""

    @property
    def largest(self) -> int:
        """The largest batch size that went well."""
        return int(self.rows[-1]["batch_size"])

    def suggestion(self, tolerance: float = 0.05) -> int:
        """The smallest batch size whose speed is within `tolerance` of the best."""
        best = max(row["samples_per_second"] for row in self.rows)
        return int(
            next(
                row["batch_size"]
                for row in self.rows
                if row["samples_per_second"] >= (1 - tolerance) * best
            )
        )


def scale_batch_size(
    trainer: Any,
    dataset: Any,
    *,
    init_val: int = 2,
    max_trials: int = 25,
    steps_per_trial: int = 3,
    memory_limit: float | None = None,
    **loader_options: Any,
) -> BatchSizes:
    """Doubles the batch size from `init_val` until the data or the memory end, and measures.

    `memory_limit`: bytes that tensors of minigrad's memory pool may take (by default there is no
    limit but MemoryError); a size that would exceed it, going by the last two, is not tried. Other
    options are the DataLoader's. The fastest size is not the best for the accuracy: see
    `BatchSizes.suggestion`. Afterwards model, optimizer and random numbers are as before.
    ValueError if the first size is larger than the data set.
    """
    if init_val < 1 or init_val > len(dataset):
        raise ValueError(
            f"scale_batch_size: init_val is {init_val}; needed: 1 to {len(dataset)}, the data set's"
        )
    found, size = BatchSizes(), init_val
    for _ in range(max_trials):
        if size > len(dataset):
            found.stopped_by = "data"
            break
        rows = found.rows
        if memory_limit is not None and rows:
            slope = rows[-1]["bytes"] - (rows[-2]["bytes"] if len(rows) > 1 else 0)
            if rows[-1]["bytes"] + 2 * max(slope, 0) > memory_limit:
                found.stopped_by = "memory"
                break
        loader: Any = DataLoader(dataset, batch_size=size, drop_last=True, **loader_options)
        try:
            with _untouched(trainer, loader):
                found.rows.append(_trial(trainer, loader, size, steps_per_trial))
        except MemoryError:
            if not found.rows:
                raise
            found.stopped_by = "memory"
            break
        size *= 2
    else:
        found.stopped_by = "max_trials"
    return found


def _trial(trainer: Any, loader: Any, size: int, steps: int) -> dict[str, float]:
    """The best time of a few updates, and the memory that is in use after a forward pass."""
    trainer.model.train()
    batches = _endless(loader, 1)
    here = device_of(trainer.model)
    taken, most = [], 0

    def compute(batch: Any) -> Any:
        nonlocal most
        result = trainer.compute(batch)
        most = max(most, config()["memory_pool"]["allocated"])
        return result

    for _ in range(steps + 1):  # the first warms up
        batch = [Feed.moved(b, here) for b in next(batches)]
        started = time.perf_counter()
        trainer.update.step(trainer.model, compute, batch)
        taken.append(time.perf_counter() - started)
    return {
        "batch_size": size,
        "samples_per_second": size / min(taken[1:]),
        "bytes": most,
    }
