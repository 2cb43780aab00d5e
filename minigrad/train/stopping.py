"""`EarlyStopping`: ends training when a metric has stopped improving."""

from __future__ import annotations

import math
from typing import Any

from ..nn import Module
from .callbacks import Callback, Watch


class EarlyStopping(Callback):
    """Stops after `patience` epochs in a row without an improvement of more than `min_delta`.

    In a loop of one's own: `if stopping.step(loss, model): break`, then `stopping.restore(model)`.
    As a trainer's callback it looks at the metric `monitor` of each epoch, and restores at the end.

    `mode`: "min" if small values are good, else "max". `restore_best_weights` keeps a copy of the
    model's state of the best epoch, in memory and in checkpoints. `check_finite` stops at infinity
    and NaN. `stopping_threshold`: good enough to stop at once; `divergence_threshold`: so bad that
    there is no hope. `start_from_epoch` epochs pass before anything is looked at. The rules are
    Keras's and Lightning's. ValueError for a patience below 0, modes other than these.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 3,
        mode: str = "min",
        restore_best_weights: bool = True,
        check_finite: bool = True,
        stopping_threshold: float | None = None,
        divergence_threshold: float | None = None,
        start_from_epoch: int = 0,
    ) -> None:
        if patience < 0:
            raise ValueError(f"EarlyStopping: patience is {patience}; needed: 0 or more")
        self.watch = Watch(monitor, mode, min_delta)
        self.patience = patience
        self.restore_best_weights = restore_best_weights
        self.check_finite = check_finite
        self.stopping_threshold = stopping_threshold
        self.divergence_threshold = divergence_threshold
        self.start_from_epoch = start_from_epoch
        self.reset()

    def reset(self) -> None:
        """Forgets what was seen."""
        self.epoch = 0  # how many values were seen
        self.wait_count = 0
        self.best_score: float | None = None
        self.best_epoch: int | None = None
        self.best_weights: dict[str, Any] | None = None
        self.stopped_epoch: int | None = None
        self.reason = ""

    def step(self, value: Any, model: Module | None = None) -> bool:
        """Takes an epoch's value (and a copy of the weights if it is the best); True: stop.

        ValueError if the weights are to be restored and there is no model.
        """
        value = float(value)
        epoch, self.epoch = self.epoch, self.epoch + 1
        if epoch < self.start_from_epoch:
            return False
        if self.restore_best_weights and model is None:
            raise ValueError(
                "EarlyStopping.step: given no model; needed: the model, or "
                "restore_best_weights=False"
            )
        self.reason = self._verdict(value, epoch, model)
        if self.reason:
            self.stopped_epoch = epoch
        return bool(self.reason)

    def _verdict(self, value: float, epoch: int, model: Module | None) -> str:
        """Why to stop, or nothing."""
        watch, monitor = self.watch, self.watch.monitor
        if not math.isfinite(value) and self.check_finite:
            return f"{monitor} is {value}"
        if watch.better(value, self.best_score) and not math.isnan(value):
            self.wait_count, self.best_score, self.best_epoch = 0, value, epoch
            if self.restore_best_weights and model is not None:
                self.best_weights = {k: _copied(v) for k, v in model.state_dict().items()}
        else:
            self.wait_count += 1
        good, bad = self.stopping_threshold, self.divergence_threshold
        if good is not None and watch.sign * value > watch.sign * good:
            return f"{monitor} has reached {value:.6g}, beyond {good:.6g}"
        if bad is not None and watch.sign * value < watch.sign * bad:
            return f"{monitor} is {value:.6g}, worse than {bad:.6g}"
        if self.wait_count >= max(1, self.patience):
            return f"{monitor} has not improved on {self.best_score} for {self.wait_count} epochs"
        return ""

    def restore(self, model: Module) -> None:
        """Gives the model the weights of the best epoch, if there was one."""
        if self.best_weights is not None:
            model.load_state_dict(self.best_weights)

    def on_train_epoch_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        if self.watch.monitor not in metrics and trainer.skipped_validation:
            return
        if self.step(self.watch.value(metrics), trainer.evaluated_model):
            trainer.stop(self.reason)

    def on_fit_end(self, trainer: Any) -> None:
        if self.restore_best_weights:
            self.restore(trainer.model)

    _STATE = (
        "epoch", "wait_count", "best_score", "best_epoch", "best_weights", "stopped_epoch",
        "reason",
    )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._STATE}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name in self._STATE:
            setattr(self, name, state_dict[name])


def _copied(value: Any) -> Any:
    return value.detach().clone() if hasattr(value, "detach") else value
