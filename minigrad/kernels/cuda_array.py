"""`CudaArray`: an array on a GPU that operations can treat as they treat NumPy's.

It holds a CuPy array and adds what that lacks: bfloat16 (kept as 16-bit integers, computed in
float32), PyTorch's errors for operands on several devices, and a place. NumPy's functions reach
CuPy's through NumPy's own protocols. Nothing is copied to the CPU unless it is asked for: NumPy
gets a TypeError, as from CuPy's arrays.

`isinstance(x, np.ndarray)` holds (by `__class__`, as for mock objects and proxies), so that checks
of arguments written for arrays hold; compiled code sees the true type and declines.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from .. import dtypes
from ..backend import device
from .cuda_library import library
from .dlpack import exported

BFLOAT16 = dtypes.bfloat16.numpy
F32 = np.dtype(np.float32)
U16 = np.dtype(np.uint16)


# How NumPy's ufuncs and functions are called: functions of `cuda_calls`.
_calls: list[Any] = []


def set_calls(ufunc_call: Any, function_call: Any) -> None:
    """Tells how NumPy's ufuncs and functions of these arrays are computed."""
    _calls[:] = [ufunc_call, function_call]


# What notes numbers out of range, which kernels cannot raise: of `cuda_launch`.
_alarms: list[Any] = []


def set_alarm(alarm: Any) -> None:
    """Tells what notes numbers out of range, and is asked when the CPU reads results."""
    _alarms[:] = [alarm]


def look() -> None:
    """RuntimeError if an operation has met an index out of range."""
    for alarm in _alarms:
        alarm.look()


def elsewhere(store: Any) -> bool:
    """Whether an array of CuPy's lies on another device than the current one."""
    found = library()
    return found.devices > 1 and store.device.id != found.cupy.cuda.runtime.getDevice()


def on_own_device(method: Any) -> Any:
    """A method that runs with its array's device as the current one: CuPy needs that."""

    @functools.wraps(method)
    def call(self: CudaArray, *args: Any, **kwargs: Any) -> Any:
        if not elsewhere(self.store):
            return method(self, *args, **kwargs)
        with library().cupy.cuda.Device(self.store.device.id):
            return method(self, *args, **kwargs)

    return call


class Flags:
    """The part of `ndarray.flags` that operations ask for."""

    __slots__ = ("_flags",)
    aligned = writeable = True

    def __init__(self, flags: Any):
        self._flags = flags

    @property
    def c_contiguous(self) -> bool:
        return self._flags.c_contiguous

    @property
    def f_contiguous(self) -> bool:
        return self._flags.f_contiguous

    carray = c_contiguous


class CudaArray(NDArrayOperatorsMixin):
    """An array on a CUDA device. `store` is CuPy's array: of uint16 where `dtype` is bfloat16."""

    __slots__ = ("_base", "dtype", "store")
    __class__ = property(lambda self: np.ndarray)
    __array_priority__ = 500

    def __init__(self, store: Any, dtype: np.dtype | None = None, base: Any = None):
        self.store = store
        self.dtype = store.dtype if dtype is None else BFLOAT16 if dtype == BFLOAT16 else dtype
        self._base = base  # the array that owns the memory, for views

    # -- what it is ------------------------------------------------------------------------------

    shape = property(lambda self: self.store.shape)
    ndim = property(lambda self: self.store.ndim)
    size = property(lambda self: self.store.size)
    strides = property(lambda self: self.store.strides)
    itemsize = property(lambda self: self.dtype.itemsize)
    nbytes = property(lambda self: self.store.nbytes)
    data = property(lambda self: self.store.data)  # `data.ptr` is the address, for the kernels
    flags = property(lambda self: Flags(self.store.flags))
    base = property(lambda self: self._base)
    flat = property(lambda self: self.ravel())
    T = property(lambda self: self.transpose())

    @property
    def place(self) -> device:
        """The device that holds it."""
        return place_of(self.store.device.id)

    def __len__(self) -> int:
        return len(self.store)

    def __repr__(self) -> str:
        return f"CudaArray({self.get()!r}, device='{self.place}')"

    # -- to the CPU, when asked for --------------------------------------------------------------

    @on_own_device
    def get(self) -> np.ndarray:
        """A copy for NumPy; waits for the GPU."""
        array = self.store.get()
        look()
        return array.view(BFLOAT16) if self.dtype is BFLOAT16 else array

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"can't convert {self.place} device type tensor to numpy. Use Tensor.cpu() to copy the "
            "tensor to host memory first."
        )

    def item(self, *index: Any) -> Any:
        """One element as a Python number; waits for the GPU."""
        return self.get().item(*index)

    def tolist(self) -> Any:
        """The elements as nested lists; waits for the GPU."""
        array = self.get()
        return (array.astype(F32) if self.dtype is BFLOAT16 else array).tolist()

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __index__(self) -> int:
        return self.get().__index__()

    # -- elements and views ----------------------------------------------------------------------

    @on_own_device
    def __getitem__(self, index: Any) -> CudaArray:
        return wrap(self.store[index_for(index)], self.dtype, self)

    @on_own_device
    def __setitem__(self, index: Any, value: Any) -> None:
        if type(value) is CudaArray:
            same_place(self, value)
            value = value if value.dtype is self.dtype else value.astype(self.dtype)
            self.store[index_for(index)] = value.store
            return
        if isinstance(value, np.ndarray) and value.ndim:
            raise mixed(self)
        if self.dtype is BFLOAT16:
            value = np.asarray(value).astype(BFLOAT16).view(U16)[()]
        elif isinstance(value, np.ndarray) or value.__class__ is dtypes.bfloat16.numpy.type:
            value = np.asarray(value).astype(self.dtype)[()]
        self.store[index_for(index)] = value

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    @on_own_device
    def reshape(self, *shape: Any, order: str = "C") -> CudaArray:
        return wrap(self.store.reshape(*shape, order=order), self.dtype, self)

    def transpose(self, *axes: Any) -> CudaArray:
        axes = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        order = None if axes is None else tuple([int(a) for a in axes]) or None
        return wrap(self.store.transpose(order) if self.ndim else self.store, self.dtype, self)

    def swapaxes(self, a: int, b: int) -> CudaArray:
        return wrap(self.store.swapaxes(a, b), self.dtype, self)

    def squeeze(self, axis: Any = None) -> CudaArray:
        return wrap(self.store.squeeze(axis), self.dtype, self)

    @on_own_device
    def ravel(self, order: str = "C") -> CudaArray:
        return wrap(self.store.ravel(order), self.dtype, self)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> CudaArray:
        return wrap(self.store.diagonal(offset, axis1, axis2), self.dtype, self)

    @on_own_device
    def view(self, dtype: Any) -> CudaArray:
        """The same bytes as another type."""
        wanted = np.dtype(dtype)
        held = self.store if wanted is BFLOAT16 and self.dtype is BFLOAT16 else None
        if held is None:
            held = self.store.view(U16 if wanted is BFLOAT16 else wanted)
        return wrap(held, wanted, self)

    # -- copies ----------------------------------------------------------------------------------

    @on_own_device
    def copy(self, order: str = "C") -> CudaArray:
        return CudaArray(self.store.copy(order), self.dtype)

    def __copy__(self) -> CudaArray:
        return self.copy("K")

    def __deepcopy__(self, memo: dict) -> CudaArray:
        return self.copy("K")

    def __reduce__(self) -> tuple:
        return to_device, (self.get(), self.place)

    @on_own_device
    def astype(
        self, dtype: Any, order: str = "K", casting: str = "unsafe", copy: bool = True
    ) -> CudaArray:
        """Converted to another type."""
        wanted = np.dtype(dtype)
        if wanted == self.dtype:
            return CudaArray(self.store.copy(order), self.dtype) if copy else self
        if self.dtype is BFLOAT16 or wanted == BFLOAT16:
            held = to_float(self.store) if self.dtype is BFLOAT16 else self.store
            if wanted == BFLOAT16:
                return CudaArray(to_bfloat16(held.astype(F32, order=order)), BFLOAT16)
            return CudaArray(held.astype(wanted, order=order))
        return CudaArray(self.store.astype(wanted, order=order))

    def fill(self, value: Any) -> None:
        self[...] = value

    @on_own_device
    def watch(self, low: int, high: int, but: int | None = None) -> None:
        """Notes, without waiting, whether a number other than `but` is outside [low, high)."""
        _alarms[0].watch(self.store, low, high, but)

    # -- NumPy's protocols -----------------------------------------------------------------------

    @on_own_device
    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        return _calls[0](ufunc, method, inputs, out, options)

    @on_own_device
    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        return _calls[1](function, args, kwargs)

    # -- for other libraries ---------------------------------------------------------------------

    @property
    def __cuda_array_interface__(self) -> dict:
        if self.dtype is BFLOAT16:
            raise AttributeError("__cuda_array_interface__ has no bfloat16")
        return self.store.__cuda_array_interface__

    def __dlpack__(self, **options: Any) -> Any:
        return exported(self.store, self.dtype, **options)

    def __dlpack_device__(self) -> tuple:
        return self.store.__dlpack_device__()


# -- places ----------------------------------------------------------------------------------------


@functools.cache
def place_of(index: int) -> device:
    """The device of a number."""
    return device("cuda", index)


def mixed(a: Any, b: Any = None) -> RuntimeError:
    """The error for operands on several devices."""
    other = "cpu" if b is None else str(b.place)
    return RuntimeError(
        "Expected all tensors to be on the same device, but found at least two devices, "
        f"{a.place} and {other}!"
    )


def same_place(a: CudaArray, b: CudaArray) -> None:
    """RuntimeError if two arrays lie on different devices."""
    if library().devices > 1 and a.store.device.id != b.store.device.id:
        raise mixed(a, b)


def to_device(array: np.ndarray, where: device, blocking: bool = True) -> CudaArray:
    """A copy of a NumPy array on a CUDA device, in its order of memory."""
    return of_numpy(array, where.index or 0, blocking)


def of_numpy(array: np.ndarray, index: int, blocking: bool = True) -> CudaArray:
    """A copy of a NumPy array on the device of a number."""
    cupy, dtype = library().cupy, array.dtype
    held = array.view(U16) if dtype == BFLOAT16 else array
    with cupy.cuda.Device(index):
        store = cupy.array(held, order="K", blocking=blocking)
    return CudaArray(store, dtype)


# -- CuPy's arrays and ours ------------------------------------------------------------------------


def wrap(store: Any, dtype: np.dtype, parent: CudaArray) -> CudaArray:
    """A result of `parent`'s: its view if it shares memory."""
    base = None
    if store.base is not None:
        base = parent if parent._base is None else parent._base
    return CudaArray(store, dtype, base)


def index_for(index: Any) -> Any:
    """An index for CuPy's array. Indices on the CPU are copied, as PyTorch takes them."""
    if index.__class__ is tuple:
        return tuple([index_for(i) for i in index])
    if type(index) is CudaArray:
        return index.store
    if isinstance(index, np.ndarray):
        return library().cupy.asarray(index) if index.ndim else index[()]
    return index


def to_float(store: Any) -> Any:
    """bfloat16 bits as float32 values."""
    return (store.astype(np.uint32) << np.uint32(16)).view(F32)


def to_bfloat16(store: Any) -> Any:
    """float32 values as bfloat16 bits, rounded to nearest, ties to even; NaN stays NaN."""
    bits = store.view(np.uint32)
    up = ((bits >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF)
    rounded = ((bits + up) >> np.uint32(16)).astype(U16)
    return library().cupy.where(store == store, rounded, np.uint16(0x7FC0))


def empty(shape: Any, dtype: Any, index: int | None = None) -> CudaArray:
    """An array with arbitrary values on a device (None: the current one)."""
    cupy, wanted = library().cupy, np.dtype(dtype)
    held = U16 if wanted == BFLOAT16 else wanted
    if index is None:
        store = cupy.empty(shape, held)
    else:
        with cupy.cuda.Device(index):
            store = cupy.empty(shape, held)
    return CudaArray(store, wanted)
