"""Transforms that draw from the generator: the same draws in the same order as torchvision's."""

from __future__ import annotations

import math
import numbers
import random as python_random
from collections.abc import Sequence
from typing import Any

from ...creation import empty, tensor
from ...nn import Module
from ...random import rand
from . import functional as F
from ._deterministic import pair
from ._draws import below, uniform
from .functional import InterpolationMode


class Chance(Module):
    """A transform that is made with probability `p`."""

    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = p

    def apply_to(self, img: Any) -> Any:
        raise NotImplementedError

    def forward(self, img: Any) -> Any:
        return self.apply_to(img) if rand(1) < self.p else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomHorizontalFlip(Chance):
    """`functional.hflip` with probability `p`."""

    def apply_to(self, img: Any) -> Any:
        return F.hflip(img)


class RandomVerticalFlip(Chance):
    """`functional.vflip` with probability `p`."""

    def apply_to(self, img: Any) -> Any:
        return F.vflip(img)


class RandomInvert(Chance):
    """`functional.invert` with probability `p`."""

    def apply_to(self, img: Any) -> Any:
        return F.invert(img)


class RandomGrayscale(Chance):
    """`functional.rgb_to_grayscale` of as many channels, with probability `p`."""

    def __init__(self, p: float = 0.1):
        super().__init__(p)

    def apply_to(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, num_output_channels=F.get_image_num_channels(img))


class RandomCrop(Module):
    """A part of a given size at a random place, after padding."""

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ):
        super().__init__()
        message = "Please provide only two dimensions (h, w) for size."
        self.size = tuple(pair(size, message))
        self.padding, self.pad_if_needed = padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode

    @staticmethod
    def get_params(img: Any, output_size: Sequence[int]) -> tuple[int, int, int, int]:
        """(top, left, height, width). ValueError if the image is too small."""
        _, h, w = F.get_dimensions(img)
        height, width = output_size
        if h < height or w < width:
            raise ValueError(
                f"Required crop size {(height, width)} is larger than input image size {(h, w)}"
            )
        if (w, h) == (width, height):
            return 0, 0, h, w
        top = below(h - height + 1)
        return top, below(w - width + 1), height, width

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = F.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = F.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


class RandomResizedCrop(Module):
    """A part of random area and aspect ratio, resized."""

    def __init__(
        self,
        size: Any,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ):
        super().__init__()
        self.size = pair(size, "Please provide only two dimensions (h, w) for size.")
        for name, value in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(value, (list, tuple)):
                raise TypeError(f"{name} should be a sequence")
        if isinstance(interpolation, int):
            interpolation = InterpolationMode(F.mode_name(interpolation))
        self.scale, self.ratio = scale, ratio
        self.interpolation, self.antialias = interpolation, antialias

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float]
    ) -> tuple[int, int, int, int]:
        """(top, left, height, width): ten tries, then the middle."""
        _, height, width = F.get_dimensions(img)
        area = height * width
        low, high = tensor(list(ratio)).log().tolist()
        for _ in range(10):
            target = area * uniform(scale[0], scale[1])
            aspect = empty(1).uniform_(low, high).exp().item()
            w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
            if 0 < w <= width and 0 < h <= height:
                top = below(height - h + 1)
                return top, below(width - w + 1), h, w
        given = width / height
        w, h = width, height
        if given < min(ratio):
            h = round(w / min(ratio))
        elif given > max(ratio):
            w = round(h * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def forward(self, img: Any) -> Any:
        box = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *box, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self) -> str:
        scale = tuple(round(s, 4) for s in self.scale)
        ratio = tuple(round(r, 4) for r in self.ratio)
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


def _angles(value: Any, name: str, lengths: tuple[int, ...]) -> list[float]:
    """A range from one number (both signs) or a sequence."""
    if isinstance(value, numbers.Number):
        if value < 0:  # type: ignore[operator]
            raise ValueError(f"If {name} is a single number, it must be positive.")
        return [-float(value), float(value)]  # type: ignore[arg-type]
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} should be a sequence of length {' or '.join(map(str, lengths))}.")
    if len(value) not in lengths:
        raise ValueError(f"{name} should be a sequence of length {' or '.join(map(str, lengths))}.")
    return [float(v) for v in value]


class RandomRotation(Module):
    """`functional.rotate` by a random angle."""

    def __init__(
        self,
        degrees: Any,
        interpolation: Any = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Any = None,
        fill: Any = 0,
    ):
        super().__init__()
        if isinstance(interpolation, int):
            interpolation = InterpolationMode(F.mode_name(interpolation))
        self.degrees = _angles(degrees, "degrees", (2,))
        if center is not None:
            _angles(center, "center", (2,))
        self.center, self.interpolation, self.expand = center, interpolation, expand
        self.fill = 0 if fill is None else fill

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """The angle."""
        return float(uniform(float(degrees[0]), float(degrees[1])))

    def forward(self, img: Any) -> Any:
        angle = self.get_params(self.degrees)
        fill = fill_for(img, self.fill)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, fill)

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        fill = "" if self.fill is None else f", fill={self.fill}"
        return (
            f"{type(self).__name__}(degrees={self.degrees}, "
            f"interpolation={self.interpolation.value}, expand={self.expand}{center}{fill})"
        )


def fill_for(img: Any, fill: Any) -> Any:
    """One number as one for each channel of a tensor; None stays."""
    if fill is None or not hasattr(img, "dtype"):
        return fill
    if isinstance(fill, (int, float)):
        return [float(fill)] * F.get_image_num_channels(img)
    return [float(f) for f in fill]


class RandomAffine(Module):
    """`functional.affine` with random angle, shift (parts of the size), scale and shear."""

    def __init__(
        self,
        degrees: Any,
        translate: Any = None,
        scale: Any = None,
        shear: Any = None,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = 0,
        center: Any = None,
    ):
        super().__init__()
        if isinstance(interpolation, int):
            interpolation = InterpolationMode(F.mode_name(interpolation))
        self.degrees = _angles(degrees, "degrees", (2,))
        if translate is not None:
            _angles(translate, "translate", (2,))
            if any(not 0.0 <= t <= 1.0 for t in translate):
                raise ValueError("translation values should be between 0 and 1")
        if scale is not None:
            _angles(scale, "scale", (2,))
            if any(s <= 0 for s in scale):
                raise ValueError("scale values should be positive")
        if center is not None:
            _angles(center, "center", (2,))
        self.translate, self.scale, self.center = translate, scale, center
        self.shear = None if shear is None else _angles(shear, "shear", (2, 4))
        self.interpolation, self.fill = interpolation, 0 if fill is None else fill

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Any,
        scale_ranges: Any,
        shears: Any,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """(angle, shift, scale, shear); `img_size` is (width, height)."""
        angle = float(uniform(float(degrees[0]), float(degrees[1])))
        shift = (0, 0)
        if translate is not None:
            most = [float(t * n) for t, n in zip(translate, img_size)]
            shift = (round(uniform(-most[0], most[0])), round(uniform(-most[1], most[1])))
        scale = 1.0 if scale_ranges is None else float(uniform(scale_ranges[0], scale_ranges[1]))
        x = y = 0.0
        if shears is not None:
            x = float(uniform(shears[0], shears[1]))
            if len(shears) == 4:
                y = float(uniform(shears[2], shears[3]))
        return angle, shift, scale, (x, y)

    def forward(self, img: Any) -> Any:
        fill = fill_for(img, self.fill)
        _, height, width = F.get_dimensions(img)
        drawn = self.get_params(
            self.degrees, self.translate, self.scale, self.shear, (width, height)
        )
        return F.affine(img, *drawn, self.interpolation, fill, self.center)

    def __repr__(self) -> str:
        parts = [f"degrees={self.degrees}"]
        parts += [
            f"{name}={value}"
            for name, value in (
                ("translate", self.translate), ("scale", self.scale), ("shear", self.shear),
            )
            if value is not None
        ]  # fmt: skip
        if self.interpolation != InterpolationMode.NEAREST:
            parts.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            parts.append(f"fill={self.fill}")
        if self.center is not None:
            parts.append(f"center={self.center}")
        return f"{type(self).__name__}({', '.join(parts)})"


class RandomTransforms:
    """Transforms of which something is chosen."""

    def __init__(self, transforms: Sequence):
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence")
        self.transforms = transforms

    def __repr__(self) -> str:
        lines = "".join(f"\n    {t}" for t in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class RandomChoice(RandomTransforms):
    """One of several, chosen with Python's `random`; `p`: their weights."""

    def __init__(self, transforms: Sequence, p: Any = None):
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeError("Argument p should be a sequence")
        self.p = p

    def __call__(self, *args: Any) -> Any:
        return python_random.choices(self.transforms, weights=self.p)[0](*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"


class RandomOrder(RandomTransforms):
    """All of them, in an order that Python's `random` shuffles."""

    def __call__(self, img: Any) -> Any:
        order = list(range(len(self.transforms)))
        python_random.shuffle(order)
        for i in order:
            img = self.transforms[i](img)
        return img


class RandomApply(Module):
    """All of them or none, with probability `p`."""

    def __init__(self, transforms: Any, p: float = 0.5):
        super().__init__()
        self.transforms, self.p = transforms, p

    def forward(self, img: Any) -> Any:
        if self.p < rand(1):
            return img
        for t in self.transforms:
            img = t(img)
        return img

    def __repr__(self) -> str:
        lines = "".join(f"\n    {t}" for t in self.transforms)
        return f"{type(self).__name__}(\n    p={self.p}{lines}\n)"
