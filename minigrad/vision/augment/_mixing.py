"""MixUp and CutMix: each image with a part of another one, labels in the same shares."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...creation import full
from ...dtypes import float32
from ...samplers import _sample_dirichlet
from . import functional as F
from ._base import BatchTransform, need_images


class _Mixing(BatchTransform):
    """Called with images (N, C, H, W) and labels: classes (N,), or shares of classes (N, K).

    Gives images and shares (N, K). Each image is mixed with the one before it (the first with the
    last), as torchvision does, in a share drawn from Beta(alpha, alpha): for every image, or with
    `per_image=False` one for the batch. `num_classes` is needed for classes.
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        num_classes: int | None = None,
        per_image: bool = True,
        generator: Any = None,
    ):
        super().__init__(generator=generator)
        if not alpha > 0:
            raise ValueError(f"alpha is {alpha}; needed: a number above 0")
        self.alpha, self.num_classes, self.per_image = float(alpha), num_classes, per_image

    def forward(self, *inputs: Any) -> Any:
        if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)):
            return type(inputs[0])(self.forward(*inputs[0]))
        name = type(self).__name__
        if len(inputs) < 2:
            raise TypeError(f"{name}: images alone were given; needed: images and labels")
        images, labels, *rest = inputs
        need_images(images, name)
        shares = self._shares_of(labels, len(images))
        if len(images):
            n = len(images) if self.per_image else 1
            beta = _sample_dirichlet(full((n, 2), self.alpha), self.generator)[:, 0]
            images, kept = self.mix(images, images.roll(1, 0), beta)
            kept = kept.to(shares.dtype).reshape(-1, 1)
            shares = shares * kept + shares.roll(1, 0) * (1.0 - kept)
        return (images, shares, *rest)

    def _shares_of(self, labels: Any, n: int) -> Any:
        if labels.dim() == 1 and not labels.is_floating_point():
            if self.num_classes is None:
                raise ValueError("num_classes must be passed if the labels are index-based (1D)")
            shares = ops.one_hot(labels.long(), self.num_classes).to(float32)
        elif labels.dim() == 2:
            if self.num_classes is not None and labels.shape[1] != self.num_classes:
                raise ValueError(
                    f"labels have {labels.shape[1]} columns, num_classes is {self.num_classes}"
                )
            shares = labels if labels.is_floating_point() else labels.to(float32)
        else:
            raise ValueError(
                "labels should be index based with shape (batch_size,) or probability based with "
                f"shape (batch_size, num_classes), but got a tensor of shape {tuple(labels.shape)}"
            )
        if len(shares) != n:
            raise ValueError(f"{len(shares)} labels were given for {n} images")
        return shares

    def mix(self, x: Any, other: Any, share: Any) -> tuple[Any, Any]:
        """The mixed images and the share of each that is its own."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return (
            f"alpha={self.alpha}, num_classes={self.num_classes}, per_image={self.per_image}"
        )  # fmt: skip


class MixUp(_Mixing):
    """Weighted sums of two images (Zhang et al., "mixup", 2018)."""

    __doc__ = f"{__doc__}\n\n    {_Mixing.__doc__}"

    def mix(self, x: Any, other: Any, share: Any) -> tuple[Any, Any]:
        kind = x.dtype if x.dtype.is_floating_point else float32
        weight = share.to(kind).reshape(-1, 1, 1, 1)
        made = x * weight + other * (1.0 - weight)
        return (made if kind == x.dtype else made.round().to(x.dtype)), share


class CutMix(_Mixing):
    """A box of each image taken from another one (Yun et al., "CutMix", 2019)."""

    __doc__ = f"{__doc__}\n\n    {_Mixing.__doc__}"

    def mix(self, x: Any, other: Any, share: Any) -> tuple[Any, Any]:
        height, width = x.shape[-2:]
        n = len(share)
        across, down = self.below(n, width), self.below(n, height)
        half = 0.5 * (1.0 - share.double()).sqrt()
        half_w, half_h = (half * width).long(), (half * height).long()
        left, top = (across - half_w).clamp(min=0), (down - half_h).clamp(min=0)
        w = (across + half_w).clamp(max=width) - left
        h = (down + half_h).clamp(max=height) - top
        mask = F.boxes(top, left, h, w, (height, width))
        return ops.where(mask, other, x), 1.0 - (w * h).double() / (width * height)
