"""`ModelCheckpoint`: a file to go on from after a crash, and the weights of the best epochs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..nn import Module
from ..serialization import load, save
from .callbacks import Callback, Watch

_LAST = "last.mg"


class ModelCheckpoint(Callback):
    """Writes a run's state to `dirpath`, a folder that belongs to this run alone.

    `last.mg` is all that a trainer needs to go on (`fit(..., ckpt_path="last")`), written after
    every `every_n_epochs` epochs, and within epochs after every `every_n_train_steps` updates. With
    `monitor` the weights of the `save_top_k` best epochs (-1: all) are kept as well, in files
    `epoch-0003.mg` of {"model": state_dict, "metrics": the epoch's row}; `mode` is "min" if small
    values are good, else "max". Files are replaced at once: whenever the process is killed, each is
    whole. A trainer calls this callback after all others. ValueError for counts below 1.
    """

    def __init__(
        self,
        dirpath: str | os.PathLike,
        monitor: str | None = None,
        mode: str = "min",
        save_top_k: int = 1,
        every_n_epochs: int = 1,
        every_n_train_steps: int | None = None,
    ) -> None:
        if save_top_k < -1:
            raise ValueError(f"ModelCheckpoint: save_top_k is {save_top_k}; needed: -1 or more")
        for name, n in (
            ("every_n_epochs", every_n_epochs),
            ("every_n_train_steps", every_n_train_steps),
        ):
            if n is not None and n < 1:
                raise ValueError(f"ModelCheckpoint: {name} is {n}; needed: 1 or more")
        self.dirpath = Path(dirpath)
        self.watch = Watch(monitor or "", mode)
        self.monitor = monitor
        self.save_top_k = save_top_k
        self.every_n_epochs = every_n_epochs
        self.every_n_train_steps = every_n_train_steps
        self.best_k_models: dict[str, float] = {}  # file name -> value, the best first

    @property
    def last_model_path(self) -> Path:
        """The file to go on from; it exists once something was saved."""
        return self.dirpath / _LAST

    @property
    def best_model_path(self) -> Path | None:
        """The file of the best epoch; None as long as there is none."""
        return self.dirpath / next(iter(self.best_k_models)) if self.best_k_models else None

    @property
    def best_model_score(self) -> float | None:
        """The best value of `monitor`."""
        return next(iter(self.best_k_models.values()), None)

    def load_best(self, model: Module) -> dict[str, Any]:
        """Gives the model the best epoch's weights; returns its metrics. RuntimeError: none."""
        path = self.best_model_path
        if path is None:
            raise RuntimeError("ModelCheckpoint.load_best: no epoch was kept; needed: one at least")
        saved = load(path)
        model.load_state_dict(saved["model"])
        return saved["metrics"]

    def on_fit_start(self, trainer: Any) -> None:
        self.dirpath.mkdir(parents=True, exist_ok=True)
        for left in self.dirpath.glob(".minigrad-*"):  # by a process that was killed while saving
            left.unlink()

    def on_train_step_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        n = self.every_n_train_steps
        if n is not None and trainer.global_step % n == 0:
            trainer.save_checkpoint(self.last_model_path)

    def on_train_epoch_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        if self.monitor is not None and self.save_top_k:
            skipped = self.monitor not in metrics and trainer.skipped_validation
            if not skipped:
                self._keep(trainer, self.watch.value(metrics), metrics)
        if trainer.current_epoch % self.every_n_epochs == 0 or trainer.done:
            trainer.save_checkpoint(self.last_model_path)
        self._forget_others()

    def _keep(self, trainer: Any, value: float, metrics: dict[str, Any]) -> None:
        """Writes the epoch's weights if it is among the best; equal values: the older is better."""
        if value != value:
            return
        if 0 < self.save_top_k <= len(self.best_k_models):
            worst = list(self.best_k_models.values())[self.save_top_k - 1]
            if not self.watch.better(value, worst):
                return
        name = f"epoch-{trainer.current_epoch:04d}.mg"
        save(
            {"model": trainer.evaluated_model.state_dict(), "metrics": dict(metrics)},
            self.dirpath / name,
        )
        ranked = [*self.best_k_models.items(), (name, value)]
        ranked.sort(key=lambda item: -self.watch.sign * item[1])
        self.best_k_models = dict(ranked if self.save_top_k < 0 else ranked[: self.save_top_k])

    def _forget_others(self) -> None:
        """Removes what is no longer among the best, after `last.mg` says so."""
        for path in self.dirpath.glob("epoch-*.mg"):
            if path.name not in self.best_k_models:
                path.unlink()

    def state_dict(self) -> dict[str, Any]:
        return {"best_k_models": dict(self.best_k_models)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_k_models = dict(state_dict["best_k_models"])
