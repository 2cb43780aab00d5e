"""An imitation of CuPy over NumPy's arrays: a GPU for machines that have none. For tests only.

It has the functions, ufuncs and methods of CuPy 14 (listed in `cupy_names.json`), with their
parameters, and no others; its arrays are none of NumPy's, are not converted to NumPy silently, and
do not mix with NumPy's. `install()` puts it in CuPy's place.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import sys
import types
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from . import emulated_cuda as cuda

REAL = bool(os.environ.get("MINIGRAD_CUDA_REAL"))  # CuPy itself is tested on, and a GPU
NAMES = json.loads(pathlib.Path(__file__).with_name("cupy_names.json").read_text())


class MemoryPointer:
    """Where an array's first element lies."""

    def __init__(self, array: np.ndarray):
        self.ptr = array.__array_interface__["data"][0]

    def copy_from_device_async(self, source: MemoryPointer, size: int, stream: Any = None) -> None:
        ctypes.memmove(self.ptr, source.ptr, size)


class ndarray(NDArrayOperatorsMixin):
    """CuPy's array: NumPy's, kept to itself."""

    __array_priority__ = 100

    def __init__(self, array: np.ndarray, base: Any = None, device: Any = None):
        if array.dtype.kind not in "biufc":
            raise ValueError(f"Unsupported dtype {array.dtype}")
        self._a = array
        self.base = base
        self.device = cuda.Device(device if device is not None else cuda.current_device())
        if base is None:
            self._memory = cuda.alloc(array.nbytes)

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    strides = property(lambda self: self._a.strides)
    itemsize = property(lambda self: self._a.itemsize)
    nbytes = property(lambda self: self._a.nbytes)
    flags = property(lambda self: self._a.flags)
    T = property(lambda self: self.transpose())

    @property
    def data(self) -> Any:
        return MemoryPointer(self._a)

    def __len__(self) -> int:
        return len(self._a)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct "
            "a NumPy array explicitly."
        )

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True):
        cuda.refuse_in_capture("get")
        if out is None:
            return self._a.copy(order)
        out[...] = self._a
        return out

    def __bool__(self) -> bool:
        return bool(self._a)

    def __int__(self) -> int:
        return int(self._a)

    def __float__(self) -> float:
        return float(self._a)

    def __index__(self) -> int:
        return self._a.__index__()

    def item(self, *args: Any) -> Any:
        return self._a.item(*args)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        return run(lambda a, i: a[i], self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, np.ndarray):
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        run(_set, self, index, value)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc.__name__ not in NAMES["ufuncs"] and ufunc.__name__ != "matmul":
            return NotImplemented
        return run(getattr(ufunc, method), *inputs, **options)

    def astype(self, dtype: Any, order: str = "K", casting: Any = None, copy: bool = True) -> Any:
        return run(lambda a: a.astype(dtype, order, copy=copy), self)

    def __dlpack__(self, **options: Any) -> Any:
        return self._a.__dlpack__()

    def __dlpack_device__(self) -> tuple:
        return (2, self.device.id)

    @property
    def __cuda_array_interface__(self) -> dict:
        return {**self._a.__array_interface__, "version": 3, "stream": 1}


def _set(array: np.ndarray, index: Any, value: Any) -> None:
    array[index] = np.asarray(value).astype(array.dtype)


def _method(name: str) -> Any:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        return run(getattr(np.ndarray, name), self, *args, **kwargs)

    return method


for _name in (
    "all", "any", "argmax", "argmin", "argsort", "clip", "copy", "cumprod", "cumsum",
    "dot", "max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "reshape", "round",
    "searchsorted", "std", "sum", "take", "var", "fill",
    "sort",
):  # fmt: skip
    setattr(ndarray, _name, _method(_name))


_VIEWS = ("diagonal", "squeeze", "swapaxes", "transpose", "view")  # no work for the device


def _view(name: str) -> Any:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        base = self if self.base is None else self.base
        return ndarray(getattr(self._a, name)(*args, **kwargs), base, self.device.id)

    return method


for _name in _VIEWS:
    setattr(ndarray, _name, _view(_name))


def _plain(value: Any) -> Any:
    if isinstance(value, ndarray):
        if value.device.id != cuda.current_device():
            raise ValueError(
                "Array device must be same as the current device: array device = "
                f"{value.device.id} while current = {cuda.current_device()}"
            )
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(v) for v in value)
    return value


def _arrays(values: Any) -> Any:
    for value in values:
        if isinstance(value, ndarray):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _arrays(value)


def _ours(result: Any, inputs: list) -> Any:
    if isinstance(result, np.generic):
        result = np.asarray(result)
    if isinstance(result, np.ndarray):
        for array in inputs:
            if result is array._a:
                return array
            if result.size and np.may_share_memory(result, array._a):
                return ndarray(result, array if array.base is None else array.base)
        return ndarray(result if result.base is None else result.copy())
    if isinstance(result, (list, tuple)):
        items = [_ours(r, inputs) for r in result]
        return tuple(items) if isinstance(result, tuple) else items
    return result


def run(function: Any, *args: Any, **kwargs: Any) -> Any:
    """NumPy's function of the arrays inside."""
    inputs = list(_arrays((*args, *kwargs.values())))
    plain = [_plain(v) for v in args], {k: _plain(v) for k, v in kwargs.items()}
    with np.errstate(all="ignore"):
        raw = function(*plain[0], **plain[1])
    result = _ours(raw, inputs)
    cuda.note(function, plain, result)
    return result


def _function(name: str, parameters: str, owner: Any = np) -> Any:
    known = parameters.split()
    takes_any = any(p.startswith("**") for p in known)
    function = getattr(owner, name)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for key in kwargs:
            if not takes_any and key not in known:
                raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
        return run(function, *args, **kwargs)

    return call


_told = [False]  # whether factorizations raise where they fail


@contextlib.contextmanager
def errstate(*, linalg: str | None = None, **others: Any) -> Any:
    """That of `cupyx`."""
    before, _told[0] = _told[0], linalg == "raise"
    try:
        yield
    finally:
        _told[0] = before


def _quiet(function: Any) -> Any:
    """Factorizations, whose failures CuPy keeps to itself if not asked for them."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except np.linalg.LinAlgError as error:
            if _told[0]:
                raise
            raise AssertionError("here CuPy would give a wrong result") from error

    return call


_AT = ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")


def _ufunc(name: str) -> Any:
    ufunc = getattr(np, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        return run(ufunc, *args, **kwargs)

    if name in _AT:
        call.at = lambda *args: run(ufunc.at, *args)
    return call


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking=False):
    """A copy of what NumPy takes; CuPy's own arrays as they are."""
    if isinstance(a, ndarray):
        return a if dtype is None else a.astype(dtype, copy=False)
    if hasattr(a, "__cuda_array_interface__"):
        interface = {**a.__cuda_array_interface__, "version": 3}
        interface.pop("stream")
        holder = type("Holder", (), {"__array_interface__": interface, "owner": a})()
        return ndarray(np.asarray(holder))
    return ndarray(np.array(a, dtype, order=order or "K"))


def array(obj: Any, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    """A copy."""
    if isinstance(obj, ndarray):
        return obj.astype(dtype or obj.dtype, order)
    cuda.refuse_in_capture("array")
    return ndarray(np.array(obj, dtype, order=order, ndmin=ndmin))


def asnumpy(a: Any, stream=None, order="C", out=None, *, blocking=True) -> np.ndarray:
    """A copy for NumPy."""
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def from_dlpack(a: Any, **options: Any) -> Any:
    """An array over another library's memory."""
    return ndarray(np.from_dlpack(a._a) if isinstance(a, ndarray) else np.from_dlpack(a))


def _aligned(shape: Any, dtype: Any, order: str) -> np.ndarray:
    """Memory that begins at a multiple of 512 bytes, as CUDA's does."""
    count = int(np.prod(shape, dtype=np.int64))
    memory = np.empty(count * np.dtype(dtype).itemsize + 512, np.uint8)
    begin = -memory.ctypes.data % 512
    a = memory[begin : begin + count * np.dtype(dtype).itemsize].view(dtype)
    return a.reshape(shape, order=order)


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """Memory with NaN (or -1) in it: what reads it is found."""
    a = _aligned(shape, dtype, order)
    a.fill(np.nan if a.dtype.kind == "f" else 1)
    return ndarray(a)


def empty_like(a, dtype=None, order="K", subok=None, shape=None) -> ndarray:
    """See `empty`."""
    made = np.empty_like(a._a, dtype, order, shape=shape)
    made.fill(np.nan if made.dtype.kind == "f" else 1)
    return ndarray(made)


def _as_strided(x: ndarray, shape: Any = None, strides: Any = None) -> ndarray:
    a = np.lib.stride_tricks.as_strided(x._a, shape, strides)
    return ndarray(a, x if x.base is None else x.base, x.device.id)


def make() -> types.ModuleType:
    """The module."""
    module = types.ModuleType("cupy")
    for name in NAMES["ufuncs"]:
        if hasattr(np, name):
            setattr(module, name, _ufunc(name))
    for name, parameters in NAMES["functions"].items():
        if callable(getattr(np, name, None)):
            setattr(module, name, _function(name, parameters))
    linalg = types.ModuleType("cupy.linalg")
    for name, parameters in NAMES["linalg"].items():
        if callable(getattr(np.linalg, name, None)):
            setattr(linalg, name, _quiet(_function(name, parameters, np.linalg)))
    tricks = types.SimpleNamespace(as_strided=_as_strided)
    own = (array, asarray, asnumpy, empty, empty_like, from_dlpack, ndarray)
    vars(module).update({f.__name__: f for f in own})
    vars(module).update(
        cuda=cuda, linalg=linalg, lib=types.SimpleNamespace(stride_tricks=tricks),
        __version__=NAMES["version"], matmul=_ufunc("matmul"),
        get_default_memory_pool=lambda: cuda.pool,
        get_default_pinned_memory_pool=lambda: cuda.pinned,
        show_config=None,
    )  # fmt: skip
    return module


def install() -> None:
    """Puts the imitation in CuPy's place, and the emulated kernels, if built, in `_cuda`'s."""
    sys.modules["cupy"] = make()
    sys.modules["cupyx"] = types.ModuleType("cupyx")
    vars(sys.modules["cupyx"])["errstate"] = errstate
    kernels = emulated_kernels()
    if kernels is not None:
        sys.modules["minigrad._cuda"] = Kernels(kernels)


class Kernels(types.ModuleType):
    """The emulated kernels, whose launches are captured like all other work."""

    def __init__(self, under: Any):
        super().__init__("minigrad._cuda")
        self.__spec__ = importlib.machinery.ModuleSpec("minigrad._cuda", None)
        self._under = under

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._under, name)
        if not callable(function) or name.endswith("_workspace"):
            return function

        def launch(*args: Any) -> Any:
            cuda.note(function, (args, {}), None)
            LAUNCHED.add(name)
            return function(*args)

        return launch


LAUNCHED: set[str] = set()  # the kernels that ran


def emulated_kernels() -> Any:
    """`_cuda_emu` from MINIGRAD_CUDA_EMU, a file or a folder, or from the checkout's build*/."""
    given = os.environ.get("MINIGRAD_CUDA_EMU")
    root = pathlib.Path(__file__).resolve().parents[2]
    for place in [pathlib.Path(given)] if given else sorted(root.glob("build*")):
        for path in [place] if place.is_file() else sorted(place.glob("_cuda_emu*.so")):
            loader = importlib.machinery.ExtensionFileLoader("_cuda_emu", str(path))
            spec = importlib.util.spec_from_loader("_cuda_emu", loader)
            assert spec is not None
            module = importlib.util.module_from_spec(spec)
            loader.exec_module(module)
            return module
    return None


def remove() -> None:
    """Takes `install` back."""
    sys.modules.pop("cupy", None)
    sys.modules.pop("cupyx", None)
    sys.modules.pop("minigrad._cuda", None)
