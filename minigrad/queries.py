"""Small questions: is it a tensor, what is it called, which type or shape would a result have."""

from __future__ import annotations

from typing import Any

from . import dtypes
from .attributes import Storage
from .autograd.variable import Variable
from .backend import as_place, default_device, set_default
from .ops import _shape
from .ops._operands import result_numpy
from .size import Size

__all__ = [
    "broadcast_shapes",
    "can_cast",
    "get_default_device",
    "is_inference",
    "is_storage",
    "is_tensor",
    "result_type",
    "set_default_device",
    "set_default_tensor_type",
    "typename",
]


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a tensor."""
    return isinstance(obj, Variable)


def is_inference(input: Any) -> bool:
    """Whether a tensor was made in inference mode."""
    return input.is_inference()


def is_storage(obj: Any) -> bool:
    """Whether `obj` is the memory of a tensor, as `untyped_storage()` gives it."""
    return isinstance(obj, Storage)


def typename(obj: Any) -> str:
    """The name of an object's type; of a tensor the legacy name, such as "torch.FloatTensor"."""
    if isinstance(obj, Variable):
        return obj.type()
    cls = obj if isinstance(obj, type) else obj.__class__
    module = cls.__module__
    return cls.__qualname__ if module in ("builtins", None) else f"{module}.{cls.__qualname__}"


def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype of an arithmetic result of two tensors or numbers."""
    return dtypes.from_numpy(result_numpy("result_type", tensor1, tensor2))


def can_cast(from_: dtypes.dtype, to: dtypes.dtype) -> bool:
    """Whether promotion lets results of dtype `from_` be written to a tensor of dtype `to`."""
    for position, d in enumerate((from_, to), 1):
        dtypes.need_dtype("can_cast", ("from_", "to")[position - 1], position, d)
    return dtypes.can_cast(from_, to)


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that all of `shapes` (tuples or ints) broadcast to. RuntimeError if none."""
    return Size(_shape.broadcast_shapes(*shapes))


def get_default_device() -> Any:
    """The device of tensors made without `device=`."""
    return default_device()


def set_default_device(device: Any) -> None:
    """Makes tensors on a device, the CPU (None) or 'meta', unless they are told another.

    RuntimeError for others.
    """
    set_default(as_place(device))


def set_default_tensor_type(t: Any) -> None:
    """Old form of `set_default_dtype`: takes `DoubleTensor` or "torch.DoubleTensor"."""
    name = t if isinstance(t, str) else getattr(t, "__name__", "")
    kinds = {f"{dtypes.type_name(d)}Tensor": d for d in dtypes.ALL}
    kind = kinds.get(name.removeprefix("torch."))
    if kind is None:
        raise TypeError("invalid type object")
    dtypes.set_default_dtype(kind)
