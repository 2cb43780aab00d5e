"""What passes through the hooks of `saved_tensors_hooks` on its way into a node and out again.

A node recorded while hooks are active keeps, in place of the arrays, what the pack hook made of
each, and takes a class whose `backward` first calls the unpack hook. Nodes recorded without hooks
know nothing of this and pay nothing.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from . import modes
from . import variable as _v
from .variable import Node, Pick, Variable, cell_of


class Packed(NamedTuple):
    """What a pack hook returned for one array, and the hook that makes a tensor of it again."""

    unpack: Callable[[Any], Any]
    value: Any

    def tensor(self) -> Any:
        """The tensor that the unpack hook returns. TypeError if it returns anything else."""
        result = self.unpack(self.value)
        if not isinstance(result, Variable):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                f"{type(result).__name__}"
            )
        return result


class _Contents(NamedTuple):
    """`Node.saved` of a node whose arrays were packed: these, its attributes, and where it stood.

    `next` are all its inputs' nodes; a copy that runs may know only those on the way.
    """

    saved: tuple
    attributes: dict[str, Packed]
    next: tuple


def pack(tensor: Any) -> Packed:
    """Hands a tensor to the pack hook that is active on this thread.

    RuntimeError if the hook writes to it.
    """
    hook, unpack = modes.state.saved_hooks[-1]
    cell = cell_of(tensor)
    before = cell[1]
    recording = modes.set_recording(False)
    try:
        value = hook(tensor)
    finally:
        modes.set_recording(recording)
    if cell[1] != before:
        raise RuntimeError(
            "A saved tensor pack hook is modifying its input in place. Tensors provided as input "
            "to pack hook cannot be modified by in-place operations as this can lead to unexpected "
            "side-effects."
        )
    return Packed(unpack, value)


def pack_node(node: Node) -> None:
    """Packs all arrays that a recorded node keeps, those in its attributes too.

    Writes to what was saved are no longer found out: what backward reads is the hooks' business.
    """
    saved = []
    for position, array in enumerate(node.saved or ()):
        if not hasattr(array, "dtype"):
            saved.append(array)  # a number, or None where it is not needed
            continue
        fn = place(node, position) if node.saves or node.saves_output else None
        saved.append(pack(_v.wrap(array, fn if _v.is_float(array) else None)))
    attributes = {
        name: pack(_v.wrap(value))
        for name, value in _attributes(node)
        if hasattr(value, "dtype") and hasattr(value, "strides") and value.ndim
    }
    if not attributes and not any(isinstance(value, Packed) for value in saved):
        return
    for name in attributes:
        setattr(node, name, None)
    node.saved, node.cells = _Contents(tuple(saved), attributes, node.next), None
    cls: Any = type(node)
    node.__class__ = _packed_class(cls)


def _attributes(node: Node) -> list[tuple[str, Any]]:
    """(name, value) of what a node keeps besides what all nodes have."""
    names = [
        name
        for cls in type(node).__mro__[: type(node).__mro__.index(Node)]
        for name in cls.__dict__.get("__slots__", ())
    ]
    found = [(name, getattr(node, name)) for name in names if hasattr(node, name)]
    return found + list(getattr(node, "__dict__", {}).items())


@functools.cache
def _packed_class(cls: type) -> type[Node]:
    """A class of nodes like `cls` whose backward unpacks first."""

    def backward(self: Any, grad: Any) -> Any:
        grads = grad if isinstance(grad, list) else [grad]
        twin = copy.copy(self)
        twin.__class__ = cls
        kept = self.saved
        twin.saved = tuple(
            [v.tensor()._array if isinstance(v, Packed) else v for v in kept.saved]
        )  # fmt: skip
        for name, value in kept.attributes.items():
            setattr(twin, name, value.tensor()._array)
        if any(isinstance(g, Variable) for g in grads):
            twin.next = kept.next
            twin = with_tensors(twin, self)
            twin.next = self.next
        return twin.backward(grad)

    own = {"__slots__": (), "__module__": cls.__module__, "__doc__": cls.__doc__,
           "__qualname__": cls.__qualname__, "backward": backward, "saves": (),
           "saves_output": ()}  # fmt: skip
    return type(cls.__name__, (cls,), own)


def place(node: Node, position: int, own: Node | None = None) -> Node | None:
    """Where in the graph the tensor stands that a node saved at a position (`own`: that node)."""
    if position < len(node.saves):
        return node.next[node.saves[position]]
    own = own or node
    return own if node.outputs == 1 else Pick(own, node.saves_output[position - len(node.saves)])


def with_tensors(node: Node, own: Node | None = None) -> Node:
    """A copy of a node whose saved arrays are tensors in the graph, to differentiate backward.

    `own`: the node that stands in the graph, if `node` is a copy of it.
    """
    if node.saved is None or not (node.saves or node.saves_output):
        return node
    twin = copy.copy(node)
    kept = []
    for position, array in enumerate(node.saved):
        if not hasattr(array, "dtype"):
            kept.append(array)  # a number, or None where it is not needed
        else:
            fn = place(node, position, own)
            kept.append(_v.wrap(array, fn if _v.is_float(array) else None))
    twin.saved = tuple(kept)
    return twin
