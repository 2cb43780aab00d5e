"""Running an operation and recording it: `apply`, and `apply_view` for results that share memory.

Both take tensors or bare arrays. With bare arrays alone they run the forward and return an array:
that is how the same backward body serves the fast path and the differentiable one.
"""

from __future__ import annotations

import traceback
import weakref
from collections.abc import Callable
from typing import Any

from ..backend import as_array
from ..kernels import fast
from . import modes, saving
from . import variable as _v
from .variable import INFERENCE, Node, Pick, Variable, cell_of, is_float, next_seq, saved_cell

# Where each node was called, kept while anomaly detection is on.
traces: weakref.WeakKeyDictionary[Node, str] = weakref.WeakKeyDictionary()


def apply_in_python(cls: type[Node], inputs: tuple, *args: Any) -> Any:
    """What `apply` does. The compiled form calls it while `modes.watched`.

    Runs `cls` on `inputs` (tensors, arrays, numbers or None) with further plain arguments.

    Returns a tensor, or a tuple of tensors when forward returns a tuple. Outputs that are not
    floating point never require grad.
    """
    node = cls()
    arrays = []
    fns = []
    raw = True
    tracked = False
    for value in inputs:
        if isinstance(value, Variable):
            raw = False
            fn = value._fn
            if fn is not None:
                tracked = True
            fns.append(fn)
            arrays.append(value._array)
        else:
            fns.append(None)
            arrays.append(value)
    if tracked and modes.threads_off and not modes.state.grad:
        tracked = False
    # Set first, so that forward can leave out what no gradient will need.
    node.next = tuple(fns) if tracked else (None,) * len(fns)
    result = as_array(node.forward(*arrays, *args))
    if raw:
        return result
    if not tracked:
        if result.__class__ is tuple:
            return tuple([_v.wrap(r) for r in result])
        return _v.wrap(result)
    return _record(node, inputs, arrays, result)


def _record(node: Node, inputs: tuple, arrays: list, result: Any) -> Any:
    node.seq = next_seq()
    node.hooks = None
    if result.__class__ is not tuple:
        out = _v.wrap(result, node if is_float(result) else None)
        save(node, inputs, arrays, (out,))
        if modes.watched and out._fn is not None:
            note(node)
        return out
    outs = tuple([_v.wrap(r) for r in result])
    for i, out in enumerate(outs):
        if is_float(out._array):
            out._fn = Pick(node, i)
    node.outputs = len(outs)
    save(node, inputs, arrays, outs)
    if modes.watched:
        note(node)
    return outs


def save(node: Node, inputs: tuple, arrays: list, outs: tuple) -> None:
    """Keeps what the node declared that its backward reads, with the cells to check it by."""
    saves = node.saves
    if not saves and not node.saves_output:
        node.saved = node.cells = None
        return
    kept: list = []
    cells = []
    for position, i in enumerate(saves):
        if node.cross and node.next[saves[1 - position]] is None:
            kept.append(None)
            continue
        kept.append(arrays[i])
        if isinstance(inputs[i], Variable):
            cells.append(saved_cell(inputs[i]))
    for i in node.saves_output:
        kept.append(outs[i]._array)
        cells.append(cell_of(outs[i]))
    node.saved = tuple(kept)
    node.cells = tuple(cells)


def _record_several(node: Node, inputs: tuple, arrays: list, results: tuple) -> tuple:
    """Records an operation with several outputs; each gets a node that picks its gradient."""
    return _record(node, inputs, arrays, results)


def _forget_dead_views(cell: list) -> None:
    """Drops weak references to views that are gone; called at doubling lengths."""
    cell[2] = [ref for ref in cell[2] if ref() is not None]


def note(node: Node) -> None:
    """What is done with each recorded node while `modes.watched`."""
    if modes.anomaly:
        _note_trace(node)
    if modes.state.saved_hooks and not node.packs_itself:
        saving.pack_node(node)


def _note_trace(node: Node) -> None:
    """Remembers where an operation was called."""
    trace = "".join(traceback.format_stack()[:-3])
    if modes.state.running is not None:
        trace += (
            f"Previous calculation was induced by {modes.state.running.name()}. Traceback of "
            f"forward call that induced the previous calculation:\n"
            f"{traces.get(modes.state.running, '(none)')}"
        )
    traces[node] = trace


fast.bind_fallbacks(apply_in_python, _record_several, _forget_dead_views, note)

# apply(cls, inputs, *args): runs `cls` on `inputs` and records it; see `apply_in_python`.
apply: Callable[..., Any] = fast.apply

# apply_view(cls, input, *args): runs a `cls` whose result shares its input's memory and ties the
# two together: one cell for both, the view knows its parent, the cell knows the view weakly.
apply_view: Callable[..., Any] = fast.apply_view


def apply_views(
    cls: type[Node], input: Any, view: type[Node], each: list[tuple], *args: Any
) -> tuple:
    """Runs a `cls` that returns several arrays which share its input's memory.

    One node serves all results. For writes in place, result i is also the view
    `view.forward(input, *each[i])`.
    """
    if not isinstance(input, Variable):
        return cls().forward(input, *args)
    node = cls()
    fn = input._fn
    recording = modes.is_grad_enabled()
    tracked = fn is not None and recording
    node.next = (fn if recording else None,)
    arrays = node.forward(input._array, *args)
    if tracked:
        node.seq = next_seq()
        node.saved = node.cells = node.hooks = None
        node.outputs = len(arrays)
        if modes.watched:
            note(node)
    cell = cell_of(input)
    outs = []
    for i, array in enumerate(arrays):
        out = _v.wrap(array, Pick(node, i) if tracked else None)
        out._cell = cell
        out._view = (input, view, each[i], "several" if recording else modes.unrecorded())
        if recording and cell is not INFERENCE:
            register_view(cell, out)
        outs.append(out)
    return tuple(outs)


def register_view(cell: list, view: Variable) -> None:
    """Notes a live view, so that a write in place can renew its place in the graph."""
    views = cell[2]
    if views is None:
        cell[2] = [weakref.ref(view)]
        return
    views.append(weakref.ref(view))
    n = len(views)
    if n >= 64 and n & (n - 1) == 0:
        _forget_dead_views(cell)


def alias(variable: Variable) -> Any:
    """`detach()`: the same memory and record of writes, outside the graph."""
    out = _v.wrap(variable._array)
    out._cell = cell_of(variable)
    return out
