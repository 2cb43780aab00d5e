"""PyTorch's files: read without running their pickles, and written so that PyTorch reads them."""

from __future__ import annotations

import argparse
import io
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch_files import forged, needs_torch, ours, same, sample, theirs, torch

import minigrad as mg
from minigrad import serialization


@needs_torch
def test_what_pytorch_wrote() -> None:
    same(mg.load(theirs(sample(torch))), sample(torch))


@needs_torch
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_pytorch_wrote_with_other_protocols(protocol: int) -> None:
    same(mg.load(theirs(sample(torch), pickle_protocol=protocol)), sample(torch))
    extra = {"bytes": [b"", b"ab", bytearray(b"cd")], "frozen": frozenset({1, (2, 3)})}
    assert mg.load(theirs(extra, pickle_protocol=protocol)) == extra


@needs_torch
def test_what_old_pytorch_wrote() -> None:
    stream = theirs(sample(torch), _use_new_zipfile_serialization=False)
    back = mg.load(stream)
    same(back, sample(torch))
    assert back["views"][0].data_ptr() == back["views"][1].data_ptr()


@needs_torch
def test_pytorch_reads_what_minigrad_wrote() -> None:
    same(sample(mg), torch.load(ours(sample(mg)), weights_only=True))


def test_what_minigrad_wrote() -> None:
    same(mg.load(ours(sample(mg))), sample(mg))


def test_views_share_memory_again_and_parameters_stay_one() -> None:
    back = mg.load(ours(sample(mg)))
    base, transposed, part, first, wide = back["views"]
    base[1, 2] = 100
    assert transposed[2, 1] == 100 and part[0, 1] == 100 and wide[1, 1, 2] == 100
    base[0, 0] = 7
    assert first == 7 and back["parameter"] is back["again"]


def models(lib: Any) -> tuple:
    nn = lib.nn
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    optimizer = lib.optim.Adam(model.parameters(), lr=0.01)
    loss = model(lib.ones(2, 1, 4, 4)).square().sum()
    loss.backward()
    optimizer.step()
    return model, optimizer


def checkpoint(model: Any, optimizer: Any) -> dict:
    return {
        "epoch": 3,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "losses": [1.0, 0.5],
    }


@needs_torch
@pytest.mark.parametrize("ending", ["pt", "pth"])
def test_checkpoints_go_both_ways(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"model.{ending}"
    their_model, their_optimizer = models(torch)
    torch.save(checkpoint(their_model, their_optimizer), path)
    model, optimizer = models(mg)
    back = mg.load(path)
    model.load_state_dict(back["model"])
    optimizer.load_state_dict(back["optimizer"])
    assert back["model"]._metadata == their_model.state_dict()._metadata
    same(model.state_dict(), their_model.state_dict())
    mg.save(checkpoint(model, optimizer), path)
    again = torch.load(path, weights_only=True)
    their_model.load_state_dict(again["model"])
    their_optimizer.load_state_dict(again["optimizer"])
    same(checkpoint(model, optimizer), again)
    assert again["model"]._metadata == model.state_dict()._metadata


def test_the_name_chooses_the_format(tmp_path: Path) -> None:
    for name, inside in (("a.pt", "data.pkl"), ("a.pth", "data.pkl"), ("a.mg", "minigrad.json")):
        mg.save({"w": mg.ones(2)}, tmp_path / name)
        names = zipfile.ZipFile(tmp_path / name).namelist()
        assert any(n.endswith(inside) for n in names)
        assert mg.load(tmp_path / name)["w"].tolist() == [1, 1]
        assert mg.load(tmp_path / name, mmap=True)["w"].tolist() == [1, 1]
    mg.save([], tmp_path / "a.bin")
    assert "minigrad.json" in zipfile.ZipFile(tmp_path / "a.bin").namelist()
    with pytest.raises(ValueError, match="format"):
        mg.save([], tmp_path / "a", format="zip")


@needs_torch
def test_mapping_the_files_pages(tmp_path: Path) -> None:
    torch.save({"w": torch.arange(1000.0)}, tmp_path / "w.pt")
    w = mg.load(tmp_path / "w.pt", mmap=True)["w"]
    w[0] = 5.0  # stays private
    assert w[999] == 999 and mg.load(tmp_path / "w.pt")["w"][0] == 0
    mg.save({"w": w}, tmp_path / "v.pt")
    assert torch.load(tmp_path / "v.pt", mmap=True)["w"].tolist() == w.tolist()


@needs_torch
def test_numpy_values() -> None:
    values = [np.float64(2.5), np.int32(-3), np.bool_(True), np.arange(6.0).reshape(2, 3)]
    values += [np.asfortranarray(np.arange(4).reshape(2, 2)), np.array([1], ">i4")]
    for back in (mg.load(theirs(values)), mg.load(ours(values))):
        for a, b in zip(back, values, strict=True):
            assert type(a) is type(b)
            np.testing.assert_array_equal(a, b)


@needs_torch
def test_buffers_and_attributes_of_tensors() -> None:
    p = torch.nn.Parameter(torch.ones(2))
    p.note = [1, 2]
    back = mg.load(theirs({"p": p, "b": torch.nn.Buffer(torch.zeros(1))}))
    assert back["p"].note == [1, 2] and isinstance(back["p"], mg.nn.Parameter)
    assert isinstance(back["b"], mg.nn.Buffer)
    q = mg.nn.Parameter(mg.ones(2))
    q.note = {"a": 1}
    again = torch.load(ours(q), weights_only=True)
    assert again.note == {"a": 1} and isinstance(again, torch.nn.Parameter)


def located(place: str) -> io.BytesIO:
    """A tensor that was saved on another device."""
    text = f"X{struct.pack('<I', len(place)).decode()}{place}".encode()
    return forged(
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
        b"X\x01\0\0\0\x30" + text + b"K\x04tQK\x00K\x04\x85K\x01\x85\x89ccollections\n"
        b"OrderedDict\n)RtR."
    )


def test_map_location() -> None:
    seen = []
    assert mg.load(located("cpu")).tolist() == [0, 0, 0, 0]
    with pytest.raises(RuntimeError, match=r"CUDA device.*map_location"):
        mg.load(located("cuda:0"))
    for place in (
        "cpu",
        mg.device("cpu"),
        {"cuda:0": "cpu"},
        lambda storage, location: seen.append((storage.nbytes(), location)) or storage,
        lambda storage, location: "cpu",
    ):
        assert mg.load(located("cuda:0"), map_location=place).shape == (4,)
    assert seen == [(16, "cuda:0")]
    with pytest.raises(RuntimeError, match="CUDA device"):
        mg.load(located("cuda:0"), map_location=lambda storage, location: None)
    with pytest.raises(RuntimeError, match="cuda"):
        mg.load(located("cpu"), map_location="cuda")


class Thing:
    """A class that a file may name."""

    def __init__(self) -> None:
        self.value = mg.ones(1)


class Net(mg.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = mg.nn.Sequential(mg.nn.Linear(2, 3), mg.nn.ReLU())
        self.activation = mg.nn.functional.relu
        self.register_buffer("count", mg.zeros(1))
        self.tied = self.layers[0].weight


def test_whole_modules_need_weights_only_false() -> None:
    net = Net()
    net.eval()
    with pytest.raises(pickle.UnpicklingError, match=r"Net.*weights_only=False"):
        mg.load(ours(net))
    back = mg.load(ours(net), weights_only=False)
    assert type(back) is Net and not back.training and back.activation is mg.relu
    same(back.state_dict(), OrderedDict(net.state_dict()))
    assert back.tied is back.layers[0].weight
    back.layers[0].weight.data.fill_(2)
    assert back.layers(mg.ones(1, 2)).shape == (1, 3)
    with pytest.raises(pickle.UnpicklingError, match=r"Net"):
        mg.load(ours(net), weights_only=True)


@needs_torch
def test_modules_that_pytorch_pickled() -> None:
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.LSTM(2, 3)
    )
    net.eval()
    back = mg.load(theirs(net), weights_only=False)
    assert not back.training and repr(back) == repr(net)
    same(OrderedDict(back.state_dict()), net.state_dict())
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    mine = back(mg.from_numpy(x.numpy()))[0]
    mine.sum().backward()
    np.testing.assert_allclose(mine.tolist(), net(x)[0].tolist(), rtol=1e-5)
    assert back[0].weight.grad is not None


def test_classes_of_the_program_need_to_be_allowed() -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"Thing.*add_safe_globals\(\[Thing\]\)"):
        mg.load(ours(Thing()))
    with pytest.raises(pickle.UnpicklingError, match="Thing"):
        mg.load(ours(Thing()), weights_only=False)
    with serialization.safe_globals([Thing]):
        assert mg.load(ours(Thing())).value.tolist() == [1]
        assert serialization.get_safe_globals() == [Thing]
    assert serialization.get_safe_globals() == []
    serialization.add_safe_globals([(Thing, f"{__name__}.Thing")])
    try:
        assert type(mg.load(ours([Thing()]))[0]) is Thing
    finally:
        serialization.clear_safe_globals()
    args = argparse.Namespace(lr=0.1)
    with pytest.raises(pickle.UnpicklingError, match="Namespace"):
        mg.load(ours({"args": args}))
    assert mg.load(ours({"args": args}), weights_only=False)["args"] == args


def test_classes_of_the_programs_own_files(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(
        "from dataclasses import dataclass\n@dataclass\nclass Config:\n    width: int = 8\n"
    )
    (tmp_path / "p.py").write_text(
        "import pathlib, torch\nfrom settings import Config\n"
        "torch.save({'config': Config(3), 'at': pathlib.Path('a', 'b')}, 'c.pt')\n"
        "print(torch.load('c.pt', weights_only=False))\n"
        "import fractions\ntorch.save(fractions.Fraction(1, 3), 'f.pt')\n"
        "torch.load('f.pt', weights_only=False)\n"
    )
    result = subprocess.run(
        [sys.executable, "-B", "-m", "minigrad", "p.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": str(Path(mg.__file__).parent.parent)},
    )
    assert "Config(width=3)" in result.stdout and "Path('a/b')" in result.stdout, result.stderr
    assert "names fractions.Fraction" in result.stderr


def test_counters_and_defaultdicts() -> None:
    obj = [Counter("aab"), defaultdict(list, a=[1]), defaultdict(None)]
    back = mg.load(ours(obj))
    assert back == obj and back[0]["z"] == 0 and back[1]["new"] == []


@needs_torch
def test_dtypes_without_tensors_and_schemes_both_ways() -> None:
    def values(m: Any) -> list:
        schemes = [m.per_tensor_affine, m.per_channel_symmetric]
        return [m.quint8, m.qint32, m.float8_e5m2, m.uint16, m.complex64, m.float16, *schemes]

    assert torch.load(ours(values(mg))) == values(torch)
    assert mg.load(theirs(values(torch))) == values(mg)
    stream = io.BytesIO()
    mg.save(values(mg)[:6], stream, format="mg")
    stream.seek(0)
    assert mg.load(stream) == values(mg)[:6]


@needs_torch
def test_what_minigrad_does_not_have_is_named() -> None:
    for obj, name in (
        (torch.zeros(2, dtype=torch.complex32), "ComplexHalf|complex32"),
        (torch.zeros(2, dtype=torch.uint16), "uint16"),
        (torch.eye(2).to_sparse(), "_rebuild_sparse_tensor"),
        (torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
    ):
        with pytest.raises(pickle.UnpicklingError, match=name):
            mg.load(theirs(obj))
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), stream)
    stream.seek(0)
    with pytest.raises(RuntimeError, match="TorchScript"):
        mg.load(stream)


def _more(m: Any) -> dict:
    """Complex tensors and tensors without memory."""
    z = m.view_as_complex(m.arange(12.0).reshape(3, 2, 2))
    return {
        "z": z, "part": z.T[1], "double": z.to(m.complex128), "leaf": z.clone().requires_grad_(),
        "parameter": m.nn.Parameter(z.clone()), "empty": m.zeros(0, 2, dtype=m.complex64),
        "meta": m.empty(2, 3, device="meta"), "half": m.empty(2, dtype=m.half, device="meta"),
    }  # fmt: skip


def _shown(obj: dict) -> list:
    return [
        (name, repr(t), str(t.dtype), tuple(t.shape), t.requires_grad) for name, t in obj.items()
    ]


def test_complex_and_meta_tensors() -> None:
    back = mg.load(ours(_more(mg)))
    assert _shown(back) == _shown(_more(mg))
    assert isinstance(back["parameter"], mg.nn.Parameter)
    with pytest.raises(TypeError, match="format='pt'"):
        mg.save(_more(mg)["z"], io.BytesIO(), format="mg")


@needs_torch
def test_complex_and_meta_tensors_both_ways() -> None:
    assert _shown(mg.load(theirs(_more(torch)))) == _shown(_more(torch))
    assert _shown(torch.load(ours(_more(mg)), weights_only=True)) == _shown(_more(mg))


@pytest.mark.parametrize("place", ["meta", mg.device("meta")])
def test_reading_without_memory(place: Any) -> None:
    """`map_location="meta"` keeps shapes, types and what a state dict says about itself."""
    model = mg.nn.Linear(3, 2)
    stream = ours({"model": model.state_dict(), "list": [mg.ones(1, dtype=mg.int8)], "n": 3})
    back = mg.load(stream, map_location=place)
    assert back["model"]["weight"].is_meta and back["model"]["weight"].shape == (2, 3)
    assert back["model"]._metadata == model.state_dict()._metadata
    assert back["list"][0].is_meta and back["list"][0].dtype is mg.int8 and back["n"] == 3
    with mg.device("meta"):
        empty = mg.nn.Linear(3, 2)
    assert not any(empty.load_state_dict(back["model"], assign=True))


def test_two_types_of_one_memory_are_refused() -> None:
    t = mg.ones(4)
    with pytest.raises(RuntimeError, match="different types"):
        ours([t, t.view(mg.int32)])


def test_under_the_runner_files_are_pytorchs(tmp_path: Path) -> None:
    program = (
        "import torch, zipfile\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc = torch.nn.Linear(2, 1)\n"
        "torch.save(Net(), 'whole')\n"
        "print(type(torch.load('whole', weights_only=False)) is Net)\n"
        "print('archive/data.pkl' in zipfile.ZipFile('whole').namelist())\n"
    )
    (tmp_path / "p.py").write_text(program)
    root = str(Path(mg.__file__).parent.parent)
    result = subprocess.run(
        [sys.executable, "-B", "-m", "minigrad", "p.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": root},
    )
    assert result.stdout == "True\nTrue\n", result.stderr
