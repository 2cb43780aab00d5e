"""Augmentation of whole batches: the names of torchvision's transforms.v2, drawn for every image.

    augment = Compose([RandomCrop(32, padding=4), RandomHorizontalFlip()], generator=generator)
    for images, labels in loader:
        images, labels = augment(images, labels)

Images are tensors (N, C, H, W), uint8 or floats in [0, 1]; the work is done for all at once.
"""

from . import functional
from ._albumentations import Albumentations
from ._base import BatchTransform, Compose
from ._geometry import (
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
)
from ._levels import (
    RandomAdjustSharpness,
    RandomApply,
    RandomAutocontrast,
    RandomEqualize,
    RandomPosterize,
    RandomSolarize,
)
from ._looks import (
    ColorJitter,
    Cutout,
    GaussianBlur,
    GaussianNoise,
    RandomErasing,
    RandomGrayscale,
    RandomInvert,
)
from ._mixing import CutMix, MixUp
from ._policies import AugMix, RandAugment, TrivialAugmentWide

__all__ = [
    "Albumentations",
    "AugMix",
    "BatchTransform",
    "ColorJitter",
    "Compose",
    "CutMix",
    "Cutout",
    "GaussianBlur",
    "GaussianNoise",
    "MixUp",
    "RandAugment",
    "RandomAdjustSharpness",
    "RandomAffine",
    "RandomApply",
    "RandomAutocontrast",
    "RandomCrop",
    "RandomEqualize",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomInvert",
    "RandomPosterize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSolarize",
    "RandomVerticalFlip",
    "TrivialAugmentWide",
    "functional",
]
