"""Several models as one: averaged predictions, and many small nets that are trained at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from .. import nn, ops
from ..autograd.modes import no_grad
from ..func import functional_call, stack_module_state, vmap
from ..nn import functional as F

__all__ = ["Ensemble", "StackedEnsemble"]


def _votes(each: Any) -> Any:
    """1 for the class that each model prefers, in the shape of `each`."""
    return F.one_hot(each.argmax(2), each.shape[2]).movedim(-1, 2)


_AVERAGES: dict[str, Callable[[Any], Any]] = {
    "logits": lambda each: each.mean(0),
    "probabilities": lambda each: F.softmax(each, 2).mean(0),
    "votes": lambda each: _votes(each).to(each.dtype).mean(0),
}


def _check_average(average: str) -> None:
    if average not in _AVERAGES:
        raise ValueError(f"average={average!r} was given; one of {list(_AVERAGES)} is needed")


class Ensemble(nn.Module):
    """The mean of what models say: of "logits" (or values), "probabilities" or "votes".

    Each model gives (N, classes, ...); so does the ensemble. `each(x)` gives all of them, (models,
    N, classes, ...). ValueError without models.
    """

    def __init__(self, models: Sequence[Any], average: str = "logits") -> None:
        super().__init__()
        if not models:
            raise ValueError("Ensemble: no models were given; one or more are needed")
        self.models = nn.ModuleList(models)
        _check_average(average)
        self.average = average

    def each(self, *args: Any, **kwargs: Any) -> Any:
        """What each model says."""
        return ops.stack([model(*args, **kwargs) for model in self.models])

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return _AVERAGES[self.average](self.each(*args, **kwargs))

    def extra_repr(self) -> str:
        return f"average={self.average!r}"


class StackedEnsemble(nn.Module):
    """Models of one architecture, computed and trained at once: their weights are stacked.

    `StackedEnsemble([make() for _ in range(8)])(x)` gives (models, N, ...), from `func.vmap` over
    the models; a loss that is a sum over models trains each as by itself, with one optimizer over
    `parameters()` (steps of SGD, Adam and others that treat elements alike). `own_inputs`: the
    inputs are stacked, too, one for each model. `randomness`: of dropout, as `func.vmap` has it.
    `predict(x)` averages. `unstack()` returns ordinary models. ValueError for fewer than one
    model or different ones, and for layers that count or average in training (batch norm with
    running statistics).
    """

    def __init__(
        self,
        models: Sequence[Any],
        *,
        average: str = "logits",
        own_inputs: bool = False,
        randomness: str = "different",
    ) -> None:
        super().__init__()
        if not models:
            raise ValueError("StackedEnsemble: no models were given; one or more are needed")
        for name, module in models[0].named_modules():
            if isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats:
                raise ValueError(
                    f"StackedEnsemble: {name} averages statistics in training, which cannot be "
                    "stacked; group norm, or track_running_stats=False, is needed"
                )
        self.count, self.average = len(models), average
        self.own_inputs, self.randomness = own_inputs, randomness
        _check_average(average)
        # In a list, so that the model that shows the architecture is not trained or saved itself.
        self._shape = [copy.deepcopy(models[0])]
        params, buffers = stack_module_state(list(models))
        self._names: list[str] = list(params)
        self._buffer_names: list[str] = list(buffers)
        for name, t in params.items():
            self.register_parameter(_flat(name), nn.Parameter(t.detach()))
        for name, t in buffers.items():
            self.register_buffer(_flat(name), t.detach())

    def train(self, mode: bool = True) -> Any:
        self._shape[0].train(mode)
        return super().train(mode)

    def forward(self, *args: Any) -> Any:
        params = {name: getattr(self, _flat(name)) for name in self._names}
        buffers = {name: getattr(self, _flat(name)) for name in self._buffer_names}

        def one(params: Any, buffers: Any, *args: Any) -> Any:
            return functional_call(self._shape[0], (params, buffers), args)

        inputs = (0 if self.own_inputs else None,) * len(args)
        mapped = vmap(one, in_dims=(0, 0, *inputs), randomness=self.randomness)
        return mapped(params, buffers, *args)

    def predict(self, *args: Any) -> Any:
        """The mean of what the models say, by `average` (see `Ensemble`)."""
        return _AVERAGES[self.average](self(*args))

    def unstack(self) -> list[Any]:
        """The models by themselves, with copies of their weights."""
        models = []
        with no_grad():
            for i in range(self.count):
                model = copy.deepcopy(self._shape[0])
                state = {n: getattr(self, _flat(n))[i] for n in [*self._names, *self._buffer_names]}
                targets = {**dict(model.named_parameters()), **dict(model.named_buffers())}
                for name, t in state.items():
                    targets[name].copy_(t)
                models.append(model)
        return models

    def extra_repr(self) -> str:
        return f"{self.count} of {type(self._shape[0]).__name__}, average={self.average!r}"


def _flat(name: str) -> str:
    """A parameter's name as one that a module can hold itself."""
    return name.replace(".", "/")
