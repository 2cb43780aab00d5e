"""`WeightAveraging`: averages of the weights over training (EMA, SWA) as a trainer's callback."""

from __future__ import annotations

from typing import Any

from ..nn import Module
from ..optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from .callbacks import Callback


class WeightAveraging(Callback):
    """Averages the weights, validates with the average, and leaves it in the model after `fit`.

    `decay`: the average moves by 1 - decay of the way at each update (EMA); None: all count alike
    (SWA; Izmailov et al., 2018). Averaging begins after `start_step` updates, and then takes every
    `every_n_steps`-th. `use_buffers` averages buffers too, such as batch norms' statistics; without
    it those of the last update are taken (see `optim.swa_utils.update_bn`). Early stopping and
    the best checkpoints keep the averaged weights; training goes on with its own. The average is
    part of checkpoints. ValueError for a decay outside [0, 1], counts out of range.
    """

    def __init__(
        self,
        decay: float | None = 0.999,
        *,
        start_step: int = 0,
        every_n_steps: int = 1,
        use_buffers: bool = True,
    ) -> None:
        if start_step < 0 or every_n_steps < 1:
            raise ValueError(
                f"WeightAveraging: start_step is {start_step}, every_n_steps {every_n_steps}; "
                "needed: 0 or more, 1 or more"
            )
        self.average_fn = None if decay is None else get_ema_multi_avg_fn(decay)
        self.start_step, self.every_n_steps = start_step, every_n_steps
        self.use_buffers = use_buffers
        self.averaged: AveragedModel | None = None
        self._saved: dict[str, Any] | None = None
        self._own: Module | None = None  # the trained model, while the average takes its place

    def on_fit_start(self, trainer: Any) -> None:
        if self.averaged is None:
            self.averaged = AveragedModel(
                trainer.model, multi_avg_fn=self.average_fn, use_buffers=self.use_buffers
            )
        if self._saved is not None:
            self.averaged.load_state_dict(self._saved)
            self._saved = None
        self._show(trainer)

    def _show(self, trainer: Any) -> None:
        """From the first average on it is what validation measures."""
        if self.averaged is not None and self.averaged.n_averaged > 0:
            trainer.evaluated_model = self.averaged.module

    def on_train_step_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        since = trainer.global_step - self.start_step
        if self.averaged is not None and since > 0 and since % self.every_n_steps == 0:
            self.averaged.update_parameters(trainer.model)
            self._show(trainer)

    def on_validation_start(self, trainer: Any) -> None:
        self._own, trainer.model = trainer.model, trainer.evaluated_model

    def on_validation_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        self._give_back(trainer)

    def _give_back(self, trainer: Any) -> None:
        if self._own is not None:
            trainer.model, self._own = self._own, None

    def on_fit_end(self, trainer: Any) -> None:
        if trainer.evaluated_model is not trainer.model:
            trainer.model.load_state_dict(trainer.evaluated_model.state_dict())

    def teardown(self, trainer: Any) -> None:
        self._give_back(trainer)  # after an error in validation

    def state_dict(self) -> dict[str, Any]:
        return {"averaged": None if self.averaged is None else self.averaged.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._saved = state_dict["averaged"]
