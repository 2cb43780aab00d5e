"""Data sets in encrypted files, of which single samples are read without reading the rest."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd.variable import Variable
from ..creation import from_numpy
from ..utils.data import Dataset
from .chunks import DecryptionError
from .keys import Key
from .streams import Chunks, Writer

_MAGIC = b"mgrows1\n"
_KINDS = {bool: "bool", int: "int", float: "float"}
# Types whose code in NumPy ("<V2") does not say what they are.
_SMALL = ("bfloat16", "float8_e4m3fn", "float8_e5m2")
_STORED = {"bool": "|u1", "int": "<i8", "float": "<f8"}


def _code(dtype: np.dtype) -> str:
    return dtype.name if dtype.name in _SMALL else dtype.str


def _arrays(sample: Any) -> tuple[list[np.ndarray], list[str]]:
    """The fields of a sample as arrays, and what they were."""
    fields = sample if isinstance(sample, (tuple, list)) else [sample]
    arrays, kinds = [], []
    for field in fields:
        kind = _KINDS.get(type(field))
        if isinstance(field, Variable):
            kind, field = "tensor", field.detach().numpy()
        elif isinstance(field, (np.ndarray, np.generic)):
            kind, field = "array", np.asarray(field)
        elif kind is None:
            raise TypeError(
                f"save_dataset: a sample holds a {type(field).__name__}; needed: tensors, arrays "
                "and numbers"
            )
        else:
            field = np.array(field, _STORED[kind])
        if field.dtype.kind not in "biufc" and field.dtype.name not in _SMALL:
            raise TypeError(f"save_dataset: a sample holds {field.dtype} values; needed: numbers")
        arrays.append(field.astype(field.dtype.newbyteorder("<"), copy=False))
        kinds.append(kind)
    return arrays, kinds


def save_dataset(dataset: Any, path: Any, key: Key, *, chunk_size: int = 1 << 16) -> None:
    """Writes all samples of a dataset (with a length) to an encrypted file, one after the other.

    A sample is a tensor, an array or a number, or a tuple of these; all samples must have the
    shapes and dtypes of the first (ValueError). Small chunks make single samples cheap to read.
    """
    count = len(dataset)
    columns: list[dict] = []
    with Writer(path, key, chunk_size) as stream:
        for i in range(count):
            sample = dataset[i]
            arrays, kinds = _arrays(sample)
            found = [
                {"dtype": _code(a.dtype), "shape": list(a.shape), "kind": k}
                for a, k in zip(arrays, kinds)
            ]
            if i == 0:
                columns = found
                single = not isinstance(sample, (tuple, list))
                about = {"count": count, "columns": columns, "single": single}
                text = json.dumps(about).encode()
                stream.write(_MAGIC + struct.pack("<I", len(text)) + text)
            elif found != columns:
                raise ValueError(
                    f"save_dataset: sample {i} is {found}; needed: {columns}, as sample 0"
                )
            stream.write(b"".join(a.tobytes() for a in arrays))
        if count == 0:
            text = json.dumps({"count": 0, "columns": [], "single": False}).encode()
            stream.write(_MAGIC + struct.pack("<I", len(text)) + text)


class EncryptedDataset(Dataset):
    """The samples that `save_dataset` wrote, decrypted when they are asked for.

    A `DataLoader` shuffles them and reads them in workers as any dataset. `cached` chunks stay
    decrypted in memory. Samples are as they were: tensors, arrays, numbers, or tuples of them.
    """

    def __init__(self, path: Any, key: Key, *, cached: int = 64):
        self._chunks = Chunks(path, key, cached)
        start = len(_MAGIC) + 4
        head = self._chunks.read(0, start)
        if head[: len(_MAGIC)] != _MAGIC:
            raise DecryptionError(f"{path} holds no dataset of save_dataset")
        length = struct.unpack("<I", head[len(_MAGIC) :])[0]
        about = json.loads(self._chunks.read(start, start + length))
        self._single: bool = about["single"]
        self._count: int = about["count"]
        self._columns = [
            (np.dtype(c["dtype"]), tuple(c["shape"]), c["kind"]) for c in about["columns"]
        ]
        self._row = sum(d.itemsize * int(np.prod(shape)) for d, shape, _ in self._columns)
        self._start = start + length
        if self._start + self._count * self._row != self._chunks.size:
            raise DecryptionError(f"{path}: its size is not that of {self._count} samples")

    def __len__(self) -> int:
        return self._count

    def _sample(self, data: bytes) -> Any:
        fields: list[Any] = []
        at = 0
        for dtype, shape, kind in self._columns:
            n = int(np.prod(shape))
            array = np.frombuffer(data, dtype, n, at).reshape(shape)
            at += n * dtype.itemsize
            if kind in _STORED:
                fields.append({"bool": bool, "int": int, "float": float}[kind](array[()]))
            else:
                own = array.astype(dtype.newbyteorder("="))  # bytes cannot be written to
                fields.append(from_numpy(own) if kind == "tensor" else own)
        return fields[0] if self._single else tuple(fields)

    def __getitem__(self, index: Any) -> Any:
        i = int(index)
        if not -self._count <= i < self._count:
            raise IndexError(f"sample {i} of {self._count}")
        start = self._start + (i % self._count) * self._row
        return self._sample(self._chunks.read(start, start + self._row))

    def __getitems__(self, indices: Sequence[int]) -> list:
        return [self[i] for i in indices]
