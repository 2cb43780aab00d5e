"""`backward` and `grad`: the entry points of the backward loop."""

from __future__ import annotations

import warnings
from typing import Any

from ..backend import namespace, ndarray
from . import engine, modes
from .record import apply
from .row_grads import as_tensor
from .variable import GradientEdge, Node, Variable, retain_grad, set_requires_grad, wrap

_CYCLE_WARNING = (
    "Using backward() with create_graph=True will create a reference cycle between the parameter "
    "and its gradient which can cause a memory leak. We recommend using autograd.grad when "
    "creating the graph to avoid this. If you have to use this function, make sure to reset the "
    ".grad fields of your parameters to None after use to break the cycle and avoid the leak."
)


def _as_tuple(value: Any) -> tuple:
    """A tensor, or any iterable of tensors (the values of a dict, a generator), as a tuple."""
    return (value,) if isinstance(value, (Variable, GradientEdge)) else tuple(value)


def _roots(tensors: tuple, gradients: Any, create_graph: bool) -> list[tuple[Node, Any]]:
    """Pairs each output with its gradient (ones for a scalar), checked."""
    grads = (None,) * len(tensors) if gradients is None else _as_tuple(gradients)
    if len(tensors) != len(grads):
        raise RuntimeError(
            f"got {len(tensors)} tensors and {len(grads)} gradients; needed: one gradient a tensor"
        )
    roots = []
    for i, (t, g) in enumerate(zip(tensors, grads, strict=True)):
        if isinstance(t, GradientEdge) and isinstance(g, Variable):
            roots.append((t.place, g if create_graph else g._array))
            continue
        if not isinstance(t, Variable):
            raise AssertionError(
                f"Expected output to be a torch.Tensor, or an edge with a gradient, but element "
                f"{i} is a {t.__class__.__name__}"
            )
        fn = t._fn
        if fn is None and t.of_parts is not None:  # complex
            t, fn = t.parts, t.parts._fn
            if isinstance(g, Variable) and g.of_parts is not None:
                g = g.parts
        if fn is None:
            raise RuntimeError(
                f"element {i} of tensors does not require grad and does not have a grad_fn"
            )
        if g is None:
            if t._array.size != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            array = t._array.copy()
            array.fill(1)
        else:
            if not isinstance(g, Variable):
                raise TypeError(
                    f"gradients can be either Tensors or None, but got {g.__class__.__name__}"
                )
            array = g._array
            if array.shape != t._array.shape:
                raise RuntimeError(
                    f"Mismatch in shape: grad_output[{i}] has a shape of {_size(array)} and "
                    f"output[{i}] has a shape of {_size(t._array)}."
                )
            if array.dtype != t._array.dtype:
                array = array.astype(t._array.dtype)
                g = None
        if not create_graph:
            roots.append((fn, array))
        else:
            roots.append((fn, wrap(array) if g is None else g))
    return roots


def _size(array: Any) -> str:
    return f"torch.Size({list(array.shape)})"


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Adds to `.grad` of the leaves the gradient of `tensors`, weighted by `grad_tensors`.

    `grad_tensors` may be None for tensors of one element (ones are meant). `inputs`: only these
    get gradients. The graph is freed unless `retain_graph` (default: `create_graph`).
    `grad_variables`: the old name of `grad_tensors`. If it raises, leaves that were reached before
    keep what was added to them, as in PyTorch.
    """
    if grad_variables is not None:
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to "
                "`backward()`. Please only use `grad_tensors`."
            )
        warnings.warn(
            "`grad_variables` is deprecated. Use `grad_tensors` instead.",
            FutureWarning,
            stacklevel=2,
        )
        grad_tensors = grad_variables
    roots = _roots(_as_tuple(tensors), grad_tensors, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    if create_graph:
        modes.warn_once(_CYCLE_WARNING)
    wanted: dict[Node, Any] | None = None
    if inputs is not None:
        inputs = _as_tuple(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        for t in inputs:
            if isinstance(t, Variable):
                retain_grad(t)
        wanted = dict.fromkeys(_places(inputs))
    before = modes.set_recording(create_graph)
    try:
        engine.run(roots, keep, create_graph, wanted)
    finally:
        modes.set_recording(before)


def _places(inputs: tuple) -> list[Node]:
    """Where the gradients of inputs, tensors or edges, arrive."""
    places = []
    for t in inputs:
        if isinstance(t, GradientEdge):
            places.append(t.place)
        elif not isinstance(t, Variable):
            raise RuntimeError(
                f"all inputs have to be Tensors or GradientEdges, but got {t.__class__.__name__}"
            )
        else:
            fn = t._fn if t.of_parts is None else t.parts._fn
            if fn is None:
                raise RuntimeError("One of the differentiated Tensors does not require grad")
            places.append(fn)
    return places


class Rows(Node):
    """Several tensors of one shape as the rows of one."""

    def forward(self, *rows: Any) -> Any:
        return namespace(rows[0]).stack(rows)

    def backward(self, grad: Any) -> Any:
        """Each row's part of grad."""
        return tuple(grad[i] if fn is not None else None for i, fn in enumerate(self.next))


def _grad_of_rows(
    outputs: tuple, inputs: tuple, grad_outputs: tuple, keep: bool, options: tuple
) -> tuple:
    sizes = {g._array.shape[:1] for g in grad_outputs if isinstance(g, Variable)}
    if len(sizes) != 1 or sizes <= {(), (0,)}:
        raise ValueError(
            f"grad: is_grads_batched=True with gradients of leading sizes {sorted(sizes)}; needed: "
            "one size of at least 1 for all grad_outputs"
        )
    (count,) = sizes.pop()
    columns: list = [[] for _ in inputs]
    for i in range(count):
        row = [None if g is None else g[i] for g in grad_outputs]
        grads = grad(outputs, inputs, row, keep or i < count - 1, *options)
        for column, g in zip(columns, grads, strict=True):
            column.append(g)
    return tuple([None if c[0] is None else apply(Rows, tuple(c)) for c in columns])


def _logical(grads: Any) -> bool:
    """Whether one of the weights is a tensor without an array of its own."""
    return any(
        isinstance(g, Variable) and g.of_parts is None and not isinstance(g._array, ndarray)
        for g in (() if grads is None else _as_tuple(grads))
    )


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple:
    """The gradients of `outputs` (weighted by `grad_outputs`) with respect to `inputs`, a tuple.

    RuntimeError for an input that the outputs do not depend on, unless `allow_unused` (None is
    returned for it) or `materialize_grads` (zeros). `create_graph`: differentiable again.
    `is_grads_batched`: `grad_outputs` have one more dimension in front, and so have the results;
    the graph is walked once for each of its places.
    """
    if not only_inputs:
        raise RuntimeError("grad: only_inputs=False is not supported; needed: True, or backward()")
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    outputs, inputs = _as_tuple(outputs), _as_tuple(inputs)
    if not create_graph and _logical(grad_outputs):
        # Elements lie elsewhere, as inside vmap: what is computed with tensors serves.
        keep = bool(retain_graph)
        found = grad(
            outputs, inputs, grad_outputs, keep, True, True, allow_unused, is_grads_batched,
            materialize_grads,
        )  # fmt: skip
        return tuple([None if g is None else g.detach() for g in found])
    if is_grads_batched:
        keep = create_graph if retain_graph is None else retain_graph
        options = (create_graph, only_inputs, allow_unused, False, materialize_grads)
        return _grad_of_rows(outputs, inputs, _as_tuple(grad_outputs), keep, options)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    roots = _roots(outputs, grad_outputs, create_graph)
    places = _places(inputs)
    wanted: dict[Node, Any] = dict.fromkeys(places)
    keep = create_graph if retain_graph is None else retain_graph
    before = modes.set_recording(create_graph)
    try:
        engine.run(roots, keep, create_graph, wanted, accumulate=False)
    finally:
        modes.set_recording(before)

    given = {id(root[1]) for root in roots}
    results = []
    seen: set[int] = set()
    for i, (t, place) in enumerate(zip(inputs, places, strict=True)):
        g = wanted[place]
        if g is None:
            if not allow_unused and not materialize_grads:
                raise RuntimeError(
                    f"The differentiated Tensor at index {i} appears to not have been used in the "
                    "graph. Set allow_unused=True if this is the desired behavior."
                )
            if materialize_grads and isinstance(t, Variable):
                zeros = (t if t.of_parts is None else t.parts)._array.copy()
                zeros.fill(0)
                g = wrap(zeros)
                set_requires_grad(g, create_graph)
        elif not create_graph:
            # Results never share memory with each other or with what the caller passed in.
            shared = g.base is not None or id(g) in given or id(g) in seen
            seen.add(id(g))
            g = as_tensor(g.copy() if shared else g)
        if g is not None and isinstance(t, Variable) and t.of_parts is not None:
            g = t.of_parts(g)
        results.append(g)
    return tuple(results)
