"""One update of the parameters: gradients of one or more batches, scaled, clipped, applied."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import amp, dtypes
from ..nn import Module
from ..nn.utils import clip_grad_norm_, clip_grad_value_
from ..optim import LBFGS
from .accumulation import shares
from .sam import SAM, frozen_running_stats

_PRECISIONS = {"32-true": None, "bf16-mixed": dtypes.bfloat16, "16-mixed": dtypes.float16}


@dataclass
class Made:
    """What an update has come to."""

    results: list = field(default_factory=list)  # (loss, output, target) of each batch
    extra: dict[str, float] = field(default_factory=dict)  # "grad_norm", "scale"
    stepped: bool = True  # False if the scaler found infinity or NaN


class Update:
    """The arguments of `Trainer` that concern an update, and the update."""

    def __init__(
        self,
        optimizer: Any,
        accumulate: int = 1,
        clip: float | None = None,
        clip_by: str = "norm",
        precision: str = "32-true",
        scaler: amp.GradScaler | None = None,
        penalty: Callable[[Module], Any] | None = None,
    ) -> None:
        if accumulate < 1:
            raise ValueError(f"Trainer: accumulate_grad_batches is {accumulate}; needed: 1 or more")
        if clip_by not in ("norm", "value"):
            raise ValueError(
                f"Trainer: gradient_clip_algorithm is {clip_by!r}; needed: 'norm' or 'value'"
            )
        if precision not in _PRECISIONS:
            raise ValueError(
                f"Trainer: precision is {precision!r}; needed: one of {', '.join(_PRECISIONS)}"
            )
        self.closure = isinstance(optimizer, LBFGS) or getattr(optimizer, "needs_closure", False)
        if scaler is None and precision == "16-mixed" and not self.closure:
            scaler = amp.GradScaler(_device_type(optimizer))
        if self.closure and (scaler is not None or precision == "16-mixed"):
            raise ValueError(
                f"Trainer: {type(optimizer).__name__} evaluates the loss several times, which does "
                "not go with a GradScaler; needed: precision '32-true' or 'bf16-mixed'"
            )
        self.optimizer, self.accumulate = optimizer, accumulate
        self.clip, self.clip_by = clip, clip_by
        self.dtype, self.scaler, self.penalty = _PRECISIONS[precision], scaler, penalty

    def autocast(self) -> Any:
        """The context that losses are computed in."""
        if self.dtype is None:
            return contextlib.nullcontext()
        return amp.autocast(_device_type(self.optimizer), self.dtype)

    def step(self, model: Module, compute: Callable[[Any], Any], batches: list) -> Made:
        """Updates the parameters by the gradient of the mean loss over all samples."""
        made = Made()

        def closure() -> Any:
            self.optimizer.zero_grad()
            if made.results and isinstance(self.optimizer, SAM):
                with frozen_running_stats(model):
                    total = self._backward(model, compute, batches, made)
            else:
                total = self._backward(model, compute, batches, made)
            if self.scaler is not None and self.clip is not None:
                self.scaler.unscale_(self.optimizer)
            self._clip(made)
            return total

        if self.closure:
            self.optimizer.step(closure)
            return made
        closure()
        if self.scaler is None:
            self.optimizer.step()
            return made
        made.extra["scale"] = before = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        made.stepped = self.scaler.get_scale() >= before
        return made

    def _backward(self, model: Module, compute: Callable, batches: list, made: Made) -> Any:
        first = not made.results  # results are those at the parameters before the step
        total: Any = 0.0
        weights = shares(batches) if len(batches) > 1 else [1.0]
        for i, (batch, weight) in enumerate(zip(batches, weights)):
            if self.dtype is None:
                loss, output, target = compute(batch)
            else:
                with self.autocast():
                    loss, output, target = compute(batch)
            if first:
                made.results.append((loss, output, target))
            share = loss if len(batches) == 1 else loss * weight
            if self.penalty is not None and i == 0:
                share = share + self.penalty(model)
            (share if self.scaler is None else self.scaler.scale(share)).backward()
            if self.closure:
                total = total + share.detach()
        return total

    def _clip(self, made: Made) -> None:
        if self.clip is None:
            return
        params = [p for group in self.optimizer.param_groups for p in group["params"]]
        if self.clip_by == "norm":
            made.extra["grad_norm"] = float(clip_grad_norm_(params, self.clip))
        else:
            clip_grad_value_(params, self.clip)


def _device_type(optimizer: Any) -> str:
    return optimizer.param_groups[0]["params"][0].device.type
