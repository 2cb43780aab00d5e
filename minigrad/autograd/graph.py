"""`autograd.graph`: nodes, edges, versions, and what is saved for backward."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .inplace import bump
from .variable import Node as Node
from .variable import Variable


class GradientEdge(NamedTuple):
    """Where a gradient flows: a node and the number of its output."""

    node: Any
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """The edge that a tensor's gradient flows through. RuntimeError if it has none."""
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not "
                           "require gradients")  # fmt: skip
    node = tensor.grad_fn if tensor.grad_fn is not None else tensor._fn
    return GradientEdge(node, tensor.output_nr)


def increment_version(tensor: Any) -> None:
    """Notes that tensors were written by code that autograd does not see."""
    for t in (tensor,) if isinstance(tensor, Variable) else tensor:
        bump(t)


class saved_tensors_hooks:
    """Functions through which tensors saved for backward would pass: not in minigrad.

    NotImplementedError on entering. `utils.checkpoint` saves memory by computing again.
    """

    def __init__(self, pack_hook: Callable, unpack_hook: Callable):
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        raise NotImplementedError(
            "saved_tensors_hooks: minigrad's operations save arrays, not tensors; to save memory "
            "use minigrad.utils.checkpoint.checkpoint"
        )

    def __exit__(self, *exc: object) -> None:
        pass


class save_on_cpu:
    """Keeps what is saved for backward on the CPU: where it is."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda"):
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Forbids `saved_tensors_hooks`, which are not there."""
    yield
