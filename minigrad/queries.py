"""Small questions about tensors: is it one, of what kind, how many elements."""

from __future__ import annotations

from typing import Any

from .autograd.variable import Variable, is_float
from .backend import CPU, as_device
from .from_data import typename

__all__ = [
    "get_default_device",
    "is_complex",
    "is_floating_point",
    "is_nonzero",
    "is_storage",
    "is_tensor",
    "numel",
    "set_default_device",
    "typename",
]


def _tensor(name: str, input: Any) -> Variable:
    if not isinstance(input, Variable):
        raise TypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not "
            f"{input.__class__.__name__}"
        )
    return input


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a tensor."""
    return isinstance(obj, Variable)


def is_storage(obj: Any) -> bool:
    """Whether `obj` is a storage: never, minigrad has none."""
    return False


def is_floating_point(input: Any) -> bool:
    """Whether the elements are floating point. TypeError for other things than tensors."""
    return is_float(_tensor("is_floating_point", input)._array)


def is_complex(input: Any) -> bool:
    """Whether the elements are complex: never, minigrad has no complex dtype."""
    _tensor("is_complex", input)
    return False


def is_nonzero(input: Any) -> bool:
    """Whether the only element is not zero. RuntimeError unless there is exactly one."""
    array = _tensor("is_nonzero", input)._array
    if array.size != 1:
        what = "no values" if array.size == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous")
    return bool(array.item())


def numel(input: Any) -> int:
    """The number of elements."""
    return _tensor("numel", input)._array.size


def get_default_device() -> Any:
    """The device of tensors made without `device=`."""
    return CPU


def set_default_device(device: Any) -> None:
    """Accepts the CPU, the only device tensors are made on by default. RuntimeError otherwise."""
    as_device(device)
