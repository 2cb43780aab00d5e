"""Running an operation and recording it: `apply`, and `apply_view` for results that share memory.

Both take tensors or bare arrays. With bare arrays alone they run the forward and return an array:
that is how the same backward body serves the fast path and the differentiable one.
"""

from __future__ import annotations

import traceback
import weakref
from typing import Any

from . import modes
from . import variable as _v
from .variable import Node, Pick, Variable, cell_of, is_float, next_seq

_new = object.__new__
# Where each node was called, kept while anomaly detection is on.
traces: weakref.WeakKeyDictionary[Node, str] = weakref.WeakKeyDictionary()


def apply(cls: type[Node], inputs: tuple, *args: Any) -> Any:
    """Runs `cls` on `inputs` (tensors, arrays, numbers or None) with further plain arguments.

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
    result = node.forward(*arrays, *args)
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
    if modes.anomaly:
        traces[node] = "".join(traceback.format_stack()[:-2])
    if result.__class__ is not tuple:
        out = _v.wrap(result, node if is_float(result) else None)
        save(node, inputs, arrays, (out,))
        return out
    outs = tuple([_v.wrap(r) for r in result])
    for i, out in enumerate(outs):
        if is_float(out._array):
            out._fn = Pick(node, i)
    node.outputs = len(outs)  # type: ignore[misc]
    save(node, inputs, arrays, outs)
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
            cells.append(cell_of(inputs[i]))
    for i in node.saves_output:
        kept.append(outs[i]._array)
        cells.append(cell_of(outs[i]))
    node.saved = tuple(kept)
    node.cells = tuple(cells)


def apply_view(cls: type[Node], input: Any, *args: Any) -> Any:
    """Runs a `cls` whose result shares its input's memory, and ties the two together."""
    node = cls()
    if not isinstance(input, Variable):
        node.next = (None,)
        return node.forward(input, *args)
    fn = input._fn
    recording = not modes.threads_off or modes.state.grad
    node.next = (fn if recording else None,)
    array = node.forward(input._array, *args)
    out = _new(_v.Tensor)
    out._array = array
    out._grad = None
    cell = input._cell
    if cell is None:
        cell = input._cell = [0, 0, None]
    out._cell = cell
    out._view = (input, cls, args)
    if fn is not None and recording:
        node.seq = next_seq()
        node.saved = node.cells = node.hooks = None
        if modes.anomaly:
            traces[node] = "".join(traceback.format_stack()[:-1])
        out._fn = node
    else:
        out._fn = None
    if recording:
        _register_view(cell, out)
    return out


def _register_view(cell: list, view: Variable) -> None:
    """Notes a live view, so that a write in place can renew its place in the graph."""
    views = cell[2]
    if views is None:
        cell[2] = [weakref.ref(view)]
        return
    views.append(weakref.ref(view))
    n = len(views)
    if n >= 64 and n & (n - 1) == 0:  # forget the dead now and then: amortised constant time
        cell[2] = [ref for ref in views if ref() is not None]


def alias(variable: Variable) -> Any:
    """`detach()`: the same memory and record of writes, outside the graph."""
    out = _v.wrap(variable._array)
    out._cell = cell_of(variable)
    return out


def note_trace(node: Node) -> None:
    """Remembers where an operation was called (only under anomaly detection)."""
    traces[node] = "".join(traceback.format_stack()[:-2])
