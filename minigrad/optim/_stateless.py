"""Stepping an optimizer on other parameters and another state for a while."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ..autograd.variable import Variable
from .optimizer import Optimizer

_NAME = "swap_in_optimizer_params_and_state"


def _check_state(state: Any) -> dict:
    if not isinstance(state, dict):
        raise RuntimeError(
            f"{_NAME}: 'state' is a {type(state).__name__}; needed: a dict from the numbers of "
            "parameters to their states"
        )
    for key, value in state.items():
        if isinstance(key, Variable):
            raise RuntimeError(f"{_NAME}: a key of 'state' is a Tensor; needed: numbers, as in "
                               "optimizer.state_dict()")  # fmt: skip
        if isinstance(key, int) and not isinstance(value, dict):
            raise RuntimeError(
                f"{_NAME}: the state of parameter {key} is a {type(value).__name__}; needed: a dict"
            )
    return state


def _check_group(i: int, group: dict, given: Any) -> list[int]:
    """The numbers of the parameters in a given group, which must be like the optimizer's."""
    numbers = given.get("params") if isinstance(given, dict) else None
    if not isinstance(numbers, list) or not all(isinstance(n, int) for n in numbers):
        raise RuntimeError(
            f"{_NAME}: parameter group {i} is not as in optimizer.state_dict(); needed: a dict "
            "whose 'params' are the parameters' numbers"
        )
    if len(numbers) != len(group["params"]):
        raise RuntimeError(
            f"{_NAME}: parameter group {i} has {len(numbers)} parameters; the optimizer's has "
            f"{len(group['params'])}"
        )
    if given.keys() != group.keys():
        raise RuntimeError(
            f"{_NAME}: the keys of parameter group {i} must be the optimizer's; only given: "
            f"{[k for k in given if k not in group]}, missing: "
            f"{[k for k in group if k not in given]}"
        )
    return numbers


def _prepared(optimizer: Optimizer, params: list, given: Any) -> tuple[list[dict], defaultdict]:
    """The groups and the state that the optimizer is to have."""
    if not optimizer.state:
        raise RuntimeError(f"{_NAME}: the optimizer has no state yet; needed: a step before")
    if not isinstance(given, dict):
        raise RuntimeError(f"{_NAME}: got a {type(given).__name__}; needed: a state dict")
    saved = _check_state(given.get("state"))
    groups = given.get("param_groups")
    if not isinstance(groups, list) or len(groups) != len(optimizer.param_groups):
        raise RuntimeError(
            f"{_NAME}: 'param_groups' must be a list of {len(optimizer.param_groups)} groups, as "
            "many as the optimizer has"
        )
    state: defaultdict[Any, Any] = defaultdict(dict)
    made = []
    used: set[int] = set()
    start = 0
    for i, (group, new) in enumerate(zip(optimizer.param_groups, groups, strict=True)):
        numbers = _check_group(i, group, new)
        mine = params[start : start + len(numbers)]
        if len(mine) != len(numbers):
            raise RuntimeError(
                f"{_NAME}: {len(params)} parameters were given; needed: one for each of the "
                "optimizer's, in its order"
            )
        start += len(numbers)
        used.update(numbers)
        made.append({**new, "params": mine})
        for p, n in zip(mine, numbers, strict=True):
            state[p] = dict(saved.get(n, {}))
    others = [key for key in saved if key not in used]
    if others:
        raise RuntimeError(f"{_NAME}: 'state' has keys that are in no parameter group: {others!r}")
    return made, state


@contextlib.contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer, swapin_parameters: dict[str, Any], swapin_optim_state: dict[str, Any]
) -> Iterator[None]:
    """Within this context the optimizer has other parameters, options and states.

    `swapin_parameters`: the tensors, in the order of the optimizer's. `swapin_optim_state`: what
    `state_dict()` returns; its tensors are written to by a step, but nothing is added to it.
    RuntimeError if the optimizer has made no step yet, or if the groups do not match.
    """
    params = list(swapin_parameters.values())
    groups, state = _prepared(optimizer, params, swapin_optim_state)
    own_state, own_groups = optimizer.state, [dict(group) for group in optimizer.param_groups]
    try:
        for group, new in zip(optimizer.param_groups, groups, strict=True):
            group.update(new)
        optimizer.state = state
        yield
    finally:
        for group, own in zip(optimizer.param_groups, own_groups, strict=True):
            group.clear()
            group.update(own)
        optimizer.state = own_state
