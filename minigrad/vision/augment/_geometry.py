"""Crops, flips, rotations and affine maps with a place, a side and an angle for every image."""

from __future__ import annotations

from typing import Any

from ...dtypes import float64
from .. import transforms as T
from ..transforms import functional as image
from . import functional as F
from ._base import BatchTransform, first_valid, log_range, need_probability


class RandomCrop(BatchTransform, T.RandomCrop):
    """A part of a given size at a place of its own in each image, after padding.

    RandomCrop(size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant").
    """

    def transform(self, x: Any) -> Any:
        height, width = self.size
        if self.padding is not None:
            x = image.pad(x, self.padding, self.fill, self.padding_mode)
        if self.pad_if_needed:
            lacking = [max(width - x.shape[-1], 0), max(height - x.shape[-2], 0)]
            if any(lacking):
                x = image.pad(x, lacking, self.fill, self.padding_mode)
        h, w = x.shape[-2:]
        if h < height or w < width:
            raise ValueError(
                f"Required crop size {(height, width)} is larger than input image size {(h, w)}"
            )
        top = self.below(len(x), h - height + 1)
        return F.crop(x, top, self.below(len(x), w - width + 1), height, width)


class RandomResizedCrop(BatchTransform, T.RandomResizedCrop):
    """A part of random area and aspect ratio of each image, resampled without antialiasing.

    RandomResizedCrop(size, scale=(0.08, 1), ratio=(3/4, 4/3), interpolation=BILINEAR,
    antialias=False). ValueError for antialias=True, whose filters would differ in size.
    """

    def __init__(self, *args: Any, antialias: bool = False, generator: Any = None, **kwargs: Any):
        super().__init__(*args, antialias=antialias, generator=generator, **kwargs)
        if self.antialias:
            raise ValueError("antialias=True was given; needed: False (batches are not filtered)")

    def boxes(self, n: int, height: int, width: int) -> tuple[Any, Any, Any, Any]:
        """(top, left, height, width), each (n,): one of ten tries, or the middle."""
        area = self.uniform(n * 10, *self.scale).double().reshape(n, 10) * (height * width)
        aspect = self.uniform(n * 10, *log_range(self.ratio)).double().exp().reshape(n, 10)
        w, h = (area * aspect).sqrt().round().long(), (area / aspect).sqrt().round().long()
        at, found = first_valid((w > 0) & (w <= width) & (h > 0) & (h <= height))
        given = min(max(width / height, min(self.ratio)), max(self.ratio))
        whole_w, whole_h = min(width, round(height * given)), min(height, round(width / given))
        h = h.gather(1, at[:, None])[:, 0].where(found, whole_h)
        w = w.gather(1, at[:, None])[:, 0].where(found, whole_w)
        top = self.below_each(height - h + 1).where(found, (height - h) // 2)
        left = self.below_each(width - w + 1).where(found, (width - w) // 2)
        return top, left, h, w

    def transform(self, x: Any) -> Any:
        box = self.boxes(len(x), *x.shape[-2:])
        return F.resized_crop(x, *box, self.size, self.interpolation)


class RandomHorizontalFlip(BatchTransform, T.RandomHorizontalFlip):
    """Each image mirrored left to right with probability `p`."""

    def transform(self, x: Any) -> Any:
        need_probability(self.p)
        return F.horizontal_flip(x, self.chance(len(x), self.p))


class RandomVerticalFlip(BatchTransform, T.RandomVerticalFlip):
    """Each image mirrored top to bottom with probability `p`."""

    def transform(self, x: Any) -> Any:
        need_probability(self.p)
        return F.vertical_flip(x, self.chance(len(x), self.p))


class RandomRotation(BatchTransform, T.RandomRotation):
    """Each image rotated by an angle of its own; sizes stay (ValueError for `expand`)."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self.expand:
            raise ValueError("expand=True would give images of different sizes; needed: False")

    def transform(self, x: Any) -> Any:
        angle = self.uniform(len(x), *self.degrees)
        return F.rotate(x, angle, self.interpolation, self.fill, self.center)


class RandomAffine(BatchTransform, T.RandomAffine):
    """Each image rotated, moved, scaled and sheared by amounts of its own.

    RandomAffine(degrees, translate=None, scale=None, shear=None, interpolation=NEAREST, fill=0,
    center=None): ranges as torchvision's.
    """

    def transform(self, x: Any) -> Any:
        n, _, height, width = x.shape
        angle = self.uniform(n, *self.degrees)
        shift: tuple = (0.0, 0.0)
        if self.translate is not None:
            most = (self.translate[0] * width, self.translate[1] * height)
            shift = tuple(self.uniform(n, -m, m).to(float64).round() for m in most)
        scale: Any = 1.0 if self.scale is None else self.uniform(n, *self.scale)
        shear: list = [0.0, 0.0]
        if self.shear is not None:
            shear[0] = self.uniform(n, *self.shear[:2])
            if len(self.shear) == 4:
                shear[1] = self.uniform(n, *self.shear[2:])
        return F.affine(x, angle, shift, scale, shear, self.interpolation, self.fill, self.center)
