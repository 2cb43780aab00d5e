"""`autograd.graph`: nodes, edges, versions, and what is saved for backward."""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import modes
from .handles import RemovableHandle
from .inplace import bump
from .variable import GradientEdge, Node, Variable

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """The edge that a tensor's gradient flows through. RuntimeError if it has none."""
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not "
                           "require gradients")  # fmt: skip
    node = tensor.grad_fn if tensor.grad_fn is not None else tensor._fn
    return GradientEdge(node, tensor.output_nr, tensor._fn)


def increment_version(tensor: Any) -> None:
    """Notes that tensors were written by code that autograd does not see."""
    for t in (tensor,) if isinstance(tensor, Variable) else tensor:
        bump(t)


class saved_tensors_hooks:
    """Functions through which tensors saved for backward pass, for operations recorded inside.

    `pack_hook(tensor)` is called when a tensor is saved, without recording, and may return
    anything; `unpack_hook(packed)` makes a tensor of it again when backward needs it. Of nested
    pairs the innermost is used. Work space of recurrent layers, and shapes and indices that are
    kept as plain values, do not pass. Checkpointed regions save through them only in backward.

    RuntimeError where `disable_saved_tensors_hooks` is active, and if a pack hook writes to its
    argument. TypeError if an unpack hook returns no tensor.
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]):
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        modes.push_saved_hooks((self.pack_hook, self.unpack_hook))

    def __exit__(self, *exc: object) -> None:
        modes.pop_saved_hooks()


class save_on_cpu(saved_tensors_hooks):
    """Keeps what is saved for backward on the CPU, and brings it back where it was."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda"):
        super().__init__(
            lambda tensor: (tensor.device, tensor.cpu()), lambda packed: packed[1].to(packed[0])
        )


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Forbids `saved_tensors_hooks` inside: RuntimeError with the message where they are used."""
    if modes.state.saved_hooks:
        raise RuntimeError(error_message)
    before = modes.state.no_saved_hooks
    modes.state.no_saved_hooks = error_message
    try:
        yield
    finally:
        modes.state.no_saved_hooks = before


class _AllowMutationOnSavedContext:
    """Whether the block of `allow_mutation_on_saved_tensors` still runs."""

    def __init__(self) -> None:
        self.active = True

    def clear(self) -> None:
        """Makes the graphs recorded in the block useless."""
        self.active = False


_mutating = threading.local()


@contextlib.contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[_AllowMutationOnSavedContext]:
    """Lets tensors that are saved for backward be written in place.

    Backward must be inside the block as well. What is saved is copied at once (PyTorch copies when
    it is written), so that this costs the memory of a copy of everything saved.
    """
    if getattr(_mutating, "running", False):
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    context = _AllowMutationOnSavedContext()

    def unpack(copy: Any) -> Any:
        if not context.active:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context "
                "in which the graph was originally recorded."
            )
        return copy

    _mutating.running = True
    try:
        with saved_tensors_hooks(lambda tensor: tensor.detach().clone(), unpack):
            yield context
    finally:
        _mutating.running = False
        context.clear()


def register_multi_grad_hook(
    tensors: Sequence[Any], fn: Callable, *, mode: str = "all"
) -> RemovableHandle:
    """Calls `fn` once in each backward that computes gradients of some of the tensors.

    Mode "all": `fn(grads)` when the gradients of all of them that this backward computes are
    there; the others are None. Mode "any": `fn(grad)` with the first gradient that is there.
    Returns a handle that removes the hook. ValueError for another mode.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    nodes = [t._fn for t in tensors]
    if None in nodes:
        raise AssertionError("Expected gradient function to be set")
    modes.tasks_noted = True
    # By backward, whose runs on several threads may overlap. An entry dies with its run.
    gathered: weakref.WeakKeyDictionary[Any, list] = weakref.WeakKeyDictionary()
    lock = threading.Lock()

    def arrived(i: int, grad: Any) -> None:
        task = modes.state.task
        with lock:
            state = gathered.get(task)
            if state is None:
                expected = sum(node in task.reached() for node in nodes)
                state = gathered[task] = [expected, [None] * len(nodes)]
            state[0] -= 1
            state[1][i] = grad
            done = state[0] == 0
        if done:
            fn(state[1])

    def first(grad: Any) -> None:
        task = modes.state.task
        with lock:
            if task in gathered:
                return
            gathered[task] = []
        fn(grad)

    if mode == "any":
        handles = [t.register_hook(first) for t in tensors]
    else:
        handles = [t.register_hook(functools.partial(arrived, i)) for i, t in enumerate(tensors)]
    return _MultiHandle(handles)


class _MultiHandle(RemovableHandle):
    """Removes the hooks on several tensors."""

    __slots__ = ("handles",)

    def __init__(self, handles: list[RemovableHandle]):
        super().__init__()
        self.handles = handles

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()
