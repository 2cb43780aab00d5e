"""Random images, for trying things out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...generator import default_generator
from ...random import manual_seed, randint, randn
from ..transforms.functional import to_pil_image
from .vision import VisionDataset


class FakeData(VisionDataset):
    """`size` normal images of `image_size` (C, H, W) with random classes; each index its own."""

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        random_offset: int = 0,
    ):
        super().__init__(None, transform=transform, target_transform=target_transform)
        self.size, self.image_size, self.num_classes = size, image_size, num_classes
        self.random_offset = random_offset

    def __getitem__(self, index: Any) -> tuple:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        before = default_generator.clone_state()
        try:
            manual_seed(index + self.random_offset)
            image = randn(*self.image_size)
            target: Any = randint(0, self.num_classes, size=(1,))[0]
        finally:
            default_generator.assign(before)
        img = to_pil_image(image)
        if self.transform is not None:
            img = self.transform(img)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return img, int(target)

    def __len__(self) -> int:
        return self.size
