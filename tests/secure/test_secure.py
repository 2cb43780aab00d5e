"""Encrypted files come back as they were, and only with their key and whole."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cryptography")

import minigrad as mg  # noqa: E402
from minigrad import nn, secure  # noqa: E402
from minigrad.secure import Key  # noqa: E402
from minigrad.secure.chunks import HEADER, TAG  # noqa: E402
from minigrad.utils.data import DataLoader, TensorDataset  # noqa: E402

KEY = Key(bytes(range(32)))
OTHER = Key(bytes(32))
MARK = b"plain bytes that nobody must find "


def write(path: Path, data: bytes, key: Any = KEY, chunk_size: int = 1024) -> Path:
    with secure.open(path, "wb", key, chunk_size) as file:
        file.write(data)
    return path


def read(path: Path, key: Any = KEY) -> bytes:
    with secure.open(path, "rb", key) as file:
        return file.read()


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 2048, 5000])
def test_streams(size: int, tmp_path: Path) -> None:
    data = np.random.default_rng(size).bytes(size)
    path = write(tmp_path / "a", data)
    chunks = max(1, -(-size // 1024))
    assert path.stat().st_size == HEADER + size + chunks * TAG
    assert read(path) == data
    pieces = tmp_path / "pieces"
    with secure.open(pieces, "wb", KEY, 1024) as file:
        for i in range(0, size, 700):
            assert file.write(data[i : i + 700]) == len(data[i : i + 700])
    assert read(pieces) == data
    assert pieces.read_bytes() != path.read_bytes()  # another salt, other keys
    plain = io.BytesIO(data)
    with secure.open(path, "rb", KEY) as file:
        for offset, n in ((0, 10), (1020, 10), (1500, 3000), (size, 5), (3, 0), (9999, 4)):
            assert file.seek(offset) == plain.seek(offset)
            assert file.read(n) == plain.read(n) and file.tell() == plain.tell()
        if size > 7:
            assert file.seek(-7, io.SEEK_END) == plain.seek(-7, io.SEEK_END)
            assert file.read() == plain.read()
        with pytest.raises(ValueError):
            file.seek(-1)
    assert list(io.BufferedReader(secure.open(path, "rb", KEY), 100)) == list(io.BytesIO(data))


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(30, 40), nn.BatchNorm1d(40), nn.Linear(40, 3))
    optimizer = mg.optim.Adam(model.parameters())
    model(mg.randn(5, 30)).sum().backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    for format in ("mg", "pt"):
        path = tmp_path / f"checkpoint.{format}"
        secure.save(state, path, KEY, format=format)
        loaded = secure.load(path, KEY)
        assert loaded["epoch"] == 3
        for name, value in model.state_dict().items():
            assert (loaded["model"][name] == value).all() and loaded["model"][
                name
            ].shape == value.shape
        fresh = mg.optim.Adam(model.parameters())
        fresh.load_state_dict(loaded["optimizer"])
        with pytest.raises(secure.WrongKey, match="another key"):
            secure.load(path, OTHER)
        with pytest.raises(RuntimeError):
            mg.load(path)


def test_every_changed_byte_is_refused(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10
    whole = write(tmp_path / "a", data).read_bytes()
    path = tmp_path / "changed"
    for i in range(len(whole)):
        if i > HEADER + 64 and i % 7 and i < len(whole) - 40:
            continue
        for flip in (1, 0x80):
            changed = bytearray(whole)
            changed[i] ^= flip
            path.write_bytes(changed)
            with pytest.raises(secure.DecryptionError, match="changed"):
                read(path)


def test_a_checkpoint_that_was_changed_anywhere_is_a_decryption_error(tmp_path: Path) -> None:
    path, changed = tmp_path / "a", tmp_path / "changed"
    secure.save({"w": mg.randn(40, 50), "n": 3}, path, KEY, chunk_size=1024)
    whole = path.read_bytes()
    for i in range(3, len(whole), 331):
        changed.write_bytes(whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :])
        with pytest.raises(secure.DecryptionError, match="changed"):
            secure.load(changed, KEY)
        changed.write_bytes(whole[:i])
        with pytest.raises(secure.DecryptionError, match="changed"):
            secure.load(changed, KEY)


def test_every_length_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "a", b"x" * 2500).read_bytes()
    path = tmp_path / "cut"
    stride = 1024 + TAG
    lengths = {*range(HEADER + 40), *range(HEADER + stride - 20, HEADER + stride + 40),
               *range(HEADER + 2 * stride - 3, HEADER + 2 * stride + 20),
               *range(len(whole) - 30, len(whole))}  # fmt: skip
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        with pytest.raises(secure.DecryptionError):
            read(path)
    # Whole chunks are missing: the message says what happened.
    path.write_bytes(whole[: HEADER + stride])
    with pytest.raises(secure.DecryptionError, match="cut off: its end is missing"):
        read(path)
    for more in (b"\0", b"\0" * TAG, b"\0" * stride, whole[HEADER:], whole[-500:]):
        path.write_bytes(whole + more)
        with pytest.raises(secure.DecryptionError):
            read(path)


def test_chunks_at_other_places_are_refused(tmp_path: Path) -> None:
    stride = 1024 + TAG
    one = write(tmp_path / "a", b"".join(bytes([i]) * 1024 for i in range(4))).read_bytes()
    two = write(tmp_path / "b", b"".join(bytes([i]) * 1024 for i in range(4))).read_bytes()
    head, chunks = one[:HEADER], [one[HEADER + i * stride :][:stride] for i in range(4)]
    others = [two[HEADER + i * stride :][:stride] for i in range(4)]
    path = tmp_path / "mixed"
    for made in (
        [chunks[1], chunks[0], *chunks[2:]],  # exchanged
        [chunks[0], chunks[0], *chunks[2:]],  # repeated
        [chunks[0], *chunks[2:]],  # left out
        [*chunks[:3], chunks[3], chunks[3]],  # the end twice
        [chunks[0], others[1], *chunks[2:]],  # of another file with the same key and plain bytes
        [*chunks[:3], others[3]],
        [*chunks[:3], chunks[2]],
    ):
        path.write_bytes(head + b"".join(made))
        with pytest.raises(secure.DecryptionError):
            read(path)
    path.write_bytes(two[:HEADER] + b"".join(chunks))  # another file's header
    with pytest.raises(secure.DecryptionError):
        read(path)
    path.write_bytes(head + b"".join(chunks))
    assert len(read(path)) == 4096


def test_what_was_read_before_the_damage_is_true(tmp_path: Path) -> None:
    whole = bytearray(write(tmp_path / "a", b"a" * 4000).read_bytes())
    whole[HEADER + 1024 + TAG + 5] ^= 1  # in the second chunk
    (tmp_path / "a").write_bytes(whole)
    with secure.open(tmp_path / "a", "rb", KEY) as file:
        assert file.read(1024) == b"a" * 1024
        with pytest.raises(secure.DecryptionError, match="chunk 2 of 4"):
            file.read(1)


def test_wrong_files_and_keys(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    mg.save({"a": mg.ones(2)}, plain)
    with pytest.raises(secure.DecryptionError, match="not encrypted"):
        secure.load(plain, KEY)
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(secure.DecryptionError, match="empty"):
        read(tmp_path / "empty")
    path = write(tmp_path / "a", b"1")
    with pytest.raises(secure.WrongKey, match="needed: a random key"):
        read(path, Key.from_passphrase("word", n=2))
    with pytest.raises(TypeError, match="Key.from_passphrase"):
        read(path, "word")
    assert read(path, bytes(range(32))) == b"1"
    for bad in (b"", bytes(31), bytes(33), "x" * 32):
        with pytest.raises(ValueError, match="needed: 32 bytes"):
            Key(bad)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "absent")
    with pytest.raises(ValueError, match="mode"):
        secure.open(path, "r+b", KEY)
    for size in (1000, 512, 1 << 27):
        with pytest.raises(ValueError, match="power of two"):
            secure.open(tmp_path / "b", "wb", KEY, size)
    assert not (tmp_path / "b").exists()


def test_passphrases(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"hidden", Key.from_passphrase("Grüße", n=1 << 10, r=4, p=2))
    # The costs come from the file; composed and decomposed letters are the same.
    assert read(path, Key.from_passphrase("Gru\u0308ße", n=2)) == b"hidden"
    with pytest.raises(secure.WrongKey, match="another key"):
        read(path, Key.from_passphrase("grüße"))
    with pytest.raises(secure.WrongKey, match="needed: a passphrase"):
        read(path, KEY)
    assert Key.from_passphrase("a").costs == (1 << 17, 8, 1)
    for text in ("", b"bytes", None):
        with pytest.raises(ValueError, match="passphrase"):
            Key.from_passphrase(text)  # type: ignore[arg-type]
    for costs in ({"n": 1000}, {"n": 1}, {"r": 0}, {"p": 0}, {"n": 1 << 24}):
        with pytest.raises(ValueError, match="scrypt"):
            Key.from_passphrase("a", **costs)


def test_costs_that_would_take_all_memory_are_refused(tmp_path: Path) -> None:
    import zlib

    whole = bytearray(write(tmp_path / "a", b"1", Key.from_passphrase("a", n=2)).read_bytes())
    whole[9] = 24  # as one could write who wants the reader to run out of memory
    whole[48:52] = zlib.crc32(whole[:48]).to_bytes(4, "big")
    (tmp_path / "a").write_bytes(whole)
    with pytest.raises(secure.DecryptionError, match="refused"):
        read(tmp_path / "a", Key.from_passphrase("a"))


def test_keys_in_files_and_in_the_environment(tmp_path: Path, monkeypatch: Any) -> None:
    key = Key.generate()
    path = tmp_path / "key"
    key.to_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    data = write(tmp_path / "a", b"data", key)
    assert read(data, Key.from_file(path)) == b"data"
    with pytest.raises(FileExistsError):
        key.to_file(path)
    secret = bytes(range(32))
    for content in (secret, secret.hex().encode(), secret.hex().upper().encode() + b"\n"):
        path.write_bytes(content)
        assert read(write(tmp_path / "b", b"1"), Key.from_file(path)) == b"1"
    path.chmod(0o644)
    with pytest.warns(UserWarning, match="chmod 600"):
        Key.from_file(path)
    path.chmod(0o600)
    for content in (b"", b"short", b"z" * 64, b"?" * 44):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="holds no key"):
            Key.from_file(path)
    with pytest.raises(KeyError, match="MINIGRAD_KEY"):
        monkeypatch.delenv("MINIGRAD_KEY", raising=False)
        Key.from_environment()
    monkeypatch.setenv("MINIGRAD_KEY", secret.hex())
    assert read(tmp_path / "b", Key.from_environment()) == b"1"
    for text in ("nonsense", "a password of thirty-two letters"):
        monkeypatch.setenv("OURS", text)
        with pytest.raises(ValueError, match="OURS"):
            Key.from_environment("OURS")
    with pytest.raises(TypeError, match="passphrase"):
        Key.from_passphrase("a").to_file(tmp_path / "c")
    assert secret.hex() not in repr(KEY) and "passphrase" in repr(Key.from_passphrase("pw"))
    assert "pw" not in repr(Key.from_passphrase("pw"))


def files_under(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_nothing_plain_on_the_disk_and_nothing_half(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = write(tmp_path / "a", b"old")
    stream = secure.open(path, "wb", KEY, 1024)
    stream.write(MARK * 1000)
    stream._file.flush()
    found = files_under(tmp_path)
    assert len(found) == 2 and sum(map(len, found)) > 30000  # the old file and the new one's start
    assert not any(MARK in content for content in found)
    assert read(path) == b"old"
    stream.close()
    assert read(path) == MARK * 1000 and len(files_under(tmp_path)) == 1
    with pytest.raises(ValueError, match="closed"):
        stream.write(b"more")

    with pytest.raises(ZeroDivisionError), secure.open(path, "wb", KEY) as stream:
        stream.write(b"half")
        1 / 0  # noqa: B018
    lost = secure.open(path, "wb", KEY)
    lost.write(b"half")
    del lost
    assert read(path) == MARK * 1000 and len(files_under(tmp_path)) == 1
    with pytest.raises(TypeError):
        secure.save({"a": object()}, path, KEY)  # what cannot be saved leaves the old file
    assert read(path) == MARK * 1000 and len(files_under(tmp_path)) == 1
    secure.save({"a": MARK, "b": mg.arange(100000)}, tmp_path / "b", KEY)
    assert not any(MARK in content for content in files_under(tmp_path))
    assert secure.load(tmp_path / "b", KEY)["b"].sum().item() == 4999950000


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = write(tmp_path / "a", b"old")
    stream = secure.open(path, "wb", KEY, 1024)

    def full(data: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stream, "_file", type("Full", (), {"write": staticmethod(full)})())
    with pytest.raises(OSError, match="No space"):
        stream.write(bytes(5000))
    stream.close()  # as code does that goes on
    assert read(path) == b"old" and len(files_under(tmp_path)) == 1


def test_a_forked_copy_leaves_the_file_alone(tmp_path: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    path = tmp_path / "a"
    stream = secure.open(path, "wb", KEY)
    stream.write(b"data")
    child = os.fork()
    if child == 0:
        stream.__del__()
        os._exit(0)
    os.waitpid(child, 0)
    stream.close()
    assert read(path) == b"data"


def test_files_and_new_keys(tmp_path: Path) -> None:
    source = tmp_path / "images"
    source.write_bytes(MARK * 100000)
    secure.encrypt_file(source, tmp_path / "a", KEY)
    assert read(tmp_path / "a") == source.read_bytes()
    secure.rekey(tmp_path / "a", KEY, OTHER)
    assert read(tmp_path / "a", OTHER) == source.read_bytes()
    with pytest.raises(secure.WrongKey):
        secure.rekey(tmp_path / "a", KEY, OTHER)
    assert read(tmp_path / "a", OTHER) == source.read_bytes()


def test_datasets(tmp_path: Path) -> None:
    data = TensorDataset(mg.randn(500, 3, 8, 8), mg.arange(500))
    path = tmp_path / "set"
    secure.save_dataset(data, path, KEY, chunk_size=4096)
    loaded = secure.EncryptedDataset(path, KEY, cached=3)
    assert len(loaded) == 500
    for i in (0, 499, 250, -1):
        for a, b in zip(loaded[i], data[i]):
            assert a.dtype == b.dtype and a.shape == b.shape and (a == b).all()
    with pytest.raises(IndexError):
        loaded[500]
    for workers in (0, 2):
        seen = []
        for x, y in DataLoader(loaded, batch_size=64, shuffle=True, num_workers=workers):
            assert (x == data.tensors[0][y]).all()
            seen += y.tolist()
        assert sorted(seen) == list(range(500))
    copy = pickle.loads(pickle.dumps(loaded))
    assert (copy[7][0] == data[7][0]).all()
    loaded[3][0].zero_()  # a sample's memory is its own
    assert (loaded[3][0] == data[3][0]).all()
    with pytest.raises(secure.WrongKey):
        secure.EncryptedDataset(path, OTHER)
    whole = bytearray(path.read_bytes())
    whole[HEADER + 5 * (4096 + TAG)] ^= 1
    path.write_bytes(whole)
    with pytest.raises(secure.DecryptionError):
        list(secure.EncryptedDataset(path, KEY))


def test_samples_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "set"
    samples: list[Any] = [(np.arange(3, dtype=np.uint8) + i, i, i / 2, i > 1) for i in range(4)]
    secure.save_dataset(samples, path, KEY)
    for made, sample in zip(secure.EncryptedDataset(path, KEY), samples):
        assert (made[0] == sample[0]).all() and made[0].dtype == np.uint8
        assert made[1:] == sample[1:] and [type(v) for v in made[1:]] == [int, float, bool]
    for dtype in (mg.float32, mg.bfloat16, mg.float16, mg.bool, mg.int16):
        table = (mg.eye(5) * 3).to(dtype)
        secure.save_dataset(table, path, KEY)
        row = secure.EncryptedDataset(path, KEY)[2]
        assert row.dtype == dtype and (row == table[2]).all()
    secure.save_dataset([], path, KEY)
    assert len(secure.EncryptedDataset(path, KEY)) == 0
    with pytest.raises(ValueError, match="sample 1"):
        secure.save_dataset([mg.ones(2), mg.ones(3)], path, KEY)
    with pytest.raises(TypeError, match="str"):
        secure.save_dataset([("a", 1)], path, KEY)
    secure.save({"a": 1}, path, KEY)
    with pytest.raises(secure.DecryptionError, match="no dataset"):
        secure.EncryptedDataset(path, KEY)


def test_without_cryptography() -> None:
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from minigrad import secure\n"
        "try: secure.save(1, 'file', secure.Key.generate())\n"
        "except ImportError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "minigrad[secure]"' in done.stdout
