"""`torch.overrides`: what a user's subclass of Tensor does with operations.

A subclass of `Tensor` sees every public function and method that gets one of its tensors: the call
arrives at its class method `__torch_function__(func, types, args, kwargs)`. `Tensor`'s own runs the
function and makes the results tensors of the subclass. While there is no such class, nothing of
this costs anything; see `minigrad.dispatch`. Classes that do not derive from `Tensor` are not
asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from . import dispatch
from .autograd.variable import Variable
from .dispatch import DisableTorchFunctionSubclass as DisableTorchFunctionSubclass
from .tensor import Tensor

__all__ = [
    "TorchFunctionMode",
    "get_default_nowrap_functions",
    "get_ignored_functions",
    "get_overridable_functions",
    "handle_torch_function",
    "has_torch_function",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "resolve_name",
    "wrap_torch_function",
]


class TorchFunctionMode:
    """A context in which every call of a public function arrives at `__torch_function__`.

    Inside that method the mode does not apply, so that it can call the function itself.
    """

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __torch_function__")

    def __enter__(self) -> TorchFunctionMode:
        dispatch.push_mode(self, Tensor)
        return self

    def __exit__(self, *exc: object) -> None:
        dispatch.pop_mode()

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> TorchFunctionMode:
        """A new mode."""
        return cls(*args, **kwargs)


def has_torch_function(relevant_args: Any) -> bool:
    """Whether an argument, or an item of one, has a `__torch_function__` that is asked."""
    values = relevant_args if isinstance(relevant_args, (tuple, list)) else (relevant_args,)
    return any(
        hasattr(type(a), "__torch_function__") and type(a) not in dispatch.plain_classes
        for a in values
    )


has_torch_function_unary = has_torch_function


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function`, of the arguments."""
    return has_torch_function(args)


def handle_torch_function(
    public_api: Callable, relevant_args: Iterable, *args: Any, **kwargs: Any
) -> Any:
    """Hands a call of a user's own function to `__torch_function__` of the relevant arguments.

    TypeError if all of them return NotImplemented.
    """
    types: list[type] = []
    for value in relevant_args:
        cls = type(value)
        if cls in types or not has_torch_function((value,)):
            continue
        at = next((i for i, other in enumerate(types) if issubclass(cls, other)), len(types))
        types.insert(at, cls)
    for cls in types:
        result = cls.__torch_function__(public_api, tuple(types), args, kwargs)
        if result is not NotImplemented:
            return result
    name = f"{public_api.__module__}.{public_api.__name__}"
    raise TypeError(
        f"no implementation found for '{name}' on types that implement __torch_function__: "
        f"{[cls.__name__ for cls in types]}"
    )


def wrap_torch_function(dispatcher: Callable) -> Callable:
    """Decorator that makes a function ask `__torch_function__` of what `dispatcher` returns."""

    def wrap(function: Callable) -> Callable:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        wrapped.__name__, wrapped.__doc__ = function.__name__, function.__doc__
        wrapped.__module__, wrapped.__wrapped__ = function.__module__, function  # type: ignore[attr-defined]
        return wrapped

    return wrap


def is_tensor_like(inp: Any) -> bool:
    """Whether a value is a Tensor or has `__torch_function__`."""
    return isinstance(inp, Variable) or hasattr(type(inp), "__torch_function__")


def is_tensor_method_or_property(func: Callable) -> bool:
    """Whether a function is a method of `Tensor`."""
    return any(func is value for cls in Tensor.__mro__[:-1] for value in vars(cls).values())


def get_default_nowrap_functions() -> set[Callable]:
    """The functions whose results the default `__torch_function__` leaves as they are."""
    return set(dispatch.returns_no_subclass)


def get_ignored_functions() -> set[Callable]:
    """The public functions that never ask `__torch_function__`."""
    return dispatch.ignored()


def get_overridable_functions() -> dict[Any, list[Callable]]:
    """The functions that ask `__torch_function__`, by the namespace they are found in."""
    return dispatch.overridable(Tensor)


def resolve_name(f: Callable) -> str | None:
    """A function's name with its namespace, such as "torch.add"; None if it has none."""
    for space, functions in get_overridable_functions().items():
        if any(f is g for g in functions):
            where = "torch.Tensor" if space is Tensor else space.__name__
            return f"{where.replace('minigrad', 'torch', 1)}.{f.__name__}"
    return None
