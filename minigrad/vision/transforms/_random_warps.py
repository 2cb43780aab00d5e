"""Random views of an image from the side, and as through moving water; draws as torchvision's."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

from ... import ops
from ...nn import Module
from ...random import rand
from . import functional as F
from ._draws import below
from ._random import fill_for
from .functional import InterpolationMode


class RandomPerspective(Module):
    """`functional.perspective` with corners moved at random, with probability `p`.

    They are moved by at most `distortion_scale` times half of the size.
    """

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: Any = InterpolationMode.BILINEAR,
        fill: Any = 0,
    ):
        super().__init__()
        if fill is not None and not isinstance(fill, (Sequence, numbers.Number)):
            raise TypeError("Fill should be either a sequence or a number.")
        self.p, self.interpolation, self.distortion_scale = p, interpolation, distortion_scale
        self.fill = 0 if fill is None else fill

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float) -> tuple[list, list]:
        """(corners of the image, where they are seen), each (x, y), clockwise from the top left."""
        across, down = (int(distortion_scale * (n // 2)) for n in (width, height))

        def corner(right: bool, bottom: bool) -> list[int]:
            x, y = below(across + 1), below(down + 1)
            return [x + (width - across - 1) * right, y + (height - down - 1) * bottom]

        start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        sides = ((False, False), (True, False), (True, True), (False, True))
        return start, [corner(*side) for side in sides]

    def forward(self, img: Any) -> Any:
        fill = fill_for(img, self.fill)
        _, height, width = F.get_dimensions(img)
        if not rand(1) < self.p:
            return img
        start, end = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, start, end, self.interpolation, fill)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class ElasticTransform(Module):
    """`functional.elastic_transform` by random displacements: `alpha` strong, `sigma` smooth."""

    def __init__(
        self,
        alpha: Any = 50.0,
        sigma: Any = 5.0,
        interpolation: Any = InterpolationMode.BILINEAR,
        fill: Any = 0,
    ):
        super().__init__()
        self.alpha, self.sigma = self._two(alpha, "alpha"), self._two(sigma, "sigma")
        self.interpolation = interpolation
        if not isinstance(fill, (int, float, list, tuple)):
            raise TypeError(
                f"fill should be int or float or a list or tuple of them. Got {type(fill)}"
            )
        self.fill = [float(f) for f in (fill if isinstance(fill, (list, tuple)) else [fill])]

    @staticmethod
    def _two(value: Any, name: str) -> Any:
        if not isinstance(value, (float, Sequence)):
            raise TypeError(f"{name} should be float or a sequence of floats. Got {type(value)}")
        if isinstance(value, float):
            return [value, value]
        if len(value) != 2:
            raise ValueError(f"If {name} is a sequence its length should be 2. Got {len(value)}")
        for one in value:
            if not isinstance(one, float):
                raise TypeError(f"{name} should be a sequence of floats. Got {type(one)}")
        return value

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]) -> Any:
        """The displacements (1, H, W, 2), in halves of the size."""
        parts = []
        for strength, width, length in zip(alpha, sigma, (size[1], size[0])):
            part = rand(1, 1, *size) * 2 - 1
            if width > 0.0:
                taps = int(8 * width + 1) | 1
                part = F.gaussian_blur(part, [taps, taps], list(sigma))
            parts.append(part * strength / length)
        return ops.cat(parts, 1).permute(0, 2, 3, 1)

    def forward(self, tensor: Any) -> Any:
        _, height, width = F.get_dimensions(tensor)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(tensor, displacement, self.interpolation, self.fill)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )
