"""Reading files of torch.save, ZIP archives and older ones, without running their pickles."""

from __future__ import annotations

import struct
import sys
import zipfile
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import numpy as np

from ..attributes import Storage
from ..backend import device
from .pickles import Machine, Names
from .places import NOT_THERE, target_of
from .values import Memory, StorageKind, TorchNames

_OLD_MAGIC = 0x1950A86A20F9469CFC6C
_OLD_PROTOCOL = 1001


class NotHere(RuntimeError):
    """A storage was on a device that is not here."""


# read(member) gives the bytes of a storage as an array of uint8.
Bytes = Callable[[Any], np.ndarray]


def pickle_of(members: dict[str, zipfile.ZipInfo]) -> str | None:
    """The folder (with its slash) of an archive that torch.save wrote; None for other archives.

    UnpicklingError for one of TorchScript.
    """
    for name in members:
        if name != "data.pkl" and not name.endswith("/data.pkl"):
            continue
        folder = name[: -len("data.pkl")]
        if any(other.startswith(f"{folder}code/") for other in members):
            raise UnpicklingError(
                "it is a TorchScript archive, which holds a program; needed: the state dict, "
                "saved with torch.save"
            )
        return folder
    return None


def read_archive(
    archive: zipfile.ZipFile,
    members: dict[str, zipfile.ZipInfo],
    read: Bytes,
    map_location: Any,
    code: bool,
) -> Any:
    """The value in an archive of torch.save. UnpicklingError for what is not allowed."""
    folder = pickle_of(members)
    assert folder is not None
    order = "little"
    if f"{folder}byteorder" in members:
        order = archive.read(f"{folder}byteorder").decode()
    known: dict[str, Memory] = {}

    def storage(key: Any) -> Any:
        kind, number, location, count = _storage_id(key, 5)
        memory = known.get(number)
        if memory is None:
            info = members.get(f"{folder}data/{number}")
            if info is None:
                raise UnpicklingError(f"storage {number!r} is not in the file")
            if count * kind.dtype.itemsize > info.file_size:
                raise UnpicklingError(f"storage {number!r} is shorter than announced")
            raw = _native(read(info), kind, order)
            memory = known[number] = placed(Memory(raw, kind), location, map_location)
        return memory.counted_in(kind)

    machine = Machine(archive.read(f"{folder}data.pkl"), TorchNames(storage, code))
    return finished(machine.run())


def read_old(stream: Any, map_location: Any, code: bool) -> Any:
    """The value in a file that torch.save wrote before PyTorch 1.6 (no ZIP archive)."""
    data = stream.read()
    at = 0
    head = []
    for _ in range(3):
        machine = Machine(data, Names(), at)
        head.append(machine.run())
        at = machine.at
        if len(head) == 1 and head[0] != _OLD_MAGIC:
            raise UnpicklingError(
                "this is a pickle, but none of torch.save; a pickle can run any code when it is "
                "read; needed: a file of minigrad.save or torch.save"
            )
    if head[1] != _OLD_PROTOCOL or not isinstance(head[2], dict):
        raise UnpicklingError(f"its format has version {head[1]!r}; needed: {_OLD_PROTOCOL}")
    known: dict[str, Memory] = {}
    counts: dict[str, int] = {}
    total = 0

    def storage(key: Any) -> Any:
        nonlocal total
        kind, number, location, count = _storage_id(key, 6)
        memory = known.get(number)
        if memory is None:
            size = count * kind.dtype.itemsize
            total += size
            if total > len(data):
                raise UnpicklingError(f"storage {number!r} is longer than the file")
            raw = np.zeros(size, np.uint8)
            memory = known[number] = placed(Memory(raw, kind), location, map_location)
            counts[number] = count
        view = key[5] if len(key) > 5 else None
        if view is None:
            return memory
        _, first, length = view
        item = kind.dtype.itemsize
        if any(n.__class__ is not int or n < 0 for n in (first, length)):
            raise UnpicklingError("a storage's part is impossible")
        return Memory(memory.raw[first * item : (first + length) * item], kind)

    machine = Machine(data, TorchNames(storage, code), at)
    value = machine.run()
    keys = Machine(data, Names(), machine.at)
    order = "little" if head[2].get("little_endian", True) else "big"
    _fill(data, keys.run(), keys.at, known, counts, order)
    return finished(value)


def _fill(
    data: bytes, keys: Any, at: int, known: dict[str, Memory], counts: dict[str, int], order: str
) -> None:
    if not isinstance(keys, list) or set(keys) != set(known):
        raise UnpicklingError("the storages are not those that were announced")
    for number in keys:
        memory = known[number]
        if at + 8 > len(data):
            raise EOFError("the file ends early")
        (count,) = struct.unpack_from("<q" if order == "little" else ">q", data, at)
        at += 8
        size = counts[number] * memory.kind.dtype.itemsize
        if count != counts[number] or at + size > len(data):
            raise UnpicklingError(f"storage {number!r} is not as long as announced")
        raw = np.frombuffer(data, np.uint8, size, at)
        memory.raw[:] = _native(raw, memory.kind, order)
        at += size


def _storage_id(key: Any, most: int) -> tuple[StorageKind, str, str, int]:
    if not isinstance(key, tuple) or not 5 <= len(key) <= most or key[0] != "storage":
        raise UnpicklingError("a persistent id is no storage")
    _, kind, number, location, count = key[:5]
    if (
        not isinstance(kind, StorageKind)
        or not isinstance(number, str)
        or not isinstance(location, str)
        or count.__class__ is not int
        or not 0 <= count < 1 << 60
    ):
        raise UnpicklingError("a storage has an impossible description")
    return kind, number, location, count


def _native(raw: np.ndarray, kind: StorageKind, order: str) -> np.ndarray:
    item = kind.dtype.itemsize // (1 + kind.dtype.is_complex)  # parts are swapped each
    if order not in ("little", "big"):
        raise UnpicklingError(f"byte order {order!r} is not known")
    if order == sys.byteorder or item == 1:
        return raw
    return raw[: raw.size // item * item].reshape(-1, item)[:, ::-1].copy().ravel()


def placed(memory: Memory, location: str, map_location: Any) -> Memory:
    """The storage with the device that it is to lie on: where it did, or as `map_location` says.

    NotHere, a RuntimeError as from PyTorch without CUDA, for a device that is not here.
    """
    if callable(map_location):
        result = map_location(Storage(memory.raw), location)
        if isinstance(result, Storage):
            return Memory(result._array.reshape(-1).view(np.uint8), memory.kind)
        if result is None:
            map_location = None
        elif not isinstance(result, (str, device)):
            return memory
        else:
            map_location = result
    memory.place = target_of(location, map_location)
    if memory.place is None:
        raise NotHere(NOT_THERE.format(location.split(":")[0].upper()))
    return memory


def finished(value: Any) -> Any:
    """A storage that was saved by itself becomes one that programs can hold."""
    return Storage(value.raw) if isinstance(value, Memory) else value
