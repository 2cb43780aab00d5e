"""Calling the hooks of tensors and nodes in the backward loop, and checking what they return."""

from __future__ import annotations

import operator
from typing import Any

from ..kernels._quiet import quiet
from . import variable as _v
from .row_grads import as_array, as_tensor
from .variable import Node, Variable

add_to = quiet(operator.iadd)
_HOOK_ORDER = {"tensor": 0, "retain": 1, "node_pre": 2, "node": 3}


def run_hooks(node: Node, grad: Any, create_graph: bool = False) -> Any:
    """Calls the hooks on a complete gradient, which they see as tensors."""
    assert node.hooks is not None
    # Kept gradients are what the tensor's hooks have made of them, and the node's hooks come last.
    for kind, hook in sorted(node.hooks.values(), key=lambda pair: _HOOK_ORDER[pair[0]]):
        if kind == "tensor":
            given = as_tensor(grad)
            result = hook(given)
            if result is not None:
                if not isinstance(result, Variable):
                    raise _no_variable(result)
                _check_hook(hook, given._array, result._array)
                grad = result if create_graph else as_array(result)
        elif kind == "retain":
            variable = hook()
            if variable is not None:
                if create_graph:
                    old = variable._grad
                    variable._grad = grad if old is None else old + grad
                elif variable._grad is None:
                    variable._grad = _v.wrap(grad.copy())
                else:
                    variable._grad._array = add_to(variable._grad._array, grad)
        elif kind == "node_pre":
            grads = grad if isinstance(grad, list) else [grad]
            given = tuple(as_tensor(g) for g in grads)
            result = hook(given)
            if result is not None:
                values = _from_hook(hook, result, given, create_graph)
                grad = values if isinstance(grad, list) else values[0]
    return grad


def _check_hook(hook: Any, given: Any, result: Any) -> None:
    name = getattr(hook, "__name__", hook.__class__.__name__)
    if result.dtype != given.dtype:
        raise RuntimeError(
            f"hook '{name}' has changed the type of value (was {given.dtype} got {result.dtype})"
        )
    if result.shape != given.shape:
        raise RuntimeError(
            f"hook '{name}' has changed the size of value (was {list(given.shape)} got "
            f"{list(result.shape)})"
        )


def run_node_hooks(node: Node, grads: Any, grad: Any, create_graph: bool = False) -> Any:
    """Calls the hooks of `Node.register_hook(hook)` with (grad_inputs, grad_outputs)."""
    assert node.hooks is not None
    for kind, hook in list(node.hooks.values()):
        if kind != "node":
            continue
        inputs = tuple(as_tensor(g) for g in as_tuple(grads))
        outputs = tuple(as_tensor(g) for g in (grad if isinstance(grad, list) else [grad]))
        result = hook(inputs, outputs)
        if result is not None:
            grads = tuple(_from_hook(hook, result, inputs, create_graph))
    return grads


def _from_hook(hook: Any, result: Any, given: tuple, create_graph: bool) -> list:
    """What a node's hook returned in place of the gradients `given`. TypeError, RuntimeError."""
    if not isinstance(result, tuple):
        raise TypeError(f"expected tuple, but hook returned '{result.__class__.__name__}'")
    if len(result) != len(given):
        name = getattr(hook, "__name__", hook.__class__.__name__)
        raise RuntimeError(
            f"hook '{name}' has returned an incorrect number of values (got {len(result)}, but "
            f"expected {len(given)})"
        )
    for value, before in zip(result, given):
        if value is None:
            continue
        if not isinstance(value, Variable):
            raise _no_variable(value)
        if before is None:
            raise RuntimeError("can't replace a None gradient with a non-None value")
        _check_hook(hook, before._array, value._array)
    return [v if create_graph or v is None else as_array(v) for v in result]


def _no_variable(value: Any) -> TypeError:
    return TypeError(f"expected Variable, but hook returned '{value.__class__.__name__}'")


def as_tuple(value: Any) -> tuple:
    """A tuple of one value, or the tuple that it is."""
    return value if isinstance(value, tuple) else (value,)
