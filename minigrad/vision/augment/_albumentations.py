"""An adapter for the transforms of Albumentations, which work on one NumPy image (H, W, C)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ...creation import from_numpy
from ._base import BatchTransform


class Albumentations(BatchTransform):
    """A transform of Albumentations (or a list of them) for tensors (N, C, H, W).

    Each image is handed over as an array (H, W, C), with a seed drawn from `generator`, so that
    the same state of the generator gives the same batch. Images must come back in one size.
    Augments image by image: what `minigrad.vision.augment` has itself is faster. ImportError
    without the extra `albumentations`.
    """

    def __init__(self, transform: Any, *, generator: Any = None):
        super().__init__(generator=generator)
        try:
            library = importlib.import_module("albumentations")
        except ImportError:
            raise ImportError(
                'this needs albumentations; install it with: pip install "minigrad[albumentations]"'
            ) from None
        if isinstance(transform, library.Compose):
            self.pipeline = transform
        else:
            parts = list(transform) if isinstance(transform, (list, tuple)) else [transform]
            self.pipeline = library.Compose(parts)

    def transform(self, x: Any) -> Any:
        seeds = self.below(len(x), 2**31 - 1).tolist()
        pixels = x.detach().permute(0, 2, 3, 1).numpy()
        made = []
        for image, seed in zip(pixels, seeds):
            self.pipeline.set_random_seed(seed)
            made.append(np.asarray(self.pipeline(image=np.ascontiguousarray(image))["image"]))
        sizes = {image.shape for image in made}
        if len(sizes) > 1:
            raise ValueError(f"images came back as {sorted(sizes)}; needed: one size")
        batch = np.stack(made)
        batch = batch[..., None] if batch.ndim == 3 else batch  # some drop a single channel
        return from_numpy(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))

    def extra_repr(self) -> str:
        return repr(self.pipeline)
