"""What the names in a file of torch.save stand for: builders of tensors and of plain values."""

from __future__ import annotations

import argparse
import codecs
import importlib
import os
import pathlib
import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.variable import Variable, set_requires_grad
from ..backend import CPU, device, strided
from ..creation import empty
from ..size import Size
from .allowed import allowed
from .names import class_named
from .pickles import Builder, Names, need_key
from .places import there

_BUILTIN_MODULES = ("builtins", "__builtin__")
_STORAGES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "ByteStorage": "uint8", "CharStorage": "int8",
    "ShortStorage": "int16", "IntStorage": "int32", "LongStorage": "int64", "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
}  # fmt: skip


def _dtype(name: str) -> dtypes.dtype:
    return getattr(dtypes, name) if name.startswith("complex") else dtypes.from_name(name)


_DTYPES = {
    **{d.name: d for d in (*dtypes.ALL, *dtypes.ABSENT)},
    "half": dtypes.float16, "float": dtypes.float32, "double": dtypes.float64,
    "short": dtypes.int16, "int": dtypes.int32, "long": dtypes.int64,
}  # fmt: skip


_SCHEMES = {
    f"per_{of}_{around}" for of in ("tensor", "channel") for around in ("affine", "symmetric")
}  # of quantized tensors


def _held(value: Any) -> bool:
    """Whether a value of a file is a dtype that tensors can have."""
    return value.__class__ is dtypes.dtype or value in (dtypes.complex64, dtypes.complex128)


class StorageKind:
    """The class of a storage, as a name in a file: which elements it counts."""

    def __init__(self, name: str):
        self.name = name
        self.dtype = _dtype(_STORAGES[name])


class Memory:
    """A storage of a file: its bytes, and the type that it counts in."""

    __slots__ = ("kind", "moved", "place", "raw")

    def __init__(self, raw: np.ndarray, kind: StorageKind):
        self.raw = raw
        self.kind = kind
        self.place: Any = CPU  # where its tensors are to lie
        self.moved: dict = {}  # the bytes there

    def counted_in(self, kind: StorageKind) -> Memory:
        """The same bytes, counted in another type."""
        if self.kind is kind:
            return self
        other = Memory(self.raw, kind)
        other.place, other.moved = self.place, self.moved
        return other


def view(raw: np.ndarray, dtype: np.dtype, offset: Any, size: Any, stride: Any) -> np.ndarray:
    """An array over bytes of a storage, all of whose numbers come from a file. UnpicklingError."""
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
        raise UnpicklingError("a tensor has an impossible shape or stride")
    numbers = (*size, *stride, offset)
    if len(size) > 64 or any(n.__class__ is not int or not 0 <= n < 1 << 62 for n in numbers):
        raise UnpicklingError("a tensor has an impossible shape, stride or offset")
    item = dtype.itemsize
    count = 1
    for n in size:
        count *= n
    if not count:
        return np.empty(size, dtype)
    reach = sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1
    if (offset + reach) * item > raw.size or count * item >= 1 << 62:
        raise UnpicklingError("a tensor reaches beyond its storage")
    nbytes = tuple(s * item for s in stride)
    return np.ndarray(size, dtype, raw.data, offset * item, nbytes)


def _tensor(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Any:
    if not isinstance(storage, Memory):
        raise UnpicklingError("a tensor has no storage")
    return _made(storage, storage.kind.dtype, offset, size, stride, requires_grad)


def _tensor_v3(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Any:
    if not isinstance(storage, Memory) or not _held(dtype):
        raise UnpicklingError(f"a tensor has no storage, or is of {dtype}, which minigrad has not")
    return _made(storage, dtype, offset, size, stride, requires_grad)


def _made(
    storage: Memory, dtype: dtypes.dtype, offset: Any, size: Any, stride: Any, grad: Any
) -> Any:
    if dtype.is_complex:
        numbers = importlib.import_module("minigrad.complexes")
        array = view(storage.raw, np.dtype(dtype.name), offset, size, stride)
        return numbers.from_array(array).requires_grad_(grad is True)
    array = view(storage.raw, dtype.numpy, offset, size, stride)
    t = _v.wrap(there(array, storage.raw, storage.place, storage.moved))
    if grad is True:
        if not dtype.is_floating_point:
            raise UnpicklingError(f"a tensor of {dtype} requires grad")
        set_requires_grad(t, True)
    return t


def _meta(dtype: Any, size: Any, stride: Any, requires_grad: Any) -> Any:
    if not _held(dtype) or not isinstance(size, tuple):
        raise UnpicklingError(
            f"a tensor without memory has no size, or is of {dtype}, which minigrad has not"
        )
    return empty(_size(size), dtype=dtype, device="meta", requires_grad=requires_grad is True)


def _parameter(data: Any, requires_grad: Any = True, hooks: Any = None, state: Any = None) -> Any:
    if not isinstance(data, Variable):
        raise UnpicklingError("a parameter has no tensor")
    return _with_state(class_named("Parameter")(data, requires_grad is True), state)


def _subclass(builder: Any, cls: Any, args: Any, state: Any) -> Any:
    """Tensors with attributes, and buffers."""
    if not isinstance(builder, Builder) or not isinstance(args, tuple):
        raise UnpicklingError("a tensor has no builder")
    t = builder.build(*args)
    if not isinstance(t, Variable):
        raise UnpicklingError("a tensor's builder made none")
    if isinstance(cls, type) and issubclass(cls, Variable) and type(t) is not cls:
        name = next((n for n in ("Parameter", "Buffer") if class_named(n) is cls), None)
        t = class_named(name)(t) if name else t
    if isinstance(state, tuple) and len(state) == 2:
        state = state[0]
    return _with_state(t, state)


def _with_state(t: Any, state: Any) -> Any:
    if isinstance(state, dict):
        for key, value in state.items():
            # What would hide a method is left out.
            if isinstance(key, str) and not hasattr(type(t), key):
                t.__dict__[key] = value
    return t


class _NumpyType:
    """A NumPy type in the making."""

    def __init__(self, name: Any, align: Any = False, copy: Any = False):
        self.dtype = np.dtype(name) if isinstance(name, str) else np.dtype(object)
        if self.dtype.kind not in "biufc":
            raise UnpicklingError(f"NumPy's type {name!r} is not allowed")

    def order(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


def _numpy_scalar(kind: Any, data: Any) -> Any:
    if not isinstance(kind, _NumpyType) or not isinstance(data, bytes):
        raise UnpicklingError("a NumPy number has no type or no bytes")
    return np.frombuffer(data, kind.dtype, 1).astype(kind.dtype.newbyteorder("="))[0]


def _numpy_array(cls: Any, shape: Any, code: Any) -> np.ndarray:
    return np.empty((0,), np.uint8)


def _set_numpy_array(array: np.ndarray, state: Any) -> None:
    _, shape, kind, fortran, data = state
    if not isinstance(kind, _NumpyType) or not isinstance(data, bytes):
        raise UnpicklingError("a NumPy array has no type or no bytes")
    state = (1, shape, kind.dtype, bool(fortran), data)
    array.__setstate__(state)


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
        raise UnpicklingError(f"bytes are encoded with {encoding!r}")
    return codecs.latin_1_encode(text)[0]


def _device(type: Any = "cpu", index: Any = None) -> device:
    return device(type, index)


def _layout(name: Any) -> Any:
    if name != "torch.strided":
        raise UnpicklingError(f"layout {name!r} is not in minigrad")
    return strided


def _pairs(items: Any) -> Any:
    pairs = items.items() if isinstance(items, dict) else items
    return ((need_key(key), value) for key, value in pairs)


def _default(factory: Any = None) -> defaultdict:
    if factory is None:
        return defaultdict(None)
    if not isinstance(factory, Builder) or factory.name.rpartition(".")[2] not in _FACTORIES:
        raise UnpicklingError("a defaultdict's factory is not allowed")
    return defaultdict(_FACTORIES[factory.name.rpartition(".")[2]])


def _bytes_of(kind: Callable) -> Callable:
    def build(*args: Any) -> Any:
        if args and not isinstance(args[0], bytes):  # a number would be a length
            raise UnpicklingError("bytes are made of something else")
        return kind(*args[:1])

    return build


def _keys_of(kind: Callable) -> Callable:
    return lambda items=(): kind(need_key(item) for item in items)


def _empty(kind: Callable) -> Callable:
    return lambda: kind()


def _size(items: Any = ()) -> Size:
    if any(n.__class__ is not int for n in items):
        raise UnpicklingError("a size holds something else than integers")
    return Size(items)


def _path(*parts: Any) -> pathlib.Path:
    if any(not isinstance(part, str) for part in parts):
        raise UnpicklingError("a path is made of something else than strings")
    return pathlib.Path(*parts)


_CODE = ("torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")
_TABLE: dict[str, Callable] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_meta_tensor_no_storage": _meta,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _subclass,
    "torch.serialization._get_layout": _layout,
    "torch.Size": _size,
    "torch.device": _device,
    "collections.OrderedDict": lambda items=(): OrderedDict(_pairs(items)),
    "collections.Counter": lambda items=(): Counter(dict(_pairs(items))),
    "collections.defaultdict": _default,
    "_codecs.encode": _encode,
    **{
        f"pathlib{part}.{name}Path": _path
        for part in ("", "._local")
        for name in ("Posix", "Windows", "PurePosix", "PureWindows")
    },
    "numpy.dtype": _NumpyType,
    "numpy.core.multiarray.scalar": _numpy_scalar,
    "numpy._core.multiarray.scalar": _numpy_scalar,
    "numpy.core.multiarray._reconstruct": _numpy_array,
    "numpy._core.multiarray._reconstruct": _numpy_array,
    "numpy.ndarray": _numpy_array,
}
_FACTORIES: dict[str, Callable] = {
    kind.__name__: kind for kind in (int, float, bool, str, list, dict, set, tuple)
}
_BUILTINS: dict[str, Callable] = {
    **{name: _empty(kind) for name, kind in _FACTORIES.items()},
    "set": _keys_of(set), "frozenset": _keys_of(frozenset), "bytes": _bytes_of(bytes),
    "bytearray": _bytes_of(bytearray), "complex": complex, "slice": slice,
    "dict": lambda items=(): dict(_pairs(items)), "list": lambda items=(): list(items),
    "tuple": lambda items=(): tuple(items),
}  # fmt: skip


class TorchNames(Names):
    """The names of a file of torch.save.

    `code`: also classes that this program has loaded (`weights_only=False`): modules, what minigrad
    and the program's own files define, argparse.Namespace. They are made without calling them.
    """

    def __init__(self, storage: Callable[[Any], Memory], code: bool):
        self.storage = storage
        self.code = code
        self.classes: set[int] = set()  # which classes the file may make instances of
        self.callable: set[int] = set()  # ... and which values it may call

    def persistent(self, key: Any) -> Any:
        return self.storage(key)

    def may_call(self, value: Any) -> bool:
        return id(value) in self.callable

    def may_make(self, value: Any) -> bool:
        return id(value) in self.classes or id(value) in self.callable

    def build(self, value: Any, state: Any) -> bool:
        if isinstance(value, _NumpyType):
            value.order(state)
        elif type(value) is np.ndarray:
            _set_numpy_array(value, state)
        elif type(value) is OrderedDict:
            if isinstance(state, dict) and "_metadata" in state:
                value._metadata = state["_metadata"]  # type: ignore[attr-defined]
        else:
            return False
        return True

    def find(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        chosen = allowed(full)
        if chosen is not None:
            self.callable.add(id(chosen))
            return chosen
        if module in _BUILTIN_MODULES and name in _BUILTINS:
            return Builder(full, _BUILTINS[name])
        if full in _TABLE:
            return Builder(full, _TABLE[full])
        if module in ("torch", "torch.storage", "torch.cuda") and name in _STORAGES:
            return StorageKind(name)
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if module == "torch" and name in _SCHEMES:
            return getattr(importlib.import_module("minigrad.quantized"), name)
        if full in _CODE:
            return class_named(name)
        if full in ("torch.Tensor", "torch._tensor.Tensor"):
            return _v.Tensor
        if self.code:
            found = self._loaded(module, name)
            if found is not None:
                return found
        raise UnpicklingError(_refusal(full, self.code))

    def _loaded(self, module: str, name: str) -> Any:
        """What this program has under a name, if files may make instances of it."""
        root = module.partition(".")[0]
        if root == "torch":  # PyTorch's file for it may be another than ours
            nn = importlib.import_module("minigrad.nn")
            value = getattr(nn.functional if module.endswith("functional") else nn, name, None)
        else:
            value = sys.modules.get(module)
            for part in name.split("."):
                value = getattr(value, part, None)
        if value is None:
            return None
        ours = getattr(value, "__module__", None) or ""
        if isinstance(value, type):
            bases = [f"{c.__module__}.{c.__qualname__}" for c in value.__mro__]
            if (
                value is argparse.Namespace
                or "minigrad.nn.module.Module" in bases
                or ours.partition(".")[0] == "minigrad"
                or _of_the_program(ours)
            ):
                self.classes.add(id(value))
                return value
        elif callable(value) and (ours.partition(".")[0] == "minigrad" or _of_the_program(ours)):
            return value  # as a value: it is never called from here
        return None


def _of_the_program(module: str) -> bool:
    """Whether a module is the main program, or lies in its folder."""
    if module == "__main__":
        return True
    program = getattr(sys.modules["__main__"], "__file__", None)
    file = getattr(sys.modules.get(module), "__file__", None)
    if program is None or file is None or "site-packages" in file:
        return False
    return os.path.abspath(file).startswith(os.path.dirname(os.path.abspath(program)) + os.sep)


def _refusal(full: str, code: bool) -> str:
    if full.startswith("torch._utils._rebuild") or full.endswith("Storage"):
        return f"it holds {full}, a kind of tensor that minigrad does not have"
    if full.startswith("torch.") and full[6:] in (
        "complex32", "uint16", "uint32", "uint64", "quint8", "qint8",
    ):  # fmt: skip
        return f"it holds {full}, which minigrad does not have"
    hint = f"minigrad.serialization.add_safe_globals([{full.rpartition('.')[2]}])"
    if code:
        return (
            f"it names {full}, which is no class of a module, of minigrad or of this program; "
            f"if you trust the file: {hint} before loading"
        )
    return (
        f"Weights only load failed: it names {full}, which is not a tensor or a plain value; if "
        f"you trust the file: {hint} before loading, or load(..., weights_only=False) for a file "
        "that holds whole modules of this program"
    )
