"""`make_graphed_callables`: modules and functions whose work is launched as graphs."""

from __future__ import annotations

from typing import Any

from ..autograd import Function, grad
from ..autograd.modes import no_grad
from ..autograd.variable import Variable
from ..creation.filled import empty_like
from ._devices import cupy, synchronize
from ._graphs import CUDAGraph, graph, graph_pool_handle
from ._streams import Stream, stream


class _Captured:
    """A callable's forward and backward work over fixed inputs, as two graphs."""

    def __init__(self, function: Any, inputs: tuple, parameters: tuple, pool: Any, warm: int):
        self.inputs, self.parameters = inputs, parameters
        self.leaves = tuple([t for t in (*inputs, *parameters) if t.requires_grad])
        side = Stream()
        synchronize()
        with stream(side):
            for _ in range(warm):
                self._gradients(self._outputs(function))
        synchronize()
        self.forward, self.backward = CUDAGraph(), CUDAGraph()
        with graph(self.forward, pool=pool):
            made = function(*inputs)
        self.single = isinstance(made, Variable)
        outputs = (made,) if self.single else tuple(made)
        self.carries = [o.requires_grad for o in outputs]
        self.wanted = tuple([o for o in outputs if o.requires_grad])
        self.grads = tuple([empty_like(o) for o in self.wanted])
        self.found: tuple = ()
        if self.leaves and self.wanted:
            with graph(self.backward, pool=pool):
                self.found = grad(
                    self.wanted, self.leaves, self.grads, allow_unused=True, retain_graph=True
                )
        self.outputs = tuple([o.detach() for o in outputs])
        self._kept = outputs  # what backward saved: the graphs use its memory

    def _outputs(self, function: Any) -> tuple:
        made = function(*self.inputs)
        return (made,) if isinstance(made, Variable) else tuple(made)

    def _gradients(self, outputs: tuple) -> None:
        wanted = [o for o in outputs if o.requires_grad]
        if wanted and self.leaves:
            grad(wanted, self.leaves, [empty_like(o) for o in wanted], allow_unused=True)

    def call(self, *given: Any) -> Any:
        """The graph's launch as one operation."""
        if len(given) != len(self.inputs):
            raise TypeError(
                f"a graphed callable was given {len(given)} arguments; it was captured with "
                f"{len(self.inputs)}"
            )
        for own, other in zip(self.inputs, given):
            if own.shape != other.shape or own.dtype != other.dtype:
                raise RuntimeError(
                    f"a graphed callable was given a tensor {list(other.shape)} of {other.dtype}; "
                    f"it was captured with {list(own.shape)} of {own.dtype}"
                )
        results = _Launch.apply(self, len(given), *given, *self.parameters)
        return results[0] if self.single else tuple(results)


class _Launch(Function):
    """One launch of `_Captured`."""

    @staticmethod
    def forward(ctx: Any, captured: _Captured, count: int, *tensors: Any) -> Any:
        ctx.captured = captured
        with no_grad():
            for own, given in zip(captured.inputs, tensors[:count]):
                if own.data_ptr() != given.data_ptr():
                    own.copy_(given)
        captured.forward.replay()
        return tuple([o.clone() for o in captured.outputs])

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        captured = ctx.captured
        with no_grad():
            given = [g for g, carries in zip(grads, captured.carries) if carries]
            for own, other in zip(captured.grads, given):
                own.copy_(other)
        captured.backward.replay()
        found = iter([g if g is None else g.clone() for g in captured.found])
        tensors = (*captured.inputs, *captured.parameters)
        return None, None, *[next(found) if t.requires_grad else None for t in tensors]


def make_graphed_callables(
    callables: Any,
    sample_args: Any,
    num_warmup_iters: int = 3,
    allow_unused_input: bool = False,
    pool: Any = None,
) -> Any:
    """Callables (a module, a function, or a tuple of them) whose work is launched as graphs.

    `sample_args`: a tuple of tensors, for several callables a tuple of such tuples; calls take
    tensors of these shapes and types. Modules are changed in place: their `forward` launches, in
    the mode (train or eval) they were captured in. RuntimeError for arguments that are no tensors
    of a GPU, and for modules with hooks.
    """
    cupy()
    several = isinstance(callables, tuple)
    functions = callables if several else (callables,)
    samples = sample_args if several else (sample_args,)
    pool = graph_pool_handle() if pool is None else pool
    made = [_graphed(f, tuple(s), pool, num_warmup_iters) for f, s in zip(functions, samples)]
    return tuple(made) if several else made[0]


def _graphed(function: Any, inputs: tuple, pool: Any, warm: int) -> Any:
    if not all(isinstance(t, Variable) and t.is_cuda for t in inputs):
        raise RuntimeError("make_graphed_callables: sample_args must be tensors on a CUDA device")
    if not hasattr(function, "named_parameters"):
        return _Captured(function, inputs, (), pool, warm).call
    if function._forward_hooks or function._forward_pre_hooks or function._backward_hooks:
        raise RuntimeError(
            "Modules must not have hooks registered at the time they are passed. However, "
            "registering hooks on modules after passing them through make_graphed_callables is "
            "allowed."
        )
    parameters = tuple([p for p in function.parameters() if p.requires_grad])
    plain, mode = function.forward, function.training
    captured = _Captured(plain, inputs, parameters, pool, warm)

    def forward(*given: Any) -> Any:
        return captured.call(*given) if function.training == mode else plain(*given)

    function.forward = forward
    return function
