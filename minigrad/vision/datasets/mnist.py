"""MNIST and datasets of its format: IDX files, packed or not."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ...autograd import variable as _v
from .files import check_integrity, download, unpack_gzip
from .vision import ArrayDataset

_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: str) -> np.ndarray:
    """The array of an IDX file, or of its packed form. ValueError for anything else.

    Two zero bytes, a type, the number of dimensions, each of them as four bytes (the highest
    first), the elements.
    """
    with gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb") as file:
        data = file.read()
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES:
        raise ValueError(f"{path}: this is no IDX file")
    n = data[3]
    shape = tuple(np.frombuffer(data, ">i4", n, 4).tolist())
    dtype = np.dtype(_TYPES[data[2]])
    count = int(np.prod(shape))
    if len(data) != 4 + 4 * n + count * dtype.itemsize:
        raise ValueError(f"{path}: {len(data)} bytes do not fit the shape {shape}")
    array = np.frombuffer(data, dtype, count, 4 + 4 * n).reshape(shape)
    return array.astype(dtype.newbyteorder("="))


class MNIST(ArrayDataset):
    """Handwritten digits, 28 x 28: `root/MNIST/raw/train-images-idx3-ubyte` and its three siblings.

    `mirrors` are URLs that end in /; replace them to download from elsewhere. RuntimeError if the
    files are not there (packed ones do), ValueError if they are damaged.
    """

    mirrors = [
        "http://yann.lecun.com/exdb/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ]
    resources = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    classes = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six",
        "7 - seven", "8 - eight", "9 - nine",
    ]  # fmt: skip

    def __init__(
        self,
        root: Any,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        part = "train" if train else "t10k"
        self._images = self._read(f"{part}-images-idx3-ubyte", 3)
        labels = self._read(f"{part}-labels-idx1-ubyte", 1)
        if len(labels) != len(self._images):
            raise ValueError(f"{len(self._images)} images and {len(labels)} labels do not fit")
        self._labels = labels.astype(np.int64)
        self.data, self.targets = _v.wrap(self._images), _v.wrap(self._labels)

    def _read(self, name: str, dims: int) -> np.ndarray:
        path = os.path.join(self.raw_folder, name)
        if not os.path.isfile(path):
            path += ".gz"
            md5 = dict(self.resources)[name + ".gz"]
            if not check_integrity(path, md5):
                raise RuntimeError(f"{path}: the file's MD5 is not {md5}")
        array = read_idx(path)
        if array.dtype != np.uint8 or array.ndim != dims:
            raise ValueError(f"{path}: {array.dtype} of {array.ndim} dimensions; needed: {dims}")
        return array

    @property
    def raw_folder(self) -> str:
        """Where the files are."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        """Where torchvision once put converted files; not used."""
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: i for i, name in enumerate(self.classes)}

    def _check_exists(self) -> bool:
        """Whether all files are there, packed or not."""
        paths = [os.path.join(self.raw_folder, name) for name, _ in self.resources]
        return all(os.path.isfile(p) or os.path.isfile(p[: -len(".gz")]) for p in paths)

    def download(self) -> None:
        """Fetches and unpacks the files that are not there."""
        if all(os.path.isfile(os.path.join(self.raw_folder, n[:-3])) for n, _ in self.resources):
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        for name, md5 in self.resources:
            unpack_gzip(download(self.mirrors, name, self.raw_folder, md5))

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Pictures of clothes in MNIST's format, under `root/FashionMNIST/raw`."""

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
        "Ankle boot",
    ]  # fmt: skip


class KMNIST(MNIST):
    """Cursive Japanese characters in MNIST's format, under `root/KMNIST/raw`."""

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
