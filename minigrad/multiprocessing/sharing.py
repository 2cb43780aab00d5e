"""Tensors in memory that processes share: `share_memory_`, and how such tensors travel.

The memory is a file without a name, mapped by every process that got the tensor: a forked child
has the mapping, others get the file's descriptor with the pickle. Tensors that were not shared
travel as copies.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from multiprocessing.reduction import DupFd, ForkingPickler
from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.variable import set_requires_grad
from ..backend import address_of, mapping_of
from ..nn.parameter import Parameter
from ..ops._shape import memory_order
from ..tensor import Tensor


class SharedMemory(mmap.mmap):
    """A mapped file without a name, and its descriptor."""

    descriptor: int
    shared = True

    def __new__(cls, descriptor: int, size: int) -> SharedMemory:
        self = super().__new__(cls, descriptor, size)
        self.descriptor = descriptor
        return self

    def __del__(self) -> None:
        os.close(self.descriptor)


def _memory(size: int) -> SharedMemory:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("minigrad")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return SharedMemory(descriptor, size)


def share_memory_(self: Any) -> Any:
    """Moves the data to memory that other processes see, too; returns self.

    RuntimeError for a view and for a tensor that has views: these would keep the old memory.
    """
    array = self._array
    if mapping_of(array) is not None or not array.size:
        return self
    views = self._cell[2] if self._cell is not None else None
    if self._view is not None or any(ref() is not None for ref in views or ()):
        raise RuntimeError(
            "share_memory_: the tensor is a view or has views, which would keep the old memory; "
            "needed: a tensor alone with its memory (clone() it, or share it before taking views)"
        )
    order = memory_order(array)
    memory = np.frombuffer(_memory(array.nbytes), array.dtype)
    shared = memory.reshape([array.shape[d] for d in order]).transpose(np.argsort(order))
    shared[...] = array
    self._array = shared
    return self


def _reduce(t: Any) -> tuple:
    array = t._array
    memory = mapping_of(array) if array.__class__ is np.ndarray else None
    if memory is None or not (t._fn is None or t.is_leaf):
        return t.__reduce_ex__(2)
    offset = address_of(array) - address_of(np.frombuffer(memory, np.uint8))
    place = (offset, array.dtype, array.shape, array.strides)
    parts = (DupFd(memory.descriptor), len(memory), place, t._fn is not None)
    return (_rebuild, (type(t), *parts, dict(t.__dict__)))


def _rebuild(
    cls: type, handle: Any, size: int, place: tuple, requires_grad: bool, state: dict
) -> Any:
    offset, dtype, shape, strides = place
    array: Any = np.ndarray(shape, dtype, SharedMemory(handle.detach(), size), offset, strides)
    if issubclass(cls, Parameter):
        t: Any = cls(_v.wrap(array), requires_grad)
    else:
        t = _v.wrap(array)
        if requires_grad:
            set_requires_grad(t, True)
    t.__dict__.update(state)
    return t


for _cls in (Tensor, Parameter):
    ForkingPickler.register(_cls, _reduce)
