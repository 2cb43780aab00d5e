"""PyTorch's old constructors: `Tensor(2, 3)`, `FloatTensor([1, 2])`, `LongTensor(...)`.

The classes make plain tensors; `isinstance(t, LongTensor)` asks for the tensor's dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.record import alias
from ..autograd.variable import Variable
from ..backend import as_device, on_gpu
from ..size import Size
from ._common import allocate, finish, size_of
from .data import array_from

__all__ = [
    "BFloat16Tensor",
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
]


def construct(args: tuple, device: Any, wanted: np.dtype, strict: bool) -> Any:
    """`T()`, `T(2, 3)`, `T(sequence)`, `T(array)` or `T(tensor)` for elements of one type."""
    where = as_device(device)
    if not args:
        return _v.wrap(allocate((0,), wanted, where))
    first = args[0]
    if len(args) > 1 or isinstance(first, (int, Size)):
        return _v.wrap(allocate(size_of("new", args), wanted, where))
    if isinstance(first, Variable):
        if strict and first._array.dtype != wanted:
            raise TypeError(
                f"expected a tensor of type {wanted.name} (got {first._array.dtype.name})"
            )
        return alias(first)
    if first is None or isinstance(first, float):
        raise TypeError(f"new(): data must be a sequence (got {first.__class__.__name__})")
    if isinstance(first, np.ndarray) and first.dtype == wanted:
        return finish(array_from(first, None), device=device)
    return finish(array_from(first, wanted), device=device)


def new(self: Any, *args: Any, device: Any = None) -> Any:
    """Old form of `new_empty(size)` and `new_tensor(data)`."""
    where = self.device if device is None and on_gpu(self._array) else device
    return construct(args, where, self._array.dtype, strict=True)


class _Legacy(type):
    """Makes `isinstance(t, FloatTensor)` true for float32 tensors."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Variable) and instance._array.dtype == cls.dtype.numpy

    def __call__(cls, *args: Any, device: Any = None) -> Any:
        return construct(args, device, cls.dtype.numpy, strict=True)


def _define(name: str, dtype: dtypes.dtype) -> _Legacy:
    doc = f"Old constructor of {dtype.name} tensors."
    return _Legacy(name, (), {"dtype": dtype, "__doc__": doc, "__module__": __name__})


FloatTensor = _define("FloatTensor", dtypes.float32)
DoubleTensor = _define("DoubleTensor", dtypes.float64)
HalfTensor = _define("HalfTensor", dtypes.float16)
BFloat16Tensor = _define("BFloat16Tensor", dtypes.bfloat16)
ByteTensor = _define("ByteTensor", dtypes.uint8)
CharTensor = _define("CharTensor", dtypes.int8)
ShortTensor = _define("ShortTensor", dtypes.int16)
IntTensor = _define("IntTensor", dtypes.int32)
LongTensor = _define("LongTensor", dtypes.int64)
BoolTensor = _define("BoolTensor", dtypes.bool_)
