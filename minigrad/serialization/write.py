"""Writing: the nest as JSON, and the memory under its tensors as members of a ZIP archive."""

from __future__ import annotations

import json
import math
import struct
import sys
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.variable import Variable
from ..backend import device
from ..dispatch import LogicalArray
from ..size import Size
from .names import name_of_class
from .places import Hosts

VERSION = 1
STRUCTURE = "minigrad.json"
_ALIGN = 64
_PAD = 0x4D47  # the id of the extra field that moves the bytes to an aligned place
_DEEPEST = 200
_CHUNK = 1 << 24


class _Writer:
    """Turns a nest into JSON, and gathers the tensors and the memory under them."""

    def __init__(self) -> None:
        self.tensors: list[dict] = []
        self.known: dict[int, int] = {}  # id of a tensor or array: its number
        self.kept: list = []  # keeps the ids above from being used again
        self.roots: dict[int, int] = {}
        self.spans: list[list] = []  # [first byte, end, an array inside] for each storage
        self.hosts = Hosts()
        self.open: set[int] = set()  # containers being written: finds cycles

    def encode(self, value: Any, where: str, depth: int = 0) -> Any:
        """The JSON form of a value. TypeError for what a file cannot hold."""
        cls = value.__class__
        if value is None or cls is bool or cls is str or cls is int:
            return value
        if cls is float:
            return value if math.isfinite(value) else {"f": repr(value)}
        if isinstance(value, Variable):
            return {"T": self._tensor(value, where)}
        if cls in _CONTAINERS:
            return self._container(value, _CONTAINERS[cls], where, depth)
        if isinstance(value, dict):  # such as what state_dict returns: loaded as the plain class
            tag = _CONTAINERS[OrderedDict if isinstance(value, OrderedDict) else dict]
            return self._container(value, tag, where, depth)
        return self._other(value, cls, where)

    def _container(self, value: Any, tag: str, where: str, depth: int) -> dict:
        if id(value) in self.open:
            raise ValueError(f"save: {where} contains itself; needed: a nest without cycles")
        if depth > _DEEPEST:
            raise ValueError(f"save: {where} is nested deeper than {_DEEPEST} levels")
        self.open.add(id(value))
        if tag in ("d", "o"):
            items: list = [
                [self.encode(k, f"{where}, key {k!r}", depth + 1),
                 self.encode(v, f"{where}[{k!r}]", depth + 1)]
                for k, v in value.items()
            ]  # fmt: skip
        else:
            items = [self.encode(v, f"{where}[{i}]", depth + 1) for i, v in enumerate(value)]
        self.open.discard(id(value))
        return {tag: items}

    def _other(self, value: Any, cls: type, where: str) -> dict:
        if isinstance(value, dtypes.dtype):
            return {"dtype": value.name}
        if cls is device:
            return {"device": str(value)}
        if cls is bytes or cls is bytearray:
            return {cls.__name__: value.hex()}
        if cls is complex:
            return {"complex": [repr(value.real), repr(value.imag)]}
        if cls is slice:
            parts = (value.start, value.stop, value.step)
            return {"slice": [self.encode(v, where) for v in parts]}
        if isinstance(value, np.generic) and value.dtype.kind in "biufV":
            kind = dtypes.from_numpy(value.dtype).name
            return {"number": [kind, value.tobytes().hex()]}
        if cls is np.ndarray:
            return {"A": self._array(value, where)}
        raise TypeError(
            f"save: {where} is a {cls.__module__}.{cls.__qualname__}; needed: tensors, arrays, "
            "numbers, strings, None, and dicts, lists and tuples of them (of a module or an "
            "optimizer save its state_dict())"
        )

    def _tensor(self, t: Variable, where: str) -> int:
        number = self.known.get(id(t))
        if number is None:
            array, place = self.hosts.of(t._array)
            number = self._record(array, where)
            record = self.tensors[number]
            if place != "cpu":
                record["device"] = place
            record["requires_grad"] = t._fn is not None
            record["class"] = name_of_class(t.__class__)
            self.known[id(t)] = number
            self.kept.append(t)
        return number

    def _array(self, array: np.ndarray, where: str) -> int:
        number = self.known.get(id(array))
        if number is None:
            number = self.known[id(array)] = self._record(array, where)
            self.kept.append(array)
        return number

    def _record(self, array: np.ndarray, where: str) -> int:
        if array.__class__ is LogicalArray:
            raise TypeError(
                f"save: {where} is a tensor without an array of its own (complex, on device "
                "'meta', or inside vmap); needed: a file in PyTorch's format (format='pt'), which "
                "has the first two"
            )
        try:
            kind = dtypes.from_numpy(array.dtype).name
        except TypeError:
            raise TypeError(
                f"save: {where} is an array of {array.dtype}, which no tensor holds"
            ) from None
        if not array.dtype.isnative or any(s < 0 or s % array.itemsize for s in array.strides):
            array = array.astype(array.dtype.newbyteorder("="), order="C")
            self.kept.append(array)
        storage, first = self._storage(array)
        self.tensors.append(
            {
                "dtype": kind,
                "shape": list(array.shape),
                "stride": [s // array.itemsize for s in array.strides],
                "storage": storage,
                "first": first,  # an address, made an offset at the end
            }
        )
        return len(self.tensors) - 1

    def _storage(self, array: np.ndarray) -> tuple[int, int]:
        root: Any = array
        while isinstance(root.base, np.ndarray):
            root = root.base
        key = id(root if root.base is None else root.base)
        first = array.__array_interface__["data"][0]
        end = first
        if array.size:
            reach = sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True))
            end = first + reach + array.itemsize
        if key not in self.roots:
            self.roots[key] = len(self.spans)
            self.spans.append([first, end, root])
        number = self.roots[key]
        span = self.spans[number]
        if span[0] == span[1]:  # nothing in it yet
            span[:2] = [first, end]
        elif end > first:
            span[:2] = [min(span[0], first), max(span[1], end)]
        return number, first

    def structure(self, root: Any) -> bytes:
        for record in self.tensors:
            start, end, _ = self.spans[record["storage"]]
            offset = record.pop("first") - start
            record["offset"] = offset if 0 <= offset <= end - start else 0
        tree = {
            "format": "minigrad",
            "version": VERSION,
            "storages": [end - start for start, end, _ in self.spans],
            "tensors": self.tensors,
            "root": root,
        }
        return json.dumps(tree, separators=(",", ":"), allow_nan=False).encode()


_CONTAINERS = {dict: "d", OrderedDict: "o", list: "l", tuple: "t", Size: "size", set: "set",
               frozenset: "frozenset"}  # fmt: skip


def bytes_at(start: int, end: int, owner: Any) -> np.ndarray:
    """The bytes of a storage, as an array over them."""
    interface = {"data": (start, True), "shape": (end - start,), "typestr": "|u1", "version": 3}
    holder = type("_Memory", (), {"__array_interface__": interface, "owner": owner})()
    return np.asarray(holder)


def swapped(raw: np.ndarray, itemsize: int) -> np.ndarray:
    """Little-endian bytes of native ones (a copy on big-endian machines only)."""
    if sys.byteorder == "little" or itemsize == 1:
        return raw
    return raw.reshape(-1, itemsize)[:, ::-1].ravel()


def write_own(stream: Any, obj: Any) -> None:
    """Writes `obj` to a stream in minigrad's format. TypeError for what it cannot hold."""
    writer = _Writer()
    structure = writer.structure(writer.encode(obj, "the object"))
    widths = {r["storage"]: dtypes.from_name(r["dtype"]).itemsize for r in writer.tensors}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(member(STRUCTURE, archive, len(structure)), structure)
        for i, (start, end, owner) in enumerate(writer.spans):
            size = end - start
            raw = swapped(bytes_at(start, end, owner), widths[i]) if size else np.empty(0, np.uint8)
            with archive.open(member(f"data/{i}", archive, size), "w") as entry:
                view = memoryview(raw)
                for at in range(0, size, _CHUNK):
                    entry.write(view[at : at + _CHUNK])


def member(name: str, archive: zipfile.ZipFile, size: int) -> zipfile.ZipInfo:
    """A member's header, with an extra field that brings its bytes to a multiple of 64."""
    info = zipfile.ZipInfo(name)  # with the fixed date of 1980: equal content, equal file
    info.external_attr = 0o644 << 16
    info.file_size = size
    large = 20 if size * 1.05 > zipfile.ZIP64_LIMIT else 0
    start = archive.start_dir + 30 + len(name) + large + 4
    padding = -start % _ALIGN
    info.extra = struct.pack("<HH", _PAD, padding) + b"\0" * padding
    return info
