"""What the tests of PyTorch's files share: files of either library, and forged ones."""

from __future__ import annotations

import io
import zipfile
from collections import OrderedDict
from typing import Any

import pytest

import minigrad as mg

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64",
          "float16", "bfloat16", "float32", "float64")  # fmt: skip


def theirs(obj: Any, **options: Any) -> io.BytesIO:
    """A file of torch.save."""
    stream = io.BytesIO()
    torch.save(obj, stream, **options)
    stream.seek(0)
    return stream


def ours(obj: Any, **options: Any) -> io.BytesIO:
    """A file of PyTorch's format, written here."""
    stream = io.BytesIO()
    mg.save(obj, stream, format="pt", **options)
    stream.seek(0)
    return stream


def same(a: Any, b: Any) -> None:
    """That nests of minigrad's and PyTorch's tensors hold equal values of the same kinds."""
    if isinstance(a, mg.Tensor):
        assert str(a.dtype).rpartition(".")[2] == str(b.dtype).rpartition(".")[2]
        assert tuple(a.shape) == tuple(b.shape) and a.stride() == b.stride()
        assert a.requires_grad == b.requires_grad
        assert type(a).__name__ == type(b).__name__
        assert a.detach().double().tolist() == b.detach().double().tolist()
    elif isinstance(a, dict):
        assert list(a) == list(b) and type(a).__name__ == type(b).__name__
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b) and type(a).__name__ == type(b).__name__
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert str(a) == str(b) or a == b


def sample(lib: Any) -> dict:
    """A nest of all that checkpoints hold, of minigrad's tensors or of PyTorch's."""
    base = lib.arange(12.0).reshape(3, 4)
    parameter = lib.nn.Parameter(lib.ones(2))
    return {
        "dtypes": [lib.ones(2, 3).to(getattr(lib, name)) for name in DTYPES],
        "views": (base, base.t(), base[1:, ::2], base[0, 0], base.expand(2, 3, 4)),
        "empty": [lib.zeros(0), lib.zeros(2, 0, 3), lib.tensor(5)],
        "parameter": parameter,
        "again": parameter,
        "grad": lib.ones(2, requires_grad=True),
        "size": base.shape,
        "dtype": [lib.float32, lib.bool, lib.bfloat16],
        "device": [lib.device("cpu"), lib.device("cuda", 1)],
        "plain": [None, True, False, 1, -1, 70000, 2**40, -(10**30), 1.5, float("inf"), "ü", ""],
        "nest": {"a": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], 1: {}, ("k", 2): []},
        "ordered": OrderedDict(b=1, a=2),
        "set": {3},
        "complex": 1 + 2j,
        "layout": lib.strided,
    }


def forged(pickled: bytes, **members: bytes) -> io.BytesIO:
    """An archive as PyTorch's, around any pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as z:
        z.writestr("archive/data.pkl", pickled)
        for name, data in ({"0": b"\0" * 16} | members).items():
            z.writestr(f"archive/data/{name}", data)
        z.writestr("archive/version", "3\n")
    stream.seek(0)
    return stream
