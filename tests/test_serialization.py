"""Saving and loading: round trips, shared memory, atomic writes, damaged and hostile files."""

from __future__ import annotations

import bz2
import concurrent.futures
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import minigrad as mg
from minigrad import serialization


def through(obj: Any, **options: Any) -> Any:
    stream = io.BytesIO()
    mg.save(obj, stream)
    stream.seek(0)
    return mg.load(stream, **options)


DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64",
          "float16", "bfloat16", "float32", "float64")  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4), (0, 5)])
def test_tensors_of_every_dtype(dtype: str, shape: tuple) -> None:
    t = mg.full(shape, 1, dtype=getattr(mg, dtype))
    back = through(t)
    assert type(back) is mg.Tensor
    assert back.dtype is t.dtype
    assert back.shape == t.shape
    assert back.numpy().tobytes() == t.numpy().tobytes()


def test_nests() -> None:
    obj = {
        "a": [1, 2.5, None, True, "text", -(2**70)],
        1: (float("inf"), float("-inf"), 1e-320),
        ("k", 2): OrderedDict(b=1, a=2),
        None: {True: b"bytes", 2.5: bytearray(b"x")},
        "set": {1, 2},
        "misc": [mg.float16, mg.Size((2, 3)), mg.device("cpu"), slice(1, None, 2), 1 + 2j],
        "empty": [[], (), {}, ""],
    }
    back = through(obj)
    assert back == obj
    assert type(back[("k", 2)]) is OrderedDict
    assert list(back[("k", 2)]) == ["b", "a"]
    assert type(back["misc"][1]) is mg.Size
    assert np.isnan(through(float("nan")))


def test_numpy_values() -> None:
    half = ml_dtypes.bfloat16(1.5)
    back = through([np.float32(2.5), np.int8(-3), np.bool_(True), half, np.arange(6)[::-2]])
    assert [type(v) for v in back[:4]] == [np.float32, np.int8, np.bool_, ml_dtypes.bfloat16]
    assert back[:4] == [np.float32(2.5), np.int8(-3), np.bool_(True), half]
    np.testing.assert_array_equal(back[4], [5, 3, 1])


def test_strides_are_kept_and_memory_shared() -> None:
    base = mg.from_numpy(np.arange(24.0).reshape(4, 6))
    array = base.numpy()
    views = {
        "t": mg.from_numpy(array.T),
        "row": mg.from_numpy(array[2]),
        "base": base,
        "same": base,
        "other": mg.zeros(3),
    }
    back = through(views)
    assert back["base"] is back["same"]
    assert back["t"].numpy().strides == array.T.strides
    back["base"].numpy()[2, 0] = -1
    assert back["t"].numpy()[0, 2] == -1
    assert back["row"].numpy()[0] == -1
    assert not np.shares_memory(back["other"].numpy(), back["base"].numpy())


def test_a_small_view_does_not_drag_its_whole_memory_along() -> None:
    stream = io.BytesIO()
    mg.save(mg.from_numpy(np.zeros(1_000_000)[10:20]), stream)
    assert len(stream.getvalue()) < 2000


def test_requires_grad() -> None:
    leaf = mg.ones(2, requires_grad=True)
    back = through([leaf, leaf * 2, mg.ones(1)])
    assert [t.requires_grad for t in back] == [True, True, False]
    assert all(t.is_leaf for t in back)


def test_data_is_aligned() -> None:
    stream = io.BytesIO()
    mg.save([mg.ones(3), mg.ones(5)], stream)
    data = stream.getvalue()
    for info in zipfile.ZipFile(stream).infolist():
        name, extra = struct.unpack("<HH", data[info.header_offset + 26 : info.header_offset + 30])
        assert (info.header_offset + 30 + name + extra) % 64 == 0


def test_paths_options_and_mmap(tmp_path: Path) -> None:
    path = tmp_path / "model.mg"
    mg.save({"w": mg.ones(1000)}, path)
    for options in ({}, {"map_location": "cpu"}, {"weights_only": True}, {"mmap": True},
                    {"map_location": {"cuda:0": "cpu"}}):  # fmt: skip
        back = mg.load(path, **options)["w"]
        np.testing.assert_array_equal(back.numpy(), np.ones(1000))
        back.numpy()[0] = 5  # private
    assert mg.load(str(path))["w"].numpy()[0] == 1
    with pytest.raises(RuntimeError, match="cuda"):
        mg.load(path, map_location="cuda")
    with pytest.raises(ValueError, match="mmap"):
        mg.load(io.BytesIO(path.read_bytes()), mmap=True)
    with pytest.raises(FileNotFoundError):
        mg.load(tmp_path / "absent")
    with pytest.raises(RuntimeError, match="Parent directory"):
        mg.save(1, tmp_path / "absent" / "file")


def test_a_failing_write_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "model.mg"
    mg.save("old", path)
    with pytest.raises(TypeError, match=r"the object\['x'\]\[1\] is a builtins.object"):
        mg.save({"x": [1, object()]}, path)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        mg.save("new", path)
    assert mg.load(path) == "old"
    assert os.listdir(tmp_path) == ["model.mg"]


def test_permissions_are_those_of_a_normal_file(tmp_path: Path) -> None:
    path = tmp_path / "model.mg"
    mg.save(1, path)
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o640)
    mg.save(2, path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_and_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "step-1.mg", tmp_path / "latest.mg"
    mg.save(1, target)
    link.symlink_to(target.name)
    mg.save(2, link)
    assert link.is_symlink() and mg.load(target) == 2


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        got = pool.submit(pipe.read_bytes)
        mg.save({"x": mg.arange(3.0)}, pipe)
        data = got.result()
    assert pipe.is_fifo()
    assert mg.load(io.BytesIO(data))["x"].tolist() == [0, 1, 2]
    with pytest.raises(IsADirectoryError):
        mg.save(1, tmp_path)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_protected_file_is_not_replaced(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "model.mg"
    mg.save("old", path)
    monkeypatch.setattr(os, "access", lambda *_: False)  # the superuser may write everything
    with pytest.raises(PermissionError):
        mg.save("new", path)
    assert mg.load(path) == "old"


@pytest.mark.parametrize("file", [0, b"name", None, ["name"]])
def test_what_is_no_path(file: Any) -> None:
    for call in (lambda: mg.save(1, file), lambda: mg.load(file)):
        with pytest.raises(AttributeError, match="needed: a path"):
            call()


@pytest.mark.parametrize("format", ["mg", "pt"])
@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_compressed_streams(module: Any, format: str, tmp_path: Path) -> None:
    tensors = {"a": mg.arange(5.0), "b": mg.ones(3000)}
    with module.open(tmp_path / "file", "wb") as stream:
        mg.save(tensors, stream, format=format)
    with module.open(tmp_path / "file", "rb") as stream:
        back = mg.load(stream)
    assert all(mg.equal(back[name], t) for name, t in tensors.items())


def test_cycles_and_depth_are_refused() -> None:
    loop: list = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        through(loop)
    deep: list = []
    for _ in range(1000):
        deep = [deep]
    with pytest.raises(ValueError, match="deeper"):
        through(deep)


def sample() -> bytes:
    stream = io.BytesIO()
    mg.save({"w": mg.arange(20.0), "b": [1, "x", mg.ones(2, 3)]}, stream)
    return stream.getvalue()


def test_truncated_files() -> None:
    data = sample()
    for n in range(0, len(data), 7):
        with pytest.raises(RuntimeError, match="damaged"):
            mg.load(io.BytesIO(data[:n]))


def test_flipped_bytes_never_crash() -> None:
    data = sample()
    for i in range(len(data)):
        for flip in (0xFF, 0x01):
            broken = bytearray(data)
            broken[i] ^= flip
            try:
                back = mg.load(io.BytesIO(bytes(broken)))
            except RuntimeError:
                continue
            # Only what no checksum covers (dates, attributes, padding) may go unnoticed.
            np.testing.assert_array_equal(back["w"].numpy(), np.arange(20.0, dtype=np.float32))


def test_a_changed_array_fails_its_checksum() -> None:
    data = bytearray(sample())
    at = bytes(data).index(np.float32(13).tobytes())
    data[at] ^= 1
    with pytest.raises(RuntimeError, match="damaged.*CRC"):
        mg.load(io.BytesIO(bytes(data)))


class _Bomb:
    def __reduce__(self) -> tuple:
        return (os.system, ("touch /tmp/minigrad-was-here",))


def test_pickles_are_refused() -> None:
    for protocol in (2, 5):
        with pytest.raises(RuntimeError, match="pickle"):
            mg.load(io.BytesIO(pickle.dumps(_Bomb(), protocol)))
    with pytest.raises(RuntimeError):
        mg.load(io.BytesIO(pickle.dumps(_Bomb(), 0)))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as z:
        z.writestr("archive/data.pkl", pickle.dumps(_Bomb()))
    stream.seek(0)
    with pytest.raises(RuntimeError, match=r"it names (posix|nt)\.system"):
        mg.load(stream)
    assert not os.path.exists("/tmp/minigrad-was-here")


def forged(compression: int = zipfile.ZIP_STORED, data: bytes = b"\0" * 16, **changes: Any) -> Any:
    record = {"dtype": "float32", "shape": [2], "stride": [1], "storage": 0, "offset": 0,
              "requires_grad": False, "class": "Tensor"} | changes.pop("record", {})  # fmt: skip
    tree = {"format": "minigrad", "version": 1, "storages": [len(data)], "tensors": [record],
            "root": {"T": 0}} | changes  # fmt: skip
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as z:
        z.writestr("minigrad.json", json.dumps(tree))
        z.writestr("data/0", data)
    stream.seek(0)
    return stream


def test_the_forger_works() -> None:
    assert mg.load(forged()).numpy().tolist() == [0, 0]


@pytest.mark.parametrize(
    "changes",
    [
        {"record": {"shape": [5]}},
        {"record": {"shape": [2**62]}},
        {"record": {"shape": [2**62], "stride": [0]}},
        {"record": {"shape": [2**40, 2**40], "stride": [0, 0]}},
        {"record": {"offset": 12}},
        {"record": {"offset": -4}},
        {"record": {"stride": [-1]}},
        {"record": {"stride": [2**40]}},
        {"record": {"stride": [1, 1]}},
        {"record": {"shape": [2.0]}},
        {"record": {"shape": "ab"}},
        {"record": {"shape": [True]}},
        {"record": {"dtype": "object"}},
        {"record": {"dtype": ["float32"]}},
        {"record": {"storage": 1}},
        {"record": {"storage": -1}},
        {"record": {"class": "os.system"}},
        {"record": {"class": ["x"]}},
        {"record": {"requires_grad": True, "dtype": "int32"}},
        {"root": {"T": 1}},
        {"root": {"T": -1}},
        {"root": {"T": "0"}},
        {"root": {"evil": 1}},
        {"root": {"d": [[{"l": []}, 1]]}},
        {"root": {"d": 5}},
        {"root": {"l": 1, "t": 2}},
        {"root": [1]},
        {"root": {"number": ["float32", "00"]}},
        {"root": {"device": "cuda:99:x"}},
        {"version": 2},
        {"format": "other"},
        {"storages": [2**60]},
        {"storages": [16, 16]},
        {"storages": 5},
        {"tensors": None},
        {"compression": zipfile.ZIP_DEFLATED},
        {"compression": zipfile.ZIP_DEFLATED, "data": b"\0" * 10_000_000},
    ],
)
def test_hostile_files(changes: dict) -> None:
    with pytest.raises(RuntimeError, match="load: the stream"):
        mg.load(forged(**changes))


def test_deep_json_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as z:
        z.writestr("minigrad.json", '{"format":"minigrad","version":1,"storages":[],"tensors":[],'
                   '"root":' + '{"l":[' * 100_000 + "]}" * 100_000 + "}")  # fmt: skip
    with pytest.raises(RuntimeError):
        mg.load(stream)


def test_names_that_leave_the_folder_are_never_written(tmp_path: Path) -> None:
    stream = forged()
    with zipfile.ZipFile(stream, "a") as z:
        z.writestr("../../escaped", b"x")
    stream.seek(0)
    mg.load(stream)
    assert not (tmp_path.parent.parent / "escaped").exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("hello")
    with pytest.raises(RuntimeError, match="text.*damaged or no file"):
        mg.load(path)
    with pytest.raises(RuntimeError):
        mg.load(io.BytesIO(b""))


def test_safetensors(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "x.safetensors"
    tensors = {"a": mg.arange(6.0), "b": mg.ones(2, 2, dtype=mg.bfloat16)}
    serialization.save_safetensors(tensors, path)
    back = serialization.load_safetensors(path)
    assert back.keys() == tensors.keys()
    for name, t in tensors.items():
        assert back[name].dtype is t.dtype
        assert back[name].numpy().tobytes() == t.numpy().tobytes()
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(RuntimeError):
        serialization.load_safetensors(path)
    with pytest.raises(RuntimeError, match="save_safetensors: .*absent"):
        serialization.save_safetensors(tensors, tmp_path / "absent" / "file")
    with pytest.raises(TypeError, match="needed: a dictionary"):
        serialization.save_safetensors(mg.ones(2), path)


def test_safetensors_names_its_extra(monkeypatch: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"minigrad\[safetensors\]"):
        serialization.save_safetensors({}, "x")
