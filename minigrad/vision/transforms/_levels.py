"""Functional transforms of values: each mapped by itself, by its rank or by its neighbours.

Pixels of tensors are mapped for batches (N, C, H, W), which `minigrad.vision.augment` shares.
"""

from __future__ import annotations

from typing import Any

from ... import ops
from ...creation import arange, full, zeros
from ...dtypes import float32, int64, uint8
from .._extra import need
from . import _pil, _tensor
from ._images import need_image

# -- batches ---------------------------------------------------------------------------------------


def smoothed(x: Any) -> Any:
    """Each pixel the mean of its 3 x 3 neighbours, itself five times; the rim stays."""
    channels = x.shape[1]
    kernel = full((3, 3), 1.0 / 13.0)
    kernel[1, 1] = 5.0 / 13.0
    floats = x if x.dtype.is_floating_point else x.to(float32)
    taps = kernel.to(floats.dtype).expand((channels, 1, 3, 3))
    smooth = ops.conv2d(floats, taps, groups=channels)
    made = floats.clone()
    made[:, :, 1:-1, 1:-1] = smooth if x.dtype.is_floating_point else smooth.round()
    return made


def stretched(x: Any) -> Any:
    """Each channel of each image stretched from black to white; a flat one stays."""
    bound = _tensor.largest(x.dtype)
    floats = x if x.dtype.is_floating_point else x.to(float32)
    low, high = floats.amin((-2, -1), keepdim=True), floats.amax((-2, -1), keepdim=True)
    flat = low == high
    scale = bound / ops.where(flat, bound, high - low)
    made = (floats - ops.where(flat, 0.0, low)) * ops.where(flat, 1.0, scale)
    return made.clamp(0, bound).to(x.dtype)


def flattened(x: Any) -> Any:
    """The histogram of each channel of each image (N, C, H, W), uint8, made flat."""
    n, channels, h, w = x.shape
    planes = n * channels
    if planes * h * w == 0:
        return x
    level = x.reshape(planes, h * w).to(int64) + 256 * arange(planes)[:, None]
    counts = ops.bincount(level.reshape(-1), minlength=256 * planes).reshape(planes, 256)
    # The pixels of the highest level that occurs do not count.
    highest = x.reshape(planes, h * w).amax(1, keepdim=True).to(int64)
    step = (h * w - counts.gather(1, highest)) // 255
    sums = ops.cat([zeros((planes, 1), dtype=int64), counts.cumsum(1)[:, :-1]], 1)
    safe = step.clamp(min=1)
    table = ((sums + safe // 2) // safe).clamp(0, 255)
    table = ops.where(step == 0, arange(256), table).to(uint8)
    return table.reshape(-1)[level].reshape(x.shape)


# -- images ----------------------------------------------------------------------------------------


def _need_channels(x: Any, dims: bool = True) -> None:
    """TypeError unless a tensor has one channel or three."""
    _tensor.is_image(x)
    if dims and x.dim() < 3:
        raise TypeError(
            f"Input image tensor should have at least 3 dimensions, but found {x.dim()}"
        )
    channels = 1 if x.dim() == 2 else x.shape[-3]
    if channels not in (1, 3):
        raise TypeError(
            f"Input image tensor permitted channel values are [1, 3], but found {channels}"
        )


def _need_bytes(x: Any) -> None:
    if x.dtype != uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {x.dtype}")


def _pillow(name: str, image: Any, *arguments: Any) -> Any:
    """A function of Pillow's ImageOps."""
    return getattr(need("PIL.ImageOps", "Pillow"), name)(image, *arguments)


def invert(img: Any) -> Any:
    """White less the image."""
    if need_image(img):
        return _pillow("invert", img)
    _need_channels(img)
    return _tensor.largest(img.dtype) - img


def posterize(img: Any, bits: int) -> Any:
    """Only the upper `bits` (0 to 8) of each value are kept. TypeError for floats."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    if need_image(img):
        return _pillow("posterize", img, bits)
    _need_bytes(img)
    _need_channels(img)
    return img & (256 - 2 ** (8 - bits)) % 256


def solarize(img: Any, threshold: float) -> Any:
    """Inverted where the value is at least `threshold`. TypeError if that is above white."""
    if need_image(img):
        return _pillow("solarize", img, threshold)
    _need_channels(img)
    if threshold > _tensor.largest(img.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return ops.where(img >= threshold, invert(img), img)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """Factor 0 gives a smoothed image, 1 the image, 2 twice the sharpness."""
    if need_image(img):
        return _pil.enhance(img, "Sharpness", sharpness_factor)
    if sharpness_factor < 0:
        raise ValueError(f"sharpness_factor ({sharpness_factor}) is not non-negative.")
    _need_channels(img, dims=False)
    height, width = img.shape[-2:]
    if height <= 2 or width <= 2:
        return img
    channels = 1 if img.dim() == 2 else img.shape[-3]
    batch = img.reshape((-1, channels, height, width))
    return _tensor.blend(img, smoothed(batch).reshape(img.shape), sharpness_factor)


def autocontrast(img: Any) -> Any:
    """Each channel stretched from black to white; a flat one stays."""
    if need_image(img):
        return _pillow("autocontrast", img)
    _need_channels(img)
    return stretched(img)


def equalize(img: Any) -> Any:
    """The histogram of each channel made flat. TypeError for floats."""
    if need_image(img):
        return _pillow("equalize", img)
    _tensor.is_image(img)
    if img.dim() not in (3, 4):
        raise TypeError(f"Input image tensor should have 3 or 4 dimensions, but found {img.dim()}")
    _need_bytes(img)
    _need_channels(img)
    return flattened(img.reshape((-1, *img.shape[-3:]))).reshape(img.shape)
