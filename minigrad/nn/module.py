"""`Module`: the base class of all neural network modules."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from .. import dtypes
from ..autograd.variable import Variable
from ..dtypes import type_name
from ._calls import call_with_hooks
from ._changes import Changes
from ._hooks import HasHooks, global_hooks, registration_hooks
from ._registry import Registry
from ._state import HasState
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


class Module(HasState, HasHooks, Changes):
    """Base class: subclasses assign parameters and children to attributes and define `forward`.

    Tensors assigned as `Parameter` or `Buffer` and assigned modules are registered: they are found
    by `parameters()`, `state_dict()`, `to()` and the like.
    """

    dump_patches = False
    call_super_init = False

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
        # A property that lacks an attribute is itself what PyTorch calls missing.
        if any(isinstance(value, property) for value in cls.__dict__.values()) and not hasattr(
            cls, "__getattr__"
        ):
            cls.__getattr__ = _missing  # type: ignore[method-assign]

    def forward(self, *input: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooked or global_hooks:
            return call_with_hooks(self, args, kwargs)
        return self.forward(*args, **kwargs) if kwargs else self.forward(*args)

    _call_impl = _wrapped_call_impl = __call__  # what PyTorch's calls go through

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
