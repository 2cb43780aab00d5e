"""From images and arrays to tensors, back, and from type to type."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd import variable as _v
from ...autograd.variable import Variable
from ...dtypes import float32, get_default_dtype
from .._extra import is_pil, pil_image
from . import _tensor

_SCALE = np.float32(255)


def _planes(array: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, C) as (C, H, W)."""
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def scaled(array: np.ndarray) -> np.ndarray:
    """uint8 as default floats in [0, 1], in C order; converted and divided in one pass."""
    out = np.empty(array.shape, np.float32)
    np.divide(array, _SCALE, out=out, dtype=np.float32)
    return out


def to_tensor(pic: Any) -> Any:
    """A PIL image or array (H, W[, C]) as a tensor (C, H, W); uint8 becomes floats in [0, 1].

    TypeError for anything else, ValueError for arrays that are not 2- or 3-d.
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        return unit(_planes(pic))
    if not is_pil(pic):
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    if pic.mode == "1":
        return unit(_planes(255 * np.asarray(pic).astype(np.uint8)))
    return unit(_planes(_pixels(pic)))


def _pixels(pic: Any) -> np.ndarray:
    kinds = {"I": np.int32, "I;16": np.int16, "F": np.float32}
    array = np.asarray(pic)
    return array.astype(kinds[pic.mode], copy=False) if pic.mode in kinds else array


def unit(array: np.ndarray) -> Any:
    """A tensor of the array's elements in C order; uint8 as floats in [0, 1]."""
    if array.dtype != np.uint8:
        return _v.wrap(array.copy(order="C"))
    t = _v.wrap(scaled(array))
    default = get_default_dtype()
    return t if default == float32 else t.to(default)


def pil_to_tensor(pic: Any) -> Any:
    """A PIL image as a tensor (C, H, W) of its own type."""
    if not is_pil(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    array = np.asarray(pic)
    array = array.astype(np.uint8) if array.dtype == np.bool_ else array
    return _v.wrap(_planes(array).copy(order="C"))


def convert_image_dtype(image: Any, dtype: Any = float32) -> Any:
    """Another type, the values scaled so that white stays white.

    RuntimeError where a float type has too few digits for an integer type.
    """
    if not isinstance(image, Variable):
        raise TypeError("Input img should be Tensor Image")
    given = image.dtype
    if given == dtype:
        return image
    if given.is_floating_point:
        if dtype.is_floating_point:
            return image.to(dtype)
        if (str(given)[-7:], str(dtype)[-5:]) in (("float32", "int32"), ("float32", "int64")) or (
            str(given)[-7:] == "float64" and str(dtype)[-5:] == "int64"
        ):
            raise RuntimeError(f"The cast from {given} to {dtype} cannot be performed safely.")
        return (image * (_tensor.largest(dtype) + 1.0 - 1e-3)).to(dtype)
    top = _tensor.largest(given)
    if dtype.is_floating_point:
        return image.to(dtype) / top
    other = _tensor.largest(dtype)
    if top > other:
        return image.div((top + 1) // (other + 1), rounding_mode="trunc").to(dtype)
    return image.to(dtype) * ((other + 1) // (top + 1))


_MODES = {(1, "|u1"): "L", (1, "<i2"): "I;16", (1, "<i4"): "I", (1, "<f4"): "F"}


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor (C, H, W) or array (H, W[, C]) as a PIL image; floats in [0, 1] become uint8.

    TypeError and ValueError for types, shapes and modes that images do not have.
    """
    if isinstance(pic, Variable):
        if pic.dim() not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.dim()} dimensions.")
        if pic.is_floating_point() and mode != "F":
            pic = (pic * 255).byte()
        pic = pic.detach()
        pic = (pic[None] if pic.dim() == 2 else pic).numpy().transpose(1, 2, 0)
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        pic = pic[:, :, None] if pic.ndim == 2 else pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    channels = pic.shape[2]
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    if channels == 1:
        expected = _MODES.get((1, pic.dtype.str))
        if mode is not None and mode != expected:
            raise ValueError(
                f"Incorrect mode ({mode}) supplied for input type {pic.dtype}. Should be {expected}"
            )
        mode, pic = expected, pic[:, :, 0]
    else:
        allowed = {2: ["LA"], 3: ["RGB", "YCbCr", "HSV", "LAB"], 4: ["RGBA", "CMYK", "RGBX"]}
        if mode is not None and mode not in allowed[channels]:
            raise ValueError(f"Only modes {allowed[channels]} are supported for {channels}D inputs")
        if mode is None and pic.dtype == np.uint8:
            mode = allowed[channels][0]
    if mode is None:
        raise TypeError(f"Input type {pic.dtype} is not supported")
    image = pil_image()
    made = image.fromarray(np.ascontiguousarray(pic))
    if made.mode != mode:  # the same bytes, which mean something else
        made = image.frombytes(mode, made.size, made.tobytes())
    return made
