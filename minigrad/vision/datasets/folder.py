"""Datasets of files in one folder for each class."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .._extra import pil_image
from .vision import VisionDataset

IMG_EXTENSIONS = (
    ".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp",
)  # fmt: skip


def has_file_allowed_extension(filename: str, extensions: Any) -> bool:
    """Whether a name ends in one of the extensions, in small or capital letters."""
    endings = extensions if isinstance(extensions, str) else tuple(extensions)
    return filename.lower().endswith(endings)


def is_image_file(filename: str) -> bool:
    """Whether a name is that of an image."""
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: Any) -> tuple[list[str], dict[str, int]]:
    """The names of the folders, sorted, and their numbers. FileNotFoundError if there are none."""
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
    return classes, {name: i for i, name in enumerate(classes)}


def make_dataset(
    directory: Any,
    class_to_idx: dict[str, int] | None = None,
    extensions: Any = None,
    is_valid_file: Callable | None = None,
    allow_empty: bool = False,
) -> list[tuple[str, int]]:
    """Pairs of a path and a class, sorted by class, folder and name.

    FileNotFoundError for a class without files, unless `allow_empty`.
    """
    directory = os.path.expanduser(directory)
    if class_to_idx is None:
        class_to_idx = find_classes(directory)[1]
    elif not class_to_idx:
        raise ValueError("'class_to_index' must have at least one entry to collect any samples.")
    if (extensions is None) == (is_valid_file is None):
        raise ValueError(
            "Both extensions and is_valid_file cannot be None or not None at the same time"
        )
    valid = is_valid_file or (lambda path: has_file_allowed_extension(path, extensions))
    samples: list[tuple[str, int]] = []
    empty = set(class_to_idx)
    for name in sorted(class_to_idx):
        folder = os.path.join(directory, name)
        for inner, _, files in sorted(os.walk(folder, followlinks=True)):
            paths = [os.path.join(inner, file) for file in sorted(files)]
            found = [(path, class_to_idx[name]) for path in paths if valid(path)]
            if found:
                empty.discard(name)
                samples += found
    if empty and not allow_empty:
        supported = (
            ""
            if extensions is None
            else (
                " Supported extensions are: "
                f"{extensions if isinstance(extensions, str) else ', '.join(extensions)}"
            )
        )
        raise FileNotFoundError(
            f"Found no valid file for the classes {', '.join(sorted(empty))}.{supported}"
        )
    return samples


def pil_loader(path: Any) -> Any:
    """An image file as an RGB image."""
    with open(path, "rb") as file:
        return pil_image().open(file).convert("RGB")


default_loader = pil_loader


class DatasetFolder(VisionDataset):
    """Files in `root/class/...`, which `loader(path)` reads."""

    def __init__(
        self,
        root: Any,
        loader: Callable,
        extensions: Any = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        is_valid_file: Callable | None = None,
        allow_empty: bool = False,
    ):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(
            self.root, self.class_to_idx, extensions, is_valid_file, allow_empty
        )
        self.loader, self.extensions = loader, extensions
        self.targets = [target for _, target in self.samples]

    @staticmethod
    def make_dataset(
        directory: Any,
        class_to_idx: dict[str, int],
        extensions: Any = None,
        is_valid_file: Callable | None = None,
        allow_empty: bool = False,
    ) -> list[tuple[str, int]]:
        """Pairs of a path and a class."""
        if class_to_idx is None:
            raise ValueError("The class_to_idx parameter cannot be None.")
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory: Any) -> tuple[list[str], dict[str, int]]:
        """The classes and their numbers; a subclass may have its own."""
        return find_classes(directory)

    def __getitem__(self, index: Any) -> tuple:
        path, target = self.samples[index]
        sample = self.loader(path)
        if self.transform is not None:
            sample = self.transform(sample)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return sample, target

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Images in `root/class/...`."""

    def __init__(
        self,
        root: Any,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        loader: Callable = default_loader,
        is_valid_file: Callable | None = None,
        allow_empty: bool = False,
    ):
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(
            root, loader, extensions, transform, target_transform, is_valid_file, allow_empty
        )
        self.imgs = self.samples
