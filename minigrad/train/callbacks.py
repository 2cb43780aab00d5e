"""`Callback`: what a trainer calls at its turning points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trainer import Trainer


class Callback:
    """Base class: every method does nothing. `metrics` are numbers by name, and may be added to.

    What a callback needs to go on after a crash belongs into `state_dict`: it is saved with each
    checkpoint, as nests of tensors, numbers and strings.
    """

    def on_fit_start(self, trainer: Trainer) -> None:
        """Before the first epoch, after a checkpoint was loaded."""

    def on_train_epoch_start(self, trainer: Trainer) -> None:
        """Before an epoch's data are asked for. Also called when an epoch is resumed."""

    def on_train_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        """After each update; `metrics` has "train_loss", "lr" and the metrics of its batches."""

    def on_validation_start(self, trainer: Trainer) -> None:
        """Before validation."""

    def on_validation_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        """After validation, with its metrics."""

    def on_train_epoch_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        """After an epoch and its validation; `metrics` is the new row of the history."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """After the last epoch."""

    def teardown(self, trainer: Trainer) -> None:
        """At the end of `fit`, also after an error: closes files and the like."""

    def state_dict(self) -> dict[str, Any]:
        """What to save."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores what `state_dict` gave."""


class Watch:
    """Which of two values of a metric is better: `mode` "min" or "max", by `min_delta` at least."""

    def __init__(self, monitor: str, mode: str = "min", min_delta: float = 0.0) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode is {mode!r}; needed: 'min' or 'max'")
        if not min_delta >= 0:
            raise ValueError(f"min_delta is {min_delta}; needed: a number of 0 or more")
        self.monitor = monitor
        self.sign = 1.0 if mode == "max" else -1.0
        self.min_delta = min_delta

    def better(self, value: float, than: float | None) -> bool:
        """Whether `value` is better than a value, or the first."""
        return than is None or self.sign * value - self.min_delta > self.sign * than

    def value(self, metrics: dict[str, Any]) -> float:
        """The metric as a number. KeyError if it is not among the metrics."""
        if self.monitor not in metrics:
            raise KeyError(
                f"the metric to monitor is {self.monitor!r}; there are: {', '.join(metrics)}"
            )
        return float(metrics[self.monitor])
