"""Batches on their way into a trainer: in groups, from a position on; and means over samples."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from ..nn import Module
from ..tensor import Tensor


class Feed:
    """One pass over a loader. `position` batches were taken; `ended`: it has said so."""

    def __init__(self, loader: Iterable) -> None:
        self._batches = iter(loader)
        if self._batches is loader:
            raise TypeError(
                f"the loader is {type(loader).__name__}, which can be iterated over once; needed: "
                "a DataLoader, a list, or what else starts anew with each iteration"
            )
        self.position = 0
        self.ended = False

    def take(self, n: int) -> list:
        """The next n batches; fewer at the end."""
        batches = [] if self.ended else list(itertools.islice(self._batches, n))
        self.position += len(batches)
        self.ended = self.ended or len(batches) < n
        return batches

    def skip(self, position: int, ended: bool) -> None:
        """Goes to a position, fetching what lies before it. ValueError if there is not so much."""
        for _ in itertools.islice(self._batches, position):
            self.position += 1
        if self.position < position:
            raise ValueError(
                f"the checkpoint was taken after {position} batches of an epoch; given: a loader "
                f"of {self.position}; needed: the same data and batch size as before"
            )
        self.ended = ended
        if ended and next(self._batches, self) is not self:
            raise ValueError(
                f"the checkpoint was taken at the end of an epoch of {position} batches; given: a "
                "loader of more; needed: the same data and batch size as before"
            )

    @staticmethod
    def moved(batch: Any, device: Any) -> Any:
        """A batch with its tensors on a device."""
        if isinstance(batch, Tensor):
            return batch if batch.device == device else batch.to(device)
        if isinstance(batch, dict):
            return {key: Feed.moved(value, device) for key, value in batch.items()}
        if isinstance(batch, tuple) and hasattr(batch, "_fields"):
            return type(batch)(*[Feed.moved(value, device) for value in batch])
        if isinstance(batch, (list, tuple)):
            return type(batch)([Feed.moved(value, device) for value in batch])
        return batch


def device_of(model: Module) -> Any:
    """Where the model's first parameter is; the CPU for a model without."""
    first = next(iter(model.parameters()), None)
    return Tensor([0.0]).device if first is None else first.device


def parts(batch: Any) -> tuple[tuple, Any]:
    """(inputs, target) of a batch (input, ..., target). TypeError for others."""
    if not isinstance(batch, (list, tuple)) or len(batch) < 2:
        size = f" of {len(batch)}" if isinstance(batch, (list, tuple)) else ""
        raise TypeError(
            f"a batch is a {type(batch).__name__}{size}; needed: (input, ..., target), "
            "or a Trainer whose `compute` takes these batches"
        )
    return tuple(batch[:-1]), batch[-1]


def size_of(batch: Any) -> int:
    """How many samples a batch has: the length of the first tensor in it; 1 if there is none."""
    if isinstance(batch, Tensor):
        return batch.shape[0] if batch.ndim else 1
    values = batch.values() if isinstance(batch, dict) else batch
    if isinstance(batch, (dict, list, tuple)):
        return next((size_of(v) for v in values if isinstance(v, (Tensor, dict, list, tuple))), 1)
    return 1


class Means:
    """Means over samples of the values of batches."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0

    def add(self, values: dict[str, float], n: int) -> None:
        """Takes the mean values of n samples."""
        sums = self.sums
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + value * n
        self.count += n

    def result(self, prefix: str = "") -> dict[str, float]:
        """The means, their names with a prefix. ValueError if there were no samples."""
        if not self.count:
            raise ValueError("there was no batch to take a mean over; needed: one at least")
        return {f"{prefix}{name}": value / self.count for name, value in self.sums.items()}

    def state_dict(self) -> dict[str, Any]:
        """Sums and count."""
        return {"sums": dict(self.sums), "count": self.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores what `state_dict` gave."""
        self.sums, self.count = dict(state_dict["sums"]), state_dict["count"]
