"""Gradients and products with Jacobians of functions: grad, vjp, jvp, linearize.

All run the one backward loop. The inputs enter the graph anew (`Start`), so that only what the
function does with its own arguments counts; what stands around (an outer `grad`, parameters that
require grad) stays connected, and then the results can be differentiated again. Under `vmap` the
graph is the values': each sample has its own place in every input. A product J v is computed by
differentiating w J with respect to w, which gives it for every operation that has two gradients.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import ops
from ..autograd import api, engine, modes
from ..autograd.record import apply
from ..autograd.variable import Leaf, Node, Variable, is_float, set_requires_grad, wrap
from ..utils import _pytree as pytree
from ._batched import Batched, Level, state
from ._vmap import peel, unpeel


class Start(Node):
    """An input of a function that is differentiated: the same array."""

    __slots__ = ("own",)

    def forward(self, x: Any) -> Any:
        self.own = False
        return x

    def backward(self, grad: Any) -> Any:
        """grad as it is."""
        return grad


class _Inputs:
    """Tensors in a tree, entered into the graph: `tree` to call with, `starts` their values."""

    def __init__(self, tree: Any, function: str):
        self.levels: tuple[Level, ...] = state.levels
        self.leaves, self.spec = pytree.tree_flatten(tree)
        self.starts = []
        for leaf in self.leaves:
            if not isinstance(leaf, Variable):
                raise ValueError(
                    f"{function}: Thing passed to transform API must be Tensor, got {type(leaf)}"
                )
            self.starts.append(start(peel(leaf, self.levels), function))
        entered = [unpeel(s, self.levels) for s in self.starts]
        self.tree = pytree.tree_unflatten(entered, self.spec)


def start(value: Any, function: str) -> Any:
    if value.__class__ is Batched:
        raise RuntimeError(f"{function}: an input belongs to a vmap that does not run here")
    if not is_float(value._array):
        raise RuntimeError(
            f"{function}: only Tensors of floating point and complex dtype can require gradients, "
            f"got {value.dtype}"
        )
    source, own = value, value._fn is None
    if own:
        source = wrap(value._array)
        set_requires_grad(source, True)
    entered = apply(Start, (source,))
    entered._fn.own = own
    return entered


def is_foreign(tensors: list, starts: Iterable) -> bool:
    """Whether the graph of tensors leads to a leaf other than through the starts' own."""
    ours = {s._fn for s in starts if s._fn.own}
    stack = [t._fn for t in tensors if t._fn is not None]
    seen: set = set()
    while stack:
        node = stack.pop()
        if node in seen or node in ours:
            continue
        seen.add(node)
        if node.__class__ is Leaf:
            return True
        stack.extend([fn for fn in node.next if fn is not None])
    return False


def _settled(tree: Any, inputs: _Inputs, recording: bool) -> Any:
    """Results as they leave a transform: in the graph only if something outside is."""

    def settle(t: Any) -> Any:
        if not isinstance(t, Variable):
            return t
        value = _innermost(t)
        if value._fn is None or (recording and is_foreign([value], inputs.starts)):
            return t
        return t.detach()

    return pytree.tree_map(settle, tree)


def _innermost(t: Any) -> Any:
    while t.__class__ is Batched:
        t = t.value
    return t


def pull(outputs: list, starts: list, weights: list, create_graph: bool) -> list:
    """The gradient of outputs, weighted, with respect to each start; None where there is none."""
    pairs = [(o, w) for o, w in zip(outputs, weights, strict=True) if o._fn is not None]
    if not pairs:
        return [None] * len(starts)
    if not any(w.__class__ is Batched for _, w in pairs):
        return list(
            api.grad(
                [o for o, _ in pairs], starts, [w for _, w in pairs],
                retain_graph=True, create_graph=create_graph, allow_unused=True,
            )
        )  # fmt: skip
    wanted: dict[Node, Any] = {s._fn: None for s in starts}
    # Bodies that see tensors may differentiate a formula of theirs, so recording is on.
    before = modes.set_recording(True)
    try:
        engine.run([(o._fn, w) for o, w in pairs], True, True, wanted, accumulate=False)
    finally:
        modes.set_recording(before)
    grads = [wanted[s._fn] for s in starts]
    return grads if create_graph else [None if g is None else g.detach() for g in grads]


def _filled(grads: list, like: list) -> list:
    return [ops.mul(t.detach(), 0) if g is None else g for g, t in zip(grads, like, strict=True)]


def zeros(t: Any) -> Any:
    return wrap(np.zeros(t._array.shape, t._array.dtype))


def _select(args: tuple, argnums: Any) -> Any:
    """The arguments to differentiate by. RuntimeError for numbers out of range."""
    if not isinstance(argnums, (int, tuple)) or isinstance(argnums, bool):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    numbers = (argnums,) if isinstance(argnums, int) else argnums
    if not numbers:
        raise RuntimeError("argnums must be non-empty")
    n = len(args)
    for i in numbers:
        if not -n <= i < n:
            raise RuntimeError(f"Got argnum={i}, but only {n} positional inputs")
    if len({i % n for i in numbers}) != len(numbers):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return args[argnums] if isinstance(argnums, int) else tuple([args[i] for i in numbers])


def replaced(args: tuple, argnums: Any, new: Any) -> tuple:
    """Arguments with others in the selected places."""
    result = list(args)
    if isinstance(argnums, int):
        result[argnums] = new
    else:
        for i, value in zip(argnums, new, strict=True):
            result[i] = value
    return tuple(result)


def split_aux(result: Any, has_aux: bool, function: str) -> tuple[Any, Any]:
    """(output, auxiliary data) of a function."""
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(
            f"{function}(f): output of function f should be a tuple: (output, aux) if has_aux is "
            "True"
        )
    return result


def _check_aux(aux: Any, has_aux: bool) -> None:
    for value in pytree.tree_leaves(aux) if has_aux else ():
        if not isinstance(value, Variable):
            raise RuntimeError(f"aux: Expected tensors, got unsupported type {type(value)}")


def grad_and_value(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """A function that returns (gradient of `func`, value), or (gradient, (value, aux)).

    `func` returns a tensor without dimensions (and auxiliary data with `has_aux`); the gradient has
    the structure of the arguments `argnums`, an int or a tuple of them.
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = _select(args, argnums)
        recording = modes.set_recording(True)
        try:
            inputs = _Inputs(chosen, "grad")
            result = func(*replaced(args, argnums, inputs.tree), **kwargs)
            output, aux = split_aux(result, has_aux, "grad_and_value")
            _check_aux(aux, has_aux)
            if not isinstance(output, Variable):
                raise RuntimeError(
                    f"Expected f(*args) to return a tensor, got unsupported type {type(output)}"
                )
            if output._array.ndim:
                raise RuntimeError(
                    "Expected f(*args) to return a scalar tensor, got tensor with "
                    f"{output._array.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs "
                    "instead?"
                )
            value = peel(output, inputs.levels)
            ones = wrap(np.ones(value._array.shape, value._array.dtype))
            again = recording and is_foreign([value], inputs.starts)
            grads = _filled(pull([value], inputs.starts, [ones], again), inputs.starts)
        finally:
            modes.set_recording(recording)
        grads = [unpeel(g, inputs.levels) for g in grads]
        gradient = pytree.tree_unflatten(grads, inputs.spec)
        output = _settled(output, inputs, recording)
        if has_aux:
            return gradient, (output, _settled(aux, inputs, recording))
        return gradient, output

    return wrapped


def grad(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """A function that returns the gradient of `func`, or (gradient, aux). See `grad_and_value`."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


class Evaluated:
    """A function called on inputs that entered the graph: outputs, and products with its Jacobian.

    `leaves` and `spec` are the outputs as a tree, `values` these with the batches of outer maps.
    """

    def __init__(self, func: Callable, primals: Any, has_aux: bool, name: str):
        self.name = name
        self.recording = modes.set_recording(True)
        try:
            self.inputs = _Inputs(primals, name)
            result, self.aux = split_aux(func(*self.inputs.tree), has_aux, name)
            _check_aux(self.aux, has_aux)
            self.leaves, self.spec = pytree.tree_flatten(result)
            for leaf in self.leaves:
                if not isinstance(leaf, Variable):
                    raise RuntimeError(
                        f"{name}(f, *primals): Expected f to return only tensors (or containers of "
                        f"tensors), got unsupported type {type(leaf)}"
                    )
            if not self.leaves:
                raise RuntimeError(
                    f"{name}(f, *primals): Expected f to be a function that has non-empty output"
                )
            self.values = [peel(leaf, self.inputs.levels) for leaf in self.leaves]
        finally:
            modes.set_recording(self.recording)
        self.foreign = is_foreign(self.values, self.inputs.starts)
        self.weights: list | None = None

    @property
    def output(self) -> Any:
        tree = pytree.tree_unflatten(self.leaves, self.spec)
        return _settled(tree, self.inputs, self.recording)

    def settled_aux(self) -> Any:
        return _settled(self.aux, self.inputs, self.recording)

    def _again(self, vectors: list) -> bool:
        if not modes.is_grad_enabled():
            return False
        return self.foreign or any(_innermost(v)._fn is not None for v in vectors)

    def pullback(self, cotangents: Any) -> list:
        """v J, for each input leaf."""
        flat, spec = pytree.tree_flatten(cotangents)
        if spec != self.spec:
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {spec}, primal output: {self.spec}"
            )
        for given, leaf in zip(flat, self.leaves, strict=True):
            _check_like(given, leaf, "vjp: cotangent")
        levels, starts = self.inputs.levels, self.inputs.starts
        vectors = [peel(v, levels) for v in flat]
        grads = _filled(pull(self.values, starts, vectors, self._again(vectors)), starts)
        return [unpeel(g, levels) for g in grads]

    def pushforward(self, tangents: list) -> list:
        """J v, for each output leaf."""
        if self.weights is None:
            before = modes.set_recording(True)
            try:
                self.weights = [zeros(v) for v in self.values]
                for v, w in zip(self.values, self.weights, strict=True):
                    if is_float(v._array):
                        set_requires_grad(w, True)
                self.products = pull(self.values, self.inputs.starts, self.weights, True)
            finally:
                modes.set_recording(before)
        levels = self.inputs.levels
        pairs = [
            (g, peel(t, levels))
            for g, t in zip(self.products, tangents, strict=True)
            if g is not None
        ]
        moving = [w for w in self.weights if w._fn is not None]
        vectors = [v for _, v in pairs]
        results = iter(pull([g for g, _ in pairs], moving, vectors, self._again(vectors)))
        done = []
        for w, value in zip(self.weights, self.values, strict=True):
            product = next(results) if w._fn is not None else None
            done.append(unpeel(zeros(value) if product is None else product, levels))
        return done


def _check_like(given: Any, like: Any, what: str) -> None:
    if not isinstance(given, Variable):
        raise RuntimeError(f"{what} is a {type(given).__name__}; needed: a Tensor")
    if given._array.shape != like._array.shape or given._array.dtype != like._array.dtype:
        raise RuntimeError(
            f"{what} has shape {list(given._array.shape)} and dtype {given.dtype}; needed: "
            f"{list(like._array.shape)} and {like.dtype}"
        )


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> Any:
    """(output, vjp_fn), or (output, vjp_fn, aux): `vjp_fn(v)` is v J, a tuple with one input each.

    `vjp_fn` gives the product itself where there is one input.
    """
    at = Evaluated(func, primals, has_aux, "vjp")

    def vjp_fn(cotangents: Any, retain_graph: Any = None, create_graph: Any = None) -> Any:
        return pytree.tree_unflatten(at.pullback(cotangents), at.inputs.spec)

    def vjp_of_several(*cotangents: Any, **options: Any) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        return vjp_fn(given, **options)

    output = at.output
    return (output, vjp_of_several, at.settled_aux()) if has_aux else (output, vjp_of_several)


def jvp(
    func: Callable, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> Any:
    """(output, J v), or (output, J v, aux), for tuples of primals and tangents.

    `strict`: RuntimeError for an output that does not depend on the inputs.
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals to be a tuple. E.g. it should be valid "
            f"to call f(*primals). Got {type(primals)}"
        )
    if not primals:
        raise RuntimeError("jvp(f, primals, tangents): Expected primals to be non-empty")
    flat, spec = pytree.tree_flatten(primals)
    vectors, other = pytree.tree_flatten(tangents)
    if spec != other:
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals and tangents to have the same python "
            f"structure. For example, if primals is a tuple of 3 tensors, tangents also must be. "
            f"Got primals with structure {spec} and tangents with structure {other}"
        )
    for p, t in zip(flat, vectors, strict=True):
        if not isinstance(p, Variable):
            raise RuntimeError(
                "jvp(f, primals, tangents): Expected primals to be a tuple of Tensors, got "
                f"{type(p)}"
            )
        _check_like(t, p, "jvp: a tangent")
    at = Evaluated(func, primals, has_aux, "jvp")
    if strict and any(v._fn is None for v in at.values):
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. "
            "This is not allowed when strict=True."
        )
    product = pytree.tree_unflatten(at.pushforward(vectors), at.spec)
    return (at.output, product, at.settled_aux()) if has_aux else (at.output, product)


def linearize(func: Callable, *primals: Any) -> tuple[Any, Callable]:
    """(output, jvp_fn): `jvp_fn(*tangents)` is J v at the primals, without calling `func` again."""
    at = Evaluated(func, primals, False, "linearize")

    def jvp_fn(*tangents: Any) -> Any:
        vectors, spec = pytree.tree_flatten(tangents)
        if spec != at.inputs.spec:
            raise RuntimeError(
                f"Expected the tangents {spec} to have the same argspec as the primals "
                f"{at.inputs.spec}"
            )
        for t, p in zip(vectors, at.inputs.leaves, strict=True):
            _check_like(t, p, "linearize: a tangent")
        return pytree.tree_unflatten(at.pushforward(vectors), at.spec)

    return at.output, jvp_fn
