"""CIFAR-10 and CIFAR-100: pickles of arrays and lists, read by an unpickler that knows these."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from .files import check_integrity, download, unpack_tar
from .vision import ArrayDataset

# NumPy 2 has another path for what the files name.
_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
}  # fmt: skip


class _Unpickler(pickle.Unpickler):
    """Knows what arrays are made of, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong into a CIFAR file")
        if name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        return super().find_class(module, name)


def read_batch(path: str) -> dict[str, Any]:
    """The dictionary of a file. UnpicklingError for files with anything but arrays and lists."""
    with open(path, "rb") as file:
        return _Unpickler(file, encoding="latin1").load()


class CIFAR10(ArrayDataset):
    """Colour images of 10 classes, 32 x 32: `root/cifar-10-batches-py/data_batch_1` and so on.

    `url` is replaced to download from elsewhere. RuntimeError if files are not there or damaged.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

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
        if not self._check_integrity():
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it"
            )
        batches = [
            read_batch(self._path(name))
            for name, _ in (self.train_list if train else self.test_list)
        ]
        planes = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
        self.data = self._images = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
        self.targets: list[int] = []
        for batch in batches:
            self.targets.extend(batch.get("labels") or batch["fine_labels"])
        self._labels = np.array(self.targets, np.int64)
        self.classes: list[str] = read_batch(self._path(self.meta["filename"]))[self.meta["key"]]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def _path(self, name: str) -> str:
        return os.path.join(self.root, self.base_folder, name)

    def _check_integrity(self) -> bool:
        files = [*self.train_list, *self.test_list, [self.meta["filename"], self.meta["md5"]]]
        return all(check_integrity(self._path(name), md5) for name, md5 in files)

    def download(self) -> None:
        """Fetches and unpacks the archive unless the files are there and whole."""
        if self._check_integrity():
            return
        os.makedirs(self.root, exist_ok=True)
        mirror = self.url[: self.url.rindex("/") + 1]
        unpack_tar(download([mirror], self.filename, self.root, self.tgz_md5), self.root)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """Colour images of 100 classes, 32 x 32, under `root/cifar-100-python`."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {
        "filename": "meta",
        "key": "fine_label_names",
        "md5": "7973b15100ade9c7d40fb424638fde48",
    }
