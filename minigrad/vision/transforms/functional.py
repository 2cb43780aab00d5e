"""Transforms as functions of PIL images and of tensors (..., C, H, W)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...autograd.variable import Variable
from ...creation import as_tensor
from ...queries import broadcast_shapes
from .._extra import is_pil
from . import _pil, _tensor
from ._conversion import convert_image_dtype as convert_image_dtype
from ._conversion import pil_to_tensor as pil_to_tensor
from ._conversion import to_pil_image as to_pil_image
from ._conversion import to_tensor as to_tensor
from ._images import PILLOW, need_image
from ._images import InterpolationMode as InterpolationMode
from ._images import mode_name as mode_name
from ._levels import adjust_sharpness as adjust_sharpness
from ._levels import autocontrast as autocontrast
from ._levels import equalize as equalize
from ._levels import invert as invert
from ._levels import posterize as posterize
from ._levels import solarize as solarize
from ._warps import elastic_transform as elastic_transform
from ._warps import perspective as perspective


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]."""
    if need_image(img):
        return [_pil.bands(img), img.size[1], img.size[0]]
    _tensor.is_image(img)
    return [1 if img.dim() == 2 else img.shape[-3], img.shape[-2], img.shape[-1]]


def get_image_size(img: Any) -> list[int]:
    """[width, height]."""
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img: Any) -> int:
    """The number of channels."""
    return get_dimensions(img)[0]


# -- colours ---------------------------------------------------------------------------------------


def normalize(tensor: Any, mean: Sequence, std: Sequence, inplace: bool = False) -> Any:
    """(tensor - mean) / std, a number for each channel of (..., C, H, W).

    TypeError for integers, ValueError for fewer than 3 dimensions and a deviation of 0,
    RuntimeError for more numbers than channels.
    """
    if not isinstance(tensor, Variable):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.dim() < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = "
            f"{tensor.size()}"
        )
    dtype = tensor.dtype
    centre, spread = as_tensor(mean, dtype=dtype), as_tensor(std, dtype=dtype)
    if (spread == 0).any():
        raise ValueError(
            f"std evaluated to zero after conversion to {dtype}, leading to division by zero."
        )
    centre = centre.view(-1, 1, 1) if centre.dim() == 1 else centre
    spread = spread.view(-1, 1, 1) if spread.dim() == 1 else spread
    for one in (centre, spread):
        wide = broadcast_shapes(tensor.shape, one.shape)
        if wide != tensor.shape:
            raise RuntimeError(
                f"output with shape {list(tensor.shape)} doesn't match the broadcast shape "
                f"{list(wide)}"
            )
    if inplace:
        return tensor.sub_(centre).div_(spread)
    if tensor.requires_grad:
        return (tensor - centre) / spread
    made = tensor - centre
    return made.div_(spread)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Luma in one channel, or the same three times."""
    if need_image(img):
        return _pil.to_grayscale(img, num_output_channels)
    return _tensor.rgb_to_grayscale(img, num_output_channels)


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """`rgb_to_grayscale` of PIL images. TypeError for others."""
    if not is_pil(img):
        raise TypeError("Input should be PIL Image")
    return _pil.to_grayscale(img, num_output_channels)


def _need_factor(name: str, factor: float) -> None:
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Factor 0 gives black, 1 the image, 2 twice the brightness."""
    _need_factor("brightness_factor", brightness_factor)
    if need_image(img):
        return _pil.enhance(img, "Brightness", brightness_factor)
    return _tensor.adjust_brightness(img, brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Factor 0 gives plain gray, 1 the image."""
    _need_factor("contrast_factor", contrast_factor)
    if need_image(img):
        return _pil.enhance(img, "Contrast", contrast_factor)
    return _tensor.adjust_contrast(img, contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Factor 0 gives black and white, 1 the image."""
    _need_factor("saturation_factor", saturation_factor)
    if need_image(img):
        return _pil.enhance(img, "Color", saturation_factor)
    return _tensor.adjust_saturation(img, saturation_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """The hue shifted by a part of the circle, in [-0.5, 0.5]. ValueError outside."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    return (_pil if need_image(img) else _tensor).adjust_hue(img, hue_factor)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """gain * x ^ gamma, of brightness in [0, 1]."""
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    return (_pil if need_image(img) else _tensor).adjust_gamma(img, gamma, gain)


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Convolved with a Gaussian of an odd size (or two, for x and y) and deviations.

    Without `sigma`: 0.3 ((size - 1) / 2 - 1) + 0.8. PIL images go through tensors.
    """
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(sizes) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(sizes)}")
    for n in sizes:
        if n % 2 == 0 or n < 0:
            raise ValueError(
                f"kernel_size should have odd and positive integers. Got {kernel_size}"
            )
    if sigma is None:
        widths = [n * 0.15 + 0.35 for n in sizes]
    else:
        widths = [float(sigma)] * 2 if isinstance(sigma, (int, float)) else list(map(float, sigma))
        widths = widths * 2 if len(widths) == 1 else widths
    if len(widths) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(widths)}")
    if min(widths) <= 0:
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    if need_image(img):
        made = _tensor.gaussian_blur(pil_to_tensor(img), sizes, widths)
        return to_pil_image(made, mode=img.mode)
    return _tensor.gaussian_blur(img, sizes, widths)


# -- places ----------------------------------------------------------------------------------------


def hflip(img: Any) -> Any:
    """Mirrored left to right."""
    return _pil.hflip(img) if need_image(img) else img.flip(-1)


def vflip(img: Any) -> Any:
    """Mirrored top to bottom."""
    return _pil.vflip(img) if need_image(img) else img.flip(-2)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """A part; what lies outside of the image is 0."""
    return (_pil if need_image(img) else _tensor).crop(img, top, left, height, width)


def center_crop(img: Any, output_size: Any) -> Any:
    """The middle; an image that is smaller is padded with 0."""
    sizes = [int(output_size)] * 2 if isinstance(output_size, (int, float)) else list(output_size)
    height, width = sizes * 2 if len(sizes) == 1 else sizes
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        left, top = max(width - w, 0) // 2, max(height - h, 0) // 2
        right, bottom = (max(width - w, 0) + 1) // 2, (max(height - h, 0) + 1) // 2
        img = pad(img, [left, top, right, bottom], fill=0)
        _, h, w = get_dimensions(img)
        if (width, height) == (w, h):
            return img
    top = int(round((h - height) / 2.0))
    left = int(round((w - width) / 2.0))
    return crop(img, top, left, height, width)


def output_size(size: Any, image: Sequence[int], max_size: int | None) -> list[int]:
    """(height, width): of one number the shorter side, `image` being (height, width)."""
    if size is not None and len(size) == 2:
        if max_size is not None:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the smaller edge, "
                "i.e. size should be an int or a sequence of length 1 in torchscript mode."
            )
        return list(size)
    h, w = image
    short, long = min(h, w), max(h, w)
    if size is None:
        assert max_size is not None
        new_short, new_long = int(max_size * short / long), max_size
    else:
        new_short, new_long = size[0], int(size[0] * long / short)
        if max_size is not None:
            if max_size <= size[0]:
                raise ValueError(
                    f"max_size = {max_size} must be strictly greater than the requested size for "
                    f"the smaller edge size = {size[0]}"
                )
            if new_long > max_size:
                new_short, new_long = int(max_size * new_short / new_long), max_size
    return [new_long, new_short] if w <= h else [new_short, new_long]


def resize(
    img: Any,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Resampled to (height, width), or so that the shorter side is `size`."""
    mode = mode_name(interpolation)
    sizes = [size] if isinstance(size, int) else None if size is None else list(size)
    if sizes is not None and len(sizes) not in (1, 2):
        raise ValueError("Size must be an int or a 1 or 2 element tuple/list")
    _, h, w = get_dimensions(img)
    wanted = output_size(sizes, (h, w), max_size)
    if [h, w] == wanted:
        return img
    if need_image(img):
        return _pil.resize(img, (wanted[0], wanted[1]), PILLOW[mode])
    return _tensor.resize(img, wanted, mode, bool(antialias))


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """A part, resampled."""
    part = crop(img, top, left, height, width)
    return resize(part, size, interpolation, antialias=antialias)


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Widened by one number, (x, y) or (left, top, right, bottom).

    Modes: "constant", "edge", "reflect" (without the rim) and "symmetric" (with it).
    """
    if not isinstance(padding, (int, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if not isinstance(fill, (int, float, str, tuple, list)):
        raise TypeError("Got inappropriate fill arg")
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    widths = [padding] if isinstance(padding, int) else list(padding)
    if len(widths) not in (1, 2, 4):
        raise ValueError(
            f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(widths)} element "
            "tuple"
        )
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    left, top, right, bottom = widths * (4 // len(widths))
    module = _pil if need_image(img) else _tensor
    return module.pad(img, (left, top, right, bottom), fill, padding_mode)


def five_crop(img: Any, size: Any) -> tuple:
    """The four corners (top left, top right, bottom left, bottom right) and the middle."""
    sizes = [int(size)] * 2 if isinstance(size, (int, float)) else list(size)
    height, width = sizes * 2 if len(sizes) == 1 else sizes
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        raise ValueError(
            f"Requested crop size {(height, width)} is bigger than input size {(h, w)}"
        )
    corners = [(t, x) for t in (0, h - height) for x in (0, w - width)]
    crops = [crop(img, top, left, height, width) for top, left in corners]
    return (*crops, center_crop(img, [height, width]))


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple:
    """`five_crop` of the image and of its mirror image."""
    flipped = vflip(img) if vertical_flip else hflip(img)
    return five_crop(img, size) + five_crop(flipped, size)


def _inverse_affine(
    center: Sequence, angle: float, translate: Sequence, scale: float, shear: Sequence
) -> list[float]:
    """The 2 x 3 matrix from output to input points of T C R Shear Scale C^-1."""
    turn, sx, sy = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    a = math.cos(turn - sy) / math.cos(sy)
    b = -math.cos(turn - sy) * math.tan(sx) / math.cos(sy) - math.sin(turn)
    c = math.sin(turn - sy) / math.cos(sy)
    d = -math.sin(turn - sy) * math.tan(sx) / math.cos(sy) + math.cos(turn)
    m = [x / scale for x in (d, -b, 0.0, -c, a, 0.0)]
    cx, cy = center
    tx, ty = translate
    m[2] = m[0] * (-cx - tx) + m[1] * (-cy - ty) + cx
    m[5] = m[3] * (-cx - tx) + m[4] * (-cy - ty) + cy
    return m


def rotate(
    img: Any,
    angle: float,
    interpolation: Any = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Any = None,
    fill: Any = None,
) -> Any:
    """Rotated counter-clockwise by degrees around `center` (x, y), by default the middle.

    `expand` makes the frame large enough for all of the image.
    """
    mode = mode_name(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    if need_image(img):
        return _pil.rotate(img, angle, PILLOW[mode], expand, center, fill)
    _, height, width = get_dimensions(img)
    middle = [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]
    matrix = _inverse_affine(middle, -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    size = (height, width)
    if expand:
        size = _tensor.rotated_size(matrix, width, height)[::-1]
    return _tensor.warp(img, matrix, size, mode, fill)


def affine(
    img: Any,
    angle: float,
    translate: Sequence,
    scale: float,
    shear: Any,
    interpolation: Any = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Any = None,
) -> Any:
    """Rotated clockwise by degrees, scaled, sheared (x and y, in degrees) and moved by pixels."""
    mode = mode_name(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if not isinstance(shear, (int, float, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    shears = [float(shear), 0.0] if isinstance(shear, (int, float)) else list(shear)
    shears = shears * 2 if len(shears) == 1 else shears
    if len(shears) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    _, height, width = get_dimensions(img)
    if need_image(img):
        middle = [width * 0.5, height * 0.5] if center is None else list(center)
        matrix = _inverse_affine(middle, angle, translate, scale, shears)
        return _pil.affine(img, matrix, PILLOW[mode], fill)
    middle = [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]
    matrix = _inverse_affine(middle, angle, translate, scale, shears)
    return _tensor.warp(img, matrix, (height, width), mode, fill)


def erase(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """A tensor with the rectangle at (i, j) of size (h, w) replaced by `v`."""
    if not isinstance(img, Variable):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    made = img if inplace else img.clone()
    made[..., i : i + h, j : j + w] = v
    return made
