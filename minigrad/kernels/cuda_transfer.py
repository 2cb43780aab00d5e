"""Arrays on their way to CUDA devices and back, and the check of `device="cuda:0"`."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from ..backend import NoDevice, device, on_gpu
from ..streams import AcceleratorError
from . import cuda
from .cuda_array import BFLOAT16, CudaArray, empty, of_numpy, place_of
from .cuda_library import library
from .cuda_numpy import numpy as numpy
from .dlpack import Incoming

# Copies that may still run: (event, what must stay in memory until then).
_running: deque[tuple[Any, Any]] = deque()


def checked(where: device) -> device:
    """A CUDA device with its number. NoDevice if there is none, AcceleratorError for a number."""
    found = library()
    if found.reason:
        raise NoDevice(
            f"device: '{where}' was asked for, but {found.reason} (minigrad.show_config() says "
            "more; PyTorch: Torch not compiled with CUDA enabled)"
        )
    index = found.cupy.cuda.runtime.getDevice() if where.index is None else where.index
    if index >= found.devices:
        raise AcceleratorError(
            f"CUDA error: invalid device ordinal: cuda:{index} was asked for; needed: a number "
            f"below {found.devices}"
        )
    cuda.wake()
    return place_of(index)


def move(array: Any, where: device, non_blocking: bool = False) -> Any:
    """An array on a device: itself if it lies there, else a copy in its order of memory."""
    if where.type == "cpu":
        return _fetched(array, non_blocking) if on_gpu(array) else array
    where = checked(where)
    if not on_gpu(array):
        return _sent(array, where, non_blocking)
    if array.place is where:
        return array
    with library().cupy.cuda.Device(where.index):
        result = empty(array.shape, array.dtype)
    return _between(result, array)


def made(shape: tuple[int, ...], dtype: np.dtype, where: device, value: Any = None) -> CudaArray:
    """A new array on a device, filled with a value unless that is None."""
    where = checked(where)
    with library().cupy.cuda.Device(where.index):
        result = empty(shape, dtype)
        if value is not None:
            result.fill(value)
    return result


def adopted(data: Any) -> CudaArray:
    """Another library's array on a CUDA device (by its interface, or DLPack), which is shared."""
    checked(device("cuda"))
    cupy = library().cupy
    if hasattr(data, "__cuda_array_interface__"):
        return CudaArray(cupy.asarray(data))
    given = Incoming(data)
    store = cupy.from_dlpack(given)
    return CudaArray(store, BFLOAT16 if given.bfloat16 else None)


def _sent(array: np.ndarray, where: device, non_blocking: bool) -> CudaArray:
    """From the CPU. Only pinned memory can be read while the program goes on."""
    waits = not (non_blocking and is_pinned(array))
    result = of_numpy(array, where.index or 0, waits)
    if not waits:
        _keep(array)
    return result


def _fetched(array: CudaArray, non_blocking: bool) -> np.ndarray:
    """To the CPU: into pinned memory, without waiting, if asked for."""
    with library().cupy.cuda.Device(array.store.device.id):
        if not non_blocking:
            return array.get()
        store = array.store if array.flags.c_contiguous else array.store.copy()
        host = _pinned_array(array.shape, store.dtype)
        store.get(out=host, blocking=False)
        _keep((host, store))
    return host.view(BFLOAT16) if array.dtype is BFLOAT16 else host


def _between(out: CudaArray, array: CudaArray) -> CudaArray:
    """From one CUDA device to another."""
    cuda_module = library().cupy.cuda
    with cuda_module.Device(array.store.device.id):
        source = array.store if array.flags.c_contiguous else array.store.copy()
        cuda_module.get_current_stream().synchronize()
    with cuda_module.Device(out.store.device.id):
        out.store.data.copy_from_device_async(
            source.data, array.nbytes, cuda_module.get_current_stream()
        )
        _keep(source)
    return out


def _keep(what: Any) -> None:
    """Keeps memory until the current stream has come this far."""
    while _running and _running[0][0].done:
        _running.popleft()
    _running.append((library().cupy.cuda.get_current_stream().record(), what))


# -- pinned memory ---------------------------------------------------------------------------------


def _pinned_array(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64))
    memory = library().cupy.cuda.alloc_pinned_memory(max(count * dtype.itemsize, 1))
    return np.frombuffer(memory, dtype, count).reshape(shape)


def pinned(array: np.ndarray) -> np.ndarray:
    """A copy in memory that the GPU reads by itself, in C order; itself without a GPU."""
    if library().reason or is_pinned(array):
        return array
    held = array.view(np.uint16) if array.dtype == BFLOAT16 else array
    copy = _pinned_array(array.shape, held.dtype)
    copy[...] = held
    return copy.view(BFLOAT16) if array.dtype == BFLOAT16 else copy


def is_pinned(array: Any) -> bool:
    """Whether an array lies in pinned memory."""
    base = array.base
    while isinstance(base, np.ndarray):
        base = base.base
    memory = base.obj if isinstance(base, memoryview) else base
    if memory is None or library().reason:
        return False
    return isinstance(memory, library().cupy.cuda.PinnedMemoryPointer)
