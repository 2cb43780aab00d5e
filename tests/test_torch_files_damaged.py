"""PyTorch's files, hostile or damaged: nothing is called, and what is wrong is an error."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import subprocess
import zipfile
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from torch_files import forged, needs_torch, ours, sample, theirs, torch

import minigrad as mg


class Unknown:
    """A class that a file names, which the program has not allowed."""


class _Calls:
    def __init__(self, function: Any, *args: Any):
        self.parts = function, args

    def __reduce__(self) -> tuple:
        return self.parts


HOSTILE = {
    "system": _Calls(os.system, "touch /tmp/minigrad-was-here"),
    "eval": _Calls(eval, "open('/tmp/minigrad-was-here', 'w')"),
    "import": _Calls(__import__, "antigravity"),
    "getattr": _Calls(getattr, "x", "upper"),
    "popen": _Calls(subprocess.Popen, ["touch", "/tmp/minigrad-was-here"]),
    "many bytes": _Calls(bytes, 1 << 50),
    "many bytes, changeable": _Calls(bytearray, 1 << 50),
    "dtype": _Calls(np.dtype, "(1000000000,1000000000)f8"),
    "object dtype": _Calls(np.dtype, "O"),
    "minigrad": _Calls(mg.load, "/etc/passwd"),
    "factory": _Calls(defaultdict, eval),
    "class": _Calls(Unknown),
    "module": _Calls(mg.nn.Linear, 1 << 40, 1 << 40),
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_call_nothing(name: str, weights_only: bool, protocol: int) -> None:
    data = pickle.dumps(HOSTILE[name], protocol)
    with pytest.raises(RuntimeError):
        mg.load(forged(data), weights_only=weights_only)
    with pytest.raises(RuntimeError):
        mg.load(io.BytesIO(data), weights_only=weights_only)
    assert not os.path.exists("/tmp/minigrad-was-here")


def tensor(storage: bytes, rest: bytes) -> bytes:
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
        + storage
        + b"tQ"
        + rest
        + b"\x89ccollections\nOrderedDict\n)RtR."
    )


GOOD = b"X\x01\0\0\0\x30X\x03\0\0\0cpuK\x04"


@pytest.mark.parametrize(
    "data",
    [
        tensor(GOOD, b"K\x01K\x04\x85K\x01\x85"),  # beyond the end
        tensor(GOOD, b"K\x00K\x04\x85K\x02\x85"),
        tensor(GOOD, b"J\xff\xff\xff\xffK\x04\x85K\x01\x85"),  # before the beginning
        tensor(GOOD, b"K\x00K\x04\x85J\xff\xff\xff\xff\x85"),
        tensor(GOOD, b"K\x00J\xff\xff\xff\xff\x85K\x01\x85"),
        tensor(GOOD, b"K\x00K\x04\x85)"),  # as many strides as dimensions
        tensor(GOOD, b"K\x00K\x04K\x01\x85"),
        tensor(GOOD, b"K\x00(" + b"\x8a\x08" + b"\xff" * 7 + b"\x7f" + b"t(K\x00t"),
        tensor(GOOD[:-1] + b"\x05", b"K\x00K\x05\x85K\x01\x85"),  # a storage of 5
        tensor(b"X\x01\0\0\0\x39" + GOOD[6:], b"K\x00K\x04\x85K\x01\x85"),  # no such storage
        tensor(b"X\x06\0\0\x00../../" + GOOD[6:], b"K\x00K\x04\x85K\x01\x85"),
        tensor(b"K\x00" + GOOD[6:], b"K\x00K\x04\x85K\x01\x85"),
        b"\x80\x02h\x00.",  # an empty memo
        b"\x80\x02.",
        b"\x80\x02(.",
        b"\x80\x02t.",
        b"\x80\x02K\x01K\x02s.",
        b"\x80\x02]K\x01K\x02s.",
        b"\x80\x02}]K\x01s.",  # a list as key
        b"\x80\x02K\x01)R.",
        b"\x80\x02K\x01}b.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.",
        b"\x80\x02ctorch\nSize\n}X\x05\0\0\0countK\x01sb.",
        b"\x80\x02P1\n.",  # a persistent id in text
        b"\x80\x02\x82\x01.",  # the registry of extensions
        b"\x80\x02X\xff\xff\xff\x7fa.",
        b"\x80\x05\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.",
        b"",
    ],
)
def test_impossible_pickles(data: bytes) -> None:
    with pytest.raises(RuntimeError):
        mg.load(forged(data))


def test_a_key_that_would_take_ages_to_hash() -> None:
    data = b"\x80\x02}K\x01" + b"\x86".join([b"2"] * 60) + b"\x86K\x01s."
    with pytest.raises(RuntimeError, match="too long"):
        mg.load(forged(data))


def test_a_state_cannot_hide_methods() -> None:
    data = b"\x80\x02ccollections\nOrderedDict\n)R}X\x05\0\0\0itemsK\x01sb."
    assert list(mg.load(forged(data)).items()) == []


def test_damaged_files_are_errors_and_never_crash() -> None:
    data = ours({"w": mg.arange(10.0), "n": [1, "text", (2, 3)], "p": mg.nn.Parameter(mg.ones(3))})
    whole = data.getvalue()
    random = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(whole)
        for at in random.integers(0, len(whole), random.integers(1, 4)):
            broken[at] = random.integers(0, 256)
        with contextlib.suppress(RuntimeError):
            mg.load(io.BytesIO(bytes(broken)))
    for end in range(0, len(whole) - 1, 97):
        with pytest.raises(RuntimeError):
            mg.load(io.BytesIO(whole[:end]))


@needs_torch
def test_damaged_pickles_and_old_files() -> None:
    pickled = zipfile.ZipFile(ours(sample(mg))).read("archive/data.pkl")
    old = theirs(sample(torch), _use_new_zipfile_serialization=False).getvalue()
    random = np.random.default_rng(1)
    for source, wrapped in ((pickled, forged), (old, io.BytesIO)):
        for _ in range(300):
            broken = bytearray(source)
            for at in random.integers(0, len(source), random.integers(1, 4)):
                broken[at] = random.integers(0, 256)
            with contextlib.suppress(RuntimeError):
                mg.load(wrapped(bytes(broken)))
        for end in range(0, len(source) - 1, 53):
            with pytest.raises(RuntimeError):
                mg.load(wrapped(source[:end]))
