"""`Function`: operations that users define, with PyTorch's interface."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..dtypes import from_numpy
from . import modes
from . import variable as _v
from .inplace import bump, check_writable, rebase
from .record import apply_view, note, register_view
from .saving import pack
from .variable import RELEASED, Node, Pick, Variable, cell_of, is_float, next_seq, saved_cell


class FunctionCtx(Node):
    """What `forward` and `backward` of a user function get as `ctx`: any attribute may be set."""

    function: type[Function]
    materialize_grads = True
    packs_itself = True

    def __init_subclass__(cls, **options: Any) -> None:
        """The name is the user's."""

    def __init__(self) -> None:
        self.to_save: tuple = ()
        self.dirty: tuple = ()
        self.non_differentiable: tuple = ()
        self.saved = self.cells = self.hooks = None
        self.for_forward: tuple = ()
        self.runs_jvp = False

    def save_for_backward(self, *tensors: Any) -> None:
        """Keeps inputs or outputs for backward, checked against later writes in place."""
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keeps tensors for the class's `jvp`, whose `saved_tensors` they are."""
        self.for_forward = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        """Says which inputs forward has written in place."""
        _need_tensors("mark_dirty can only accept variables", tensors)
        self.dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Says which outputs have no gradient."""
        _need_tensors("mark_non_differentiable only accepts variable arguments", tensors)
        self.non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether gradients that did not arrive are given to backward as zeros (True) or None."""
        self.materialize_grads = value

    @property
    def needs_input_grad(self) -> tuple[bool, ...]:
        """For each argument of forward, whether a gradient is needed."""
        return self._needs

    @property
    def saved_tensors(self) -> tuple:
        """What was given to `save_for_backward`; nothing while forward still runs.

        In `jvp`, what was given to `save_for_forward`.
        """
        if self.runs_jvp:
            return self.for_forward
        if self.saved is None:
            return ()
        if self.saved is RELEASED:
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly access saved "
                "tensors after they have already been freed). Saved intermediate values of the "
                "graph are freed when you call .backward() or autograd.grad(). Specify "
                "retain_graph=True if you need to backward through the graph a second time or if "
                "you need to access saved tensors after calling backward."
            )
        return tuple(self._unpack(kind, value) for kind, value in self.saved)

    def _unpack(self, kind: int | str | None, value: Any) -> Any:
        """A saved tensor; `value` is (place in the graph, `Packed`) where hooks had it."""
        if kind is None or kind == "plain":
            return value
        fn: Node | None
        if isinstance(kind, int):  # an output: rebuilt here, so that it holds no cycle
            fn = self._output(kind)
        else:
            place, packed = value
            fn = self._output(place) if isinstance(place, int) else place
            value = packed.tensor()._array
        return _v.wrap(value, fn if is_float(value) else None)

    def _output(self, i: int) -> Node:
        return self if self.outputs == 1 else Pick(self, i)

    def backward(self, grad: Any) -> Any:
        grads = grad if isinstance(grad, list) else [grad]
        tensors = []
        differentiable = False
        for g, (shape, dtype, array_class) in zip(grads, self._outputs, strict=True):
            if g is None and self.materialize_grads and array_class is not None:
                zeros = array_class(shape, dtype)
                zeros.fill(0)
                g = _v.wrap(zeros)
            elif isinstance(g, Variable):
                differentiable = True
            elif g is not None:
                g = _v.wrap(g)
            tensors.append(g)
        results = _backward_of(self.function)(self, *tensors)
        if not isinstance(results, tuple):
            results = (results,)
        expected = len(self._needs)
        if len(results) > expected and all(r is None for r in results[expected:]):
            results = results[:expected]
        if len(results) != expected:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected "
                f"{expected}, got {len(results)})"
            )
        tensor_args = self._tensor_args
        for i, g in enumerate(results):
            if g is not None and i not in tensor_args:
                raise RuntimeError(
                    f"function {self.name()} returned a gradient different than None at position "
                    f"{i + 1}, but the corresponding forward input was not a Variable"
                )
        out: list = []
        for position, i in enumerate(tensor_args):
            g = results[i]
            if self.next[position] is not None and g is not None:
                g = self._checked(i, g, self._input_shapes[position])
            elif not self.hooks or not isinstance(g, Variable):  # hooks see also what goes nowhere
                out.append(None)
                continue
            out.append(g if differentiable or modes.is_grad_enabled() else g._array)
        return tuple(out)

    def _checked(self, i: int, g: Any, like: tuple) -> Any:
        if not isinstance(g, Variable):
            raise RuntimeError(
                f"function {self.name()}: expected Variable or None (got {g.__class__.__name__})"
            )
        shape, dtype = like
        if g._array.shape != shape:
            try:
                g = g.sum_to_size(shape)
            except RuntimeError:
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {i} - got "
                    f"{list(g._array.shape)} but expected shape compatible with {list(shape)}"
                ) from None
        if g._array.dtype != dtype:
            g = g.to(from_numpy(dtype))
        return g


def _need_tensors(rule: str, values: tuple) -> None:
    for i, value in enumerate(values):
        if not isinstance(value, Variable):
            raise RuntimeError(f"{rule}, but argument {i} is of type {value.__class__.__name__}")


class Function:
    """Base of user-defined operations.

    Subclasses define static `forward(ctx, *args)` and `backward(ctx, *grad_outputs)` (or `forward`
    without ctx and `setup_context(ctx, inputs, output)`), and are called by `apply`.
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Computes the result; `ctx` is the first argument unless `setup_context` is defined."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
        """Keeps what backward needs; used when `forward` takes no ctx."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """One gradient (or None) for each argument of forward."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward  # another name under which subclasses may define it

    # Whether `vmap` may call the function for each sample; else it needs the method `vmap`.
    generate_vmap_rule = False

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> tuple:
        """(outputs, out_dims) for a batch of samples, with the mapped dimension of each argument.

        `info.batch_size` and `info.randomness` say how the function is mapped.
        """
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap static method "
            "or set generate_vmap_rule=True."
        )

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Accepted and not called: products J v are computed from `backward`."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs forward on the arguments and records the call."""
        ctx = _context_class(cls)()
        separate = cls.setup_context is not Function.setup_context
        if separate:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, {}
        ctx._needs = tuple([isinstance(a, Variable) and a._fn is not None for a in args])
        recording = modes.is_grad_enabled() and any(ctx._needs)
        before = modes.set_recording(False)
        try:
            if separate:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args, **kwargs)
        finally:
            modes.set_recording(before)
        outs = list(output) if isinstance(output, tuple) else [output]
        outs = _attach(ctx, args, outs, recording)
        return tuple(outs) if isinstance(output, tuple) else outs[0]

    def __call__(self, *args: Any) -> None:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method."
        )


def _context_class(function: type[Function]) -> type[FunctionCtx]:
    """The node class of a user's function: named after it, made once."""
    cls = function.__dict__.get("_context")
    if cls is None:
        cls = type(f"{function.__name__}Backward", (FunctionCtx,), {"function": function})
        function._context = cls  # type: ignore[attr-defined]
    return cls


def _backward_of(function: type[Function]) -> Callable:
    """The user's static method, under either of its names."""
    if function.vjp is Function.vjp:
        return function.backward
    if function.backward is not Function.backward:
        raise RuntimeError(
            "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You "
            "should only implement one of them."
        )
    return function.vjp


def _attach(ctx: FunctionCtx, args: tuple, outs: list, recording: bool) -> list:
    """The outputs of a user's forward as they are returned, in the graph if `recording`."""
    dirty = {id(t) for t in ctx.dirty}
    if not dirty <= {id(out) for out in outs}:
        raise RuntimeError(
            "Some elements marked as dirty during the forward method were not returned as output. "
            "The inputs that are modified inplace must all be outputs of the Function."
        )
    for t in ctx.dirty:
        if recording and t._fn is not None and t.is_leaf:
            raise RuntimeError(
                "a leaf Variable that requires grad has been used in an in-place operation."
            )
        check_writable(t, recorded=recording)
        bump(t)
    positions = [i for i, a in enumerate(args) if isinstance(a, Variable)]
    inputs = {id(args[i]) for i in positions}
    constant = {id(t) for t in ctx.non_differentiable}
    ctx.next = tuple([args[i]._fn for i in positions]) if recording else ()
    ctx._tensor_args = positions
    ctx._input_shapes = [(args[i]._array.shape, args[i]._array.dtype) for i in positions]
    ctx.seq = next_seq()  # after the writes, which backward has to know
    ctx.outputs = len(outs)
    ctx._outputs = []
    returned: list = []
    for i, out in enumerate(outs):
        if not isinstance(out, Variable):
            ctx._outputs.append(((), None, None))
            returned.append(out)
            continue
        ctx._outputs.append((out._array.shape, out._array.dtype, out._array.__class__))
        differentiable = recording and id(out) not in constant and is_float(out._array)
        fn: Node | None = None
        if differentiable:
            fn = ctx if len(outs) == 1 else Pick(ctx, i)
        if id(out) in dirty:
            if recording:
                rebase(out, fn)
        elif id(out) in inputs:
            out = _view_of(out, fn)  # returned as it is: a new tensor, same memory
        elif recording:
            out._fn = fn
            if out._view is not None:
                out._view = (*out._view[:3], "function")
                register_view(cell_of(out), out)
        returned.append(out)
    if sum(isinstance(out, Variable) and out._fn is not None for out in returned) > 1:
        for out in returned:
            if isinstance(out, Variable) and out._view is not None and id(out) not in dirty:
                out._view = (*out._view[:3], "several")
    if recording:
        _save(ctx, outs)
        if modes.watched:
            note(ctx)
    return returned


class _Same(Node):
    """A tensor as a view of itself."""

    views_input = True

    def forward(self, x: Any) -> Any:
        return x[...]

    def backward(self, grad: Any) -> Any:
        """grad as it is."""
        return grad


def _view_of(t: Variable, fn: Node | None) -> Any:
    out = apply_view(_Same, t)
    out._fn = fn
    out._view = (t, _Same, (), "function")
    return out


def _save(ctx: FunctionCtx, outs: list) -> None:
    saved: list = []
    cells = []
    for t in ctx.to_save:
        if t is None:
            saved.append((None, None))
            continue
        if not isinstance(t, Variable):
            raise TypeError(
                f"save_for_backward can only save variables, but argument is of type "
                f"{t.__class__.__name__}"
            )
        position = next((i for i, out in enumerate(outs) if out is t), None)
        if modes.state.saved_hooks:
            saved.append(("packed", (t._fn if position is None else position, pack(t))))
            continue
        cells.append(saved_cell(t))
        # An output is kept as its array: keeping the tensor would make the graph hold itself.
        saved.append(("plain", t) if position is None else (position, t._array))
    ctx.to_save = ()
    if ctx.saved is None:
        ctx.saved = tuple(saved) or None  # nothing to free: backward may run again
        ctx.cells = tuple(cells)


def once_differentiable(backward: Callable) -> Callable:
    """Decorator for a `backward` whose result cannot be differentiated again."""

    @functools.wraps(backward)
    def wrapped(ctx: Any, *grads: Any) -> Any:
        again = modes.is_grad_enabled() and any(
            isinstance(g, Variable) and g._fn is not None for g in grads
        )
        before = modes.set_recording(False)
        try:
            results = backward(ctx, *grads)
        finally:
            modes.set_recording(before)
        if not again:
            return results
        as_tuple = results if isinstance(results, tuple) else (results,)
        return tuple(None if r is None else _Once.apply(r, *grads) for r in as_tuple)

    return wrapped


class _Once(Function):
    """Passes a value on and refuses to be differentiated."""

    @staticmethod
    def forward(ctx: Any, value: Any, *grads: Any) -> Any:
        return value

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )


class InplaceFunction(Function):
    """A function that may write its input, as older programs say; it needs nothing more."""

    def __init__(self, inplace: bool = False):
        self.inplace = inplace
