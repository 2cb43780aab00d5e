"""Writing to tensors: checks, versions, and what a write to a view does to the graph.

A recorded write is computed as a new result which is then copied over the old value. The tensor's
place in the graph becomes that of the result. If the tensor is a view, its parent's value has
changed too: the parent gets a `CopySlices` node, up to the root, and every live view of the root is
tied to the new graph again.
"""

from __future__ import annotations

from typing import Any

from . import modes
from .record import apply, apply_view
from .variable import INFERENCE, Leaf, Node, Variable, cell_of, move, next_seq


class CopySlices(Node):
    """The parent after a write to its view: old parent and written value in, new parent out."""

    __slots__ = ("args", "cls")
    torch_name = "CopySlices"

    def backward(self, grad: Any) -> Any:
        """d old parent = grad without the written places; d written = grad at those places."""
        old = written = None
        if self.next[0] is not None:
            old = apply(Cleared, (grad,), self.cls, self.args)
        if self.next[1] is not None:
            written = apply_view(self.cls, grad, *self.args)
        return old, written

    def name(self) -> str:
        return "torch::autograd::CopySlices"


class Cleared(Node):
    """A tensor with zeros at the places that a view shows."""

    __slots__ = ("view",)

    def forward(self, x: Any, cls: type[Node], args: tuple) -> Any:
        self.view = (cls, args)
        out = x.copy()
        apply_view(cls, out, *args).fill(0)
        return out

    def backward(self, grad: Any) -> Any:
        """grad without those places."""
        return apply(Cleared, (grad,), *self.view)


class Forbidden(Node):
    """Stands in the graph for a view whose gradient is unknown since its memory was written."""

    __slots__ = ("message", "title")

    def backward(self, grad: Any) -> Any:
        raise RuntimeError(self.message)

    def name(self) -> str:
        return self.title


def _repeats(array: Any) -> bool:
    """Whether an array has places that share memory by a stride of 0."""
    return (
        0 in array.strides
        and array.size > 0
        and any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape))
    )


_WHY = {
    "no_grad": (
        " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify "
        "your code by moving both the view and the inplace either both inside the no_grad block "
        "(if you don't want the inplace to be tracked) or both outside (if you want it tracked)."
    ),
    "inference": (
        " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify "
        "your code by moving both the view and the inplace either both inside the inference_mode "
        "block (if you don't want the inplace to be tracked) or both outside."
    ),
    "several": (
        " This view is the output of a function that returns multiple views. Such functions do not "
        "allow the output views to be modified inplace. You should replace the inplace operation "
        "by an out-of-place one."
    ),
    "function": (
        " This view was created inside a custom Function (or because an input was returned as-is) "
        "and the autograd logic to handle view+inplace would override the custom backward "
        "associated with the custom Function, leading to incorrect gradients. This behavior is "
        "forbidden. You can fix this by cloning the output of the custom Function."
    ),
}


def _restriction(view: Variable) -> str | None:
    """Why writes to a view, or to what it is a view of, cannot be recorded; None if they can."""
    step: Variable = view
    while step._view is not None:
        if len(step._view) == 4:
            return step._view[3]
        step = step._view[0]
    return None


def _message(view: Variable, why: str, what: str) -> str:
    fn = view._fn
    if fn is None or why == "inference":
        mode = "inference mode" if why == "inference" else "no_grad mode"
        now = "in normal mode" if why == "inference" else "with grad mode enabled"
        start = f"A view was created in {mode} and {what} modified inplace {now}."
    else:
        name = fn.name().removesuffix("Backward0").removesuffix("Backward")
        start = f"Output {view.output_nr} of {name} is a view and {what} modified inplace."
    return start + _WHY[why]


def _forbid(view: Variable, why: str) -> None:
    """Makes a backward through a view fail, whose memory was written past its node."""
    fn = view._fn
    if fn is None or fn.__class__ is Forbidden:
        return
    node = Forbidden()
    node.message = _message(view, why, "its base or another view of its base has been")
    node.title = fn.name()
    node.next = ()
    node.saved = node.cells = node.hooks = None
    node.seq = next_seq()
    move(view, node)


def check_memory(variable: Variable, filled: bool = False) -> None:
    """Refuses writes to read-only memory, or (unless `filled` with one value) to memory twice."""
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


def check_writable(variable: Variable, filled: bool = False, recorded: bool = False) -> None:
    """Refuses writes that gradients could not follow, or that would hit memory twice.

    `filled`: every place gets the same value, so that repeated memory does no harm. `recorded`:
    what is written requires grad.
    """
    check_memory(variable, filled)
    if variable._cell is INFERENCE and not modes.state.inference:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed. You can make "
            "a clone to get a normal tensor before doing inplace update."
        )
    if not modes.is_grad_enabled():
        return
    if variable._fn.__class__ is Leaf:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation."
        )
    root = variable._base
    if root is None or not (recorded or variable._fn is not None or root._fn is not None):
        return
    why = _restriction(variable)
    if why is not None:
        raise RuntimeError(_message(variable, why, "is being"))
    if root._fn.__class__ is Leaf:
        raise RuntimeError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation."
        )


def bump(variable: Variable) -> None:
    """Notes that a variable's memory was written."""
    cell = cell_of(variable)
    if cell is INFERENCE:
        return
    cell[0] = next_seq()
    cell[1] += 1
    if cell[2] is not None:
        for ref in cell[2]:
            view = ref()
            if view is not None and view._fn is not None:
                why = _restriction(view)
                if why is not None:
                    _forbid(view, why)


def rebase(variable: Variable, fn: Node | None) -> None:
    """Gives a variable that was just written the graph of its new value."""
    view = variable._view
    if view is None:
        move(variable, fn)
        root = variable
    else:
        root = _rebase_parents(variable, fn)
        move(variable, fn)  # renewed below if the view is registered
    views = None if root._cell is None else root._cell[2]
    if views is not None:
        for ref in views:
            other = ref()
            if other is not None and other._view is not None and _restriction(other) is None:
                _renew(other)


def _rebase_parents(variable: Variable, fn: Node | None) -> Variable:
    while variable._view is not None:
        parent, cls, args = variable._view[:3]
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
        fn = node
        move(parent, node)
        variable = parent
    return variable


def _renew(view: Variable) -> None:
    assert view._view is not None
    parent, cls, args = view._view[:3]
    if parent._fn is None:
        move(view, None)
        return
    node = cls()
    node.next = (parent._fn,)
    node.forward(parent._array, *args)  # for the attributes that its backward reads
    node.saved = node.cells = node.hooks = None
    node.seq = next_seq()
    move(view, node)
