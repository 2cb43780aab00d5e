"""One model from the weights of several: averages (soups) and what lies between two models."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ..autograd.modes import no_grad
from ..autograd.variable import Variable
from ..nn import Module

__all__ = ["GreedySoup", "greedy_soup", "interpolate", "uniform_soup"]


def _states(models: Iterable) -> list[dict[str, Any]]:
    states = [dict(m.state_dict()) if isinstance(m, Module) else dict(m) for m in models]
    if not states:
        raise ValueError("no models were given; one or more are needed")
    for number, state in enumerate(states[1:], 1):
        different = set(state) ^ set(states[0])
        if different:
            raise ValueError(f"model {number} and model 0 differ in {sorted(different)[:5]}")
        for name, t in state.items():
            other = states[0][name]
            if isinstance(t, Variable) and t.shape != other.shape:
                raise ValueError(
                    f"{name} is {tuple(t.shape)} in model {number}, {tuple(other.shape)} in model "
                    "0; equal shapes are needed"
                )
    return states


def _average(states: list[dict[str, Any]], weights: list[float]) -> dict[str, Any]:
    """Weighted sums of what is floating; of the rest (counters) the first model's."""
    result: dict[str, Any] = {}
    with no_grad():
        for name, first in states[0].items():
            if not isinstance(first, Variable):
                result[name] = copy.deepcopy(first)
            elif not (first.is_floating_point() or first.is_complex()):
                result[name] = first.detach().clone()
            else:
                total = (
                    first.double() * weights[0] if first.is_floating_point() else first * weights[0]
                )
                for state, w in zip(states[1:], weights[1:]):
                    total = total + state[name].to(total.dtype) * w
                result[name] = total.to(first.dtype)
    return result


def _like(given: Any, state: dict[str, Any]) -> Any:
    """A copy of a model with other weights, or the weights if weights were given."""
    if not isinstance(given, Module):
        return state
    model = copy.deepcopy(given)
    model.load_state_dict(state)
    return model


def uniform_soup(models: Sequence[Any], weights: Sequence[float] | None = None) -> Any:
    """The model whose weights are the mean of those of models, fine-tuned from one start.

    `models`: modules, or state_dicts; a new one of the first's kind is returned. `weights`: shares,
    divided by their sum. Counters are the first model's; the statistics of batch norms are
    averaged, too, and better taken anew with `optim.swa_utils.update_bn`. (Wortsman et al. 2022.)
    ValueError for none, for unequal names or shapes, and weights that do not fit.
    """
    models = list(models)
    states = _states(models)
    shares = [1.0] * len(states) if weights is None else [float(w) for w in weights]
    if len(shares) != len(states) or sum(shares) == 0:
        raise ValueError(
            f"uniform_soup: weights={weights} were given; {len(states)} numbers with a sum other "
            "than 0 are needed"
        )
    total = sum(shares)
    return _like(models[0], _average(states, [w / total for w in shares]))


def interpolate(first: Any, second: Any, t: float) -> Any:
    """(1 - t) first + t second, of two models or state_dicts; a new one.

    0 and 1 give the two; beyond them it is extrapolated. Along this line fine-tuned models often
    stay good (Wortsman et al. 2022, WiSE-FT) and ones trained apart do not (Frankle et al. 2020).
    """
    states = _states([first, second])
    if t in (0, 1):
        return _like(first, _average([states[int(t)]], [1.0]))
    return _like(first, _average(states, [1 - t, t]))


class GreedySoup(NamedTuple):
    """The soup, its score, the places of the models in it, and each model's score."""

    model: Any
    score: float
    members: list[int]
    scores: list[float]


def greedy_soup(models: Sequence[Any], evaluate: Callable[[Any], Any]) -> GreedySoup:
    """The mean of those models that make it no worse (Wortsman et al. 2022, recipe 1).

    From the best by `evaluate(model)` (larger is better) on, each is added if the mean with it
    scores at least as much. The score is that of the data that `evaluate` looks at: it has to be
    other data than the final test's. TypeError unless modules are given.
    """
    models = list(models)
    if not all(isinstance(m, Module) for m in models):
        raise TypeError("greedy_soup: modules are needed, since each has to be evaluated")
    states = _states(models)
    scores = [float(evaluate(m)) for m in models]
    order = sorted(range(len(models)), key=lambda i: -scores[i])
    members, best = [order[0]], scores[order[0]]
    trial = copy.deepcopy(models[order[0]])
    for i in order[1:]:
        chosen = [*members, i]
        trial.load_state_dict(
            _average([states[j] for j in chosen], [1 / len(chosen)] * len(chosen))
        )
        score = float(evaluate(trial))
        if score >= best:
            members, best = chosen, score
    trial.load_state_dict(_average([states[j] for j in members], [1 / len(members)] * len(members)))
    return GreedySoup(trial, best, members, scores)
