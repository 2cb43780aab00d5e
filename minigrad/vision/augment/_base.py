"""What the transforms of batches share: taking inputs apart, drawing numbers for every image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...autograd.variable import Variable
from ...creation import empty, full
from ...dtypes import uint8
from ...generator import Generator
from ...nn import Module
from ...random import rand, randint


def need_images(x: Any, name: str) -> None:
    """TypeError unless `x` is a batch of images: (N, C, H, W) of uint8 or floats."""
    if not isinstance(x, Variable):
        raise TypeError(f"{name}: a {type(x).__name__} was given; needed: a tensor (N, C, H, W)")
    if x.dim() != 4:
        raise TypeError(f"{name}: shape {tuple(x.shape)} was given; needed: (N, C, H, W)")
    if x.dtype != uint8 and not x.dtype.is_floating_point:
        raise TypeError(f"{name}: {x.dtype} was given; needed: uint8, or floats in [0, 1]")


class BatchTransform(Module):
    """A transform of a batch of images that draws for every image by itself.

    Called with images (N, C, H, W), with images and anything else (labels), or with one tuple or
    list of these; what comes after the images is handed on as it is. Random numbers come from
    `generator`, or from the default one. The same state of the generator gives the same batch.
    """

    def __init__(self, *args: Any, generator: Generator | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.generator = generator

    def give(self, generator: Generator | None) -> None:
        """Makes a generator this transform's, unless it has one."""
        if self.generator is None:
            self.generator = generator

    def forward(self, *inputs: Any) -> Any:
        if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)):
            made = self.forward(*inputs[0])
            return type(inputs[0])(made if len(inputs[0]) > 1 else [made])
        if not inputs:
            raise TypeError(f"{type(self).__name__}: nothing was given; needed: images")
        need_images(inputs[0], type(self).__name__)
        images = self.transform(inputs[0]) if len(inputs[0]) else inputs[0]
        return images if len(inputs) == 1 else (images, *inputs[1:])

    def transform(self, x: Any) -> Any:
        """The batch transformed; in subclasses."""
        raise NotImplementedError

    # -- draws, one for each of n images ---------------------------------------------------------

    def chance(self, n: int, p: float) -> Any:
        """Booleans, true with probability `p`."""
        return rand(n, generator=self.generator) < p

    def uniform(self, n: int, low: float, high: float) -> Any:
        """float32 in [low, high)."""
        if low == high:
            return full((n,), float(low))
        return empty(n).uniform_(low, high, generator=self.generator)

    def below(self, n: int, bound: int) -> Any:
        """Whole numbers below a bound."""
        return randint(0, bound, (n,), generator=self.generator)

    def below_each(self, bounds: Any) -> Any:
        """Whole numbers, each below its own bound (N,)."""
        drawn = rand(len(bounds), generator=self.generator, dtype=None).double() * bounds
        return drawn.floor().long().minimum(bounds - 1)


def need_probability(p: Any) -> None:
    """ValueError unless `p` lies in [0, 1]."""
    if not isinstance(p, (int, float)) or not 0.0 <= p <= 1.0:
        raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")


def first_valid(valid: Any) -> tuple[Any, Any]:
    """For tries (N, T): the place (N,) of each row's first valid one, and whether there is one."""
    return valid.int().argmax(1), valid.any(1)


def log_range(ratio: Sequence[float]) -> tuple[float, float]:
    """The logarithms of a range of aspect ratios."""
    return math.log(ratio[0]), math.log(ratio[1])


class Compose(Module):
    """Transforms one after the other, called as each of them is (images, or images and labels).

    `generator` is given to those that have none of their own. Other callables (`Normalize`) get the
    images alone. TypeError for what is no list, ValueError for an empty one.
    """

    def __init__(self, transforms: Sequence, generator: Generator | None = None):
        super().__init__()
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence of callables")
        if not transforms:
            raise ValueError("Pass at least one transform")
        self.transforms = list(transforms)
        self.give(generator)

    def give(self, generator: Generator | None) -> None:
        """Makes a generator that of all transforms that have none."""
        for t in self.transforms:
            if isinstance(t, (BatchTransform, Compose)):
                t.give(generator)

    def forward(self, *inputs: Any) -> Any:
        if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)):
            made = self.forward(*inputs[0])
            return type(inputs[0])(made if len(inputs[0]) > 1 else [made])
        for t in self.transforms:
            if isinstance(t, (BatchTransform, Compose)):
                made = t(*inputs)
                inputs = made if len(inputs) > 1 else (made,)
            else:  # of images alone, such as `transforms.Normalize`
                inputs = (t(inputs[0]), *inputs[1:])
        return inputs if len(inputs) > 1 else inputs[0]

    def extra_repr(self) -> str:
        return "\n".join(f"    {t}" for t in self.transforms)
