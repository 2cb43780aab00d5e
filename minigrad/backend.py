"""Devices, and which library owns an array: NumPy on the CPU, CuPy on the GPU."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

ndarray = np.ndarray


# Devices that can be named; only the first can be used.
_TYPES = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia",
    "xla", "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


class NoDevice(AssertionError, RuntimeError):
    """A device that this build cannot use: of both classes in which programs expect this error."""


class device:
    """Where a tensor's data lies: `device("cpu")`, `device("cuda", 0)`, `device("cuda:1")`."""

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, type: str | int | device, index: int | None = None):
        if isinstance(type, device):
            self.type, self.index = type.type, type.index if index is None else index
            return
        if isinstance(type, int):
            self.type, self.index = "cuda", type
            return
        if not isinstance(type, str):
            raise TypeError(f"device: expected a string or a device, got {type.__class__.__name__}")
        name, colon, number = str(type).partition(":")
        if name not in _TYPES:
            raise RuntimeError(
                f"Expected one of {', '.join(_TYPES)} device type at start of device string: {type}"
            )
        if colon:
            if index is not None or not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        self.type = name
        self.index = index

    def __repr__(self) -> str:
        at = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{at})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, device):
            return NotImplemented
        return self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple:
        return (device, (self.type, self.index))

    def __enter__(self) -> device:
        """`with device("cpu"):` makes tensors there. RuntimeError for one that cannot be used."""
        enter_scope(as_place(self))
        return self

    def __exit__(self, *exc: object) -> None:
        leave_scope()


CPU = device("cpu")
META = device("meta")


class _Scopes(threading.local):
    open: tuple = ()  # the devices that tensors are made on, the innermost last


_scopes = _Scopes()
# The module that makes tensors on other devices than the CPU (`minigrad.meta`), when needed.
_others: list[Callable[[], Any]] = []


def set_others(load: Callable[[], Any]) -> None:
    """Tells how to load the module that makes tensors on other devices than the CPU."""
    _others[:] = [load]


# The module that computes with complex numbers (`minigrad.complexes.rules`), when needed.
_complex: list[Callable[[], Any]] = []


def set_complex(load: Callable[[], Any]) -> None:
    """Tells how to load the module that computes with complex numbers."""
    _complex[:] = [load]


# The module that moves arrays to CUDA devices (`minigrad.kernels.cuda_transfer`), when needed.
_cuda: list[Callable[[], Any]] = []


def set_cuda(load: Callable[[], Any]) -> None:
    """Tells how to load the module that moves arrays to CUDA devices."""
    _cuda[:] = [load]


def with_complex_number(name: str, a: Any, b: Any) -> Any:
    """An operation of a real tensor with a Python complex number."""
    return _complex[0]().with_number(name, a, b)


def as_complex_view(x: Any, dtype: Any) -> Any:
    """`view(dtype)` of a real tensor with a complex dtype."""
    return _complex[0]().view_pairs(x, dtype)


def enter_scope(where: device) -> None:
    """Tensors are made on a device from now on, in this thread, until `leave_scope`."""
    if where.type != "cpu" or _elsewhere(_scopes.open):
        _others[0]().enter(where)
    _scopes.open = (*_scopes.open, where)


def _elsewhere(scopes: Any) -> bool:
    """Whether one of some scopes is of another device than the CPU."""
    return any(where.type != "cpu" for where in scopes)


def leave_scope() -> None:
    """Takes the last `enter_scope` back."""
    *outer, last = _scopes.open
    _scopes.open = tuple(outer)
    if last.type != "cpu" or _elsewhere(outer):
        _others[0]().leave()


def default_device() -> device:
    """The device of tensors made without `device=`."""
    return _scopes.open[-1] if _scopes.open else CPU


def set_default(where: device) -> None:
    """Makes tensors on a device where no `with device(...)` says another."""
    if _scopes.open[:1] != (where,):
        while _scopes.open:
            leave_scope()
        if where.type != "cpu":
            enter_scope(where)


def without_memory(array: Any) -> Any:
    """A tensor on device 'meta' of the shape and type of an array."""
    return _others[0]().make(array)


def is_meta(value: device | str | int) -> bool:
    """Whether a `device=` argument is 'meta'."""
    return (value if value.__class__ is device else device(value)).type == "meta"


def as_place(value: device | str | int | None) -> device:
    """`as_device` where 'meta', tensors without memory, will do as well."""
    return META if value is not None and is_meta(value) else as_device(value)


def device_of(array: Any) -> device:
    """The device that holds an array."""
    return array.place if on_gpu(array) else CPU


def on_gpu(array: Any) -> bool:
    """Whether an array lies on a GPU: such arrays have a `place`."""
    return hasattr(type(array), "place")


def move(array: Any, where: device, non_blocking: bool = False) -> Any:
    """An array on a device: itself if it lies there, else a copy."""
    if where.type == "cpu" and not on_gpu(array):
        return array
    return _cuda[0]().move(array, where, non_blocking)


def adopted(data: Any) -> Any:
    """Another library's array on a CUDA device, which is shared."""
    return _cuda[0]().adopted(data)


def pinned(array: Any) -> Any:
    """A copy of an array in memory that a GPU reads by itself; itself if there is no GPU."""
    return _cuda[0]().pinned(array)


def is_pinned(array: Any) -> bool:
    """Whether an array lies in memory that a GPU reads by itself."""
    return not on_gpu(array) and array.base is not None and _cuda[0]().is_pinned(array)


def need_cpu(name: str, *arrays: Any) -> None:
    """NotImplementedError for an operation that has no form for arrays on a GPU."""
    if any(on_gpu(a) for a in arrays):
        raise NotImplementedError(f"{name}: no GPU form yet; needed: tensors on the CPU (t.cpu())")


def made(shape: tuple[int, ...], dtype: Any, where: device, value: Any = None) -> Any:
    """A new array on a CUDA device, filled with a value unless that is None."""
    return _cuda[0]().made(shape, dtype, where, value)


def as_device(value: device | str | int | None) -> device:
    """Checks a `device=` argument; None means the CPU. NoDevice when it cannot be used.

    A CUDA device without a number is the current one.
    """
    if value is None:
        return CPU
    chosen = value if value.__class__ is device else device(value)
    assert isinstance(chosen, device)
    if chosen.type == "meta":
        raise NoDevice("device: 'meta' was asked for where memory is needed; needed: device='cpu'")
    if chosen.type == "cuda":
        return _cuda[0]().checked(chosen)
    if chosen.type != "cpu":
        raise NoDevice(
            f"device: {chosen.type!r} was asked for, but minigrad has no kernels for it; needed: "
            "device='cpu' or 'cuda'"
        )
    return chosen


class _Named:
    """A constant that prints as its name: memory formats and layouts."""

    __slots__ = ("_name",)

    def __init__(self, name: str):
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"

    def __reduce__(self) -> str:
        return self._name


class memory_format(_Named):
    """The order of a tensor's dimensions in memory."""

    __slots__ = ()


class layout(_Named):
    """How a tensor's elements are stored: in one array, or as places and values."""

    __slots__ = ()


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")


def owner_of(array: Any) -> Any:
    """The array that an array is a view of, as far as NumPy knows."""
    base = array.base
    while base is not None:
        if isinstance(base, np.ndarray):
            array = base
        base = getattr(base, "base", None)  # as_strided puts a holder in between
    return array


def mapping_of(array: Any) -> Any:
    """The memory, shared with other processes, that an array is a view of; None if it is not."""
    base = array.base
    while isinstance(base, np.ndarray):
        base = base.base
    memory = base.obj if isinstance(base, memoryview) else base
    return memory if getattr(memory, "shared", False) else None


def address_of(array: Any) -> int:
    """The address of an array's first element, in the memory of its device."""
    return array.data.ptr if on_gpu(array) else array.__array_interface__["data"][0]


def as_array(value: Any) -> Any:
    """NumPy returns scalars where a result has no dimensions; this makes them 0-d arrays again."""
    return np.asarray(value) if isinstance(value, np.generic) else value


def namespace(array: Any) -> Any:
    """NumPy, or for arrays on a GPU what has NumPy's names and makes its arrays there."""
    return _cuda[0]().numpy if on_gpu(array) else np
