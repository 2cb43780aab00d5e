"""Reading: every number in the file is checked before it is used, and no code is run."""

from __future__ import annotations

import contextlib
import io
import json
import math
import mmap as _mmap
import os
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pickle import UnpicklingError
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.variable import Variable, set_requires_grad
from ..backend import as_device, device, is_meta
from ..size import Size
from .names import class_named, path_of
from .pickles import NotAllowed
from .places import NOT_THERE, target_of, there
from .torch_read import NotHere, pickle_of, read_archive, read_old
from .write import STRUCTURE, VERSION, swapped

_CHUNK = 1 << 24
_DAMAGE = (
    zipfile.BadZipFile, struct.error, EOFError, KeyError, IndexError, TypeError, ValueError,
    AttributeError, OverflowError, MemoryError, RuntimeError,
)  # fmt: skip


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **ignored: Any,
) -> Any:
    """Reads what `save` or torch.save wrote, from a path or a file object. No code of it is run.

    `weights_only` (True unless given): of a pickle in PyTorch's file only tensors and plain values
    are read. False: also modules and other objects of classes that this program has loaded, made
    without calling anything that the file names; see `serialization.add_safe_globals` for others.
    `map_location`: where tensors from other devices are to lie (a device, a dict of locations, or a
    function of storage and location). `mmap`: tensors see the file's pages, read when touched
    (writes stay private; the checksums of the tensors are not verified).

    RuntimeError for a damaged file or one of another format; pickle.UnpicklingError for one that
    names what is not allowed.
    """
    if isinstance(map_location, (str, device)) and is_meta(map_location):
        return _without_memory(
            load(f, "cpu", pickle_module, weights_only=weights_only, mmap=mmap, **ignored)
        )
    if map_location is not None and not callable(map_location):
        places = map_location.values() if isinstance(map_location, dict) else (map_location,)
        for place in places:
            as_device(place)
    with _opened(f) as (stream, name):
        if mmap and not isinstance(f, (str, os.PathLike)):
            raise ValueError("load: mmap=True needs a path; given: a file object")
        try:
            return _read(stream, bool(mmap), map_location, weights_only is False)
        except UnpicklingError as error:
            raise NotAllowed(f"load: {name}: {error}") from None
        except (_Refused, NotHere) as error:
            raise RuntimeError(f"load: {name}: {error}") from None
        except _DAMAGE as error:
            raise RuntimeError(
                f"load: {name} is damaged or no file of minigrad.save "
                f"({error.__class__.__name__}: {error})"
            ) from error


@contextlib.contextmanager
def _opened(f: Any) -> Iterator[tuple[Any, str]]:
    if hasattr(f, "read"):
        if not (hasattr(f, "seek") and hasattr(f, "tell")):
            raise AttributeError(
                "load: the file object has no seek and tell; needed: io.BytesIO(f.read())"
            )
        # An archive in the middle of a stream begins where the stream stands.
        yield f if f.tell() == 0 else io.BytesIO(f.read()), "the stream"
        return
    path = path_of("load", f, "read")
    with open(path, "rb") as stream:
        yield stream, repr(path)


class _Refused(Exception):
    """A file that is understood, but not accepted."""


def _without_memory(value: Any) -> Any:
    """A nest of what was read with tensors on device 'meta'."""
    if isinstance(value, Variable):
        moved = value.to("meta").requires_grad_(value.requires_grad)
        return type(value)(moved) if class_named("Parameter") is type(value) else moved
    if isinstance(value, dict):
        for key in value:
            value[key] = _without_memory(value[key])
    elif isinstance(value, list):
        value[:] = [_without_memory(v) for v in value]
    elif type(value) is tuple:
        return tuple([_without_memory(v) for v in value])
    return value


def _read(stream: Any, mapped: bool, map_location: Any, code: bool) -> Any:
    stream.seek(0, io.SEEK_END)
    total = stream.tell()
    stream.seek(0)
    if stream.read(1) == b"\x80":
        stream.seek(0)
        return read_old(stream, map_location, code)
    archive = zipfile.ZipFile(stream)
    members = {info.filename: info for info in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise _Refused("two members have one name")
    if STRUCTURE not in members:
        if pickle_of(members) is not None:
            _check_members(members, total)
            source = stream if mapped else None
            return read_archive(
                archive, members, lambda i: _bytes(archive, i, source), map_location, code
            )
        raise _Refused("it is a ZIP archive, but not one of minigrad.save")
    _check_members(members, total)
    tree = json.loads(archive.read(STRUCTURE), parse_constant=_no_constant)
    if not isinstance(tree, dict) or tree.get("format") != "minigrad":
        raise _Refused("its structure is not minigrad's")
    if tree["version"] != VERSION:
        raise _Refused(
            f"it has format version {tree['version']!r}; this minigrad reads version {VERSION}"
        )
    sizes = tree["storages"]
    storages = []
    for i, size in enumerate(sizes):
        info = members[f"data/{i}"]
        if info.file_size != size:
            raise _Refused(f"data/{i} has {info.file_size} bytes; {size!r} were announced")
        storages.append((archive, info))
    reader = _Reader(tree["tensors"], storages, stream if mapped else None, map_location)
    return reader.decode(tree["root"])


def _check_members(members: dict[str, zipfile.ZipInfo], total: int) -> None:
    """Uncompressed, inside the file, without overlap: nothing can grow when it is read."""
    end = 0
    for info in sorted(members.values(), key=lambda m: m.header_offset):
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise _Refused(f"member {info.filename!r} is compressed")
        if info.flag_bits & 1:
            raise _Refused(f"member {info.filename!r} is encrypted")
        if info.header_offset < end or info.header_offset + 30 + info.file_size > total:
            raise _Refused(f"member {info.filename!r} overlaps another or the end of the file")
        end = info.header_offset + 30 + info.file_size


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


class _Reader:
    """Builds the nest again; every number in the file is checked before it is used."""

    def __init__(self, records: list, storages: list, mapped: Any, map_location: Any):
        self.records = records
        self.map_location = map_location
        self.moved: dict = {}  # the bytes of storages on devices
        self.storages = storages
        self.mapped = mapped
        self.memory: dict[int, np.ndarray] = {}
        self.tensors: dict[int, Any] = {}
        self.arrays: dict[int, np.ndarray] = {}

    def decode(self, node: Any) -> Any:
        """The value of a JSON form."""
        cls = node.__class__
        if node is None or cls in (bool, str, int, float):
            return node
        if cls is not dict or len(node) != 1:
            raise ValueError(f"a {cls.__name__} of {len(node)} stands where a value should")
        ((tag, value),) = node.items()
        if tag == "T":
            return self._tensor(value)
        if tag in ("d", "o"):
            made: dict = {} if tag == "d" else OrderedDict()
            for key, item in value:
                made[self.decode(key)] = self.decode(item)
            return made
        sequence = _SEQUENCES.get(tag)
        if sequence is not None:
            return sequence([self.decode(item) for item in value])
        if tag == "A":
            return self._array(value)
        if tag == "slice":
            return slice(*(self.decode(item) for item in value))
        return _ATOMS[tag](value)

    def _tensor(self, number: int) -> Any:
        t = self.tensors.get(number)
        if t is None:
            record = self._record(number)
            t = _v.wrap(self._placed(record))
            if record["class"] != "Tensor":
                t = class_named(record["class"])(t)
            wanted = record["requires_grad"] is True
            if wanted != (t._fn is not None):
                set_requires_grad(t, wanted)
            self.tensors[number] = t
        return t

    def _placed(self, record: dict) -> Any:
        """A tensor's array, on the device where it lay or where it is to lie."""
        array, location = self._view(record), record.get("device", "cpu")
        if callable(self.map_location) or (location == "cpu" and self.map_location is None):
            return array
        where = target_of(str(location), self.map_location)
        if where is None:
            raise NotHere(NOT_THERE.format(str(location).split(":")[0].upper()))
        raw = self.memory.get(record["storage"])
        return array if raw is None else there(array, raw, where, self.moved)

    def _array(self, number: int) -> np.ndarray:
        array = self.arrays.get(number)
        if array is None:
            array = self.arrays[number] = self._view(self._record(number))
        return array

    def _record(self, number: int) -> dict:
        if number.__class__ is not int or not 0 <= number < len(self.records):
            raise _Refused(f"tensor {number!r} is not in the file")
        return self.records[number]

    def _view(self, record: dict) -> np.ndarray:
        dtype = dtypes.from_name(record["dtype"]).numpy
        shape, stride, offset = record["shape"], record["stride"], record["offset"]
        numbers = (*shape, *stride, offset)
        if any(n.__class__ is not int or n < 0 for n in numbers) or len(shape) != len(stride):
            raise _Refused("a tensor has an impossible shape, stride or offset")
        raw = self._memory(record["storage"], dtype.itemsize)
        item = dtype.itemsize
        reach = sum((n - 1) * s for n, s in zip(shape, stride, strict=True)) * item + item
        if 0 in shape:
            reach = 0
        if offset + reach > raw.size or len(shape) > 64 or math.prod(shape) * item >= 1 << 62:
            raise _Refused("a tensor reaches beyond its storage")
        if not reach:
            return np.empty(shape, dtype)
        nbytes = tuple(s * item for s in stride)
        return np.ndarray(shape, dtype, raw.data, offset, nbytes)

    def _memory(self, number: int, itemsize: int) -> np.ndarray:
        raw = self.memory.get(number)
        if raw is None:
            if number.__class__ is not int or not 0 <= number < len(self.storages):
                raise _Refused(f"storage {number!r} is not in the file")
            archive, info = self.storages[number]
            raw = _bytes(archive, info, self.mapped)
            raw = self.memory[number] = swapped(raw, itemsize)
        return raw


def _bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo, mapped: Any) -> np.ndarray:
    """The bytes of a member: read, its checksum compared; or mapped from the file `mapped`."""
    if mapped is not None:
        return _map(mapped, info)
    raw = np.empty(info.file_size, np.uint8)
    with archive.open(info) as opened:
        member: Any = opened
        view, at = memoryview(raw), 0
        while at < raw.size:
            got = member.readinto(view[at : at + _CHUNK])
            if not got:
                raise EOFError(f"{info.filename} ends early")
            at += got
        member.read(1)  # past the end: the checksum is compared
    return raw


def _map(stream: Any, info: zipfile.ZipInfo) -> np.ndarray:
    stream.seek(info.header_offset)
    header = stream.read(30)
    if header[:4] != b"PK\x03\x04":
        raise _Refused(f"member {info.filename!r} has no header")
    name, extra = struct.unpack("<HH", header[26:30])
    start = info.header_offset + 30 + name + extra
    whole = _mmap.mmap(stream.fileno(), 0, access=_mmap.ACCESS_COPY)
    if start + info.file_size > len(whole):
        raise _Refused(f"member {info.filename!r} reaches beyond the file")
    return np.frombuffer(whole, np.uint8, info.file_size, start)


def _number(parts: list) -> np.generic:
    kind = dtypes.from_name(parts[0]).numpy
    return np.frombuffer(bytes.fromhex(parts[1]), kind, 1)[0]


_SEQUENCES: dict[str, Callable] = {
    "l": list,
    "t": tuple,
    "size": Size,
    "set": set,
    "frozenset": frozenset,
}
_ATOMS: dict[str, Callable] = {
    "f": float,
    "dtype": dtypes.from_name,
    "device": device,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda parts: complex(float(parts[0]), float(parts[1])),
    "number": _number,
}
