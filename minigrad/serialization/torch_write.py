"""Writing PyTorch's files: a ZIP archive with a pickle of the nest and the bytes of its storages.

Tensors are written as PyTorch writes them, so that `torch.load(..., weights_only=True)` reads state
dicts and checkpoints; modules and other objects are pickled under minigrad's names.
"""

from __future__ import annotations

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np

from .. import dtypes
from ..attributes import Storage
from ..autograd.variable import Variable
from ..backend import device, layout, owner_of
from ..dispatch import LogicalArray
from ..size import Size
from .names import name_of_class
from .places import Hosts
from .write import bytes_at, member

_STORAGES = {
    "float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage", "uint8": "ByteStorage", "int8": "CharStorage",
    "int16": "ShortStorage", "int32": "IntStorage", "int64": "LongStorage", "bool": "BoolStorage",
    "complex64": "ComplexFloatStorage", "complex128": "ComplexDoubleStorage",
}  # fmt: skip


class _Name:
    """A name that the pickle holds, for whoever reads it; calling it is for the reader."""

    def __init__(self, module: str, name: str):
        self.module = module
        self.name = name

    def __call__(self, *args: Any) -> Any:
        raise TypeError(f"{self.module}.{self.name} is PyTorch's")


def _is_named(obj: Any) -> bool:
    """Whether PyTorch writes it as a name: dtypes, and schemes, whose module is above this one."""
    return isinstance(obj, dtypes.dtype) or (
        obj.__class__.__name__ == "qscheme" and obj.__class__.__module__.endswith(_QUANTIZED)
    )


_QUANTIZED = "minigrad.quantized.tensor"
_names: dict[tuple[str, str], _Name] = {}


def _name(module: str, name: str) -> _Name:
    return _names.setdefault((module, name), _Name(module, name))


class _Bytes:
    """A storage to be written: its number and the type it counts in."""

    def __init__(self, kind: str, number: int, location: str, count: int):
        self.id = ("storage", _name("torch", kind), str(number), location, count)


# Python's own pickler in Python, which can be told what a name is written as.
_Base: Any = pickle._Pickler


class _Pickler(_Base):
    """Python's pickler, in which tensors and the like are PyTorch's, and storages stand apart."""

    def __init__(self, stream: Any, protocol: int):
        super().__init__(stream, protocol)
        self.storages: list[np.ndarray] = []
        self.known: dict[int, tuple[_Bytes, str]] = {}
        self.kept: list[Any] = []
        self.hosts = Hosts()

    def persistent_id(self, obj: Any) -> Any:
        return obj.id if obj.__class__ is _Bytes else None

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if _is_named(obj):
            obj = _name("torch", obj.name)
        if obj.__class__ is not _Name:
            super().save_global(obj, name)
            return
        if id(obj) in self.memo:
            self.write(self.get(self.memo[id(obj)][0]))
            return
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj)

    def reducer_override(self, obj: Any) -> Any:
        cls = obj.__class__
        if cls is _Name or _is_named(obj):
            return "name"
        if isinstance(obj, Variable):
            return self._tensor(obj)
        if cls is Size:
            return _name("torch", "Size"), (tuple(obj),)
        if cls is device:
            args = (obj.type,) if obj.index is None else (obj.type, obj.index)
            return _name("torch", "device"), args
        if cls is layout:
            return _name("torch.serialization", "_get_layout"), (str(obj),)
        if cls is Storage:
            raise TypeError("save: a storage by itself is not written; needed: the tensor")
        if isinstance(obj, OrderedDict) and cls is not OrderedDict and "_metadata" in vars(obj):
            # What state_dict returns: for its reader a plain OrderedDict with its attribute.
            state = {"_metadata": obj._metadata}  # type: ignore[attr-defined]
            return _name("collections", "OrderedDict"), (), state, None, iter(obj.items())
        return NotImplemented

    def _meta(self, t: Any) -> tuple:
        """A tensor without memory: its description."""
        kind = _name("torch", dtypes.from_numpy(t._array.dtype).name)
        parts = (kind, tuple(t.shape), tuple(t.stride()), t._fn is not None)
        return _name("torch._utils", "_rebuild_meta_tensor_no_storage"), parts

    def _tensor(self, t: Any) -> tuple:
        array = t._array
        if array.__class__ is LogicalArray:
            if t.is_meta:
                return self._meta(t)
            if not t.dtype.is_complex:
                raise TypeError("save: a tensor inside vmap was given; needed: its result")
            array = t.complex_array()
        array, location = self.hosts.of(array)
        if any(s < 0 or s % array.itemsize for s in array.strides):
            array = array.copy()
        storage, offset = self._storage(array, location)
        kind = name_of_class(t.__class__)
        grad = t.requires_grad
        parts: tuple = (
            storage,
            offset,
            tuple(array.shape),
            tuple(s // array.itemsize for s in array.strides) if array.size else t.stride(),
            grad and kind != "Parameter",
            OrderedDict(),
        )
        self.kept.append(parts)
        builder = _name("torch._utils", "_rebuild_tensor_v2")
        if kind != "Parameter":
            return builder, parts
        plain = _Built(builder, parts)
        self.kept.append(plain)
        if t.__dict__:
            more: tuple = (plain, grad, OrderedDict(), dict(t.__dict__))
            return _name("torch._utils", "_rebuild_parameter_with_state"), more
        return _name("torch._utils", "_rebuild_parameter"), (plain, grad, OrderedDict())

    def _storage(self, array: np.ndarray, location: str) -> tuple[_Bytes, int]:
        owner = owner_of(array)
        low, high = np.lib.array_utils.byte_bounds(owner)
        at = array.__array_interface__["data"][0] - low
        item = array.itemsize
        if array.size and at % item:  # not a whole number of elements: a storage of its own
            array = array.copy()
            return self._storage(array, location)
        complex_numbers = array.dtype.kind == "c"
        kind = array.dtype.name if complex_numbers else dtypes.from_numpy(array.dtype).name
        found = self.known.get(id(owner))
        if found is None:
            storage = _Bytes(_STORAGES[kind], len(self.storages), location, (high - low) // item)
            found = self.known[id(owner)] = storage, kind
            self.storages.append(
                bytes_at(low, high, owner) if high > low else np.empty(0, np.uint8)
            )
            self.kept.append(owner)
        elif found[1] != kind:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different "
                "types"
            )
        return found[0], at // item if array.size else 0


class _Built:
    """A value that the reader makes by calling a name."""

    def __init__(self, builder: _Name, args: tuple):
        self.builder = builder
        self.args = args

    def __reduce__(self) -> tuple:
        return self.builder, self.args


def write_archive(stream: Any, obj: Any, protocol: int = 2) -> None:
    """Writes `obj` to a stream as torch.save does."""
    pickled = io.BytesIO()
    pickler = _Pickler(pickled, protocol)
    pickler.dump(obj)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:

        def put(name: str, data: Any) -> None:
            view = memoryview(data)
            with archive.open(member(f"archive/{name}", archive, view.nbytes), "w") as entry:
                for at in range(0, view.nbytes, 1 << 24):
                    entry.write(view[at : at + (1 << 24)])

        put("data.pkl", pickled.getvalue())
        put("byteorder", sys.byteorder.encode())
        for i, raw in enumerate(pickler.storages):
            put(f"data/{i}", raw)
        put("version", b"3\n")
