"""What functional transforms ask first: the kind of image, and how it is read between pixels."""

from __future__ import annotations

import enum
from typing import Any

from ...autograd.variable import Variable
from .._extra import is_pil


class InterpolationMode(enum.Enum):
    """How pixels between pixels are made."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


# Pillow's numbers.
PILLOW = {
    "nearest": 0, "nearest-exact": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4,
    "hamming": 5,
}  # fmt: skip
_BY_NUMBER = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def mode_name(interpolation: Any) -> str:
    """The name of a mode that was given as such or as Pillow's number."""
    if isinstance(interpolation, int):
        interpolation = InterpolationMode(_BY_NUMBER[int(interpolation)])
    if not isinstance(interpolation, InterpolationMode):
        raise TypeError(
            "Argument interpolation should be a InterpolationMode or a corresponding Pillow "
            "integer constant"
        )
    return interpolation.value


def need_image(image: Any) -> bool:
    """True for a PIL image, False for a tensor. TypeError for anything else."""
    if isinstance(image, Variable):
        return False
    if is_pil(image):
        return True
    raise TypeError(f"Unexpected type {type(image)}")
