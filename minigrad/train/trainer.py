"""`Trainer`: the loop over epochs and batches, with validation, checkpoints and exact resume."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from ..amp import GradScaler
from ..autograd import no_grad
from ..nn import Module
from ..ops import cat
from ..optim.lr_scheduler import ReduceLROnPlateau
from .averaging import WeightAveraging
from .callbacks import Callback
from .checkpoints import ModelCheckpoint
from .feed import Feed, Means, device_of, parts, size_of
from .saving import StateOfRun
from .update import Update


class Trainer(StateOfRun):
    """Trains `model` for `max_epochs` epochs: `Trainer(model, optimizer, loss_fn).fit(loader)`.

    A batch is (input, ..., target): `loss_fn(model(input, ...), target)` is the loss, a mean over
    samples. For other batches subclass and override `compute`.

    - `lr_scheduler` steps after each "epoch" or update ("step": `lr_scheduler_interval`);
      ReduceLROnPlateau is given the metric `lr_scheduler_monitor`.
    - `metrics`: functions of (output, target) that give means over a batch, by name. The history
      has "train_loss", "train_<name>", "val_loss", "val_<name>", means over samples, and "epoch",
      "step", "lr" (after the last update) and "seconds" (of training, its data included).
    - `accumulate_grad_batches`: an update has the gradient of so many batches together.
    - `gradient_clip_val`, by the total "norm" or by "value" (`gradient_clip_algorithm`).
    - `precision`: "32-true", or "bf16-mixed" or "16-mixed" for autocast, the latter with `scaler`
      (a GradScaler of its own by default).
    - `penalty`: a function of the model, added to the loss (`L1`, `L2`).
    - `max_steps`: at most so many updates. `check_val_every_n_epoch`: how often to validate.
    - `generators`: sources of random numbers of the program's own, to be saved and restored.

    Everything the trainer knows stands in its attributes: `current_epoch`, `global_step`,
    `batch_in_epoch`, `history` (a row for each epoch), `should_stop`. The random numbers and the
    arithmetic are those of the plain loop. ValueError for arguments that contradict each other.
    """

    def __init__(
        self,
        model: Module,
        optimizer: Any,
        loss_fn: Callable[[Any, Any], Any] | None = None,
        *,
        max_epochs: int = 1,
        max_steps: int | None = None,
        lr_scheduler: Any = None,
        lr_scheduler_interval: str = "epoch",
        lr_scheduler_monitor: str = "val_loss",
        metrics: dict[str, Callable[[Any, Any], Any]] | None = None,
        accumulate_grad_batches: int = 1,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str = "norm",
        precision: str = "32-true",
        scaler: GradScaler | None = None,
        penalty: Callable[[Module], Any] | None = None,
        check_val_every_n_epoch: int = 1,
        callbacks: Iterable[Callback] = (),
        generators: Iterable[Any] = (),
    ) -> None:
        if lr_scheduler_interval not in ("epoch", "step"):
            raise ValueError(
                f"Trainer: lr_scheduler_interval is {lr_scheduler_interval!r}; needed: 'epoch' or "
                "'step'"
            )
        if check_val_every_n_epoch < 1:
            raise ValueError(
                f"Trainer: check_val_every_n_epoch is {check_val_every_n_epoch}; needed: 1 or more"
            )
        self.model, self.optimizer, self.loss_fn = model, optimizer, loss_fn
        self.max_epochs, self.max_steps = max_epochs, max_steps
        self.lr_scheduler = lr_scheduler
        self.lr_scheduler_interval = lr_scheduler_interval
        self.lr_scheduler_monitor = lr_scheduler_monitor
        self.metrics = dict(metrics or {})
        self.update = Update(
            optimizer, accumulate_grad_batches, gradient_clip_val, gradient_clip_algorithm,
            precision, scaler, penalty,
        )  # fmt: skip
        self.check_val_every_n_epoch = check_val_every_n_epoch
        # Averages come first, as others look at them; checkpoints last, to hold what all have seen.
        self.callbacks = sorted(
            callbacks,
            key=lambda c: isinstance(c, ModelCheckpoint) - isinstance(c, WeightAveraging),
        )
        self.evaluated_model = model  # what validation measures: another one under averaging
        self.generators = list(generators)
        self._begin_run()

    # -- what a subclass may change --------------------------------------------------------------

    def compute(self, batch: Any) -> tuple[Any, Any, Any]:
        """(loss, output, target) of a batch: the loss a scalar tensor, the others for metrics."""
        inputs, target = parts(batch)
        output = self.model(*inputs)
        if self.loss_fn is None:
            raise ValueError("Trainer: given no loss_fn; needed: one, or a subclass with `compute`")
        return self.loss_fn(output, target), output, target

    # -- training --------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether no further update is to come."""
        return (
            self.should_stop
            or self.current_epoch >= self.max_epochs
            or (self.max_steps is not None and self.global_step >= self.max_steps)
        )

    def stop(self, reason: str = "") -> None:
        """Ends training after the present update; `should_stop` is saved with checkpoints."""
        self.should_stop, self.stop_reason = True, reason

    def fit(
        self,
        train_dataloader: Iterable,
        val_dataloader: Iterable | None = None,
        *,
        ckpt_path: str | os.PathLike | None = None,
    ) -> list[dict[str, Any]]:
        """Trains until `max_epochs` epochs are done in all, and returns the history.

        `ckpt_path`: a checkpoint to go on from; "last": the one of the `ModelCheckpoint` among the
        callbacks if it has written one, else a fresh start. What follows equals an uninterrupted
        run bit for bit if model, optimizer and loaders are made as before; two things are the
        program's: samplers that draw while an epoch runs need a generator of their own (those of
        `utils.data` have, or draw at once), and loaders must not have `persistent_workers`.
        """
        self.train_dataloader, self.val_dataloader = train_dataloader, val_dataloader
        path = self._checkpoint_path(ckpt_path)
        if path is not None:
            self.load_checkpoint(path)
            if getattr(train_dataloader, "persistent_workers", False):
                warnings.warn(
                    "the loader has persistent_workers, whose random numbers are not restored; "
                    "needed for an exact resume: persistent_workers=False",
                    stacklevel=2,
                )
        self._restore_random()
        try:
            self.call("on_fit_start")
            while self.batch_in_epoch or not self.done:
                self._run_epoch(train_dataloader, val_dataloader)
            self.call("on_fit_end")
        finally:
            self.call("teardown")
        return self.history

    def call(self, event: str, *args: Any) -> None:
        """Calls a method of all callbacks."""
        for callback in self.callbacks:
            getattr(callback, event)(self, *args)

    def _run_epoch(self, loader: Iterable, val_dataloader: Iterable | None) -> None:
        self.model.train()
        self.call("on_train_epoch_start")
        feed = self._open_feed(loader)
        here = device_of(self.model)
        started = time.perf_counter()
        while not self.done and (batches := feed.take(self.update.accumulate)):
            self._train_step([Feed.moved(batch, here) for batch in batches])
            self.batch_in_epoch, self.feed_ended = feed.position, feed.ended
            now = time.perf_counter()
            self._seconds, started = self._seconds + now - started, now
            self.call("on_train_step_end", self.step_metrics)
        if not feed.position:
            raise ValueError("Trainer.fit: the loader gives no batch; needed: one at least")
        row: dict[str, Any] = {
            "epoch": self.current_epoch + 1, "step": self.global_step, "lr": self.lr,
            **self.means.result("train_"),
        }  # fmt: skip
        row["seconds"] = self._seconds
        every = self.check_val_every_n_epoch
        due = (self.current_epoch + 1) % every == 0 or self.current_epoch + 1 >= self.max_epochs
        self.skipped_validation = val_dataloader is not None and not due
        if val_dataloader is not None and due:
            row.update(self.validate(val_dataloader))
        if self.lr_scheduler is not None and self.lr_scheduler_interval == "epoch":
            self._schedule(row)
        self.history.append(row)
        self.current_epoch += 1
        self._begin_epoch()
        self.call("on_train_epoch_end", row)

    def _train_step(self, batches: list) -> None:
        """One update of the parameters from the batches."""
        lr = self.lr
        made = self.update.step(self.model, self.compute, batches)
        step = Means()
        for batch, result in zip(batches, made.results):
            n, values = size_of(batch), self._values(*result)
            self.means.add(values, n)
            step.add(values, n)
        self.global_step += 1
        self.step_metrics = {**step.result("train_"), "lr": lr, **made.extra}
        if self.lr_scheduler is not None and self.lr_scheduler_interval == "step" and made.stepped:
            self._schedule(self.step_metrics)

    def _values(self, loss: Any, output: Any, target: Any) -> dict[str, float]:
        """The loss and the metrics of a batch as numbers."""
        values = {"loss": loss.item()}
        if self.metrics:
            with no_grad():
                for name, metric in self.metrics.items():
                    values[name] = float(metric(output, target))
        return values

    @property
    def lr(self) -> float:
        """The learning rate of the first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def _schedule(self, metrics: dict[str, Any]) -> None:
        if not isinstance(self.lr_scheduler, ReduceLROnPlateau):
            self.lr_scheduler.step()
        elif self.lr_scheduler_monitor in metrics:
            self.lr_scheduler.step(metrics[self.lr_scheduler_monitor])
        elif not self.skipped_validation:
            raise KeyError(
                f"lr_scheduler_monitor is {self.lr_scheduler_monitor!r}; there are: "
                f"{', '.join(metrics)}"
            )

    # -- without training ------------------------------------------------------------------------

    def validate(self, dataloader: Iterable) -> dict[str, float]:
        """The mean loss and metrics over a loader, in eval mode: {"val_loss": ...}."""
        means = Means()
        self.call("on_validation_start")
        here = device_of(self.model)
        modes = [(m, m.training) for m in self.model.modules()]
        self.model.eval()
        try:
            with no_grad():
                for given in dataloader:
                    batch = Feed.moved(given, here)
                    with self.update.autocast():
                        loss, output, target = self.compute(batch)
                    means.add(self._values(loss, output, target), size_of(batch))
        finally:
            for module, training in modes:
                module.training = training
        result = means.result("val_")
        self.call("on_validation_end", result)
        return result

    def predict(self, dataloader: Iterable) -> Any:
        """The model's outputs for a loader in eval mode, one after the other: (samples, ...).

        A batch is the input, or a list or tuple of which the first is.
        """
        outputs = []
        here = device_of(self.model)
        modes = [(m, m.training) for m in self.model.modules()]
        self.model.eval()
        try:
            with no_grad(), self.update.autocast():
                for given in dataloader:
                    batch = Feed.moved(given, here)
                    outputs.append(
                        self.model(batch[0] if isinstance(batch, (list, tuple)) else batch)
                    )
        finally:
            for module, training in modes:
                module.training = training
        return cat(outputs)
