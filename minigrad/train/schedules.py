"""Schedules: warm-up followed by a decay, and batch sizes that grow."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..optim.lr_scheduler import LambdaLR
from .callbacks import Callback


def _check_steps(num_warmup_steps: int, num_training_steps: int) -> None:
    if not 0 <= num_warmup_steps <= num_training_steps:
        raise ValueError(
            f"given {num_warmup_steps} steps of warm-up of {num_training_steps} in all; needed: "
            "0 <= num_warmup_steps <= num_training_steps"
        )


def get_constant_schedule_with_warmup(
    optimizer: Any, num_warmup_steps: int, last_epoch: int = -1
) -> LambdaLR:
    """The learning rate rises from 0 in a line, and stays; `scheduler.step()` after each update."""
    if num_warmup_steps < 0:
        raise ValueError(f"num_warmup_steps is {num_warmup_steps}; needed: 0 or more")
    return LambdaLR(optimizer, lambda step: min(1.0, step / max(1, num_warmup_steps)), last_epoch)


def get_linear_schedule_with_warmup(
    optimizer: Any, num_warmup_steps: int, num_training_steps: int, last_epoch: int = -1
) -> LambdaLR:
    """The learning rate rises from 0 in a line, and falls to 0 in another."""
    _check_steps(num_warmup_steps, num_training_steps)

    def factor(step: int) -> float:
        if step < num_warmup_steps:
            return step / num_warmup_steps
        left = num_training_steps - step
        return max(0.0, left / max(1, num_training_steps - num_warmup_steps))

    return LambdaLR(optimizer, factor, last_epoch)


def get_cosine_schedule_with_warmup(
    optimizer: Any,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    min_lr_rate: float = 0.0,
) -> LambdaLR:
    """The learning rate rises from 0 in a line, and falls along a cosine to `min_lr_rate` of it.

    With progress t from 0 to 1 after the warm-up: r + (1 - r) (1 + cos(2 pi num_cycles t)) / 2, as
    in SGDR (Loshchilov, Hutter, 2017) without restarts. Names and values are those of Hugging Face
    transformers. `scheduler.step()` after each update. ValueError if the warm-up is longer than
    all, or the rate outside [0, 1].
    """
    _check_steps(num_warmup_steps, num_training_steps)
    if not 0 <= min_lr_rate <= 1:
        raise ValueError(f"min_lr_rate is {min_lr_rate}; needed: a number from 0 to 1")

    def factor(step: int) -> float:
        if step < num_warmup_steps:
            return step / num_warmup_steps
        t = (step - num_warmup_steps) / max(1, num_training_steps - num_warmup_steps)
        cosine = max(0.0, (1 + math.cos(2 * math.pi * num_cycles * t)) / 2)
        if t >= 1:  # what comes after the end stays where it ended
            cosine = max(0.0, (1 + math.cos(2 * math.pi * num_cycles)) / 2)
        return min_lr_rate + (1 - min_lr_rate) * cosine

    return LambdaLR(optimizer, factor, last_epoch)


class BatchSizeScheduler(Callback):
    """Changes a DataLoader's batch size by epochs: as a trainer's callback, or `step()` after each.

    `sizes`: {first epoch (from 0): batch size}, or a function from epochs to sizes. To raise the
    batch size does what decaying the learning rate does, in fewer updates (Smith et al., 2018).
    TypeError for a loader without a batch sampler whose `batch_size` can be set; ValueError for
    sizes below 1.
    """

    def __init__(self, loader: Any, sizes: dict[int, int] | Callable[[int], int]) -> None:
        first = getattr(getattr(loader, "batch_sampler", None), "batch_size", None)
        if first is None:
            raise TypeError(
                f"BatchSizeScheduler: the loader ({type(loader).__name__}) has no batch sampler "
                "with a batch_size; needed: a DataLoader with automatic batching"
            )
        self.sampler = loader.batch_sampler
        self.sizes = sizes
        self.first: int = first
        self.epoch = 0
        self._set(0)

    def batch_size(self, epoch: int) -> int:
        """The batch size of an epoch (from 0)."""
        if callable(self.sizes):
            size = self.sizes(epoch)
        else:
            begun = [start for start in self.sizes if start <= epoch]
            size = self.sizes[max(begun)] if begun else self.first
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"BatchSizeScheduler: size {size} of epoch {epoch}; needed: 1 or more")
        return size

    def _set(self, epoch: int) -> None:
        self.epoch = epoch
        self.sampler.batch_size = self.batch_size(epoch)

    def step(self) -> None:
        """Sets the next epoch's batch size."""
        self._set(self.epoch + 1)

    def on_train_epoch_start(self, trainer: Any) -> None:
        self._set(trainer.current_epoch)

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._set(state_dict["epoch"])
