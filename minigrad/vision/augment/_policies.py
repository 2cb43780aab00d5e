"""RandAugment, TrivialAugment and AugMix: operations that every image draws from a table.

In a round each image draws one operation. The images with the same operation are transformed
together, and all that are sheared, moved or turned in one resampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import ops
from ...creation import full, tensor, zeros
from ...dtypes import float32, float64
from ...samplers import _sample_dirichlet
from ..transforms import InterpolationMode, _tensor
from ..transforms._tables import (
    AUG_MIX,
    FUNCTIONS,
    LOOKS,
    RAND_AUGMENT,
    TRIVIAL_WIDE,
    Table,
    pixels,
)  # fmt: skip
from . import functional as F
from ._base import BatchTransform


def magnitudes(name: str, most: Any, strength: Any) -> Any:
    """The magnitude of an operation for strengths (N,) in [0, 1], float64."""
    if most is None:
        return zeros(len(strength), dtype=float64)
    strength = strength.to(float64)
    if name == "Posterize":
        return most[0] - (strength * most[1]).round()
    return 1.0 - strength if name == "Solarize" else strength * most


def apply_operations(
    x: Any, names: Sequence[str], which: Any, magnitude: Any, interpolation: Any, fill: Any
) -> Any:
    """Image i transformed by `names[which[i]]` with `magnitude[i]` (moves: pixels)."""
    place = {name: i for i, name in enumerate(names)}
    bound = _tensor.largest(x.dtype)

    def of(name: str) -> Any:
        return which == place.get(name, -2)

    def amount(name: str, value: Any) -> Any:
        return ops.where(of(name), value, 0.0)

    arguments = {
        **{name: (1.0 + magnitude,) for name in LOOKS}, "Posterize": (magnitude.long(),),
        "Solarize": (magnitude * bound,), "AutoContrast": (), "Equalize": (),
    }  # fmt: skip
    made = x
    for name, given in arguments.items():
        made = F.apply_where(made, of(name), getattr(F, FUNCTIONS[name]), *given)

    degrees = magnitude.atan().rad2deg()
    whole = magnitude.trunc()
    # Shears keep the corner, turns the middle: a shear around the corner is one with a move.
    shear = (amount("ShearX", degrees), amount("ShearY", degrees))
    turn = amount("Rotate", -magnitude)
    h, w = x.shape[-2:]
    # A point p goes to S (p - c) + c with c the corner (-w/2, -h/2): S p + (c - S c).
    corner_x = amount("ShearX", magnitude) * (-h * 0.5)
    corner_y = amount("ShearY", magnitude) * (-w * 0.5)
    move = (amount("TranslateX", whole) + corner_x, amount("TranslateY", whole) + corner_y)
    geometric = of("ShearX") | of("ShearY") | of("Rotate") | of("TranslateX") | of("TranslateY")

    def warp(part: Any, turn: Any, tx: Any, ty: Any, sx: Any, sy: Any) -> Any:
        return F.affine(part, turn, (tx, ty), 1.0, (sx, sy), interpolation, fill)

    return F.apply_where(made, geometric, warp, turn, *move, *shear)


class _Policy(BatchTransform):
    """Draws from a table; `interpolation` and `fill` as in `RandomAffine` (None: black)."""

    table: Table

    def __init__(self, interpolation: Any, fill: Any, generator: Any):
        super().__init__(generator=generator)
        self.interpolation, self.fill = interpolation, fill

    def round(self, x: Any, strength: Any, active: Any = None) -> Any:
        """One operation for each image with strengths (N,); only for those that are `active`."""
        n, _, height, width = x.shape
        which = self.below(n, len(self.table))
        sign = ops.where(self.chance(n, 0.5), -1.0, 1.0).to(float64)
        magnitude = zeros(n, dtype=float64)
        for i, (name, (most, signed)) in enumerate(self.table.items()):
            value = magnitudes(name, pixels(name, most, height, width), strength)
            magnitude = ops.where(which == i, value * sign if signed else value, magnitude)
        if active is not None:
            which = ops.where(active, which, -1)
        names = list(self.table)
        return apply_operations(x, names, which, magnitude, self.interpolation, self.fill)


class RandAugment(_Policy):
    """`num_ops` operations of equal strength for each image (Cubuk et al., "RandAugment", 2020)."""

    table = RAND_AUGMENT

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = None,
        *,
        generator: Any = None,
    ):
        super().__init__(interpolation, fill, generator)
        if not 0 <= magnitude < num_magnitude_bins:
            raise ValueError(
                f"magnitude {magnitude} was given; needed: 0 to {num_magnitude_bins - 1}"
            )
        self.num_ops, self.magnitude, self.num_magnitude_bins = (
            num_ops, magnitude, num_magnitude_bins,
        )  # fmt: skip

    def transform(self, x: Any) -> Any:
        strength = full((len(x),), self.magnitude / max(self.num_magnitude_bins - 1, 1))
        for _ in range(self.num_ops):
            x = self.round(x, strength)
        return x

    def extra_repr(self) -> str:
        return (
            f"num_ops={self.num_ops}, magnitude={self.magnitude}, "
            f"num_magnitude_bins={self.num_magnitude_bins}"
        )


class TrivialAugmentWide(_Policy):
    """One operation of any strength for each image (Müller and Hutter, "TrivialAugment", 2021)."""

    table = TRIVIAL_WIDE

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = None,
        *,
        generator: Any = None,
    ):
        super().__init__(interpolation, fill, generator)
        if num_magnitude_bins < 2:
            raise ValueError(f"num_magnitude_bins is {num_magnitude_bins}; needed: 2 or more")
        self.num_magnitude_bins = num_magnitude_bins

    def transform(self, x: Any) -> Any:
        drawn = self.below(len(x), self.num_magnitude_bins)
        return self.round(x, drawn.to(float32) / (self.num_magnitude_bins - 1))

    def extra_repr(self) -> str:
        return f"num_magnitude_bins={self.num_magnitude_bins}"


class AugMix(_Policy):
    """Each image mixed with `mixture_width` chains of operations on it (Hendrycks et al., "AugMix",
    2020): shares of the chains from a Dirichlet, that of the image from a Beta distribution of
    `alpha`. Chains have `chain_depth` operations (-1: one to three), of strengths up to `severity`
    (1 to 10); `all_ops=False` leaves brightness, colour, contrast and sharpness out.
    """

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: Any = InterpolationMode.BILINEAR,
        fill: Any = None,
        *,
        generator: Any = None,
    ):
        super().__init__(interpolation, fill, generator)
        if not 1 <= severity <= 10:
            raise ValueError(f"The severity must be between [1, 10]. Got {severity} instead.")
        if not alpha > 0 or mixture_width < 1:
            raise ValueError(
                f"alpha {alpha}, mixture_width {mixture_width} were given; needed: above 0"
            )
        self.severity, self.mixture_width, self.chain_depth = severity, mixture_width, chain_depth
        self.alpha, self.all_ops = alpha, all_ops
        self.table = {k: v for k, v in AUG_MIX.items() if all_ops or k not in LOOKS}

    def shares(self, n: int, width: int) -> Any:
        """(n, width) from a Dirichlet distribution."""
        return _sample_dirichlet(full((n, width), float(self.alpha)), self.generator)

    def transform(self, x: Any) -> Any:
        n = len(x)
        kind = x.dtype if x.dtype.is_floating_point else float32
        own = self.shares(n, 2)
        parts = (self.shares(n, self.mixture_width) * own[:, 1:]).to(kind)
        mixed = x * own[:, :1].to(kind).reshape(n, 1, 1, 1)
        for chain in range(self.mixture_width):
            made = x
            if self.chain_depth > 0:
                depths, deepest = tensor([self.chain_depth]), self.chain_depth
            else:
                depths, deepest = self.below(n, 3) + 1, 3
            for step in range(deepest):
                strength = self.below(n, self.severity).to(float32) / 9.0
                made = self.round(made, strength, (depths > step).expand((n,)))
            mixed = mixed + made * parts[:, chain].reshape(n, 1, 1, 1)
        # As torchvision: sums are cut off, not rounded, to integers.
        return mixed if kind == x.dtype else mixed.clamp(0, 255).to(x.dtype)

    def extra_repr(self) -> str:
        return (
            f"severity={self.severity}, mixture_width={self.mixture_width}, "
            f"chain_depth={self.chain_depth}, alpha={self.alpha}, all_ops={self.all_ops}"
        )
