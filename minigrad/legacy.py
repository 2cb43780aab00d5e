"""PyTorch's old constructors: `Tensor(2, 3)`, `FloatTensor([1, 2])`, `LongTensor(...)`.

The classes make plain tensors; `isinstance(t, LongTensor)` asks for the tensor's dtype.
"""

from __future__ import annotations

from typing import Any

from . import dtypes
from .autograd.variable import Variable
from .creation import construct

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


class _Legacy(type):
    """Makes `isinstance(t, FloatTensor)` true for float32 tensors."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Variable) and instance._array.dtype == cls.dtype.numpy

    def __call__(cls, *args: Any, device: Any = None) -> Any:
        return construct(args, device, cls.dtype.numpy, strict=True)


class FloatTensor(metaclass=_Legacy):
    """Old constructor of float32 tensors."""

    dtype = dtypes.float32


class DoubleTensor(metaclass=_Legacy):
    """Old constructor of float64 tensors."""

    dtype = dtypes.float64


class HalfTensor(metaclass=_Legacy):
    """Old constructor of float16 tensors."""

    dtype = dtypes.float16


class BFloat16Tensor(metaclass=_Legacy):
    """Old constructor of bfloat16 tensors."""

    dtype = dtypes.bfloat16


class ByteTensor(metaclass=_Legacy):
    """Old constructor of uint8 tensors."""

    dtype = dtypes.uint8


class CharTensor(metaclass=_Legacy):
    """Old constructor of int8 tensors."""

    dtype = dtypes.int8


class ShortTensor(metaclass=_Legacy):
    """Old constructor of int16 tensors."""

    dtype = dtypes.int16


class IntTensor(metaclass=_Legacy):
    """Old constructor of int32 tensors."""

    dtype = dtypes.int32


class LongTensor(metaclass=_Legacy):
    """Old constructor of int64 tensors."""

    dtype = dtypes.int64


class BoolTensor(metaclass=_Legacy):
    """Old constructor of bool tensors."""

    dtype = dtypes.bool_
