"""PyTorch's old constructors of sparse tensors: `sparse.FloatTensor(indices, values, size)`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import Variable
from .making import sparse_coo_tensor
from .tensor import SparseTensor


class _Legacy(type):
    """Makes `isinstance(s, sparse.FloatTensor)` true for sparse float32 tensors."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, SparseTensor) and instance.dtype == cls.dtype

    def __call__(cls, *args: Any, device: Any = None) -> Any:
        """`T()`, `T(2, 3)`, `T(size)`, `T(indices, values)` or `T(indices, values, size)`.

        Given values keep their type, as in PyTorch.
        """
        if len(args) >= 2 and isinstance(args[0], Variable):
            return sparse_coo_tensor(*args, device=device)
        size = args[0] if len(args) == 1 and not isinstance(args[0], int) else args or (0,)
        indices = np.zeros((len(size), 0), np.int64)
        values = np.zeros((0,), cls.dtype.numpy)
        return sparse_coo_tensor(indices, values, size, device=device)


def _define(name: str, dtype: dtypes.dtype) -> _Legacy:
    doc = f"Old constructor of sparse {dtype.name} tensors."
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
