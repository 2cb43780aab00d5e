"""`Module`: the base class of all neural network modules."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .. import dtypes
from ..autograd import modes
from ..autograd.variable import RemovableHandle, Variable, is_float, wrap
from ..backend import as_device, device
from ..kernels import cpu
from ..ops._elementwise import type_name
from ._hooks import call_with_hooks, global_hooks, registration_hooks
from ._registry import Registry
from ._state import HasState, _add
from .parameter import Buffer, Parameter

_REGISTRIES = ("_parameters", "_buffers", "_modules")
_HOOKS = (
    "_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)  # fmt: skip


def _typename(value: Any) -> str:
    """The name of a value's type, as PyTorch's messages print it."""
    if isinstance(value, Variable) and not isinstance(value, Parameter):
        return f"torch.{type_name(dtypes.from_numpy(value._array.dtype))}Tensor"
    cls = value.__class__
    home = "" if cls.__module__ == "builtins" else cls.__module__ + "."
    return home + cls.__qualname__


def _registered(kind: str, module: Any, name: str, value: Any) -> Any:
    for hook in registration_hooks[kind].values():
        out = hook(module, name, value)
        if out is not None:
            value = out
    return value


def _missing(self: Any, name: str) -> Any:
    raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


class Module(HasState):
    """Base class: subclasses assign parameters and children to attributes and define `forward`.

    Tensors assigned as `Parameter` or `Buffer` and assigned modules are registered: they are found
    by `parameters()`, `state_dict()`, `to()` and the like.
    """

    dump_patches = False
    call_super_init = False
    training: bool

    if TYPE_CHECKING:  # parameters, buffers and children are attributes, too

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init:
            name = f"{type(self).__name__}.__init__()"
            if kwargs:
                raise TypeError(f"{name} got an unexpected keyword argument '{next(iter(kwargs))}'")
            if args:
                raise TypeError(
                    f"{name} takes 1 positional argument but {len(args) + 1} were given"
                )
        attributes = self.__dict__
        attributes["training"] = True
        for kind in _REGISTRIES:
            attributes[kind] = Registry(self)
        attributes["_hooked"] = False  # becomes True with the first hook that a call must see
        attributes["_non_persistent_buffers_set"] = set()
        attributes["_is_full_backward_hook"] = None
        for hooks in _HOOKS:
            attributes[hooks] = OrderedDict()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Attributes are found without `__getattr__`, and a class that defines none is read faster.
        # A subclass that does define one may call ours, so it appears with the first of them.
        if "__getattr__" in cls.__dict__ and not hasattr(Module, "__getattr__"):
            Module.__getattr__ = _missing  # type: ignore[method-assign]

    def forward(self, *input: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooked or global_hooks:
            return call_with_hooks(self, args, kwargs)
        return self.forward(*args, **kwargs) if kwargs else self.forward(*args)

    # -- registration ----------------------------------------------------------------------------

    def _check_name(self, kind: str, name: Any, registry: str) -> None:
        if registry not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_typename(name)}")
        if kind == "module" and hasattr(self, name) and name not in self._modules:
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in self.__dict__[registry]:
            raise KeyError(f"attribute '{name}' already exists")

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Adds a tensor (or None) that is state but no parameter.

        KeyError for a name that is taken, empty or contains a dot. Only persistent buffers are
        part of `state_dict`.
        """
        self._check_name("buffer", name, "_buffers")
        if tensor is not None and not isinstance(tensor, Variable):
            raise TypeError(
                f"cannot assign '{_typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._buffers[name] = _registered("buffer", self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter (or None). KeyError for a name that is taken, empty or has a dot."""
        self._check_name("parameter", name, "_parameters")
        if param is None:
            self._parameters[name] = None
            return
        if not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{_typename(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        if param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be "
                f"created explicitly. To express '{name}' as a function of another Tensor, compute "
                "the value in the forward() method."
            )
        self._parameters[name] = _registered("parameter", self, name, param)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a child (or None). KeyError for a name that is taken, empty or has a dot."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{_typename(module)} is not a Module subclass")
        self._check_name("module", name, "_modules")
        self._modules[name] = _registered("module", self, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        params = attributes.get("_parameters")
        if isinstance(value, Parameter):
            if params is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, but="_parameters")
            self.register_parameter(name, value)
        elif params is not None and name in params:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_typename(value)}' as parameter '{name}' "
                    "(torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if params is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, but="_modules")
            attributes["_modules"][name] = _registered("module", self, name, value)
        elif params is not None and name in attributes["_modules"]:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_typename(value)}' as child module '{name}' "
                    "(torch.nn.Module or None expected)"
                )
            attributes["_modules"][name] = _registered("module", self, name, value)
        elif isinstance(value, Buffer) or (params is not None and name in attributes["_buffers"]):
            self._set_buffer(name, value)
        else:
            if name in _REGISTRIES and value.__class__ is not Registry:
                for key, old in (params is not None and attributes[name] or {}).items():
                    if attributes.get(key) is old:
                        del attributes[key]
                value = Registry(self, value)
            object.__setattr__(self, name, value)

    def _set_buffer(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Variable):
            raise TypeError(
                f"cannot assign '{_typename(value)}' as buffer '{name}' "
                "(torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if isinstance(value, Buffer):
            persistent = value.persistent
        else:
            persistent = name not in self._non_persistent_buffers_set
        if name in self.__dict__ and name not in self._buffers:
            raise KeyError(f"attribute '{name}' already exists")
        self.register_buffer(name, value, persistent)

    def _forget(self, name: str, but: str) -> None:
        """Takes away whatever else has a name that is assigned anew."""
        attributes = self.__dict__
        for registry in _REGISTRIES:
            if registry != but:
                attributes[registry].pop(name, None)
        if name not in attributes[but]:
            attributes.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name: str) -> None:
        for registry in _REGISTRIES:
            if name in self.__dict__[registry]:
                del self.__dict__[registry][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        for kind in _REGISTRIES:
            self.__dict__[kind] = Registry(self, self.__dict__.get(kind))
        for hooks in _HOOKS:
            self.__dict__.setdefault(hooks, OrderedDict())
        self._hooked = any(self.__dict__[hooks] for hooks in _HOOKS)
        self.__dict__.setdefault("_non_persistent_buffers_set", set())
        self.__dict__.setdefault("_is_full_backward_hook", None)

    def __dir__(self) -> list[str]:
        names = {*dir(self.__class__), *self.__dict__}
        return sorted(name for name in names if not name[:1].isdigit())

    # -- looking up ------------------------------------------------------------------------------

    def get_submodule(self, target: str) -> Module:
        """The child at a dotted path such as "block.0.conv". AttributeError if there is none."""
        found: Any = self
        for item in target.split(".") if target else ():
            if not hasattr(found, item):
                raise AttributeError(f"{found._get_name()} has no attribute `{item}`")
            found = getattr(found, item)
            if not isinstance(found, Module):
                raise AttributeError(f"`{item}` is not an nn.Module")
        return found

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Puts a module at a dotted path. `strict`: only where there is one already."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if hasattr(parent, name):
            if not isinstance(getattr(parent, name), Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        elif strict:
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        setattr(parent, name, module)

    def _get_member(self, target: str) -> tuple[Module, str, Any]:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if not hasattr(owner, name):
            raise AttributeError(f"{owner._get_name()} has no attribute `{name}`")
        return owner, name, getattr(owner, name)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path. AttributeError if there is none."""
        _, name, value = self._get_member(target)
        if not isinstance(value, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return value

    def get_buffer(self, target: str) -> Any:
        """The buffer at a dotted path. AttributeError if there is none."""
        owner, name, value = self._get_member(target)
        if name not in owner._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return value

    def _named_members(
        self,
        get_members_fn: Callable,
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        seen: set = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in modules:
            for name, value in get_members_fn(module):
                if value is None or value in seen:
                    continue
                if remove_duplicate:
                    seen.add(value)
                yield f"{path}.{name}" if path else name, value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of this module and (with `recurse`) of all below it."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(dotted name, parameter) pairs."""
        return self._named_members(
            lambda m: m._parameters.items(), prefix, recurse, remove_duplicate
        )

    def buffers(self, recurse: bool = True) -> Iterator[Any]:
        """The buffers of this module and (with `recurse`) of all below it."""
        for _, buf in self.named_buffers(recurse=recurse):
            yield buf

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """(dotted name, buffer) pairs."""
        return self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def children(self) -> Iterator[Module]:
        """The immediate children, each once."""
        for _, module in self.named_children():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) pairs of the immediate children, each module once."""
        seen: set = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it, each once."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(dotted path, module) pairs of this module (path "") and all below it."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    # -- changing everything at once --------------------------------------------------------------

    def apply(self, fn: Callable[[Module], Any]) -> Any:
        """Calls `fn(module)` for every module below this one and then for itself."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable, recurse: bool = True) -> Any:
        """Replaces the data of every parameter, gradient and buffer by what `fn` makes of it.

        Parameters stay the same objects, so that an optimizer goes on working.
        """
        if recurse:
            for module in self.children():
                module._apply(fn)
        before = modes.set_recording(False)
        try:
            for param in self._parameters.values():
                if param is None:
                    continue
                param.data = fn(param)
                if param._grad is not None:
                    param._grad.data = fn(param._grad)
            for name, buf in self._buffers.items():
                if buf is not None:
                    self._buffers[name] = fn(buf)
        finally:
            modes.set_recording(before)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """`to(device)`, `to(dtype)`, `to(device, dtype)` or `to(tensor)`, in place; returns self.

        A dtype, which must be floating point, applies to floating-point tensors only.
        """
        where, dtype = _parse_to(*args, **kwargs)
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )
        if where is not None:
            as_device(where)  # refuses what this build cannot use
        if dtype is None and where is None:
            return self
        return self._apply(lambda t: _convert(t, where, dtype))

    def cuda(self, device: Any = None) -> Any:
        """Moves all parameters and buffers to a GPU."""
        return self.to("cuda" if device is None else device)

    def cpu(self) -> Any:
        """Moves all parameters and buffers to the CPU."""
        return self.to("cpu")

    def type(self, dst_type: Any) -> Any:
        """Converts all parameters and buffers, integer ones too, to `dst_type`."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self) -> Any:
        """Converts all floating-point parameters and buffers to float32."""
        return self._apply(lambda t: _convert(t, None, dtypes.float32))

    def double(self) -> Any:
        """Converts all floating-point parameters and buffers to float64."""
        return self._apply(lambda t: _convert(t, None, dtypes.float64))

    def half(self) -> Any:
        """Converts all floating-point parameters and buffers to float16."""
        return self._apply(lambda t: _convert(t, None, dtypes.float16))

    def bfloat16(self) -> Any:
        """Converts all floating-point parameters and buffers to bfloat16."""
        return self._apply(lambda t: _convert(t, None, dtypes.bfloat16))

    def share_memory(self) -> Any:
        """For PyTorch's sake: memory is shared with forked processes as it is."""
        return self

    def train(self, mode: bool = True) -> Any:
        """Sets training mode on or off, for all modules below too."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Any:
        """`train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Sets `requires_grad` of all parameters."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or fills them with zeros."""
        for p in self.parameters():
            clear_grad(p, set_to_none)

    def compile(self, *args: Any, **kwargs: Any) -> Any:
        """Returns self: there is nothing to compile, and the results are the same."""
        return self

    # -- hooks -----------------------------------------------------------------------------------

    def _add_hook(self, hooks: OrderedDict, hook: Callable, prepend: bool) -> RemovableHandle:
        self._hooked = True
        handle = _add(hooks, hook)
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args)` before forward; a result replaces the arguments.

        `with_kwargs`: `hook(module, args, kwargs)`, and the result is (args, kwargs).
        """
        handle = self._add_hook(self._forward_pre_hooks, hook, prepend)
        if with_kwargs:
            self._forward_pre_hooks_with_kwargs[handle.id] = True
        return handle

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
        handle = self._add_hook(self._forward_hooks, hook, prepend)
        if with_kwargs:
            self._forward_hooks_with_kwargs[handle.id] = True
        if always_call:
            self._forward_hooks_always_called[handle.id] = True
        return handle

    def register_full_backward_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, grad_output)` before backward; a result replaces grad_output."""
        return self._add_hook(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_input, grad_output)` when the gradients of the module's inputs
        are known; a result replaces grad_input."""
        if self.__dict__.get("_is_full_backward_hook") is False:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single "
                "Module. Please use only one of them."
            )
        self._is_full_backward_hook = True
        return self._add_hook(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook: Callable) -> RemovableHandle:
        """Deprecated: sees the gradients of the last operation of forward only."""
        if self._is_full_backward_hook is True:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single "
                "Module. Please use only one of them."
            )
        warnings.warn(
            "register_backward_hook sees the last operation of the module only; use "
            "register_full_backward_hook to get the documented behavior.",
            FutureWarning,
            stacklevel=2,
        )
        self._is_full_backward_hook = False
        return self._add_hook(self._backward_hooks, hook, False)

    # -- printing --------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return self.__class__.__name__

    def extra_repr(self) -> str:
        """Override to add to what `repr` prints between the parentheses."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        children = [f"({key}): {indent(repr(m))}" for key, m in self._modules.items()]
        if not children and len(extra_lines) <= 1:
            return f"{self._get_name()}({extra})"
        return self._get_name() + "(\n  " + "\n  ".join(extra_lines + children) + "\n)"


def indent(text: str, spaces: int = 2) -> str:
    """All lines of `text` but the first moved to the right."""
    first, *rest = text.split("\n")
    return "\n".join([first] + [" " * spaces + line if line.strip() else "" for line in rest])


def clear_grad(p: Any, set_to_none: bool) -> None:
    """Forgets a parameter's gradient, or fills it with zeros."""
    grad = p._grad
    if set_to_none or grad is None:
        p._grad = None
    elif grad._fn is not None:  # still in a graph: that graph keeps the old values
        array = grad._array.copy()
        array.fill(0)
        p._grad = grad.__class__._from_array(array)
    else:
        grad._array.fill(0)


def _parse_to(
    *args: Any,
    device: Any = None,
    dtype: Any = None,
    non_blocking: bool = False,
    memory_format: Any = None,
    tensor: Any = None,
) -> tuple[device | None, dtypes.dtype | None]:
    """The device and dtype meant by the arguments of `Module.to`."""
    for value in args:
        if isinstance(value, Variable):
            tensor = value
        elif value.__class__ is dtypes.dtype:
            dtype = value
        elif isinstance(value, bool) or value is None:
            continue  # non_blocking, or no change asked for
        elif isinstance(value, (str, int, _device)):
            device = value
        else:
            raise TypeError(
                f"to: got an argument of type {value.__class__.__name__}; needed: a device, a "
                "dtype or a tensor"
            )
    if tensor is not None:
        device, dtype = tensor.device, tensor.dtype
    if device is not None and not isinstance(device, _device):
        device = _device(device)
    if dtype is not None and dtype.__class__ is not dtypes.dtype:
        raise TypeError(f"to: dtype is a {dtype.__class__.__name__}; needed: a dtype")
    return device, dtype


_device = device


def _convert(t: Any, where: device | None, dtype: dtypes.dtype | None) -> Any:
    """`t.to(where, dtype)`, the dtype for floating-point tensors only; t if nothing changes."""
    if where is not None and where.type != t.device.type:
        t = t.to(where)
    array = t._array
    if dtype is None or array.dtype == dtype.numpy or not is_float(array):
        return t
    return wrap(cpu.astype(array, dtype.numpy))
