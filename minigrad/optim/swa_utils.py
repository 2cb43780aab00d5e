"""Averages of a model's weights over training: SWA and exponential moving averages (EMA)."""

from __future__ import annotations

import copy
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from ..autograd import modes
from ..autograd import variable as _v
from ..autograd.variable import Variable
from ..creation import tensor
from ..dtypes import int64
from ..foreach import _foreach_add_, _foreach_lerp_, _foreach_sub
from ..nn.batchnorm import _BatchNorm
from ..nn.module import Module
from ._lr_base import LRScheduler, for_groups
from .optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """A function of (averages, current, n) that sets averages to decay * a + (1 - decay) * c.

    One compiled call for all tensors. ValueError unless 0 <= decay <= 1.
    """
    _check_decay(decay)

    @modes.no_grad()
    def ema_update(averages: list, current: list, _: Any) -> None:
        if _v.is_float(averages[0]._array):
            _foreach_lerp_(averages, current, 1 - decay)
        else:
            for average, value in zip(averages, current, strict=True):
                average.copy_(average * decay + value * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn() -> Callable:
    """A function of (averages, current, n) that moves the averages by 1 / (n + 1) of the way."""

    @modes.no_grad()
    def swa_update(averages: list, current: list, num_averaged: Any) -> None:
        if _v.is_float(averages[0]._array):
            _foreach_lerp_(averages, current, 1 / (num_averaged + 1))
        else:
            changes = _foreach_sub(current, averages)
            if isinstance(num_averaged, Variable):
                for average, change in zip(averages, changes, strict=True):
                    average.addcdiv_(change, num_averaged + 1)
            else:
                _foreach_add_(averages, changes, alpha=1.0 / (num_averaged + 1))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """A function of (average, current, n) that returns decay * average + (1 - decay) * current.

    ValueError unless 0 <= decay <= 1.
    """
    _check_decay(decay)

    @modes.no_grad()
    def ema_update(average: Any, current: Any, num_averaged: Any) -> Any:
        return decay * average + (1 - decay) * current

    return ema_update


def get_swa_avg_fn() -> Callable:
    """A function of (average, current, n) that returns average + (current - average) / (n + 1)."""

    @modes.no_grad()
    def swa_update(average: Any, current: Any, num_averaged: Any) -> Any:
        return average + (current - average) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose parameters average those of the model over time.

    `avg_fn(average, current, n)` returns the new average of a tensor; `multi_avg_fn(averages,
    current, n)` updates lists of tensors in place. Without either, the average of all models is
    taken (SWA: Izmailov et al., 2018). The first update copies. `use_buffers` averages the buffers,
    too; otherwise they are copied from the model.
    """

    n_averaged: Any

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable | None = None,
        multi_avg_fn: Callable | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def _tensors(self, model: Module) -> Iterable:
        if self.use_buffers:
            return itertools.chain(model.parameters(), model.buffers())
        return model.parameters()

    def update_parameters(self, model: Module) -> None:
        """Takes the model's present parameters into the average."""
        averages = [p.detach() for p in self._tensors(self.module)]
        current = [p.detach() for p in self._tensors(model)]
        if self.n_averaged == 0:
            for average, value in zip(averages, current, strict=False):
                average.copy_(value)
        elif self.avg_fn is not None:
            for average, value in zip(averages, current, strict=False):
                average.copy_(self.avg_fn(average, value, self.n_averaged))
        else:
            groups: defaultdict[Any, tuple[list, list]] = defaultdict(lambda: ([], []))
            for average, value in zip(averages, current, strict=False):
                olds, news = groups[average.dtype]
                olds.append(average)
                news.append(value)
            for olds, news in groups.values():
                if self.multi_avg_fn is not None:
                    self.multi_avg_fn(olds, news, self.n_averaged)
                elif _v.is_float(olds[0]._array):
                    get_swa_multi_avg_fn()(olds, news, self.n_averaged)
                else:
                    for old, new in zip(olds, news, strict=True):
                        old.copy_(get_swa_avg_fn()(old, new, self.n_averaged))
        if not self.use_buffers:
            for old, new in zip(self.module.buffers(), model.buffers(), strict=True):
                old.detach().copy_(new.detach())
        self.n_averaged += 1


@modes.no_grad()
def update_bn(loader: Iterable, model: Module, device: Any = None) -> None:
    """Sets the running statistics of batch norms to the mean over all batches of `loader`.

    A batch is a tensor, or a list or tuple whose first element is the model's input.
    """
    momenta = {}
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            momenta[module] = module.momentum
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.momentum = None
    for batch in loader:
        inputs = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(inputs if device is None else inputs.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Anneals each group's learning rate to `swa_lr` in `anneal_epochs` steps, then keeps it.

    `anneal_strategy` is "cos" or "linear". ValueError for other strategies and negative epochs.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        for rate, group in zip(
            for_groups("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True
        ):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """The share of `swa_lr` at t from 0 to 1."""
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def _share(self, step: int) -> float:
        return self.anneal_func(max(0, min(1, step / max(1, self.anneal_epochs))))

    def get_lr(self) -> list:
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, share = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            final = group["swa_lr"]
            # What the learning rate would be without annealing, from what it is.
            start = final if before == 1 else (group["lr"] - before * final) / (1 - before)
            rates.append(final * share + start * (1 - share))
        return rates
