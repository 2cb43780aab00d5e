"""`minigrad.overrides`: questions about `__torch_function__`, which minigrad does not call."""

from __future__ import annotations

from typing import Any

from .autograd.variable import Variable


def is_tensor_like(inp: Any) -> bool:
    """Whether a value is a tensor, or has `__torch_function__`."""
    return isinstance(inp, Variable) or hasattr(type(inp), "__torch_function__")


def has_torch_function(relevant_args: Any) -> bool:
    """Whether an argument's class overrides functions: never, as they are not called."""
    return False


has_torch_function_unary = has_torch_function


def has_torch_function_variadic(*args: Any) -> bool:
    """Whether an argument's class overrides functions: never, as they are not called."""
    return False


def get_ignored_functions() -> set:
    """The functions that cannot be overridden: not listed, as none can."""
    return set()


def get_overridable_functions() -> dict:
    """The functions that can be overridden: none."""
    return {}


class TorchFunctionMode:
    """Would see every call of a function: NotImplementedError on entering."""

    def __enter__(self) -> None:
        raise NotImplementedError(
            "TorchFunctionMode: minigrad's functions are not passed through __torch_function__"
        )

    def __exit__(self, *exc: object) -> None:
        pass
