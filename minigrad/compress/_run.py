"""Running a model once to look at it, which leaves it as it was."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..autograd.modes import no_grad
from ..autograd.variable import Variable


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Inside, every module of `model` is in evaluation and nothing is recorded."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, training in before:
            module.training = training


def copied(model: Any) -> Any:
    """A deep copy, also of a model with results among its attributes, as masks leave them."""
    for module in model.modules():
        for name, value in vars(module).items():
            if isinstance(value, Variable) and not value.is_leaf:
                vars(module)[name] = value.detach()
    return copy.deepcopy(model)


def arguments(example_inputs: Any) -> tuple:
    """What the model is called with: a tuple or list is its arguments, else there is one."""
    if isinstance(example_inputs, (tuple, list)):
        return tuple(example_inputs)
    return (example_inputs,)


def tensors_in(value: Any) -> Iterator[Any]:
    """The tensors in nested lists, tuples and dictionaries."""
    if isinstance(value, Variable):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from tensors_in(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from tensors_in(inner)


def owners(model: Any) -> dict[int, tuple[Any, str, str]]:
    """For each parameter and buffer, by `id`: its module, its name in it, its full name."""
    found: dict[int, tuple[Any, str, str]] = {}
    for prefix, module in model.named_modules():
        named: Iterable = [*module._parameters.items(), *module._buffers.items()]
        for name, value in named:
            if value is not None:
                found.setdefault(id(value), (module, name, f"{prefix}.{name}" if prefix else name))
    return found
