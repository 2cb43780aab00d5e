"""`out=` of the operations whose result must have the dtype and a memory of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import inplace
from ..autograd.variable import Variable
from ..dtypes import type_name
from ._operands import write_out
from ._shape import array_of


def write_exact(name: str, out: Any, result: Any, *inputs: Any) -> Any:
    """`write_out` where PyTorch converts nothing: RuntimeError for an `out` of another dtype.

    Neither may elements of `out` share memory with each other or with one of `inputs`.
    """
    if isinstance(out, Variable):
        given, needed = [type_name(dtypes.from_numpy(array_of(t).dtype)) for t in (out, result)]
        if given != needed:
            raise RuntimeError(
                f"{name}(): Expected out tensor to have dtype {needed.lower()}, but got "
                f"{given.lower()} instead"
            )
        check_apart(out, *inputs)
    return write_out(name, out, result)


def check_apart(out: Any, *inputs: Any) -> None:
    """RuntimeError if elements of `out` share memory with each other or with an input."""
    if not isinstance(out, Variable):
        return
    inplace.check_memory(out)
    target = out._array
    for value in inputs:
        x = array_of(value)
        both = isinstance(x, np.ndarray) and x.flags.c_contiguous and target.flags.c_contiguous
        if both and np.may_share_memory(x, target):
            raise RuntimeError(
                "unsupported operation: some elements of the input tensor and the written-to "
                "tensor refer to a single memory location. Please clone() the tensor before "
                "performing the operation."
            )
