"""Names for types in annotations."""

from __future__ import annotations

import builtins
import os
from collections.abc import Sequence
from typing import IO, Union

from .attributes import Storage as Storage
from .backend import device
from .dtypes import dtype
from .size import Size
from .tensor import Tensor

_int = builtins.int
_float = builtins.float
_bool = builtins.bool
_complex = builtins.complex
_dtype = dtype
_device = device
_size = Union[Size, list[int], tuple[int, ...]]  # noqa: UP007
_TensorOrTensors = Union[Tensor, Sequence[Tensor]]  # noqa: UP007

Device = Union[device, str, int, None]  # noqa: UP007
DeviceLikeType = Union[str, device, int]  # noqa: UP007
Number = Union[int, float, bool]  # noqa: UP007
FileLike = Union[str, os.PathLike, IO[bytes]]  # noqa: UP007
