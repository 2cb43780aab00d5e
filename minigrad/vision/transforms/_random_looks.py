"""Random changes of colours and of sharpness, and erased rectangles; draws as torchvision's."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

from ...creation import empty, tensor
from ...nn import Module
from ...random import rand, randperm
from . import functional as F
from ._deterministic import pair
from ._draws import below, uniform
from ._random import Chance


class ColorJitter(Module):
    """Brightness, contrast, saturation and hue changed by random factors in random order."""

    def __init__(self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0):
        super().__init__()
        self.brightness = self._range(brightness, "brightness", 1, (0, math.inf))
        self.contrast = self._range(contrast, "contrast", 1, (0, math.inf))
        self.saturation = self._range(saturation, "saturation", 1, (0, math.inf))
        self.hue = self._range(hue, "hue", 0, (-0.5, 0.5))

    @staticmethod
    def _range(value: Any, name: str, centre: int, bound: tuple[float, float]) -> Any:
        if isinstance(value, (int, float)):
            if value < 0:
                raise ValueError(f"If {name} is a single number, it must be non negative.")
            low, high = centre - float(value), centre + float(value)
            low = max(low, 0.0) if name != "hue" else low
        elif isinstance(value, (tuple, list)) and len(value) == 2:
            low, high = (float(v) for v in value)
        else:
            raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
        if not bound[0] <= low <= high <= bound[1]:
            raise ValueError(f"{name} values should be between {bound}, but got {[low, high]}.")
        return None if low == high == centre else (low, high)

    @staticmethod
    def get_params(brightness: Any, contrast: Any, saturation: Any, hue: Any) -> tuple:
        """(order of the four, brightness, contrast, saturation, hue), None for those left out."""
        order = randperm(4)
        return (
            order,
            *(
                None if bounds is None else float(uniform(bounds[0], bounds[1]))
                for bounds in (brightness, contrast, saturation, hue)
            ),
        )

    def forward(self, img: Any) -> Any:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        steps = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order.tolist():
            if factors[i] is not None:
                img = steps[i](img, factors[i])
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue})"
        )


class RandomErasing(Module):
    """A random rectangle of a tensor replaced by a value (or "random" ones), with probability p."""

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ):
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        for name, given in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(given, (tuple, list)):
                raise TypeError(f"{name} should be a sequence")
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p, self.scale, self.ratio, self.value, self.inplace = p, scale, ratio, value, inplace

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float], value: Any = None
    ) -> tuple:
        """(top, left, height, width, values): ten tries, then the whole image as it is."""
        channels, height, width = img.shape[-3], img.shape[-2], img.shape[-1]
        low, high = tensor(list(ratio)).log().tolist()
        for _ in range(10):
            area = height * width * uniform(scale[0], scale[1])
            aspect = empty(1).uniform_(low, high).exp().item()
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if h >= height or w >= width:
                continue
            if value is None:
                v = empty(channels, h, w).normal_()
            else:
                v = tensor(value)[:, None, None]
            top = below(height - h + 1)
            return top, below(width - w + 1), h, w, v
        return 0, 0, height, width, img

    def forward(self, img: Any) -> Any:
        if not rand(1) < self.p:
            return img
        value: Any = self.value
        if isinstance(value, (int, float)):
            value = [float(value)]
        elif isinstance(value, str):
            value = None
        else:
            value = [float(v) for v in value]
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ValueError(
                "If value is a sequence, it should have either a single value or "
                f"{img.shape[-3]} (number of input channels)"
            )
        top, left, h, w, v = self.get_params(img, self.scale, self.ratio, value)
        return F.erase(img, top, left, h, w, v, self.inplace)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}, "
            f"value={self.value}, inplace={self.inplace})"
        )


class _Level(Chance):
    """One of `functional`'s maps of values with probability `p`; `number`: its argument's name."""

    number = ""

    def __init__(self, value: Any, p: float = 0.5):
        super().__init__(p)
        setattr(self, self.number, value)

    def __repr__(self) -> str:
        value = getattr(self, self.number)
        return f"{type(self).__name__}({self.number}={value},p={self.p})"


class RandomPosterize(_Level):
    """`functional.posterize` with probability `p`."""

    number = "bits"

    def __init__(self, bits: int, p: float = 0.5):
        super().__init__(bits, p)

    def apply_to(self, img: Any) -> Any:
        return F.posterize(img, self.bits)


class RandomSolarize(_Level):
    """`functional.solarize` with probability `p`."""

    number = "threshold"

    def __init__(self, threshold: float, p: float = 0.5):
        super().__init__(threshold, p)

    def apply_to(self, img: Any) -> Any:
        return F.solarize(img, self.threshold)


class RandomAdjustSharpness(_Level):
    """`functional.adjust_sharpness` with probability `p`."""

    number = "sharpness_factor"

    def __init__(self, sharpness_factor: float, p: float = 0.5):
        super().__init__(sharpness_factor, p)

    def apply_to(self, img: Any) -> Any:
        return F.adjust_sharpness(img, self.sharpness_factor)


class RandomAutocontrast(Chance):
    """`functional.autocontrast` with probability `p`."""

    def apply_to(self, img: Any) -> Any:
        return F.autocontrast(img)


class RandomEqualize(Chance):
    """`functional.equalize` with probability `p`."""

    def apply_to(self, img: Any) -> Any:
        return F.equalize(img)


class GaussianBlur(Module):
    """`functional.gaussian_blur` with a random deviation."""

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)):
        super().__init__()
        self.kernel_size = pair(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(n <= 0 or n % 2 == 0 for n in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, numbers.Number):
            if sigma <= 0:  # type: ignore[operator]
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif not isinstance(sigma, (tuple, list)) or len(sigma) != 2:
            raise ValueError("sigma should be a single number or a list/tuple with length 2.")
        elif not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError("sigma values should be positive and of the form (min, max).")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """The deviation."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, list(self.kernel_size), [sigma, sigma])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"
