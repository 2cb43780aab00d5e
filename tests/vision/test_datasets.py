"""Datasets of files in the original formats, made here; downloads from a server of this machine."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import os
import pickle
import struct
import tarfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.utils.data import DataLoader, Subset
from minigrad.vision import datasets, transforms, utils
from minigrad.vision.datasets import cifar, files, mnist

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)
COUNTS = {"train": 20, "t10k": 8}


def idx(array: np.ndarray) -> bytes:
    """The bytes of an IDX file."""
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim)
    return head + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


IMAGES = {k: RNG.integers(0, 256, (n, 28, 28), np.uint8) for k, n in COUNTS.items()}
LABELS = {k: RNG.integers(0, 10, n).astype(np.uint8) for k, n in COUNTS.items()}
FILES = {
    name: gzip.compress(data)
    for part in COUNTS
    for name, data in (
        (f"{part}-images-idx3-ubyte.gz", idx(IMAGES[part])),
        (f"{part}-labels-idx1-ubyte.gz", idx(LABELS[part])),
    )
}


class Digits(datasets.MNIST):
    """MNIST with files of this test."""

    resources = [(name, md5(data)) for name, data in FILES.items()]

    @property
    def raw_folder(self) -> str:
        return os.path.join(self.root, "MNIST", "raw")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with MNIST's files, not packed."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, data in FILES.items():
        (raw / name[:-3]).write_bytes(gzip.decompress(data))
    return tmp_path


@pytest.fixture
def server(tmp_path_factory):  # type: ignore[no-untyped-def]
    """Serves a folder; gives the folder, the URL and the list of requests."""
    folder = tmp_path_factory.mktemp("served")
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *args: Any) -> None: ...

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{httpd.server_port}/", asked
    httpd.shutdown()
    httpd.server_close()


@pytest.mark.parametrize("train", [True, False])
def test_mnist(root: Path, train: bool) -> None:
    part = "train" if train else "t10k"
    d = Digits(str(root), train=train)
    assert len(d) == COUNTS[part] and (d.data.numpy() == IMAGES[part]).all()
    assert d.targets.dtype == mg.int64 and d.targets.tolist() == LABELS[part].tolist()
    img, target = d[3]
    assert img.mode == "L" and (np.asarray(img) == IMAGES[part][3]).all()
    assert type(target) is int and target == LABELS[part][3]
    assert d.class_to_idx["0 - zero"] == 0
    lines = repr(Digits(root, train, transforms.ToTensor())).splitlines()
    assert lines == [
        "Dataset Digits", f"    Number of datapoints: {COUNTS[part]}", f"    Root location: {root}",
        f"    Split: {'Train' if train else 'Test'}", "    StandardTransform",
        "Transform: ToTensor()",
    ]  # fmt: skip


def test_packed_files_are_read(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, data in FILES.items():
        (raw / name).write_bytes(data)
    assert (Digits(tmp_path).data.numpy() == IMAGES["train"]).all()
    (raw / "train-images-idx3-ubyte.gz").write_bytes(FILES["t10k-images-idx3-ubyte.gz"])
    with pytest.raises(RuntimeError, match="MD5"):
        Digits(tmp_path)


def test_damaged_files(root: Path) -> None:
    raw = root / "MNIST" / "raw"
    with pytest.raises(RuntimeError, match="download=True"):
        datasets.FashionMNIST(root)
    (raw / "train-images-idx3-ubyte").write_bytes(idx(IMAGES["train"])[:-1])
    with pytest.raises(ValueError, match="do not fit"):
        Digits(root)
    (raw / "train-images-idx3-ubyte").write_bytes(b"no file of this kind")
    with pytest.raises(ValueError, match="no IDX"):
        Digits(root)
    (raw / "train-images-idx3-ubyte").write_bytes(idx(IMAGES["t10k"]))
    with pytest.raises(ValueError, match="labels"):
        Digits(root)
    for dtype, code in (("i1", 9), (">i2", 11), (">i4", 12), (">f4", 13), (">f8", 14)):
        array = np.arange(6).reshape(2, 3).astype(dtype)
        path = raw / "array"
        path.write_bytes(struct.pack(">BBBBii", 0, 0, code, 2, 2, 3) + array.tobytes())
        assert (mnist.read_idx(str(path)) == array).all()


@pytest.mark.parametrize("subset", [False, True])
def test_a_loader_gets_whole_batches(root: Path, subset: bool) -> None:
    """The same batches as sample by sample, without a PIL image on the way."""
    t = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.13,), (0.3,))])
    d: Any = Digits(root, transform=t)
    one_by_one = [d[i] for i in range(len(d))]
    made: list[Any] = []
    class_of = type(d)
    original = class_of.__getitem__
    class_of.__getitem__ = lambda self, i: made.append(i) or original(self, i)  # type: ignore
    try:
        source = Subset(d, list(range(len(d)))) if subset else d
        batches = list(DataLoader(source, batch_size=6))
    finally:
        class_of.__getitem__ = original  # type: ignore[method-assign]
    assert not made
    x, y = (mg.cat([b[k] for b in batches]) for k in (0, 1))
    assert x.equal(mg.stack([s[0] for s in one_by_one])) and x.dtype == mg.float32
    assert y.tolist() == [s[1] for s in one_by_one] and y.dtype == mg.int64
    random = transforms.Compose([transforms.RandomCrop(28, padding=2), transforms.ToTensor()])
    x, y = next(iter(DataLoader(Digits(root, transform=random), batch_size=4)))
    assert x.shape == (4, 1, 28, 28)
    doubled = Digits(root, transform=t, target_transform=lambda k: 2 * k)
    assert next(iter(DataLoader(doubled, batch_size=4)))[1].tolist() == [
        2 * s[1] for s in one_by_one[:4]
    ]


def test_download(tmp_path: Path, server: Any) -> None:
    pytest.importorskip("pooch")
    folder, url, asked = server
    for name, data in FILES.items():
        (folder / name).write_bytes(data)

    class Served(Digits):
        mirrors = [url + "nothing/", url]

    d = Served(tmp_path, download=True)
    assert (d.data.numpy() == IMAGES["train"]).all()
    assert sorted(os.listdir(d.raw_folder)) == sorted([*FILES, *(n[:-3] for n in FILES)])
    before = len(asked)
    Served(tmp_path, train=False, download=True)
    assert len(asked) == before  # nothing is fetched twice


def test_download_of_another_file(tmp_path: Path, server: Any) -> None:
    pytest.importorskip("pooch")
    folder, url, _ = server
    for name in FILES:
        (folder / name).write_bytes(b"something else")

    class Served(Digits):
        mirrors = [url]

    with pytest.raises(RuntimeError, match="Error downloading"):
        Served(tmp_path, download=True)
    assert not os.path.exists(tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte.gz")


# -- CIFAR ----------------------------------------------------------------------------------------


def archive(base: str, contents: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """A packed archive of pickles, and their MD5s."""
    packed, sums = io.BytesIO(), {}
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in contents.items():
            data = pickle.dumps(content, protocol=2)
            sums[name] = md5(data)
            info = tarfile.TarInfo(f"{base}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue(), sums


def _cifar(kind: str) -> tuple[type, bytes, dict[str, Any]]:
    def batch(n: int) -> dict[str, Any]:
        return {
            kind: RNG.integers(0, 10, n).tolist(),
            "data": RNG.integers(0, 256, (n, 3072), np.uint8),
        }

    names = [f"class {i}" for i in range(10)]
    if kind == "labels":
        base: Any = datasets.CIFAR10
        parts = {**{f"data_batch_{i}": batch(4) for i in range(1, 6)}, "test_batch": batch(3)}
        contents = {**parts, "batches.meta": {"label_names": names}}
    else:
        base = datasets.CIFAR100
        parts = {"train": batch(6), "test": batch(3)}
        contents = {**parts, "meta": {"fine_label_names": names}}
    data, sums = archive(base.base_folder, contents)

    class Served(base):  # type: ignore[misc,valid-type]
        tgz_md5 = md5(data)
        train_list = [[name, sums[name]] for name, _ in base.train_list]
        test_list = [[name, sums[name]] for name, _ in base.test_list]
        meta = {**base.meta, "md5": sums[base.meta["filename"]]}

    return Served, data, contents


@pytest.mark.parametrize("kind", ["labels", "fine_labels"])
def test_cifar(kind: str, tmp_path: Path, server: Any) -> None:
    pytest.importorskip("pooch")
    folder, url, asked = server
    made, data, contents = _cifar(kind)
    made.url = url + made.filename  # type: ignore[attr-defined]
    (folder / made.filename).write_bytes(data)  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="not found or corrupted"):
        made(tmp_path)
    d = made(str(tmp_path), download=True)
    parts = [contents[name] for name, _ in d.train_list]
    planes = np.concatenate([p["data"] for p in parts]).reshape(-1, 3, 32, 32)
    assert (d.data == planes.transpose(0, 2, 3, 1)).all() and d.data.dtype == np.uint8
    assert d.targets == [label for p in parts for label in p[kind]]
    assert d.classes[3] == "class 3" and d.class_to_idx["class 3"] == 3
    img, target = d[2]
    assert img.mode == "RGB" and img.size == (32, 32) and target == d.targets[2]
    assert len(made(tmp_path, train=False)) == 3
    assert len(made(tmp_path, download=True)) == len(d) and len(asked) == 1
    x, y = next(iter(DataLoader(made(tmp_path, transform=transforms.ToTensor()), batch_size=5)))
    assert x.shape == (5, 3, 32, 32) and y.tolist() == d.targets[:5]
    np.testing.assert_array_equal(x.numpy(), planes[:5].astype(np.float32) / np.float32(255))
    Path(d._path(d.test_list[0][0])).write_bytes(b"")
    with pytest.raises(RuntimeError, match="corrupted"):
        made(tmp_path)


class _Evil:
    def __reduce__(self) -> tuple:
        return os.system, ("true",)


def test_pickles_run_nothing(tmp_path: Path) -> None:
    for content in (_Evil(), {"data": _Evil()}, os.getcwd):
        (tmp_path / "batch").write_bytes(pickle.dumps(content))
        with pytest.raises(pickle.UnpicklingError, match="does not belong"):
            cifar.read_batch(str(tmp_path / "batch"))


def test_archives_stay_in_their_folder(tmp_path: Path) -> None:
    for name, kind in (("../outside", tarfile.REGTYPE), ("link", tarfile.SYMTYPE)):
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = "/etc/passwd"
            tar.addfile(info, io.BytesIO())
        with pytest.raises(RuntimeError, match="does not belong"):
            files.unpack_tar(str(tmp_path / "a.tar"), str(tmp_path / "inside"))


# -- folders, invented images, grids --------------------------------------------------------------


def test_image_folder(tmp_path: Path) -> None:
    for name, n in (("b", 2), ("a", 3)):
        (tmp_path / name / "deep").mkdir(parents=True)
        for i in range(n):
            where = tmp_path / name / ("deep" if i == 0 else "")
            Image.fromarray(np.full((4, 5), 10 * i, np.uint8)).save(where / f"{i}.png")
        (tmp_path / name / "notes.txt").write_text("no image")
    d = datasets.ImageFolder(tmp_path, transforms.ToTensor())
    assert d.classes == ["a", "b"] and d.targets == [0, 0, 0, 1, 1] and len(d) == 5
    assert [os.path.basename(p) for p, _ in d.imgs] == ["1.png", "2.png", "0.png", "1.png", "0.png"]
    x, y = d[1]
    assert x.shape == (3, 4, 5) and y == 0 and x.max() == np.float32(20) / np.float32(255)
    text = datasets.DatasetFolder(
        str(tmp_path), loader=lambda p: Path(p).read_text(), extensions=".txt"
    )
    assert text[0] == ("no image", 0)
    only = datasets.ImageFolder(tmp_path, is_valid_file=lambda p: p.endswith("0.png"))
    assert len(only) == 2
    (tmp_path / "c").mkdir()
    with pytest.raises(FileNotFoundError, match="classes c"):
        datasets.ImageFolder(tmp_path)
    assert len(datasets.ImageFolder(tmp_path, allow_empty=True).classes) == 3
    with pytest.raises(FileNotFoundError):
        datasets.ImageFolder(tmp_path / "c")
    with pytest.raises(ValueError):
        datasets.DatasetFolder(tmp_path, loader=str)


def test_fake_data() -> None:
    mg.manual_seed(5)
    d = datasets.FakeData(4, (3, 6, 7), num_classes=3, transform=transforms.PILToTensor())
    before = mg.get_rng_state()
    x, y = d[2]
    assert x.shape == (3, 6, 7) and 0 <= y < 3 and d[2][0].equal(x) and not d[1][0].equal(x)
    assert mg.get_rng_state().equal(before)
    with pytest.raises(IndexError):
        d[4]
    assert repr(d).startswith(
        "Dataset FakeData\n    Number of datapoints: 4\n    StandardTransform"
    )


def test_make_grid() -> None:
    images = mg.arange(5 * 3 * 4 * 4, dtype=mg.float32).reshape(5, 3, 4, 4)
    grid = utils.make_grid(images, nrow=3, padding=2, pad_value=-1.0)
    assert grid.shape == (3, 2 * 6 + 2, 3 * 6 + 2)
    assert grid[:, 2:6, 2:6].equal(images[0]) and grid[:, 8:12, 8:12].equal(images[4])
    assert (grid[:, :2] == -1).all() and (grid[:, 8:, 14:] == -1).all()
    assert utils.make_grid(mg.rand(1, 4, 4)).shape == (3, 4, 4)
    assert utils.make_grid([mg.rand(1, 4, 4)] * 2).shape == (3, 8, 14)
    scaled = utils.make_grid(images, normalize=True, padding=0)
    assert scaled.min() == 0 and scaled.max() == 1
    each = utils.make_grid(images, normalize=True, scale_each=True, padding=0)
    assert each[:, :, :4].max() == 1 and each[:, :, 4:8].min() == 0
    assert utils.make_grid(images, normalize=True, value_range=(0, 10), padding=0).max() == 1
    with pytest.raises(TypeError):
        utils.make_grid("images")


def test_save_image(tmp_path: Path) -> None:
    images = mg.rand(4, 3, 5, 5)
    utils.save_image(images, tmp_path / "grid.png", nrow=2)
    pixels = np.asarray(Image.open(tmp_path / "grid.png"))
    assert pixels.shape == (16, 16, 3)
    expected = (images[0].numpy() * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)
    np.testing.assert_array_equal(pixels[2:7, 2:7], expected)
    stream = io.BytesIO()
    utils.save_image(images[0], stream, format="PNG")
    assert stream.getvalue().startswith(b"\x89PNG")


def test_boxes_and_masks_on_an_image() -> None:
    pytest.importorskip("PIL.Image")
    image = mg.full((3, 12, 16), 100, dtype=mg.uint8)
    boxes = mg.tensor([[2, 3, 9, 8], [5, 5, 14, 10]])
    made = utils.draw_bounding_boxes(image, boxes, colors=["red", (0, 255, 0)])
    assert made[:, 3, 4].tolist() == [255, 0, 0] and made[:, 10, 14].tolist() == [0, 255, 0]
    assert made[:, 4, 4].tolist() == [100] * 3 and (image == 100).all()
    filled = utils.draw_bounding_boxes(image[:1] / 255, boxes[:1], fill=True, colors="blue")
    assert filled.dtype == mg.float32 and filled[2, 5, 5] > filled[0, 5, 5]
    text = utils.draw_bounding_boxes(image, boxes[:1], ["a"], colors="white", fill_labels=True)
    assert text.min() < 50 and (text == 255).any()
    masks = mg.zeros(2, 12, 16, dtype=mg.bool)
    masks[0, :4], masks[1, 2:6] = True, True
    made = utils.draw_segmentation_masks(image, masks, alpha=0.5, colors=["red", "#0000ff"])
    assert made[:, 0, 0].tolist() == [177, 50, 50] and made[:, 5, 0].tolist() == [50, 50, 177]
    assert made[:, 3, 0].tolist() == [50] * 3 and made[:, 9, 0].tolist() == [100] * 3
    with pytest.warns(UserWarning, match="No box was drawn"):
        utils.draw_bounding_boxes(image, boxes[:0])
    for bad in (
        lambda: utils.draw_bounding_boxes(image, boxes.flip(1)),
        lambda: utils.draw_bounding_boxes(image[None], boxes),
        lambda: utils.draw_bounding_boxes(image.int(), boxes),
        lambda: utils.draw_bounding_boxes(image, boxes, ["a"]),
        lambda: utils.draw_bounding_boxes(image, boxes, colors=["red"]),
        lambda: utils.draw_segmentation_masks(image, masks.float()),
        lambda: utils.draw_segmentation_masks(image, masks[:, 1:]),
        lambda: utils.draw_segmentation_masks(image[:1], masks),
    ):
        with pytest.raises(ValueError):
            bad()


def test_missing_pillow_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from minigrad.vision import _extra

    with pytest.raises(ImportError, match=r"minigrad\[vision\]"):
        _extra.need("no_such_module_of_images", "Pillow")
