"""Changes of the levels of values, for the images that are drawn; and any transforms for these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import functional as F
from ._base import BatchTransform, Compose, need_probability


class _Chosen(BatchTransform):
    """A function of the images that are drawn with probability `p`."""

    def __init__(self, p: float = 0.5, *, generator: Any = None):
        super().__init__(generator=generator)
        need_probability(p)
        self.p = p

    def apply_to(self, x: Any) -> Any:
        """The function, of all images given."""
        raise NotImplementedError

    def transform(self, x: Any) -> Any:
        return F.apply_where(x, self.chance(len(x), self.p), self.apply_to)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class RandomAutocontrast(_Chosen):
    """Each channel of an image stretched from black to white with probability `p`."""

    def apply_to(self, x: Any) -> Any:
        return F.autocontrast(x)


class RandomEqualize(_Chosen):
    """The histogram of each channel of an image made flat with probability `p`."""

    def apply_to(self, x: Any) -> Any:
        return F.equalize(x)


class RandomSolarize(_Chosen):
    """Values from `threshold` on inverted, with probability `p`."""

    def __init__(self, threshold: float, p: float = 0.5, *, generator: Any = None):
        super().__init__(p, generator=generator)
        self.threshold = threshold

    def apply_to(self, x: Any) -> Any:
        return F.solarize(x, self.threshold)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, p={self.p}"


class RandomPosterize(_Chosen):
    """Only `bits` (0 to 8) of each value kept, with probability `p`. ValueError for other bits."""

    def __init__(self, bits: int, p: float = 0.5, *, generator: Any = None):
        super().__init__(p, generator=generator)
        if not 0 <= bits <= 8:
            raise ValueError(f"The number of bits should be between 0 and 8. Got {bits}")
        self.bits = bits

    def apply_to(self, x: Any) -> Any:
        return F.posterize(x, self.bits)

    def extra_repr(self) -> str:
        return f"bits={self.bits}, p={self.p}"


class RandomAdjustSharpness(_Chosen):
    """`adjust_sharpness` by a factor (0 smooth, 1 the image, 2 sharper), with probability `p`."""

    def __init__(self, sharpness_factor: float, p: float = 0.5, *, generator: Any = None):
        super().__init__(p, generator=generator)
        if sharpness_factor < 0:
            raise ValueError(f"sharpness_factor is {sharpness_factor}; needed: 0 or more")
        self.sharpness_factor = sharpness_factor

    def apply_to(self, x: Any) -> Any:
        return F.adjust_sharpness(x, self.sharpness_factor)

    def extra_repr(self) -> str:
        return f"sharpness_factor={self.sharpness_factor}, p={self.p}"


class RandomApply(_Chosen):
    """Transforms for the images that are drawn with probability `p`; they must keep the size.

    The transforms without a generator of their own draw from that of `RandomApply`.
    """

    def __init__(self, transforms: Sequence, p: float = 0.5, *, generator: Any = None):
        super().__init__(p)
        self.transforms = Compose(transforms)
        self.give(generator)

    def give(self, generator: Any) -> None:
        super().give(generator)
        self.transforms.give(generator)

    def apply_to(self, x: Any) -> Any:
        made = self.transforms(x)
        if made.shape != x.shape or made.dtype != x.dtype:
            raise ValueError(
                f"RandomApply: {tuple(made.shape)} {made.dtype} came of {tuple(x.shape)} "
                f"{x.dtype}; needed: the same, as the other images stay as they are"
            )
        return made

    def extra_repr(self) -> str:
        return f"p={self.p}"
