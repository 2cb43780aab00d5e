"""`Tensor` methods that call a Python function for each element, and those that programs outlived.

The functions are `Tensor` methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes
from .autograd import inplace
from .autograd.record import apply_view
from .autograd.variable import Variable
from .creation._common import fill_from, number
from .dtypes import type_name
from .ops._shape import as_shape, need_tensor
from .ops.slices import Alias

# -- a Python function for each element ----------------------------------------------------------


def _refuse_recorded(name: str, *tensors: Any) -> None:
    if any(t._fn is not None for t in tensors):
        raise RuntimeError(
            f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() "
            "instead."
        )


def _write(self: Any, values: list) -> Any:
    """The values in the tensor's order of elements, converted as Python's numbers are."""
    array = self._array
    array[...] = fill_from([number(v) for v in values], array.dtype).reshape(array.shape)
    inplace.bump(self)
    return self


def _numbers(array: np.ndarray) -> list:
    return (array.astype(np.float32) if array.dtype.kind == "V" else array).ravel().tolist()


def apply_(self: Any, callable: Callable[[Any], Any]) -> Any:
    """Replaces each element by `callable(element)` and returns self. Slow: an op is not."""
    _refuse_recorded("apply_", self)
    return _write(self, [callable(v) for v in _numbers(self._array)])


def _beside(name: str, self: Any, others: dict[str, Any]) -> list[list]:
    """The elements of self and of others of its type, broadcast to its shape."""
    _refuse_recorded(name, self, *[t for t in others.values() if isinstance(t, Variable)])
    columns = [_numbers(self._array)]
    for position, (argument, other) in enumerate(others.items(), 1):
        array = need_tensor(name, other, position, argument)._array
        if array.dtype != self._array.dtype:
            wanted, given = (
                f"torch.{type_name(dtypes.from_numpy(a.dtype))}Tensor" for a in (self._array, array)
            )
            raise TypeError(f"{name}: expected {wanted} for '{argument}' (got {given})")
        try:
            seen = np.broadcast_to(array, self._array.shape)
        except ValueError:
            raise RuntimeError(
                f"{name}: '{argument}' of shape {list(array.shape)} does not broadcast to "
                f"{list(self._array.shape)}"
            ) from None
        columns.append(_numbers(seen))
    return columns


def map_(self: Any, other: Any, callable: Callable[[Any, Any], Any]) -> Any:
    """Replaces each element by `callable(element, other's)` and returns self. Slow, as `apply_`."""
    columns = _beside("map_", self, {"other": other})
    return _write(self, [callable(*row) for row in zip(*columns)])


def map2_(self: Any, x: Any, y: Any, callable: Callable[[Any, Any, Any], Any]) -> Any:
    """Replaces each element by `callable(element, x's, y's)` and returns self; as `apply_`."""
    columns = _beside("map2_", self, {"x": x, "y": y})
    return _write(self, [callable(*row) for row in zip(*columns)])


# -- removed or renamed by PyTorch ---------------------------------------------------------------


def resize(self: Any, *sizes: Any) -> Any:
    """A view of self in another shape of as many elements. RuntimeError for another number."""
    shape, array = as_shape(sizes), self._array
    if int(np.prod(shape)) != array.size:
        raise RuntimeError(
            f"requested resize to {'x'.join(map(str, shape))} ({int(np.prod(shape))} elements in "
            f"total), but the given tensor has a size of {'x'.join(map(str, array.shape))} "
            f"({array.size} elements). autograd's resize can only change the shape of a given "
            "tensor, while preserving the number of elements. "
        )
    return self.contiguous().view(shape)


def resize_as(self: Any, tensor: Any) -> Any:
    """`self.resize(tensor.shape)`."""
    return resize(self, tensor._array.shape)


def reinforce(self: Any, *args: Any, **kwargs: Any) -> None:
    """RuntimeError: removed from PyTorch; `torch.distributions` does its work."""
    raise RuntimeError(
        "reinforce() was removed.\nUse torch.distributions instead: loss = "
        "-Categorical(probs).log_prob(action) * reward; loss.backward()"
    )


# -- the same tensor -----------------------------------------------------------------------------


def as_subclass(self: Any, cls: type) -> Any:
    """The same tensor as an object of `cls`, a subclass of `Tensor`; gradients flow.

    TypeError for other classes.
    """
    if not (isinstance(cls, type) and issubclass(cls, Variable)):
        raise TypeError(
            "Creating a Tensor subclass from a class that does not inherit from Tensor is not "
            "possible. Make sure your class inherits from Tensor."
        )
    seen = apply_view(Alias, self, (...,))
    result: Any = object.__new__(cls)
    result._array, result._fn, result._grad = seen._array, seen._fn, None
    result._cell, result._view = seen._cell, seen._view
    return result


def convert(result: Any, cls: type) -> Any:
    """A result, or the items of a tuple or list of results, as tensors of class `cls`."""
    if isinstance(result, Variable):
        return result if isinstance(result, cls) else as_subclass(result, cls)
    if isinstance(result, (tuple, list)) and any(isinstance(r, Variable) for r in result):
        items: Any = [convert(r, cls) for r in result]
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)
    return result


def module_load(self: Any, other: Any, assign: bool = False) -> Any:
    """What `load_state_dict` makes a parameter: `other` if `assign`, else self with its values."""
    return other.detach() if assign else self.copy_(other).detach()
