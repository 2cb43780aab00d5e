"""Colours, noise, blur and erased parts, by amounts that every image draws for itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import ops
from ...creation import linspace, tensor
from ...dtypes import float32
from ...random import rand, randn
from .. import transforms as T
from ..transforms import _tensor
from . import functional as F
from ._base import BatchTransform, first_valid, log_range, need_probability


class ColorJitter(BatchTransform, T.ColorJitter):
    """Brightness, contrast, saturation and hue by factors and in an order of each image's own.

    ColorJitter(brightness=0, contrast=0, saturation=0, hue=0): ranges as torchvision's.
    """

    def transform(self, x: Any) -> Any:
        n = len(x)
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        functions = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        steps = [(f, self.uniform(n, *r)) for f, r in zip(functions, ranges) if r is not None]
        # (N, steps): row i is the order in which image i takes them.
        order = rand(n, len(steps), generator=self.generator).argsort(1)
        for turn in range(len(steps)):
            for k, (function, factor) in enumerate(steps):
                x = F.apply_where(x, order[:, turn] == k, function, factor)
        return x


class RandomGrayscale(BatchTransform, T.RandomGrayscale):
    """Each image in luma, with as many channels, with probability `p` (0.1)."""

    def transform(self, x: Any) -> Any:
        need_probability(self.p)
        channels = x.shape[1]
        chosen = self.chance(len(x), self.p)
        return F.apply_where(x, chosen, lambda part: _tensor.rgb_to_grayscale(part, channels))


class RandomInvert(BatchTransform, T.RandomInvert):
    """Each image's negative with probability `p`."""

    def transform(self, x: Any) -> Any:
        need_probability(self.p)
        return F.apply_where(x, self.chance(len(x), self.p), F.invert)


class GaussianNoise(BatchTransform):
    """Normal noise added to every value; `sigma` may be a range of which each image draws.

    For uint8 mean and deviation count in parts of 255. `clip` keeps values between black and white.
    """

    def __init__(
        self, mean: float = 0.0, sigma: Any = 0.1, clip: bool = True, *, generator: Any = None
    ):
        super().__init__(generator=generator)
        pair = tuple(sigma) if isinstance(sigma, (tuple, list)) else (sigma, sigma)
        if len(pair) != 2 or not 0 <= pair[0] <= pair[1]:
            raise ValueError(f"sigma should not be negative. Got {sigma}")
        self.mean, self.sigma, self.clip = mean, sigma, clip
        self.range = pair

    def transform(self, x: Any) -> Any:
        bound = _tensor.largest(x.dtype)
        sigma = self.uniform(len(x), *self.range).reshape(-1, 1, 1, 1)
        kind = x.dtype if x.dtype.is_floating_point else float32
        noise = randn(*x.shape, generator=self.generator).to(kind)
        made = x + (noise * (sigma * bound).to(kind) + self.mean * bound)
        if x.dtype.is_floating_point:
            return made.clamp(0, 1) if self.clip else made
        made = made.round()
        # Without clipping, integers wrap around as torchvision's do.
        return made.clamp(0, bound).to(x.dtype) if self.clip else (made % 256).to(x.dtype)

    def extra_repr(self) -> str:
        return f"mean={self.mean}, sigma={self.sigma}, clip={self.clip}"


class GaussianBlur(BatchTransform, T.GaussianBlur):
    """Each image convolved with a Gaussian of its own deviation, mirrored at its rims.

    GaussianBlur(kernel_size, sigma=(0.1, 2.0)); `kernel_size` odd, or two for x and y.
    """

    def transform(self, x: Any) -> Any:
        n, channels, h, w = x.shape
        sigma = self.uniform(n, *self.sigma).reshape(n, 1)
        kind = x.dtype if x.dtype.is_floating_point else float32
        lines = []
        for size in self.kernel_size:
            half = (size - 1) * 0.5
            weights = (-0.5 * (linspace(-half, half, size) / sigma) ** 2).exp()
            lines.append((weights / weights.sum(1, keepdim=True)).to(kind))
        across, down = self.kernel_size[0] // 2, self.kernel_size[1] // 2
        wide = ops.pad(x.to(kind), [across, across, down, down], mode="reflect")
        # Images stand as groups of channels; rows and columns are separate convolutions.
        made = wide.reshape(1, n * channels, h + 2 * down, w + 2 * across)
        for line, axis in zip(lines, (2, 3)):
            taps = line.repeat_interleave(channels, 0).unsqueeze(1).unsqueeze(axis)
            made = ops.conv2d(made, taps, groups=n * channels)
        made = made.reshape(x.shape)
        return made if x.dtype.is_floating_point else made.round().clamp(0, 255).to(x.dtype)


class RandomErasing(BatchTransform, T.RandomErasing):
    """A rectangle of each image replaced by a value (or by normal noise), with probability `p`.

    RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False).
    """

    def boxes(self, n: int, height: int, width: int) -> tuple[tuple[Any, Any, Any, Any], Any]:
        """(top, left, height, width), each (n,), and whether one of ten tries fitted."""
        area = self.uniform(n * 10, *self.scale).double().reshape(n, 10) * (height * width)
        aspect = self.uniform(n * 10, *log_range(self.ratio)).double().exp().reshape(n, 10)
        h, w = (area * aspect).sqrt().round().long(), (area / aspect).sqrt().round().long()
        at, found = first_valid((h < height) & (w < width))
        h, w = (v.gather(1, at[:, None])[:, 0].where(found, 0) for v in (h, w))
        return (self.below_each(height - h + 1), self.below_each(width - w + 1), h, w), found

    def transform(self, x: Any) -> Any:
        n, channels, height, width = x.shape
        values = None
        if not isinstance(self.value, str):
            given: Any = self.value if isinstance(self.value, (tuple, list)) else [self.value]
            if len(given) not in (1, channels):
                raise ValueError(
                    "If value is a sequence, it should have either a single value or "
                    f"{channels} (number of input channels)"
                )
            values = tensor([float(v) for v in given], dtype=x.dtype).reshape(1, -1, 1, 1)
        chosen = self.chance(n, self.p)
        box, _ = self.boxes(n, height, width)
        mask = F.boxes(*box, (height, width)) & chosen.reshape(n, 1, 1, 1)
        if values is None:
            values = randn(*x.shape, generator=self.generator).to(x.dtype)
        made = ops.where(mask, values, x)
        return x.copy_(made) if self.inplace else made


class Cutout(BatchTransform):
    """Squares of each image replaced by a value, with probability `p`.

    `size` in pixels, `n_holes` of them; their middles lie anywhere, what reaches outside is cut off
    (DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout",
    2017).
    """

    def __init__(
        self, size: int, n_holes: int = 1, p: float = 1.0, value: Any = 0, *, generator: Any = None
    ):
        super().__init__(generator=generator)
        need_probability(p)
        if size < 1 or n_holes < 1:
            raise ValueError(f"size {size}, n_holes {n_holes} were given; needed: 1 or more")
        self.size, self.n_holes, self.p, self.value = size, n_holes, p, value

    def transform(self, x: Any) -> Any:
        n, _, height, width = x.shape
        chosen = self.chance(n, self.p).reshape(n, 1, 1, 1)
        side = tensor([self.size])
        given: Sequence = self.value if isinstance(self.value, (tuple, list)) else [self.value]
        values = tensor([float(v) for v in given], dtype=x.dtype).reshape(1, -1, 1, 1)
        for _ in range(self.n_holes):
            top = self.below(n, height) - self.size // 2
            left = self.below(n, width) - self.size // 2
            mask = F.boxes(top, left, side, side, (height, width))
            x = ops.where(mask & chosen, values, x)
        return x

    def extra_repr(self) -> str:
        return f"size={self.size}, n_holes={self.n_holes}, p={self.p}, value={self.value}"
