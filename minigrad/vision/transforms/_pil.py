"""Functional transforms of PIL images, as torchvision does them."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from .._extra import need, pil_image


def bands(image: Any) -> int:
    """The number of channels."""
    return len(image.getbands())


def crop(image: Any, top: int, left: int, height: int, width: int) -> Any:
    """A part; what lies outside is black."""
    return image.crop((left, top, left + width, top + height))


def hflip(image: Any) -> Any:
    """Mirrored left to right."""
    return image.transpose(pil_image().Transpose.FLIP_LEFT_RIGHT)


def vflip(image: Any) -> Any:
    """Mirrored top to bottom."""
    return image.transpose(pil_image().Transpose.FLIP_TOP_BOTTOM)


def resize(image: Any, size: tuple[int, int], resample: int) -> Any:
    """Resampled to (height, width)."""
    return image.resize((size[1], size[0]), resample)


def fill_of(image: Any, fill: Any, name: str = "fillcolor") -> dict[str, Any]:
    """Pillow's argument for the colour of what lies outside."""
    count = bands(image)
    if fill is None:
        fill = 0
    if isinstance(fill, (int, float)) and count > 1:
        fill = (fill,) * count
    elif isinstance(fill, (list, tuple)):
        if len(fill) == 1 and count > 1:
            fill = tuple(fill) * count
        elif len(fill) != count:
            raise ValueError(
                "The number of elements in 'fill' does not match the number of channels of the "
                f"image ({len(fill)} != {count})"
            )
        fill = tuple(fill) if count > 1 else fill[0]
    if image.mode != "F":
        fill = tuple(map(int, fill)) if isinstance(fill, tuple) else int(fill)
    return {name: fill}


def pad(image: Any, widths: tuple[int, int, int, int], fill: Any, mode: str) -> Any:
    """Widened by (left, top, right, bottom)."""
    left, top, right, bottom = widths
    if mode == "constant":
        colour = fill_of(image, fill, "fill")
        ops = need("PIL.ImageOps", "Pillow")
        if image.mode == "P":
            palette = image.getpalette()
            image = ops.expand(image, border=widths, **colour)
            image.putpalette(palette)
            return image
        return ops.expand(image, border=widths, **colour)
    if min(widths) < 0:
        size = image.size
        image = image.crop(
            (-min(left, 0), -min(top, 0), size[0] + min(right, 0), size[1] + min(bottom, 0))
        )
        left, top, right, bottom = (max(w, 0) for w in (left, top, right, bottom))
    array = np.asarray(image)
    rims = ((top, bottom), (left, right), (0, 0))[: array.ndim]
    wide: Any = np.pad(array, rims, mode=mode)  # type: ignore[call-overload]
    made = pil_image().fromarray(wide)
    if image.mode == "P":
        made.putpalette(image.getpalette())
    return made


def affine(image: Any, matrix: list[float], resample: int, fill: Any) -> Any:
    """The image read at the points that a 2 x 3 matrix gives for each output pixel."""
    method = pil_image().Transform.AFFINE
    return image.transform(image.size, method, matrix, resample, **fill_of(image, fill))


def perspective(image: Any, coefficients: list[float], resample: int, fill: Any) -> Any:
    """The image read at the points that eight coefficients give for each output pixel."""
    method = pil_image().Transform.PERSPECTIVE
    return image.transform(image.size, method, coefficients, resample, **fill_of(image, fill))


def rotate(image: Any, angle: float, resample: int, expand: bool, center: Any, fill: Any) -> Any:
    """Rotated counter-clockwise by degrees."""
    return image.rotate(angle, resample, expand, center, **fill_of(image, fill))


def enhance(image: Any, kind: str, factor: float) -> Any:
    """Pillow's ImageEnhance: "Brightness", "Contrast", "Color" or "Sharpness"."""
    return getattr(need("PIL.ImageEnhance", "Pillow"), kind)(image).enhance(factor)


def adjust_hue(image: Any, factor: float) -> Any:
    """The hue shifted by a part of the circle."""
    if image.mode in ("L", "1", "I", "F"):
        return image
    hue, saturation, value = image.convert("HSV").split()
    shifted = np.array(hue, dtype=np.uint8) + np.array(factor * 255).astype(np.int64).astype(
        np.uint8
    )
    hue = pil_image().fromarray(shifted.astype(np.uint8), "L")
    return pil_image().merge("HSV", (hue, saturation, value)).convert(image.mode)


def adjust_gamma(image: Any, gamma: float, gain: float) -> Any:
    """255 * gain * (x / 255) ^ gamma."""
    table = [int((255 + 1 - 1e-3) * gain * math.pow(v / 255.0, gamma)) for v in range(256)]
    mode = image.mode
    return image.convert("RGB").point(table * 3).convert(mode)


def to_grayscale(image: Any, channels: int) -> Any:
    """Luma in one channel, or the same three times."""
    gray = image.convert("L")
    if channels == 1:
        return gray
    if channels == 3:
        return pil_image().fromarray(np.dstack([np.array(gray, dtype=np.uint8)] * 3), "RGB")
    raise ValueError("num_output_channels should be either 1 or 3")


def is_size(value: Any) -> bool:
    """Whether an argument is one number for both directions."""
    return isinstance(value, numbers.Number)
