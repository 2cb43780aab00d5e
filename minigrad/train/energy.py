"""`EnergyMeter`: joules and CPU-seconds of each epoch, and of reaching a target."""

from __future__ import annotations

from typing import Any

from ..profiler import energy
from .callbacks import Callback, Watch


class EnergyMeter(Callback):
    """Adds "cpu_seconds" to each epoch's row, and "joules" and "joules_per_step" where measurable.

    What can be measured is `minigrad.profiler.energy`'s to say; nothing is estimated, `missing` has
    the reasons. An epoch counts with its validation. With a `target` for the metric `monitor`
    (`mode`: "max" if great values are good) `reached` becomes {"epoch", "step", "cpu_seconds",
    "joules"} of training until then. Totals go on after a resume, without what the killed
    process did beyond its checkpoint. List it before the loggers, which then see its columns.
    Options are those of `profiler.energy`.
    """

    def __init__(
        self,
        target: float | None = None,
        monitor: str = "val_accuracy",
        mode: str = "max",
        **options: Any,
    ) -> None:
        self.target, self.watch = target, Watch(monitor, mode)
        self.reached: dict[str, Any] | None = None
        self._options = options
        self._meter: Any = None
        self._run = {"cpu_seconds": 0.0, "joules": 0.0}  # of this run before this process
        self._epoch = dict(self._run)  # the run's totals when the epoch began
        self._first_step = 0

    @property
    def missing(self) -> Any:
        """Why something could not be measured."""
        return None if self._meter is None else self._meter.missing

    def _totals(self) -> dict[str, float]:
        """What the run has taken up to now; no joules if they cannot be measured."""
        if self._meter is None:
            return dict(self._run)
        totals = {"cpu_seconds": self._run["cpu_seconds"] + self._meter.cpu_seconds}
        if self._meter.joules is not None and "joules" in self._run:
            totals["joules"] = self._run["joules"] + self._meter.joules
        return totals

    def on_fit_start(self, trainer: Any) -> None:
        self._meter = energy(**self._options)
        self._meter.start()

    def on_train_epoch_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        totals = self._totals()
        for name, value in totals.items():
            if name in self._epoch:
                metrics[name] = value - self._epoch[name]
        if "joules" in metrics:
            steps = trainer.global_step - self._first_step
            metrics["joules_per_step"] = metrics["joules"] / max(1, steps)
        self._epoch, self._first_step = totals, trainer.global_step
        if self.target is None or self.reached is not None or self.watch.monitor not in metrics:
            return
        value = self.watch.value(metrics)
        if self.watch.sign * value >= self.watch.sign * self.target:
            self.reached = {"epoch": metrics["epoch"], "step": trainer.global_step, **totals}

    def teardown(self, trainer: Any) -> None:
        if self._meter is not None:
            self._run = self._totals()
            self._meter.stop()
            self._meter = None

    def state_dict(self) -> dict[str, Any]:
        return {
            "run": self._totals(), "epoch": dict(self._epoch), "first_step": self._first_step,
            "reached": self.reached,
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._run, self._epoch = dict(state_dict["run"]), dict(state_dict["epoch"])
        self._first_step, self.reached = state_dict["first_step"], state_dict["reached"]
