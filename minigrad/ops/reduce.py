"""Reductions over dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node
from ..backend import as_array
from ._elementwise import to_dtype
from ._shape import all_or, array_of, expand
from .movement import reshape

__all__ = ["sum"]


class Sum(Node):
    """Sum over dimensions. 16-bit floats are accumulated in float32."""

    def forward(self, x: Any, dims: tuple[int, ...], keepdim: bool) -> Any:
        self.shape = x.shape
        self.kept = tuple(1 if i in dims else n for i, n in enumerate(x.shape))
        wide = np.float32 if x.dtype.kind in "fV" and x.dtype.itemsize == 2 else None
        total = as_array(x.sum(axis=dims, keepdims=keepdim, dtype=wide))
        return total.astype(x.dtype, copy=False)

    def backward(self, grad: Any) -> Any:
        """grad, repeated along the summed dimensions."""
        return expand(reshape(grad, self.kept), self.shape)


def sum(
    input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None
) -> Any:
    """Sum over `dim` (an int, several, or all); integers are summed in int64."""
    x = array_of(input)
    axes = all_or(dim, x.ndim)
    if dtype is not None:
        input = to_dtype(input, dtypes.numpy_type(dtype))
    elif x.dtype.kind not in "fV":
        input = to_dtype(input, np.dtype(np.int64))
    return apply(Sum, (input,), axes, keepdim)
