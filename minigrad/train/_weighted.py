"""Training with weights of samples."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..creation import tensor
from ..utils.data import TensorDataset
from .trainer import Trainer


class WeightedTrainer(Trainer):
    """Batches (input, target, weight): the mean of each sample's loss times its weight."""

    def compute(self, batch: Any) -> tuple[Any, Any, Any]:
        assert self.loss_fn is not None
        x, y, weight = batch
        out = self.model(x)
        losses = self.loss_fn(out, y)
        return (losses.reshape(len(losses), -1).mean(1) * weight).mean(), out, y


def of_each(criterion: Any) -> Any:
    """The criterion with a loss for each sample. ValueError if it has no `reduction`."""
    if not hasattr(criterion, "reduction"):
        raise ValueError(
            f"sample weights were given with the criterion {criterion!r}; needed: one with a "
            "`reduction`, as the losses of minigrad.nn have"
        )
    criterion = copy.deepcopy(criterion)
    criterion.reduction = "none"
    return criterion


def dataset(parts: list[np.ndarray], dtype: Any) -> TensorDataset:
    """Arrays as tensors, those of floats in `dtype`."""
    tensors = [tensor(part) for part in parts]
    return TensorDataset(*[t.to(dtype) if t.is_floating_point() else t for t in tensors])
