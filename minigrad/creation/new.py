"""`Tensor` methods that make tensors of the tensor's own type: new_zeros, new_tensor and so on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..backend import on_gpu
from .data import tensor
from .filled import empty, empty_strided, full, ones, zeros


def _of_own_type(make: Callable) -> Callable:
    def method(self: Any, *args: Any, dtype: Any = None, **options: Any) -> Any:
        own = dtypes.from_numpy(self._array.dtype)
        if on_gpu(self._array) and options.get("device") is None:
            options["device"] = self.device
        return make(*args, dtype=own if dtype is None else dtype, **options)

    method.__name__ = method.__qualname__ = f"new_{make.__name__}"
    method.__doc__ = f"As `{make.__name__}`, in self's type and place unless others are given."
    return method


new_tensor = _of_own_type(tensor)
new_empty = _of_own_type(empty)
new_zeros = _of_own_type(zeros)
new_ones = _of_own_type(ones)
new_full = _of_own_type(full)
new_empty_strided = _of_own_type(empty_strided)
