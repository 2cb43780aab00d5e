"""Search for hyper-parameters by Optuna (`minigrad[optuna]`), which ends bad trials early."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from ._extra import need
from .callbacks import Callback, Watch
from .trainer import Trainer


class OptunaPruning(Callback):
    """Reports `monitor` to an Optuna trial after each epoch, and ends the trial if it is a bad one.

    `fit` then raises `optuna.TrialPruned`, which a study counts as pruned. So do infinity and NaN.
    """

    def __init__(self, trial: Any, monitor: str = "val_loss") -> None:
        self._pruned = need("optuna", "Optuna", "optuna").TrialPruned
        self.trial, self.watch = trial, Watch(monitor)

    def on_train_epoch_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        if self.watch.monitor not in metrics and trainer.skipped_validation:
            return
        value, epoch = self.watch.value(metrics), trainer.current_epoch
        if not math.isfinite(value):
            raise self._pruned(f"{self.watch.monitor} is {value} after epoch {epoch}")
        self.trial.report(value, epoch)
        if self.trial.should_prune():
            raise self._pruned(f"{self.watch.monitor} is {value:.6g} after epoch {epoch}")


def search(
    build: Callable[[Any], tuple[Trainer, Iterable, Iterable | None]],
    n_trials: int,
    *,
    monitor: str = "val_loss",
    mode: str = "min",
    timeout: float | None = None,
    seed: int | None = None,
    sampler: Any = None,
    pruner: Any = None,
    storage: Any = None,
    study_name: str | None = None,
) -> Any:
    """Runs trials until there are `n_trials`, and returns the `optuna.Study`: `.best_params`.

    `build(trial)` makes a trainer, its training and its validation data, taking what is searched
    for from the trial: `trial.suggest_float("lr", 1e-4, 1e-1, log=True)`. A trial's value is the
    best `monitor` of its epochs; `mode` is "min" if small values are good, else "max". Trials
    worse than the median at the same epoch are ended early (`pruner`: another rule). `seed` fixes
    what the sampler proposes. With `storage`, such as "sqlite:///file.db", and a `study_name` a
    search goes on where it was ended. ValueError for other modes.
    """
    optuna = need("optuna", "Optuna", "optuna")
    watch = Watch(monitor, mode)
    study = optuna.create_study(
        direction="minimize" if mode == "min" else "maximize",
        sampler=sampler or optuna.samplers.TPESampler(seed=seed),
        pruner=pruner or optuna.pruners.MedianPruner(n_startup_trials=3),
        storage=storage, study_name=study_name, load_if_exists=True,
    )  # fmt: skip

    def objective(trial: Any) -> float:
        trainer, train_dataloader, val_dataloader = build(trial)
        trainer.callbacks.insert(0, OptunaPruning(trial, monitor))
        try:
            history = trainer.fit(train_dataloader, val_dataloader)
        finally:
            trial.set_user_attr("epochs", trainer.current_epoch)
        values = [watch.value(row) for row in history if monitor in row]
        return watch.sign * max(watch.sign * value for value in values)

    done = [trial for trial in study.trials if trial.state.is_finished()]
    if len(done) < n_trials:
        study.optimize(objective, n_trials - len(done), timeout=timeout)
    return study
