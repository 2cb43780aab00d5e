"""`VisionDataset`, the base of all, and images that are kept as one array."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...autograd import variable as _v
from ...utils.data.dataset import Dataset, Samples
from .._extra import pil_image
from ..transforms._deterministic import batched


class StandardTransform:
    """A transform of images and one of targets, as one of pairs."""

    def __init__(self, transform: Any = None, target_transform: Any = None):
        self.transform, self.target_transform = transform, target_transform

    def __call__(self, input: Any, target: Any) -> tuple:
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        lines = ["StandardTransform"]
        for head, t in (
            ("Transform: ", self.transform),
            ("Target transform: ", self.target_transform),
        ):
            if t is not None:
                first, *rest = repr(t).splitlines()
                lines += [head + first, *(" " * len(head) + line for line in rest)]
        return "\n".join(lines)


class VisionDataset(Dataset):
    """A dataset with a folder, and with transforms of images and targets (or of both at once)."""

    def __init__(
        self,
        root: Any = None,
        transforms: Callable | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
    ):
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        separate = transform is not None or target_transform is not None
        if transforms is not None and separate:
            raise ValueError(
                "Only transforms or transform/target_transform can be passed as argument"
            )
        self.transform, self.target_transform = transform, target_transform
        if separate:
            transforms = StandardTransform(transform, target_transform)
        self.transforms = transforms

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def extra_repr(self) -> str:
        """More lines for `repr`."""
        return ""

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transforms is not None:
            body += [repr(self.transforms)]
        return "\n".join([f"Dataset {type(self).__name__}", *(" " * 4 + line for line in body)])


class ArrayDataset(VisionDataset):
    """Images of one size in one uint8 array, and their classes.

    A loader gets whole batches at once if the transform is `ToTensor`, or that and `Normalize`:
    samples are made one by one for others.
    """

    _images: np.ndarray  # (N, H, W) or (N, H, W, C)
    _labels: np.ndarray  # (N,), int64

    def __getitem__(self, index: Any) -> tuple:
        img = pil_image().fromarray(self._images[index])
        target: Any = int(self._labels[index])
        if self.transform is not None:
            img = self.transform(img)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return img, target

    def __getitems__(self, indices: Any) -> Sequence:
        """The samples at `indices`."""
        if self.transform is not None and self.target_transform is None:
            at = np.asarray(indices)
            images = batched(self.transform, self._images[at]) if at.dtype.kind in "iu" else None
            if images is not None:
                return Samples([images, _v.wrap(self._labels[at])], len(at))
        return [self[i] for i in indices]

    def __len__(self) -> int:
        return len(self._images)
