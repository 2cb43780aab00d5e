"""Modules as functions of their parameters: functional_call, stack_module_state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import ops
from ..autograd.variable import Variable
from ..nn import Module
from ..nn.utils.stateless import replaced_state
from ._batched import Batched


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Calls a module with other parameters and buffers, which it has during the call only.

    `parameter_and_buffer_dicts`: a dictionary from names to tensors, or several, without common
    names. `args` is a tuple, or the only argument. `tie_weights`: a tensor that a module has under
    several names is replaced under all of them. `strict`: RuntimeError unless every name is given
    and exists; else others keep their tensors and unknown names are ignored.
    """
    given: dict[str, Any] = {}
    if isinstance(parameter_and_buffer_dicts, dict):
        given = parameter_and_buffer_dicts
    elif isinstance(parameter_and_buffer_dicts, Sequence):
        if not all(isinstance(d, dict) for d in parameter_and_buffer_dicts):
            raise ValueError(
                "Expected all elements of parameter_and_buffer_dicts to be dictionaries"
            )
        names = [name for d in parameter_and_buffer_dicts for name in d]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(
                f"{twice} appeared in multiple dictionaries; behavior of functional call is "
                "ambiguous"
            )
        given = {n: v for d in parameter_and_buffer_dicts for n, v in d.items()}
    else:
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(parameter_and_buffer_dicts)}"
        )
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with replaced_state(module, given, tie_weights, strict):
        return module(*args, **(kwargs or {}))


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, buffers) of several models of one kind, stacked, for `vmap` over the models.

    RuntimeError unless there is a model, and all are of one class and in the same mode.
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or not any(m.training for m in models)):
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    params = {
        name: _stacked([dict(m.named_parameters())[name] for m in models])
        for name, _ in models[0].named_parameters()
    }
    buffers = {
        name: _stacked([dict(m.named_buffers())[name] for m in models])
        for name, _ in models[0].named_buffers()
    }
    return params, buffers


def _stacked(tensors: list) -> Any:
    wants = tensors[0].requires_grad
    if any(t.requires_grad is not wants for t in tensors):
        raise RuntimeError("Expected each parameter to have the same .requires_grad for all models")
    return ops.stack([t.detach() for t in tensors]).requires_grad_(wants)


def functionalize(func: Callable, *, remove: str = "mutations") -> Callable:
    """`func` itself: no transform here needs writes in place to be taken out of a function."""
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            "functionalize(f, remove='mutations'): only 'mutations' and 'mutations_and_views' are "
            f"valid options for remove; got {remove!r}"
        )
    return func


def debug_unwrap(tensor: Any, *, recurse: bool = True) -> Any:
    """The samples behind a batched tensor (with `recurse`, down to a plain tensor)."""
    if not isinstance(tensor, Variable):
        raise TypeError(f"debug_unwrap: a {type(tensor).__name__} was given; needed: a Tensor")
    while tensor.__class__ is Batched:
        tensor = tensor.value
        if not recurse:
            break
    return tensor


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Makes batch norms use the statistics of the batch alone, in place: without running ones."""
    for part in root.modules():
        if getattr(part, "track_running_stats", False):
            part.running_mean = part.running_var = part.num_batches_tracked = None
            part.track_running_stats = False
    return root
