"""Parameters that are functions of other tensors: `register_parametrization`.

The module's class is replaced by one of its own that has a property for each parametrized tensor;
the tensors they are computed from live in `module.parametrizations`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ...autograd.modes import no_grad
from ...autograd.variable import Variable
from ..container import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]


class _Cache:
    """Values computed inside `cached()`, by module and name; `depth` counts the contexts."""

    depth = 0
    values: dict[tuple[int, str], Any] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Inside, every parametrized tensor is computed once."""
    _Cache.depth += 1
    try:
        yield
    finally:
        _Cache.depth -= 1
        if not _Cache.depth:
            _Cache.values = {}


def _register(module: Module, name: str, tensor: Any) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _need_tensor(value: Any, what: str = "A parametrization must return a tensor") -> None:
    if not isinstance(value, Variable):
        raise ValueError(f"{what}. Got {type(value).__name__}.")


def _need_same(before: Any, after: Any) -> None:
    """ValueError if a parametrization has changed the dtype or the shape."""
    for kind, a, b in (
        ("dtype", before[0], after.dtype),
        ("shape", before[1], after.shape),
    ):
        if a != b:
            raise ValueError(
                f"Registering a parametrization may not change the {kind} of the tensor, unless "
                f"`unsafe` flag is enabled.\nunparametrized {kind}: {a}\nparametrized {kind}: {b}"
            )


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied in turn, and the tensors they start from.

    `original`, or `original0`, `original1`, … where the last `right_inverse` gives several.
    """

    def __init__(self, modules: Sequence[Module], original: Any, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        was = original.dtype, original.shape
        new: Any = original
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):
                        new = module.right_inverse(new)
        if not isinstance(new, (Variable, Sequence)):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Variable)
        self.ntensors = len(new) if isinstance(new, Sequence) else 1
        if isinstance(new, Variable):
            if original.dtype != new.dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                    f"original.dtype: {original.dtype}\n"
                    f"right_inverse(original).dtype: {new.dtype}"
                )
            if new is not original:
                original.data = new.detach()
            _register(self, "original", original)
        else:
            self._register_several(original, new)
        if not unsafe:
            found = self()
            _need_tensor(found)
            _need_same(was, found)

    def _register_several(self, original: Any, parts: Sequence) -> None:
        for i, part in enumerate(parts):
            if not isinstance(part, Variable):
                raise ValueError(
                    "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                    f"tuple...). Got element {i} of the sequence with type {type(part).__name__}."
                )
            if isinstance(original, Parameter):
                part = Parameter(part, original.requires_grad)
            part.requires_grad_(original.requires_grad)
            _register(self, f"original{i}", part)

    def right_inverse(self, value: Any) -> None:
        """Sets the originals so that the parametrized tensor becomes `value`."""
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                value = module.right_inverse(value)
        if self.is_tensor:
            _need_tensor(value, "`right_inverse` should return a tensor")
            parts, names = [value], ["original"]
        else:
            if not isinstance(value, Sequence):
                raise ValueError(
                    "'right_inverse' must return a sequence of tensors. "
                    f"Got {type(value).__name__}."
                )
            if len(value) != self.ntensors:
                raise ValueError(
                    "'right_inverse' must return a sequence of tensors of length "
                    f"{self.ntensors}. Got a sequence of length {len(value)}."
                )
            parts, names = list(value), [f"original{i}" for i in range(self.ntensors)]
        for name, part in zip(names, parts, strict=True):
            _need_tensor(part, "`right_inverse` must return tensors")
            own = getattr(self, name)
            if part.dtype != own.dtype:
                raise ValueError(
                    f"The tensor returned by `right_inverse` has dtype {part.dtype} while "
                    f"`{name}` has dtype {own.dtype}"
                )
            own.data = part.detach()

    def forward(self) -> Any:
        steps = iter(self)
        if self.is_tensor:
            x = next(steps)(self.original)
        else:
            x = next(steps)(*[getattr(self, f"original{i}") for i in range(self.ntensors)])
        for step in steps:
            x = step(x)
        return x


def _deepcopy(self: Any, memo: dict) -> Any:
    if id(self) in memo:
        return memo[id(self)]
    replica = self.__new__(self.__class__)
    memo[id(self)] = replica
    # `__setstate__` makes the registries the replica's own.
    replica.__setstate__(copy.deepcopy(self.__dict__, memo))
    return replica


def _getstate(self: Any) -> Any:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(). See:\n"
        "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
        "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
    )


def _give_class(module: Module) -> None:
    """Makes the module's class one that no other module has."""
    cls: Any = module.__class__
    members: dict[str, Any] = {"__getstate__": _getstate}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = _deepcopy
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _give_property(module: Module, name: str) -> None:
    """Lets `module.name` be computed, and assignments to it go through `right_inverse`."""
    if hasattr(module, name):
        raise AssertionError(f"Module already has an attribute named '{name}'")

    def compute(self: Any) -> Any:
        parametrization = self.parametrizations[name]
        if not _Cache.depth:
            return parametrization()
        key = id(self), name
        if key not in _Cache.values:
            _Cache.values[key] = parametrization()
        return _Cache.values[key]

    def assign(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(module.__class__, name, property(compute, assign))


def _check_added(module: Module, name: str, parametrization: Any) -> None:
    """ValueError if one more parametrization changes the dtype or the shape."""
    before = getattr(module, name)
    after = parametrization(before)
    _need_tensor(after)
    _need_same((before.dtype, before.shape), after)
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        back = parametrization.right_inverse(after)
    except NotImplementedError:
        return
    _need_tensor(back, "parametrization.right_inverse must return a tensor")
    _need_same((before.dtype, before.shape), back)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Makes the parameter or buffer `tensor_name` a function, `parametrization`, of the old one.

    Its `right_inverse`, if there is one, says where the old tensor starts, and is what assigning to
    the parameter runs. Further ones are applied after those before. `unsafe`: dtype and shape may
    change. ValueError otherwise, and for a name that the module does not have.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_added(module, tensor_name, parametrization)
        found: Any = module.parametrizations[tensor_name]
        found.append(parametrization)
        found.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        parametrizations = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _give_class(module)
            module.parametrizations = ModuleDict()
        _give_property(module, tensor_name)
        module.parametrizations[tensor_name] = parametrizations
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has parametrizations, or one of the tensor named."""
    parametrizations = getattr(module, "parametrizations", None)
    if not isinstance(parametrizations, ModuleDict):
        return False
    return len(parametrizations) > 0 if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Makes a parametrized tensor a plain one again, with its present value, or the original's.

    ValueError if it has none, or if the original of several tensors is asked for.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    store: Any = module.parametrizations
    found = store[tensor_name]
    if found.is_tensor:
        original = found.original
        if leave_parametrized:
            with no_grad():
                value = getattr(module, tensor_name)
            original.data = value.detach()
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value.detach()) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    delattr(module.__class__, tensor_name)
    del store[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = module.__class__.__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The module's class, as it was before parametrizations."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Gives a module the parametrizations of another one, and its parametrized tensors."""
    if not is_parametrized(from_module):
        return to_module
    source: Any = from_module.parametrizations
    for name in list(source) if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        for step in source[name]:
            register_parametrization(to_module, name, step, unsafe=source[name].unsafe)
        target = to_module.parametrizations[name]
        names = ["original"] if source[name].is_tensor else [
            f"original{i}" for i in range(source[name].ntensors)
        ]  # fmt: skip
        for part in names:
            setattr(target, part, getattr(source[name], part))
    return to_module
