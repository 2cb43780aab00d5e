"""How tensors travel between the processes of a pipeline: one-way links through shared memory."""

from __future__ import annotations

from typing import Any

from ..autograd import no_grad
from ..autograd.variable import Variable
from ..creation import empty_like
from ..utils._pytree import tree_flatten, tree_unflatten


class _Slot:
    """Stands in a message for the tensor in a place's memory."""

    def __init__(self, key: tuple) -> None:
        self.key = key


class Sender:
    """The sending end: each place of a message has memory of its own, which is used again.

    A place is (kind, micro-batch, number): its memory is written anew in the next batch, when
    nobody reads the old one any more.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._slots: dict[tuple, Any] = {}

    def send(self, step: int, kind: str, m: int, value: Any) -> None:
        """Sends what belongs to a micro-batch: tensors and other values in tuples, lists, dicts."""
        leaves, shape = tree_flatten(value)
        fresh: dict[tuple, Any] = {}
        for number, leaf in enumerate(leaves):
            if not isinstance(leaf, Variable):
                continue
            leaf = leaves[number] = leaf.detach()
            if not leaf.numel():
                continue  # nothing to share: it travels by itself
            key = (kind, m, number)
            slot = self._slots.get(key)
            if slot is None or slot.shape != leaf.shape or slot.dtype != leaf.dtype:
                slot = empty_like(leaf).share_memory_()
                self._slots[key] = fresh[key] = slot
            with no_grad():
                slot.copy_(leaf)
            leaves[number] = _Slot(key)
        self.connection.send((step, kind, m, leaves, shape, fresh))


class Receiver:
    """The receiving end."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._slots: dict[tuple, Any] = {}

    def receive(self) -> tuple[int, str, int, Any]:
        """(step, kind, micro-batch, value); tensors are in the memory that they were sent by."""
        step, kind, m, leaves, shape, fresh = self.connection.recv()
        self._slots.update(fresh)
        leaves = [self._slots[v.key] if isinstance(v, _Slot) else v for v in leaves]
        return step, kind, m, tree_unflatten(leaves, shape)
