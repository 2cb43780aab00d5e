"""The backward loop: gradients flow from the newest node to the oldest.

Nodes are numbered as they are recorded and an input is always older than its result, so taking the
newest pending node from a heap visits each node once, after all that use it. The loop is iterative
and keeps its state in local variables: any depth, any number of threads. A plain `backward()` runs
the same loop in compiled form (csrc/bindings/engine.cpp), which calls back here for the rare cases.
"""

from __future__ import annotations

import copy
import operator
import threading
import warnings
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import Any

from ..kernels import fast
from ..kernels._quiet import quiet
from . import modes, row_grads
from . import variable as _v
from .hooks import add_to, as_tuple, run_hooks, run_node_hooks
from .record import traces
from .row_grads import RowGrad, elements, is_sparse, total
from .saving import with_tensors
from .variable import RELEASED, Leaf, Node, Variable

_accumulate_lock = threading.Lock()


class Task:
    """One run of the backward loop, for hooks that ask what it will reach."""

    def __init__(self, roots: list[Node], wanted: dict[Node, Any] | None):
        self._roots, self._wanted = roots, wanted
        self._reached: set[Node] | None = None

    def reached(self) -> set[Node]:
        """The nodes whose gradient the run computes."""
        if self._reached is None:
            if self._wanted is not None:
                self._reached = _leads_to(self._roots, self._wanted)
            else:
                self._reached, stack = set(), list(self._roots)
                while stack:
                    node = stack.pop()
                    if node not in self._reached:
                        self._reached.add(node)
                        stack.extend(fn for fn in node.next if fn is not None)
        return self._reached


def run(
    roots: Iterable[tuple[Node, Any]],
    keep_graph: bool,
    create_graph: bool,
    wanted: dict[Node, Any] | None = None,
    accumulate: bool = True,
    stop_at_wanted: bool = False,
    task: Task | None = None,
) -> None:
    """Runs backward from `roots`, (node, gradient) pairs of arrays (tensors if `create_graph`).

    `wanted`: nodes whose complete gradient is written into the dictionary; only nodes on the way to
    them run. `accumulate`: add to `.grad` of the leaves reached (of those in `wanted`, if given).
    `stop_at_wanted`: another loop goes on from the wanted nodes, and calls their hooks.
    """
    if modes.tasks_noted and task is None:
        roots, before = list(roots), modes.state.task
        task = modes.state.task = Task([fn for fn, _ in roots], wanted)
        try:
            run(roots, keep_graph, create_graph, wanted, accumulate, stop_at_wanted, task)
        finally:
            modes.state.task = before
        return
    if wanted is None and not create_graph and not modes.anomaly:
        fast.run_backward(list(roots), keep_graph)  # the same loop, compiled
        return
    pending: dict[Node, Any] = {}
    owned: set[Node] = set()  # nodes whose pending gradient belongs to this loop alone
    heap: list[tuple[int, Node]] = []
    needed = None if wanted is None else _leads_to([fn for fn, _ in roots], wanted)

    for fn, grad in roots:
        if fn.index is not None:
            _collect(pending, heap, fn, grad)
        elif fn in pending:
            pending[fn] = fast.sum_arrays(pending[fn], grad)
        else:
            pending[fn] = grad
            heappush(heap, (fn.seq, fn))

    while heap:
        node = heappop(heap)[1]
        grad = pending.pop(node)
        if wanted is not None or not node.plain or node.hooks:
            if stop_at_wanted and wanted is not None and node in wanted:
                wanted[node] = grad
                continue
            # Of a node on the way to another wanted one, PyTorch returns what its hooks get ...
            goes_on = needed is None or any(fn in needed for fn in node.next)
            if wanted is not None and goes_on and node in wanted:
                wanted[node] = grad
            if node.hooks:
                grad = run_hooks(node, grad, create_graph)
                owned.discard(node)
            if node.__class__ is Leaf:
                if wanted is not None and node in wanted:
                    wanted[node] = grad
                if accumulate and (wanted is None or node in wanted):
                    _accumulate(node, grad, node in owned, create_graph)
                continue
            if wanted is not None and not goes_on:
                wanted[node] = grad  # ... and of the last ones what their hooks made of it
                continue
            if node.index is not None:
                _collect(pending, heap, node, grad)
                continue

        grads = _backward(node, grad, keep_graph, create_graph, needed)
        fresh = node.fresh
        if node.hooks:
            grads = run_node_hooks(node, grads, grad, create_graph)
            fresh = False
        if grads.__class__ is not tuple:
            grads = (grads,)
        for to, g in zip(node.next, grads):
            if to is None or g is None or (needed is not None and to not in needed):
                continue
            if _takes_at_once(to, wanted):
                _accumulate(to, g, fresh, create_graph)
            elif to not in pending:
                pending[to] = g
                if fresh:
                    owned.add(to)
                heappush(heap, (to.seq, to))
            elif create_graph:
                pending[to] = total(pending[to], g)
            elif to not in owned:
                pending[to] = fast.sum_arrays(pending[to], g)
                owned.add(to)
            elif not fast.add_into(pending[to], g):
                pending[to] = add_to(pending[to], g)


def _backward(
    node: Node, grad: Any, keep_graph: bool, create_graph: bool, needed: set[Node] | None
) -> Any:
    """One node's backward, with its checks. Frees what it saved unless the graph is kept."""
    if node.saved is RELEASED:
        _raise_released()
    if node.cells:
        seq = node.seq
        for cell in node.cells:
            if cell[0] < seq:
                _raise_modified(node)
    if modes.anomaly:
        grads = _checked_backward(node, grad, create_graph)
    else:
        runs = with_tensors(node) if create_graph else node
        if needed is not None and node.cross:
            runs = _towards(runs, needed)
        grads = runs.backward(grad)
    if not keep_graph and node.saved is not None:
        node.saved = RELEASED
        node.cells = None
    return grads


def _towards(node: Node, needed: set[Node]) -> Node:
    """A node for which only the gradients that go on to `needed` nodes are computed."""
    next = tuple([fn if fn in needed else None for fn in node.next])
    if next == node.next:
        return node
    twin = copy.copy(node)
    twin.next = next
    return twin


def _collect(pending: dict, heap: list, pick: Node, grad: Any) -> None:
    """Puts the gradient of one output of a node with several into its list."""
    index, node = pick.index, pick.next[0]
    assert node is not None and index is not None
    grads = pending.get(node)
    if grads is None:
        grads = pending[node] = [None] * node.outputs
        heappush(heap, (node.seq, node))
    grads[index] = grad if grads[index] is None else fast.sum_arrays(grads[index], grad)


def _takes_at_once(node: Node, wanted: dict | None) -> bool:
    """Whether a gradient is added to `.grad` as it arrives: a leaf whose hooks nobody waits for."""
    return (
        isinstance(node, Leaf) and wanted is None and node.hooks is None and node.post_hooks is None
    )


def _accumulate(leaf: Node, grad: Any, owned: bool, create_graph: bool = False) -> None:
    """Adds to a leaf's `.grad`, which never shares memory with anything else; then its hooks."""
    assert isinstance(leaf, Leaf)
    variable = leaf.variable_ref()
    if variable is None or variable._fn is None:
        return
    if create_graph or not fast.accumulate(variable, grad, owned):
        _accumulate_slow(variable, grad, owned, create_graph)
    for hook in list((leaf.post_hooks or {}).values()):
        result = hook(variable)
        if result is None or result is variable:  # which `p.add_` returns
            continue
        if not isinstance(result, Variable):
            name = result.__class__.__name__
            raise TypeError(f"expected Variable, but hook returned '{name}'")
        raise RuntimeError("Tensor post accumulate grad hooks should return None.")
    if leaf.hooks:
        run_node_hooks(leaf, (), grad, create_graph)


def _accumulate_slow(variable: Any, grad: Any, owned: bool, create_graph: bool = False) -> None:
    """What `fast.accumulate` does, for every kind of array and for gradients with a graph."""
    with _accumulate_lock:
        before = variable._grad
        if create_graph:
            variable._grad = grad if before is None else total(before, grad)
        elif grad.__class__ is RowGrad or is_sparse(before):
            row_grads.accumulate(variable, grad)
        elif before is None:
            variable._grad = _v.wrap(grad if owned else grad.copy())
        elif before._fn is not None:
            variable._grad = before + _v.wrap(grad)
        else:
            before._array = add_to(before._array, grad)
            if before._cell is not None:
                before._cell[0] = _v.next_seq()
                before._cell[1] += 1


def _leads_to(roots: Sequence[Node], wanted: dict[Node, Any]) -> set[Node]:
    """The nodes from which a wanted node is reached (the wanted nodes included)."""
    oldest = max((fn.seq for fn in wanted), default=0)
    reached: set[Node] = set(wanted)
    seen: set[Node] = set()
    order: list[Node] = []
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node in seen or node.seq > oldest:  # older than every wanted node: cannot reach one
            continue
        seen.add(node)
        order.append(node)
        stack.extend(fn for fn in node.next if fn is not None)
    order.sort(key=lambda n: -n.seq)  # oldest first, so that inputs are decided before results
    for node in order:
        if node not in reached and any(fn in reached for fn in node.next):
            reached.add(node)
    return reached


def _raise_released() -> None:
    raise RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
        "to backward through the graph a second time or if you need to access saved tensors "
        "after calling backward."
    )


def _raise_modified(node: Node) -> None:
    values = [v[1] if v.__class__ is tuple else v for v in node.saved]
    arrays = [v._array if isinstance(v, Variable) else v for v in values]
    shapes = [f"{tuple(a.shape)} {a.dtype}" for a in arrays if hasattr(a, "shape")]
    hint = (
        f" Forward was called here:\n{traces[node]}"
        if node in traces
        else " Hint: enable anomaly detection to find the operation that failed to compute its "
        "gradient, with torch.autograd.set_detect_anomaly(True)."
    )
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: {node.name()} saved {', '.join(shapes)}, and one of them was written to "
        f"afterwards.{hint}"
    )


def _checked_backward(node: Node, grad: Any, create_graph: bool) -> Any:
    """Backward under anomaly detection: errors and NaNs name the forward call."""
    before = modes.state.running
    modes.state.running = node
    try:
        grads = (with_tensors(node) if create_graph else node).backward(grad)
    except Exception:
        _warn_where(node)
        raise
    finally:
        modes.state.running = before
    if modes.anomaly_check_nan:
        for i, g in enumerate(as_tuple(grads)):
            array = elements(g)
            if array is not None and bool((array != array).any()):
                _warn_where(node)
                raise RuntimeError(
                    f"Function '{node.name()}' returned nan values in its {i}th output.\n"
                    f"Traceback of forward call that caused the error:\n{_where(node)}"
                )
    return grads


def _where(node: Node) -> str:
    return traces.get(
        node,
        "No forward pass information available. Enable detect anomaly during forward pass for more "
        "information.\n",
    )


def _warn_where(node: Node) -> None:
    warnings.warn(
        f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n"
        f"{_where(node)}",
        UserWarning,
        stacklevel=2,
    )


fast.bind_add(quiet(operator.add))
fast.bind_engine(
    run_hooks,
    run_node_hooks,
    _accumulate,
    _accumulate_slow,
    _raise_released,
    _raise_modified,
)
