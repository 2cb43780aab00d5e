"""What policies draw from: operations, their largest magnitudes, and whether a sign is drawn.

The transforms of one image and those of whole batches (`minigrad.vision.augment`) share it.
"""

from __future__ import annotations

from typing import Any

__all__ = ["AUG_MIX", "FUNCTIONS", "LOOKS", "RAND_AUGMENT", "TRIVIAL_WIDE", "Table", "pixels"]

# Shears are slopes, turns degrees; moves up to 1 count in parts of the size, others in pixels.
# Brightness and its like have 1 added. Posterize has the bits of the weakest strength and those
# that the strongest takes away, Solarize a share of white that is taken away; operations without a
# magnitude have None.
Table = dict[str, tuple[Any, bool]]
LOOKS = ("Brightness", "Color", "Contrast", "Sharpness")
# What computes them, in both `functional` modules.
FUNCTIONS = {
    "Brightness": "adjust_brightness", "Color": "adjust_saturation",
    "Contrast": "adjust_contrast", "Sharpness": "adjust_sharpness", "Posterize": "posterize",
    "Solarize": "solarize", "AutoContrast": "autocontrast", "Equalize": "equalize",
    "Invert": "invert", "Rotate": "rotate",
}  # fmt: skip


def _geometry(shear: float, move: float, turn: float) -> Table:
    most = {"ShearX": shear, "ShearY": shear, "TranslateX": move, "TranslateY": move}
    return {name: (value, True) for name, value in {**most, "Rotate": turn}.items()}


def _looks(most: float) -> Table:
    return {name: (most, True) for name in LOOKS}


def _levels(bits: int, taken: int) -> Table:
    return {
        "Posterize": ((bits, taken), False), "Solarize": (1.0, False),
        "AutoContrast": (None, False), "Equalize": (None, False),
    }  # fmt: skip


_IDENTITY: Table = {"Identity": (None, False)}
# The order is torchvision's, which decides what a draw stands for.
RAND_AUGMENT = _IDENTITY | _geometry(0.3, 150 / 331, 30.0) | _looks(0.9) | _levels(8, 4)
TRIVIAL_WIDE = _IDENTITY | _geometry(0.99, 32.0, 135.0) | _looks(0.99) | _levels(8, 6)
AUG_MIX = _geometry(0.3, 1 / 3, 30.0) | _levels(4, 4) | _looks(0.9)


def pixels(name: str, most: float, height: int, width: int) -> float:
    """What stands at an operation's `most`, moves that are parts of the size in pixels."""
    if name.startswith("Translate") and most <= 1:
        return most * (width if name.endswith("X") else height)
    return most
