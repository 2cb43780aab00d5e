"""Registering hooks: those common to all modules, and those of one."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..autograd.handles import RemovableHandle
from ._registry import Attributes

# Hooks of all modules, in one dictionary so that a call has one thing to look at. An entry is
# (kind, hook, with_kwargs, always_call); kinds: forward_pre, forward, backward_pre, backward (full)
# and old_backward.
global_hooks: OrderedDict[int, tuple[str, Callable, bool, bool]] = OrderedDict()
# Called when something is registered; kinds: buffer, module, parameter.
registration_hooks: dict[str, OrderedDict[int, Callable]] = {
    "buffer": OrderedDict(),
    "module": OrderedDict(),
    "parameter": OrderedDict(),
}


def _register(kind: str, hook: Callable, kwargs: bool = False, always: bool = False) -> Any:
    handle = RemovableHandle(global_hooks)
    global_hooks[handle.id] = (kind, hook, kwargs, always)
    return handle


def _on_registration(kind: str, hook: Callable) -> RemovableHandle:
    handle = RemovableHandle(registration_hooks[kind])
    registration_hooks[kind][handle.id] = hook
    return handle


def register_module_buffer_registration_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(module, name, buffer)` at every `register_buffer`; a result replaces it."""
    return _on_registration("buffer", hook)


def register_module_module_registration_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(module, name, submodule)` at every `register_module`; a result replaces it."""
    return _on_registration("module", hook)


def register_module_parameter_registration_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(module, name, param)` at every `register_parameter`; a result replaces it."""
    return _on_registration("parameter", hook)


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """`Module.register_forward_pre_hook` for all modules: `hook(module, args)`."""
    return _register("forward_pre", hook)


def register_module_forward_hook(
    hook: Callable, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """`Module.register_forward_hook` for all modules: `hook(module, args, output)`."""
    return _register("forward", hook, with_kwargs, always_call)


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """`Module.register_full_backward_pre_hook` for all modules: `hook(module, grad_output)`."""
    return _register("backward_pre", hook)


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """`Module.register_full_backward_hook` for all modules: `hook(module, grad_in, grad_out)`."""
    _refuse_mixing("old_backward")
    return _register("backward", hook)


def register_module_backward_hook(hook: Callable) -> RemovableHandle:
    """Deprecated: `Module.register_backward_hook` for all modules."""
    _refuse_mixing("backward")
    return _register("old_backward", hook)


def _refuse_mixing(other: str) -> None:
    if any(kind == other for kind, *_ in global_hooks.values()):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module "
            "hook. Please use only one of them."
        )


class WrappedHook:
    """A hook that is called with its module first; it knows the module weakly."""

    def __init__(self, hook: Callable, module: Any = None):
        self.hook = hook
        self.__name__ = getattr(hook, "__name__", "hook")
        self.module = None if module is None else weakref.ref(module)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.module is None:
            return self.hook(*args, **kwargs)
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args, **kwargs)

    def __getstate__(self) -> dict:
        return {"hook": self.hook, "module": None if self.module is None else self.module()}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["hook"], state["module"])  # type: ignore[misc]


def add_hook(hooks: dict, hook: Any, *flags: dict) -> RemovableHandle:
    """Puts a hook into a dictionary of hooks, and True into others for those of a special kind."""
    handle = RemovableHandle(hooks, *flags)
    hooks[handle.id] = hook
    for flag in flags:
        flag[handle.id] = True
    return handle


class HasHooks(Attributes):
    """Registering hooks of one module, for `Module`."""

    def _add_hook(
        self, hooks: OrderedDict, hook: Callable, prepend: bool, *flags: dict
    ) -> RemovableHandle:
        self._hooked = True
        handle = add_hook(hooks, hook, *flags)
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args)` before forward; a result replaces the arguments.

        `with_kwargs`: `hook(module, args, kwargs)`, and the result is (args, kwargs).
        """
        flags = [self._forward_pre_hooks_with_kwargs] if with_kwargs else []
        return self._add_hook(self._forward_pre_hooks, hook, prepend, *flags)

    def register_forward_hook(
        self,
        hook: Callable,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Calls `hook(module, args, output)` after forward; a result replaces the output.

        `with_kwargs`: `hook(module, args, kwargs, output)`. `always_call`: also after an error.
        """
        flags = [self._forward_hooks_with_kwargs] if with_kwargs else []
        if always_call:
            flags.append(self._forward_hooks_always_called)
        return self._add_hook(self._forward_hooks, hook, prepend, *flags)

    def register_full_backward_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, grad_output)` before backward; a result replaces grad_output."""
        return self._add_hook(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_input, grad_output)` when the gradients of the module's inputs
        are known; a result replaces grad_input."""
        self._use_backward_hooks(full=True)
        return self._add_hook(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook: Callable) -> RemovableHandle:
        """Deprecated: sees the gradients of the last operation of forward only."""
        self._use_backward_hooks(full=False)
        return self._add_hook(self._backward_hooks, hook, False)

    def _use_backward_hooks(self, full: bool) -> None:
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single "
                "Module. Please use only one of them."
            )
        self._is_full_backward_hook = full
