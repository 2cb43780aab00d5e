"""bfloat16 by DLPack, which neither NumPy nor CuPy can do: as 16-bit integers, labelled otherwise.

A capsule holds a structure in C (dlpack.h, versions 0 and 1) whose field for the type is changed.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ..dtypes import bfloat16

_INTEGER, _BFLOAT = 1, 4  # kDLUInt, kDLBfloat
_BFLOAT16 = bfloat16.numpy


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p), ("device", ctypes.c_int32 * 2), ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
    )  # fmt: skip


class _Versioned(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_uint32 * 2), ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", _Tensor),
    )  # fmt: skip


_object_name = (ctypes.py_object, ctypes.c_char_p)
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, *_object_name)(("PyCapsule_IsValid", ctypes.pythonapi))
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, *_object_name)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def _relabel(capsule: Any, old: int, new: int) -> bool:
    """Changes the kind of 16-bit numbers that a capsule holds, if it is `old`."""
    if _is_valid(capsule, b"dltensor_versioned"):
        address = _pointer(capsule, b"dltensor_versioned")
        tensor = _Versioned.from_address(address).tensor
    elif _is_valid(capsule, b"dltensor"):
        tensor = _Tensor.from_address(_pointer(capsule, b"dltensor"))
    else:
        return False
    if tensor.code != old or tensor.bits != 16 or tensor.lanes != 1:
        return False
    tensor.code = new
    return True


def exported(store: Any, dtype: np.dtype, **options: Any) -> Any:
    """The capsule of an array of a type, given as NumPy's or CuPy's (16-bit integers: bfloat16)."""
    if dtype != _BFLOAT16:
        return store.__dlpack__(**options)
    capsule = (store.view(np.uint16) if store.dtype == dtype else store).__dlpack__(**options)
    _relabel(capsule, _INTEGER, _BFLOAT)
    return capsule


class Incoming:
    """Another library's array for `from_dlpack`; `bfloat16` says whether what came is that."""

    def __init__(self, source: Any):
        self._source = source
        self.bfloat16 = False

    def __dlpack__(self, **options: Any) -> Any:
        capsule = self._source.__dlpack__(**options)
        self.bfloat16 = _relabel(capsule, _BFLOAT, _INTEGER)
        return capsule

    def __dlpack_device__(self) -> Any:
        return self._source.__dlpack_device__()
