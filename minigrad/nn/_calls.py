"""Calling a module that has hooks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..autograd import modes
from ..autograd.function import Function
from ..autograd.variable import Variable
from ._hooks import WrappedHook, global_hooks


def _globals(kind: str) -> list[tuple]:
    return [(i, e[1], e[2], e[3]) for i, e in global_hooks.items() if e[0] == kind]


def call_with_hooks(module: Any, args: tuple, kwargs: dict) -> Any:
    """`module(*args, **kwargs)` with all its hooks."""
    call = _Call(module, args, kwargs)
    try:
        return call.run()
    except Exception:
        call.run_always()
        raise


class _Call:
    """One call of a module with hooks."""

    def __init__(self, module: Any, args: tuple, kwargs: dict):
        self.module = module
        self.args = args
        self.kwargs = kwargs
        self.result: Any = None
        self.called: set[int] = set()  # the always-called hooks that have run

    def run(self) -> Any:
        module = self.module
        self._run_pre_hooks()
        pre = [e[1] for e in _globals("backward_pre")] + list(module._backward_pre_hooks.values())
        full = [e[1] for e in _globals("backward")]
        old = [e[1] for e in _globals("old_backward")]
        own = full if module._is_full_backward_hook else old
        own += module._backward_hooks.values()
        backward = None
        if full or pre:
            backward = BackwardHook(module, full, pre)
            self.args = backward.setup_input_hook(self.args)
        self.result = module.forward(*self.args, **self.kwargs)
        for i, hook, with_kwargs, always in self._forward_hooks():
            if always:
                self.called.add(i)
            self._run_forward_hook(hook, with_kwargs)
        if backward is not None:
            if not isinstance(self.result, (Variable, tuple)):
                warnings.warn(
                    "For backward hooks to be called, module output should be a Tensor or a tuple "
                    f"of Tensors but received {type(self.result)}",
                    stacklevel=4,
                )
            self.result = backward.setup_output_hook(self.result)
        if old:
            _hook_last_node(module, old, self.args, self.result)
        return self.result

    def _run_pre_hooks(self) -> None:
        module = self.module
        with_kwargs = module._forward_pre_hooks_with_kwargs
        for i, hook in (
            *((e[0], e[1]) for e in _globals("forward_pre")),
            *module._forward_pre_hooks.items(),
        ):
            if i in with_kwargs:
                out = hook(module, self.args, self.kwargs)
                if out is None:
                    continue
                if not (isinstance(out, tuple) and len(out) == 2):
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {out}."
                    )
                self.args, self.kwargs = out
            else:
                out = hook(module, self.args)
                if out is not None:
                    self.args = out if isinstance(out, tuple) else (out,)

    def _forward_hooks(self) -> list[tuple]:
        module = self.module
        return _globals("forward") + [
            (
                i,
                hook,
                i in module._forward_hooks_with_kwargs,
                i in module._forward_hooks_always_called,
            )
            for i, hook in module._forward_hooks.items()
        ]

    def _run_forward_hook(self, hook: Callable, with_kwargs: bool) -> None:
        if with_kwargs:
            out = hook(self.module, self.args, self.kwargs, self.result)
        else:
            out = hook(self.module, self.args, self.result)
        if out is not None:
            self.result = out

    def run_always(self) -> None:
        """After an error: the hooks that asked to be called whatever happens."""
        for i, hook, with_kwargs, always in self._forward_hooks():
            if not always or i in self.called:
                continue
            try:
                self._run_forward_hook(hook, with_kwargs)
            except Exception as error:
                warnings.warn(
                    "module forward hook with ``always_call=True`` raised an exception that was "
                    f"silenced as another error was raised in forward: {error}",
                    stacklevel=4,
                )


def _hook_last_node(module: Any, hooks: list[Callable], args: tuple, result: Any) -> None:
    """Hooks of the old kind see the gradients of the last node of the forward only."""
    last = result
    while not isinstance(last, Variable):
        last = (
            next(v for v in last.values() if isinstance(v, Variable))
            if isinstance(last, dict)
            else last[0]
        )
    node = last.grad_fn
    if node is None:
        return
    for hook in hooks:
        node.register_hook(WrappedHook(hook, module))
    missing = _not_seen(args, result, node)
    if missing:
        warnings.warn(missing, FutureWarning, stacklevel=5)


_DOCUMENTED = " Please use register_full_backward_hook to get the documented behavior."


def _not_seen(args: tuple, result: Any, node: Any) -> str | None:
    """What a hook of the old kind on the result's node will miss, as a warning."""
    result = result if isinstance(result, tuple) else (result,)
    for values, verb, what in (
        (result, "return", "some of the grad_output"),
        (args, "take as input", "some of the grad_input"),
    ):
        if not all(isinstance(v, Variable) for v in values):
            return (
                f"Using non-full backward hooks on a Module that does not {verb} a single Tensor "
                "or a tuple of Tensors is deprecated and will be removed in future versions. This "
                f"hook will be missing {what}.{_DOCUMENTED}"
            )
    nodes = {r.grad_fn for r in result if r.grad_fn is not None}
    if len(nodes) > 1:
        return (
            "Using a non-full backward hook when outputs are generated by different autograd Nodes "
            "is deprecated and will be removed in future versions. This hook will be missing some "
            f"grad_output.{_DOCUMENTED}"
        )
    inputs = {a.grad_fn for a in args if a.grad_fn is not None}
    if inputs != {n for n, _ in node.next_functions}:
        return (
            "Using a non-full backward hook when the forward contains multiple autograd Nodes is "
            "deprecated and will be removed in future versions. This hook will be missing some "
            f"grad_input.{_DOCUMENTED}"
        )
    return None


class BackwardHookFunction(Function):
    """The identity: a node to hang hooks on."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        ctx.mark_non_differentiable(*[a for a in args if a._fn is None])
        return args

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads


def _spread(indices: list[int] | None, values: Any, size: int) -> tuple:
    """`values` at their places in a tuple of `size`, None elsewhere."""
    result: list = [None] * size
    for i, value in zip(indices or [], values, strict=True):
        result[i] = value
    return tuple(result)


def _replaced(grads: tuple, out: Any, who: str, what: str) -> Any:
    """What a hook made of the gradients: `out`, or `grads` if it returned None."""
    if out is None:
        return grads
    if len(out) != len(grads):
        raise RuntimeError(
            f"{who} returned an invalid number of {what}, got {len(out)}, but expected {len(grads)}"
        )
    return out


class BackwardHook:
    """Ties a module's inputs and outputs to its backward hooks by one node on each side.

    The output's node sees the gradients of the outputs first and keeps them; when the gradients of
    the inputs have reached the input's node, the hooks are called with both.
    """

    def __init__(self, module: Any, hooks: list[Callable], pre_hooks: list[Callable]):
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.grad_outputs: Any = None
        self.n_inputs = self.n_outputs = -1
        self.input_indices: list[int] | None = None
        self.output_indices: list[int] | None = None

    def setup_input_hook(self, args: tuple) -> tuple:
        self.n_inputs = len(args)
        args, self.input_indices = self._through_identity(args, self._at_inputs)
        return args

    def setup_output_hook(self, result: Any) -> Any:
        outputs = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(outputs)
        outputs, self.output_indices = self._through_identity(outputs, self._at_outputs)
        return outputs if isinstance(result, tuple) else outputs[0]

    @staticmethod
    def _through_identity(values: tuple, hook: Callable) -> tuple[Any, list[int] | None]:
        indices = [i for i, v in enumerate(values) if isinstance(v, Variable)]
        if not modes.is_grad_enabled() or not any(values[i]._fn is not None for i in indices):
            return values, None
        tensors = BackwardHookFunction.apply(*[values[i] for i in indices])
        next(t.grad_fn for t in tensors if t.grad_fn is not None).register_hook(hook)
        result = list(values)
        for i, t in zip(indices, tensors, strict=True):
            result[i] = t
        if type(values) is tuple:
            return tuple(result), indices
        return type(values)(*result), indices  # a named tuple

    def _at_inputs(self, grad_inputs: tuple, _: Any) -> Any:
        if self.grad_outputs is None:
            return None  # the gradient did not come through the module's output
        indices = self.input_indices
        assert indices is not None
        result = _spread(indices, grad_inputs, self.n_inputs)
        for hook in self.hooks:
            out = hook(self.module, result, self.grad_outputs)
            result = _replaced(result, out, "Backward hook", "grad_input")
        self.grad_outputs = None
        return tuple(result[i] for i in indices)

    def _at_outputs(self, _: Any, grad_outputs: tuple) -> Any:
        indices = self.output_indices
        assert indices is not None
        grads = _spread(indices, grad_outputs, self.n_outputs)
        for hook in self.pre_hooks:
            out = hook(self.module, grads)
            grads = _replaced(grads, out, "Backward pre hook", "grad_output")
        self.grad_outputs = grads
        if self.input_indices is None:
            self._without_inputs(grads)
        return tuple(grads[i] for i in indices)

    def _without_inputs(self, grads: tuple) -> None:
        """No input requires grad, so that nothing will arrive there: the hooks are called now."""
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module "
            "outputs since no inputs require gradients. See "
            "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
            "#torch.nn.Module.register_full_backward_hook for more details.",
            stacklevel=5,
        )
        for hook in self.hooks:
            out = hook(self.module, (None,) * self.n_inputs, grads)
            if out is not None and not (isinstance(out, tuple) and all(g is None for g in out)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_outputs = None
