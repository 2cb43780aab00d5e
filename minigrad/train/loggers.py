"""Callbacks that show and write what a trainer does: progress bar, CSV, TensorBoard, plots."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._extra import need
from .callbacks import Callback


class ProgressBar(Callback):
    """A bar for each epoch with its metrics, by tqdm (`minigrad[train]`).

    `leave`: whether the bars of past epochs stay. Other arguments are tqdm's.
    """

    def __init__(self, leave: bool = True, **options: Any) -> None:
        self._tqdm = need("tqdm.auto", "tqdm", "train").tqdm
        self._options = {"leave": leave, **options}
        self._bar: Any = None

    def on_train_epoch_start(self, trainer: Any) -> None:
        try:
            total = len(trainer.train_dataloader)
        except TypeError:  # a stream
            total = None
        self._bar = self._tqdm(
            total=total, initial=trainer.batch_in_epoch, unit="batch",
            desc=f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", **self._options,
        )  # fmt: skip

    def on_train_step_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        self._bar.set_postfix(_short(metrics), refresh=False)
        self._bar.update(trainer.batch_in_epoch - self._bar.n)

    def on_train_epoch_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        shown = {k: v for k, v in metrics.items() if k not in ("epoch", "step", "seconds")}
        self._bar.set_postfix(_short(shown))
        self.teardown(trainer)

    def teardown(self, trainer: Any) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _short(metrics: dict[str, Any]) -> dict[str, str]:
    return {k: f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in metrics.items()}


class CSVLogger(Callback):
    """Writes the history to a CSV file, a row for each epoch; the file is replaced at once.

    After a resume it holds what the uninterrupted run would have written, but for times.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)

    def on_train_epoch_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        write_history(trainer.history, self.path)


def write_history(history: list[dict[str, Any]], path: str | os.PathLike) -> None:
    """Writes rows to a CSV file; columns that a row does not have are empty in it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".minigrad-{path.name}")
    with open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(k for row in history for k in row)))
        writer.writeheader()
        writer.writerows(history)
    os.replace(temporary, path)


class LogTo(Callback):
    """Calls `log(metrics, step=...)` after each epoch, and every so many updates: `wandb.log`, say.

    With `every_n_steps=None` only epochs are logged. `step` is the number of updates.
    """

    def __init__(self, log: Callable[..., Any], every_n_steps: int | None = None) -> None:
        self.log, self.every_n_steps = log, every_n_steps

    def on_train_step_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            self.log({f"step/{k}": v for k, v in metrics.items()}, step=trainer.global_step)

    def on_train_epoch_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        row = {k: v for k, v in metrics.items() if k != "step"}
        self.log(row, step=trainer.global_step)


class TensorBoardLogger(Callback):
    """Scalars for TensorBoard, by tensorboardX (`minigrad[tensorboard]`).

    After a resume, what a killed run has written beyond its checkpoint is hidden. Updates are
    logged under "step/", every `every_n_steps` of them (None: epochs only).
    """

    def __init__(self, logdir: str | os.PathLike, every_n_steps: int | None = 10) -> None:
        self._writer_class = need("tensorboardX", "tensorboardX", "tensorboard").SummaryWriter
        self.logdir, self.every_n_steps = str(logdir), every_n_steps
        self._writer: Any = None

    def on_fit_start(self, trainer: Any) -> None:
        step = trainer.global_step
        self._writer = self._writer_class(self.logdir, purge_step=step + 1 if step else None)

    def _write(self, metrics: dict[str, Any], step: int, prefix: str = "") -> None:
        for name, value in metrics.items():
            if name not in ("epoch", "step"):
                self._writer.add_scalar(prefix + name, float(value), step)

    def on_train_step_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            self._write(metrics, trainer.global_step, "step/")

    def on_train_epoch_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        self._write(metrics, trainer.global_step)
        self._writer.flush()

    def teardown(self, trainer: Any) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class PlotHistory(Callback):
    """Draws the history at the end of `fit` to a file, by Matplotlib (`minigrad[train]`)."""

    def __init__(self, path: str | os.PathLike) -> None:
        need("matplotlib.figure", "Matplotlib", "train")
        self.path = Path(path)

    def on_fit_end(self, trainer: Any) -> None:
        if trainer.history:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            plot_history(trainer.history).savefig(self.path, dpi=120)


def plot_history(history: list[dict[str, Any]]) -> Any:
    """A Matplotlib figure: a panel for each metric over the epochs, training beside validation.

    ValueError for an empty history.
    """
    if not history:
        raise ValueError("plot_history: given no epochs; needed: one at least")
    figure_class = need("matplotlib.figure", "Matplotlib", "train").Figure
    columns = dict.fromkeys(k for row in history for k in row if k not in ("epoch", "step"))
    panels: dict[str, list[str]] = {}
    for column in columns:
        panels.setdefault(column.removeprefix("train_").removeprefix("val_"), []).append(column)
    figure = figure_class(figsize=(4 * len(panels), 3.2), layout="constrained")
    places = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (name, members) in zip(places, panels.items()):
        for column in members:
            rows = [row for row in history if column in row]
            axes.plot([r["epoch"] for r in rows], [r[column] for r in rows], ".-", label=column)
        axes.set(xlabel="epoch", title=name)
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    return figure
