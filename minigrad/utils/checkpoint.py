"""`checkpoint`: trades time for memory by computing a part of the graph again in backward."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

from ..autograd import engine, modes
from ..autograd.variable import Node, Pick, Variable, cell_of, next_seq, wrap
from ..generator import default_generator

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential"]


class CheckpointError(RuntimeError):
    """What backward raises when a checkpointed function does not compute the same again."""


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    context_fn: Callable | None = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)` without keeping what its backward needs.

    Backward runs the function again, with the same random numbers unless `preserve_rng_state` is
    False, and differentiates that. The function must compute the same again; RuntimeError where
    its results change in number, shape or dtype (unless `determinism_check` is "none").
    `use_reentrant=True` records only tensors given as positional arguments and takes no keywords.
    """
    if use_reentrant and kwargs:
        raise ValueError(
            "Unexpected keyword arguments: " + ",".join(kwargs) + "; needed: positional arguments, "
            "or use_reentrant=False"
        )
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"checkpoint: determinism_check={determinism_check!r}; needed: 'default' or 'none'"
        )
    contexts: Any = (contextlib.nullcontext, contextlib.nullcontext)
    if context_fn is not None:
        if use_reentrant:
            raise ValueError(
                "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
            )
        first, again = context_fn()
        contexts = (lambda: first, lambda: again)
    if not modes.is_grad_enabled():
        with contexts[0]():
            return function(*args, **kwargs)
    region = _Region(function, args, kwargs, contexts[1], preserve_rng_state)
    region.check = determinism_check == "default"
    if use_reentrant and not any(t._fn is not None for t in region.tensors):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None",
            UserWarning,
            stacklevel=2,
        )
        with modes.no_grad():
            return function(*args)
    return region.forward(contexts[0])


class _Region:
    """One checkpointed call: its arguments, and the random numbers' state when it ran."""

    def __init__(
        self, function: Callable, args: tuple, kwargs: dict, context: Callable, preserve: bool
    ):
        self.function, self.args, self.kwargs, self.context = function, args, kwargs, context
        self.tensors: list[Variable] = []
        _find((args, kwargs), self.tensors)
        self.state = default_generator.clone_state() if preserve else None
        self.form: list = []  # shape and dtype of each result ...
        self.saved: list = []  # ... and of what was saved for backward
        self.check = True

    def forward(self, context: Callable) -> Any:
        """Runs the function and puts one node in the place of what it recorded."""
        start = next_seq()
        with context():
            result = self.function(*self.args, **self.kwargs)
        found: list[Variable] = []
        _find(result, found)
        self.form = [(t._array.shape, t._array.dtype) for t in found]
        outputs = [t for t in found if t._fn is not None]
        boundary, inside = _boundary([t._fn for t in outputs], start)
        self.saved = _saved_form(inside)
        if not boundary:
            return result
        node = Recompute()
        node.region = self
        node.next = tuple(boundary)
        node.seq = next_seq()
        node.hooks = None
        node.saved = (self.tensors,)  # for the error of a second backward
        node.cells = tuple([cell_of(t) for t in self.tensors])
        node.outputs = len(found)
        attached: dict[int, Variable] = {}
        for i, t in enumerate(found):
            if t._fn is not None and id(t) not in attached:
                out = wrap(t._array, Pick(node, i))
                out._cell = cell_of(t)
                attached[id(t)] = out
        return _replace(result, attached)

    def again(self) -> list[Variable]:
        """The results once more, recorded, under the same random numbers."""
        now, start = default_generator.clone_state(), next_seq()
        try:
            if self.state is not None:
                default_generator.assign(self.state)
            with modes.enable_grad(), self.context():
                result = self.function(*self.args, **self.kwargs)
        finally:
            if self.state is not None:
                default_generator.assign(now)
        found: list[Variable] = []
        _find(result, found)
        form = [(t._array.shape, t._array.dtype) for t in found]
        if len(form) != len(self.form) or (self.check and form != self.form):
            raise _other(self.form, form)
        if self.check and not modes.watched:  # which is recorded by other code
            saved = _saved_form(_boundary([t._fn for t in found], start)[1])
            if saved != self.saved:
                raise _other(self.saved, saved)
        return found


def _other(first: list, then: list) -> CheckpointError:
    return CheckpointError(
        "checkpoint: the function computed other tensors in backward than in forward, or saved "
        f"others: first {_words(first)}, then {_words(then)}; needed: the same again"
    )


class Recompute(Node):
    """A checkpointed region: its inputs are all nodes outside that the region read."""

    region: _Region

    def backward(self, grads: Any) -> tuple:
        """The gradients of the region's inputs, through a graph that is recorded now."""
        given = grads if isinstance(grads, list) else [grads]
        again = any(isinstance(g, Variable) for g in given)
        results = self.region.again()
        roots = [(t._fn, g) for t, g in zip(results, given, strict=True) if g is not None and t._fn]
        wanted: dict[Node, Any] = {fn: None for fn in self.next if fn is not None}
        before = modes.set_recording(again)
        try:
            engine.run(roots, again, again, wanted, accumulate=False, stop_at_wanted=True)
        finally:
            modes.set_recording(before)
        return tuple([None if fn is None else wanted[fn] for fn in self.next])

    def name(self) -> str:
        return "CheckpointFunctionBackward"


def _boundary(roots: list, start: int) -> tuple[list[Node], list[Node]]:
    """The nodes older than `start` (numbers count down) that newer ones lead to, and those."""
    seen: set[Node] = set()
    found: list[Node] = []
    inside: list[Node] = []
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.seq > start:
            found.append(node)
        else:
            inside.append(node)
            stack.extend(node.next)
    return found, inside


def _saved_form(nodes: list[Node]) -> list:
    """Shape and dtype of what nodes have saved for backward, in the order of recording."""
    form = []
    for node in sorted(nodes, key=lambda node: -node.seq):
        for value in node.saved if isinstance(node.saved, tuple) else ():
            value = value[1] if value.__class__ is tuple else value
            array = value._array if isinstance(value, Variable) else value
            if hasattr(array, "shape"):
                form.append((array.shape, array.dtype))
    return form


def _find(value: Any, tensors: list) -> None:
    """Appends the tensors of a nest of tuples, lists and dictionaries."""
    if isinstance(value, Variable):
        tensors.append(value)
    elif isinstance(value, (tuple, list)):
        for v in value:
            _find(v, tensors)
    elif isinstance(value, dict):
        for v in value.values():
            _find(v, tensors)


def _replace(value: Any, attached: dict[int, Variable]) -> Any:
    """A nest with the tensors that `attached` names replaced."""
    if isinstance(value, Variable):
        return attached.get(id(value), value)
    if isinstance(value, (tuple, list)):
        items = [_replace(v, attached) for v in value]
        if hasattr(value, "_fields"):  # a named tuple
            return value.__class__(*items)
        return value.__class__(items)
    if isinstance(value, dict):
        return value.__class__((k, _replace(v, attached)) for k, v in value.items())
    return value


def _words(form: list) -> str:
    return "[" + ", ".join(f"{list(shape)} {dtype}" for shape, dtype in form) + "]"


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Runs a list of functions (or a Sequential) in `segments` parts, each one checkpointed.

    The last part is run as it is. ValueError for other keywords than `preserve_rng_state`.
    """
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)
    if segments < 1:
        raise ValueError(f"checkpoint_sequential: segments={segments} was given; needed: 1 or more")
    size = max(len(steps) // segments, 1)

    def part(begin: int, end: int) -> Callable:
        def run(value: Any) -> Any:
            for step in steps[begin:end]:
                value = step(value)
            return value

        return run

    begin = 0
    for _ in range(segments - 1):
        if begin + size >= len(steps):
            break
        input = checkpoint(
            part(begin, begin + size), input,
            use_reentrant=use_reentrant, preserve_rng_state=preserve,
        )  # fmt: skip
        begin += size
    return part(begin, len(steps))(input)
