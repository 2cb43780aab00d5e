"""AutoAugment, RandAugment, TrivialAugment and AugMix of one image; draws as torchvision's.

`minigrad.vision.augment` has RandAugment, TrivialAugment and AugMix of whole batches at once.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Any

from ...autograd.variable import Variable
from ...creation import arange, linspace, tensor
from ...nn import Module
from ...random import rand, randint
from ...samplers import _sample_dirichlet
from . import functional as F
from ._draws import below
from ._random import fill_for
from ._tables import AUG_MIX, FUNCTIONS, LOOKS, RAND_AUGMENT, TRIVIAL_WIDE, Table, pixels
from .functional import InterpolationMode

# The magnitudes that an operation may have (None: it has none), and whether their sign is drawn.
_Space = dict[str, tuple[Any, bool]]


class AutoAugmentPolicy(enum.Enum):
    """On which data a policy was learned."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# The policies of Cubuk et al., "AutoAugment", 2019: pairs of an operation, the probability that it
# is done, and which of ten magnitudes it has.
_LEARNED = {
    "imagenet": """
        Posterize 0.4 8 + Rotate 0.6 9; Solarize 0.6 5 + AutoContrast 0.6;
        Equalize 0.8 + Equalize 0.6; Posterize 0.6 7 + Posterize 0.6 6;
        Equalize 0.4 + Solarize 0.2 4; Equalize 0.4 + Rotate 0.8 8;
        Solarize 0.6 3 + Equalize 0.6; Posterize 0.8 5 + Equalize 1;
        Rotate 0.2 3 + Solarize 0.6 8; Equalize 0.6 + Posterize 0.4 6;
        Rotate 0.8 8 + Color 0.4 0; Rotate 0.4 9 + Equalize 0.6; Equalize 0 + Equalize 0.8;
        Invert 0.6 + Equalize 1; Color 0.6 4 + Contrast 1 8; Rotate 0.8 8 + Color 1 2;
        Color 0.8 8 + Solarize 0.8 7; Sharpness 0.4 7 + Invert 0.6; ShearX 0.6 5 + Equalize 1;
        Color 0.4 0 + Equalize 0.6; Equalize 0.4 + Solarize 0.2 4;
        Solarize 0.6 5 + AutoContrast 0.6; Invert 0.6 + Equalize 1; Color 0.6 4 + Contrast 1 8;
        Equalize 0.8 + Equalize 0.6
    """,
    "cifar10": """
        Invert 0.1 + Contrast 0.2 6; Rotate 0.7 2 + TranslateX 0.3 9;
        Sharpness 0.8 1 + Sharpness 0.9 3; ShearY 0.5 8 + TranslateY 0.7 9;
        AutoContrast 0.5 + Equalize 0.9; ShearY 0.2 7 + Posterize 0.3 7;
        Color 0.4 3 + Brightness 0.6 7; Sharpness 0.3 9 + Brightness 0.7 9;
        Equalize 0.6 + Equalize 0.5; Contrast 0.6 7 + Sharpness 0.6 5;
        Color 0.7 7 + TranslateX 0.5 8; Equalize 0.3 + AutoContrast 0.4;
        TranslateY 0.4 3 + Sharpness 0.2 6; Brightness 0.9 6 + Color 0.2 8;
        Solarize 0.5 2 + Invert 0; Equalize 0.2 + AutoContrast 0.6;
        Equalize 0.2 + Equalize 0.6; Color 0.9 9 + Equalize 0.6;
        AutoContrast 0.8 + Solarize 0.2 8; Brightness 0.1 3 + Color 0.7 0;
        Solarize 0.4 5 + AutoContrast 0.9; TranslateY 0.9 9 + TranslateY 0.7 9;
        AutoContrast 0.9 + Solarize 0.8 3; Equalize 0.8 + Invert 0.1;
        TranslateY 0.7 9 + AutoContrast 0.9
    """,
    "svhn": """
        ShearX 0.9 4 + Invert 0.2; ShearY 0.9 8 + Invert 0.7; Equalize 0.6 + Solarize 0.6 6;
        Invert 0.9 + Equalize 0.6; Equalize 0.6 + Rotate 0.9 3;
        ShearX 0.9 4 + AutoContrast 0.8; ShearY 0.9 8 + Invert 0.4;
        ShearY 0.9 5 + Solarize 0.2 6; Invert 0.9 + AutoContrast 0.8;
        Equalize 0.6 + Rotate 0.9 3; ShearX 0.9 4 + Solarize 0.3 3; ShearY 0.8 8 + Invert 0.7;
        Equalize 0.9 + TranslateY 0.6 6; Invert 0.9 + Equalize 0.6;
        Contrast 0.3 3 + Rotate 0.8 4; Invert 0.8 + TranslateY 0 2;
        ShearY 0.7 6 + Solarize 0.4 8; Invert 0.6 + Rotate 0.8 4;
        ShearY 0.3 7 + TranslateX 0.9 3; ShearX 0.1 6 + Invert 0.6;
        Solarize 0.7 2 + TranslateY 0.6 7; ShearY 0.8 4 + Invert 0.8;
        ShearX 0.7 9 + TranslateY 0.8 3; ShearY 0.8 5 + AutoContrast 0.7;
        ShearX 0.7 2 + Invert 0.1
    """,
}


def _read(text: str) -> list[tuple]:
    """[((operation, probability, magnitude or None), the same of the second), ...]"""

    def operation(words: list[str]) -> tuple:
        return words[0], float(words[1]), int(words[2]) if len(words) > 2 else None

    return [tuple(operation(part.split()) for part in pair.split("+")) for pair in text.split(";")]


def _apply(img: Any, name: str, magnitude: float, interpolation: Any, fill: Any) -> Any:
    """One operation. Shears keep the corner, turns the middle."""
    if name == "Identity":
        return img
    if name in FUNCTIONS:
        function = getattr(F, FUNCTIONS[name])
        if name in LOOKS:
            return function(img, 1.0 + magnitude)
        if name in ("AutoContrast", "Equalize", "Invert"):
            return function(img)
        if name == "Rotate":
            return function(img, magnitude, interpolation=interpolation, fill=fill)
        return function(img, int(magnitude) if name == "Posterize" else magnitude)
    along = int(name.endswith("Y"))
    shear, move, center = [0.0, 0.0], [0, 0], None
    if name.startswith("Shear"):
        shear[along], center = math.degrees(math.atan(magnitude)), [0, 0]
    else:
        move[along] = int(magnitude)
    return F.affine(img, 0.0, move, 1.0, shear, interpolation, fill, center)


def _row(name: str, most: Any, bins: int) -> Any:
    """The magnitudes of `bins` strengths from none to `most`, as torchvision rounds them."""
    if most is None:
        return None
    if name == "Posterize":
        bits, taken = most
        return bits - (arange(bins) / ((bins - 1) / taken)).round().int()
    return linspace(255.0, 0.0, bins) if name == "Solarize" else linspace(0.0, most, bins)


def _space(table: Table, bins: int, img: Any) -> _Space:
    """The magnitudes for an image of this size."""
    _, height, width = F.get_dimensions(img)
    return {
        name: (_row(name, pixels(name, most, height, width), bins), signed)
        for name, (most, signed) in table.items()
    }


class _Policy(Module):
    """What the policies share: `interpolation` and `fill` as in `functional.affine`."""

    shown: tuple[str, ...] = ()

    def __init__(self, interpolation: Any, fill: Any):
        super().__init__()
        self.interpolation, self.fill = interpolation, fill

    def _draw(self, img: Any, space: _Space, choose: Callable[[Any], Any], fill: Any) -> Any:
        """One operation of `space`, of the magnitude that `choose` takes out of a row of them."""
        name = list(space)[below(len(space))]
        row, signed = space[name]
        magnitude = 0.0 if row is None else float(choose(row))
        if signed and below(2):
            magnitude = -magnitude
        return _apply(img, name, magnitude, self.interpolation, fill)

    def __repr__(self) -> str:
        shown = (*self.shown, "interpolation", "fill")
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)}' for n in shown)})"


class AutoAugment(_Policy):
    """One of 25 learned pairs of operations (Cubuk et al., "AutoAugment", 2019)."""

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = None,
    ):
        super().__init__(interpolation, fill)
        if not isinstance(policy, AutoAugmentPolicy):
            raise ValueError(f"The provided policy {policy} is not recognized.")
        self.policy = policy
        self.policies = _read(_LEARNED[policy.value])

    @staticmethod
    def get_params(transform_num: int) -> tuple:
        """(which pair, two numbers for their probabilities, two signs)."""
        return below(transform_num), rand(2), randint(2, (2,))

    def forward(self, img: Any) -> Any:
        fill = fill_for(img, self.fill)
        which, chances, signs = self.get_params(len(self.policies))
        space = _space(RAND_AUGMENT, 10, img) | {"Invert": (None, False)}
        for i, (name, probability, magnitude) in enumerate(self.policies[which]):
            if chances[i] > probability:
                continue
            row, signed = space[name]
            value = 0.0 if magnitude is None else float(row[magnitude])
            value = -value if signed and signs[i] == 0 else value
            img = _apply(img, name, value, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"


class RandAugment(_Policy):
    """`num_ops` operations of equal strength (Cubuk et al., "RandAugment", 2020)."""

    shown = ("num_ops", "magnitude", "num_magnitude_bins")

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = None,
    ):
        super().__init__(interpolation, fill)
        self.num_ops, self.magnitude = num_ops, magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def forward(self, img: Any) -> Any:
        fill = fill_for(img, self.fill)
        space = _space(RAND_AUGMENT, self.num_magnitude_bins, img)
        for _ in range(self.num_ops):
            img = self._draw(img, space, lambda row: row[self.magnitude], fill)
        return img


class TrivialAugmentWide(_Policy):
    """One operation of any strength (Müller and Hutter, "TrivialAugment", 2021)."""

    shown = ("num_magnitude_bins",)

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = None,
    ):
        super().__init__(interpolation, fill)
        self.num_magnitude_bins = num_magnitude_bins

    def forward(self, img: Any) -> Any:
        space = _space(TRIVIAL_WIDE, self.num_magnitude_bins, img)
        return self._draw(img, space, lambda row: row[below(len(row))], fill_for(img, self.fill))


class AugMix(_Policy):
    """The image mixed with chains of operations on it (Hendrycks et al., "AugMix", 2020).

    The shares of the `mixture_width` chains are from a Dirichlet, that of the image from a Beta
    distribution of `alpha`. Chains have `chain_depth` operations (-1: one to three) of strengths
    up to `severity` (1 to 10). PIL images go through tensors.
    """

    shown = ("severity", "mixture_width", "chain_depth", "alpha", "all_ops")

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: Any = InterpolationMode.BILINEAR,
        fill: Any = None,
    ):
        super().__init__(interpolation, fill)
        if not 1 <= severity <= 10:
            raise ValueError(f"The severity must be between [1, 10]. Got {severity} instead.")
        self.severity, self.mixture_width, self.chain_depth = severity, mixture_width, chain_depth
        self.alpha, self.all_ops = alpha, all_ops

    def _shares(self, count: int, n: int) -> Any:
        return _sample_dirichlet(tensor([float(self.alpha)] * n).expand((count, n)))

    def forward(self, orig_img: Any) -> Any:
        fill = fill_for(orig_img, self.fill)
        img = orig_img if isinstance(orig_img, Variable) else F.pil_to_tensor(orig_img)
        space = _space(AUG_MIX, 10, img)
        if not self.all_ops:
            space = {name: row for name, row in space.items() if name not in LOOKS}
        batch = img.reshape((-1, *img.shape[-3:]))
        sizes = (len(batch), 1, 1, 1)
        own = self._shares(len(batch), 2)
        parts = self._shares(len(batch), self.mixture_width) * own[:, 1:]
        mix = own[:, 0].reshape(sizes) * batch
        for i in range(self.mixture_width):
            made = batch
            for _ in range(self.chain_depth if self.chain_depth > 0 else 1 + below(3)):
                made = self._draw(made, space, lambda row: row[below(self.severity)], fill)
            mix = mix + parts[:, i].reshape(sizes) * made
        mix = mix.reshape(img.shape).to(img.dtype)
        return mix if isinstance(orig_img, Variable) else F.to_pil_image(mix)
