"""Writing to tensors: checks, versions, and what a write to a view does to the graph.

A recorded write is computed as a new result which is then copied over the old value. The tensor's
place in the graph becomes that of the result. If the tensor is a view, its parent's value has
changed too: the parent gets a `CopySlices` node, up to the root, and every live view of the root is
tied to the new graph again.
"""

from __future__ import annotations

from typing import Any

from . import modes
from . import variable as _v
from .record import apply_view
from .variable import Leaf, Node, Variable, cell_of, next_seq


class CopySlices(Node):
    """The parent after a write to its view: old parent and written value in, new parent out."""

    __slots__ = ("args", "cls")

    def backward(self, grad: Any) -> Any:
        written = apply_view(self.cls, grad, *self.args)
        if not isinstance(grad, Variable):
            old = grad.copy()
            apply_view(self.cls, old, *self.args).fill(0)
            return old, written
        mask = grad._array.copy()
        mask.fill(1)
        apply_view(self.cls, mask, *self.args).fill(0)
        return grad * _v.wrap(mask), written


def _repeats(array: Any) -> bool:
    """Whether an array has places that share memory by a stride of 0."""
    return (
        0 in array.strides
        and array.size > 0
        and any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape))
    )


def check_writable(variable: Variable, filled: bool = False) -> None:
    """Refuses writes that gradients could not follow, or that would hit memory twice.

    `filled`: every place gets the same value, so that repeated memory does no harm.
    """
    array = variable._array
    if not filled and _repeats(array):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )
    if not array.flags.writeable:
        raise RuntimeError(
            "in-place operation: the tensor shares memory with a read-only array; "
            "needed: a writable one (clone() it)"
        )
    if not modes.is_grad_enabled():
        return
    if variable._fn.__class__ is Leaf:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation."
        )
    root = variable._base
    if root is not None and root._fn.__class__ is Leaf:
        raise RuntimeError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation."
        )
    if root is not None and root._fn is not None and variable._fn is None:
        raise RuntimeError(
            "A view was created in no_grad mode and is being modified inplace with grad mode "
            "enabled. Given that this use case is ambiguous and error-prone, it is forbidden. You "
            "can clarify your code by moving both the view and the inplace either both inside the "
            "no_grad block (if you don't want the inplace to be tracked) or both outside (if you "
            "want the inplace to be tracked)."
        )


def bump(variable: Variable) -> None:
    """Notes that a variable's memory was written."""
    cell = cell_of(variable)
    cell[0] = next_seq()
    cell[1] += 1


def rebase(variable: Variable, fn: Node | None) -> None:
    """Gives a variable that was just written the graph of its new value."""
    view = variable._view
    if view is None:
        variable._fn = fn
        root = variable
    else:
        root = _rebase_parents(variable, fn)
        variable._fn = fn  # renewed below if the view is registered
    views = None if root._cell is None else root._cell[2]
    if views is not None:
        for ref in views:
            other = ref()
            if other is not None and other._view is not None:
                _renew(other)


def _rebase_parents(variable: Variable, fn: Node | None) -> Variable:
    while variable._view is not None:
        parent, cls, args = variable._view
        if fn is not None and _repeats(parent._array):
            raise RuntimeError(
                "in-place operation: a part of an expanded tensor was written, so that several "
                "elements of the expanded one have changed and gradients cannot follow; needed: "
                "clone() the expanded tensor first"
            )
        if cls.fixed_memory and parent._fn is not None:
            raise RuntimeError(
                "in-place operation: a view by as_strided that reaches beyond its input's own "
                "elements was written, and gradients cannot follow; needed: a contiguous input"
            )
        node = CopySlices()
        node.cls, node.args = cls, args
        node.next = (parent._fn, fn)
        node.saved = node.cells = node.hooks = None
        node.seq = next_seq()
        if parent._fn is None and fn is None:
            return parent if parent._base is None else parent._base
        parent._fn = fn = node
        variable = parent
    return variable


def _renew(view: Variable) -> None:
    assert view._view is not None
    parent, cls, args = view._view
    if parent._fn is None:
        view._fn = None
        return
    node = cls()
    node.next = (parent._fn,)
    node.forward(parent._array, *args)  # for the attributes that its backward reads
    node.saved = node.cells = node.hooks = None
    node.seq = next_seq()
    view._fn = node
