"""`Function`: operations that users define, with PyTorch's interface."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..dtypes import from_numpy
from . import modes
from . import variable as _v
from .inplace import bump, check_writable, rebase
from .variable import RELEASED, Node, Pick, Variable, cell_of, is_float, next_seq


class FunctionCtx(Node):
    """What `forward` and `backward` of a user function get as `ctx`: any attribute may be set."""

    function: type[Function]
    materialize_grads = True

    def __init__(self) -> None:
        self.to_save: tuple = ()
        self.dirty: tuple = ()
        self.non_differentiable: tuple = ()
        self.saved = self.cells = self.hooks = None

    def save_for_backward(self, *tensors: Any) -> None:
        """Keeps inputs or outputs for backward, checked against later writes in place."""
        self.to_save = tensors

    save_for_forward = save_for_backward

    def mark_dirty(self, *tensors: Any) -> None:
        """Says which inputs forward has written in place."""
        self.dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Says which outputs have no gradient."""
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
        """What was given to `save_for_backward`."""
        if self.saved is None:
            return self.to_save  # backward has not been reached: forward's own view
        if self.saved is RELEASED:
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly access saved "
                "tensors after they have already been freed). Specify retain_graph=True if you "
                "need to backward through the graph a second time or if you need to access saved "
                "tensors after calling backward."
            )
        return tuple(self._unpack(kind, value) for kind, value in self.saved)

    def _unpack(self, kind: int | str | None, value: Any) -> Any:
        if kind is None or kind == "plain":
            return value
        assert isinstance(kind, int)  # an output: rebuilt here, so that it holds no cycle
        fn = self if self.outputs == 1 else Pick(self, kind)
        return _v.wrap(value, fn if is_float(value) else None)

    def name(self) -> str:
        return self.function.__name__ + "Backward"

    def backward(self, grad: Any) -> Any:
        grads = grad if isinstance(grad, list) else [grad]
        tensors = []
        differentiable = False
        for g, (shape, dtype, array_class) in zip(grads, self._outputs, strict=True):
            if g is None and self.materialize_grads:
                zeros = array_class(shape, dtype)
                zeros.fill(0)
                g = _v.wrap(zeros)
            elif isinstance(g, Variable):
                differentiable = True
            elif g is not None:
                g = _v.wrap(g)
            tensors.append(g)
        results = self.function.backward(self, *tensors)
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
        out = []
        for position, i in enumerate(self._tensor_args):
            g = results[i]
            if g is not None and self.next[position] is not None:
                g = self._checked(i, g, self._input_shapes[position])
                out.append(g if differentiable or modes.is_grad_enabled() else g._array)
            else:
                out.append(None)
        return tuple(out)

    def _checked(self, i: int, g: Any, like: tuple) -> Any:
        if not isinstance(g, Variable):
            raise TypeError(
                f"function {self.name()} returned a {g.__class__.__name__} at position {i}; "
                "needed: a tensor or None"
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

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Runs forward on the arguments and records the call."""
        ctx = FunctionCtx()
        ctx.function = cls
        positions = [i for i, a in enumerate(args) if isinstance(a, Variable)]
        recording = modes.is_grad_enabled() and any(args[i]._fn is not None for i in positions)
        ctx._needs = tuple(
            isinstance(a, Variable) and a._fn is not None and recording for a in args
        )
        before = modes.set_recording(False)
        try:
            if cls.setup_context is not Function.setup_context:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args)
        finally:
            modes.set_recording(before)
        if not recording:
            return output
        ctx.next = tuple([args[i]._fn for i in positions])
        ctx._tensor_args = positions
        ctx._input_shapes = [(args[i]._array.shape, args[i]._array.dtype) for i in positions]
        ctx.seq = next_seq()
        return _attach(ctx, args, output)

    def __call__(self, *args: Any) -> None:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method."
        )


def _attach(ctx: FunctionCtx, args: tuple, output: Any) -> Any:
    """Puts the outputs of a user's forward into the graph."""
    outs = list(output) if isinstance(output, tuple) else [output]
    dirty = {id(t) for t in ctx.dirty}
    for t in ctx.dirty:
        check_writable(t)
        bump(t)
    inputs = {id(a) for a in args if isinstance(a, Variable)}
    ctx.outputs = len(outs)
    ctx._outputs = []
    for i, out in enumerate(outs):
        if not isinstance(out, Variable):
            ctx._outputs.append(((), None, None))
            continue
        if id(out) in inputs and id(out) not in dirty:
            outs[i] = out = _alias(out)  # an input returned as it is: a new tensor, same memory
        ctx._outputs.append((out._array.shape, out._array.dtype, out._array.__class__))
        if any(out is t for t in ctx.non_differentiable) or not is_float(out._array):
            if id(out) in dirty:
                rebase(out, None)
            continue
        fn: Node = ctx if len(outs) == 1 else Pick(ctx, i)
        if id(out) in dirty:
            rebase(out, fn)
        else:
            out._fn = fn
    _pack(ctx, outs)
    return tuple(outs) if isinstance(output, tuple) else outs[0]


def _alias(t: Variable) -> Any:
    out = _v.wrap(t._array)
    out._cell = cell_of(t)
    return out


def _pack(ctx: FunctionCtx, outs: list) -> None:
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
        cells.append(cell_of(t))
        position = next((i for i, out in enumerate(outs) if out is t), None)
        # An output is kept as its array: keeping the tensor would make the graph hold itself.
        saved.append(("plain", t) if position is None else (position, t._array))
    ctx.to_save = ()
    if ctx.saved is None:
        ctx.saved = tuple(saved)
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
