"""Functions of batches (N, C, H, W), uint8 or floats in [0, 1], with parameters for every image.

A parameter is a tensor (N,), or a number for all images. What a function does to one image is what
the function of the same name in `minigrad.vision.transforms.functional` (torchvision's) does to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ... import ops
from ...creation import arange, as_tensor, linspace, tensor
from ...dtypes import float32, float64, int64, uint8
from ..transforms import _levels, _tensor
from ..transforms._images import InterpolationMode, mode_name

# -- which images ----------------------------------------------------------------------------------


def apply_where(x: Any, chosen: Any, function: Callable[..., Any], *parameters: Any) -> Any:
    """`function(images, *parameters)` for the images that `chosen` (N,) marks; others as they are.

    Parameters (N,) are cut down in the same way. The function must keep shape and dtype.
    """
    places = ops.nonzero(chosen).reshape(-1)
    if len(places) == 0:
        return x
    if len(places) == len(x):
        return function(x, *parameters)
    some = [p[places] if hasattr(p, "dim") and p.dim() else p for p in parameters]
    made = x.clone()
    made[places] = function(x[places], *some)
    return made


def per_image(value: Any, n: int, dtype: Any = float32) -> Any:
    """A parameter as (n,). ValueError for another number of values."""
    given = as_tensor(value, dtype=dtype).reshape(-1)
    if len(given) not in (1, n):
        raise ValueError(f"{len(given)} values were given for {n} images; needed: 1 or {n}")
    return given.expand((n,))


def _column(value: Any, n: int, dims: int = 4) -> Any:
    return per_image(value, n).reshape((n,) + (1,) * (dims - 1))


# -- places ----------------------------------------------------------------------------------------


def horizontal_flip(x: Any, chosen: Any = True) -> Any:
    """Mirrored left to right where `chosen`."""
    return apply_where(x, per_image(chosen, len(x)) > 0, lambda part: part.flip(-1))


def vertical_flip(x: Any, chosen: Any = True) -> Any:
    """Mirrored top to bottom where `chosen`."""
    return apply_where(x, per_image(chosen, len(x)) > 0, lambda part: part.flip(-2))


def crop(x: Any, top: Any, left: Any, height: int, width: int) -> Any:
    """A window (height, width) of each image, at its own place. IndexError outside of the image."""
    n, channels, h, w = x.shape
    top, left = per_image(top, n, int64), per_image(left, n, int64)
    for start, room in ((top, h - height), (left, w - width)):
        if n and not 0 <= start.min().item() <= start.max().item() <= room:
            raise IndexError(f"crop: windows {height} x {width} must lie inside of {h} x {w}")
    if not x.requires_grad:
        return x.unfold(2, height, 1).unfold(3, width, 1)[arange(n), :, top, left]
    # The gradient of the windows would have room for all places; that of a gather has not.
    rows = top[:, None] + arange(height)
    columns = left[:, None] + arange(width)
    at = (rows[:, :, None] * w + columns[:, None, :]).reshape(n, 1, height * width)
    flat = x.reshape(n, channels, h * w)
    return flat.gather(2, at.expand(n, channels, height * width)).reshape(
        n, channels, height, width
    )


def resized_crop(
    x: Any, top: Any, left: Any, height: Any, width: Any, size: Sequence[int], interpolation: Any
) -> Any:
    """A box of each image, read at size[0] x size[1] points (no antialiasing)."""
    n, _, h, w = x.shape
    lines = []
    for start, length, out, whole in ((top, height, size[0], h), (left, width, size[1], w)):
        start, length = (per_image(v, n, float64)[:, None] for v in (start, length))
        at = ((arange(out) + 0.5) * (length / out) - 0.5).clamp(min=0)
        at = start + at.minimum(length - 1)
        lines.append(((at + 0.5) * (2.0 / whole) - 1.0).to(float32))
    ys, xs = lines
    both = (xs[:, None, :].expand((n, *size)), ys[:, :, None].expand((n, *size)))
    grid = ops.stack(both, -1)
    return _sample(x, grid, interpolation, None)


def _inverse(angle: Any, shift: Any, scale: Any, shear: Any, center: Any, n: int) -> Any:
    """(N, 2, 3): from output to input points around the middle, as torchvision's one matrix."""
    parts = [angle, *shift, scale, *shear]
    angle, tx, ty, scale, sx, sy = (per_image(p, n, float64) for p in parts)
    angle, sx, sy = (v.deg2rad() for v in (angle, sx, sy))
    a = (angle - sy).cos() / sy.cos()
    b = -(angle - sy).cos() * sx.tan() / sy.cos() - angle.sin()
    c = (angle - sy).sin() / sy.cos()
    d = -(angle - sy).sin() * sx.tan() / sy.cos() + angle.cos()
    m0, m1, m3, m4 = d / scale, -b / scale, -c / scale, a / scale
    cx, cy = center
    m2 = m0 * (-cx - tx) + m1 * (-cy - ty) + cx
    m5 = m3 * (-cx - tx) + m4 * (-cy - ty) + cy
    return ops.stack([m0, m1, m2, m3, m4, m5], -1).reshape(n, 2, 3)


def affine(
    x: Any,
    angle: Any = 0.0,
    translate: Sequence = (0.0, 0.0),
    scale: Any = 1.0,
    shear: Sequence = (0.0, 0.0),
    interpolation: Any = InterpolationMode.NEAREST,
    fill: Any = 0,
    center: Sequence[float] | None = None,
) -> Any:
    """Each image rotated clockwise, moved (x, y pixels), scaled and sheared (x, y).

    Angles and shears are degrees. `center` (x, y) is the point that stays, by default the middle.
    `fill`: a number, one for each channel, or None (0). ValueError for cubic and other modes.
    """
    n, _, h, w = x.shape
    middle = (0.0, 0.0) if center is None else (center[0] - w * 0.5, center[1] - h * 0.5)
    matrix = _inverse(angle, translate, scale, shear, middle, n)
    half = tensor([w * 0.5, h * 0.5], dtype=float64)
    matrix = (matrix / half[:, None]).to(float32)
    xs = linspace(-w * 0.5 + 0.5, w * 0.5 - 0.5, w)
    ys = linspace(-h * 0.5 + 0.5, h * 0.5 - 0.5, h)[:, None]

    def line(row: int) -> Any:
        a, b, c = (matrix[:, row, k].reshape(n, 1, 1) for k in range(3))
        return a * xs + (b * ys + c)

    return _sample(x, ops.stack([line(0), line(1)], -1), interpolation, fill)


def rotate(x: Any, angle: Any, interpolation: Any, fill: Any = 0, center: Any = None) -> Any:
    """Each image rotated counter-clockwise by its angle in degrees."""
    turn = -per_image(angle, len(x), float64)
    return affine(x, turn, interpolation=interpolation, fill=fill, center=center)


def _sample(x: Any, grid: Any, interpolation: Any, fill: Any) -> Any:
    """`grid_sample` with a colour for what lies outside (None: 0); integers are rounded.

    A colour is blended in by the share of each point that lies inside, and with one, as in
    torchvision, the image counts by this share twice at its rim; without one, once.
    """
    mode = mode_name(interpolation)
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"interpolation {mode!r} was given; needed: nearest or bilinear")
    values = list(fill) if isinstance(fill, (list, tuple)) else [fill or 0]
    if len(values) not in (1, x.shape[1]):
        raise ValueError(f"fill has {len(values)} values for {x.shape[1]} channels")
    dtype = x.dtype
    floats = x if dtype.is_floating_point else x.to(float32)
    ground = tensor([float(v) for v in values], dtype=floats.dtype).reshape(1, -1, 1, 1)
    if mode == "nearest" and any(values):
        # Outside is 0 in `grid_sample`: the colour is taken off before, and added after.
        floats = floats - ground
    made = ops.grid_sample(floats, grid.to(floats.dtype), mode, "zeros", align_corners=False)
    if mode == "nearest" and any(values):
        made = made + ground
    elif mode == "bilinear" and fill is not None:
        sides = []
        for axis, size in ((0, x.shape[-1]), (1, x.shape[-2])):
            at = (grid[..., axis] + 1.0) * (0.5 * size) - 0.5
            sides.append((at + 1.0).minimum(size - at).clamp(0, 1))
        inside = (sides[0] * sides[1]).to(made.dtype)[:, None]
        made = made * inside
        if any(values):
            made = made + (1.0 - inside) * ground
    return made if dtype.is_floating_point else made.round().clamp(0, 255).to(dtype)


def boxes(top: Any, left: Any, height: Any, width: Any, size: Sequence[int]) -> Any:
    """A mask (N, 1, H, W) that is true in one box of each image; boxes may reach outside."""
    rows, columns = arange(size[0]), arange(size[1])
    top, left, height, width = (v.reshape(-1, 1) for v in (top, left, height, width))
    inside = (rows >= top) & (rows < top + height)
    across = (columns >= left) & (columns < left + width)
    return (inside[:, :, None] & across[:, None, :])[:, None]


# -- colours ---------------------------------------------------------------------------------------


def adjust_brightness(x: Any, factor: Any) -> Any:
    """Each image blended with black; factor 1 is the image."""
    made = x * _column(factor, len(x))
    return made.clamp(0, _tensor.largest(x.dtype)).to(x.dtype)


def adjust_contrast(x: Any, factor: Any) -> Any:
    """Each image blended with its mean luma."""
    return _tensor.adjust_contrast(x, _column(factor, len(x)))


def adjust_saturation(x: Any, factor: Any) -> Any:
    """Each image blended with its luma; of one channel: as it is."""
    return _tensor.adjust_saturation(x, _column(factor, len(x)))


def adjust_hue(x: Any, factor: Any) -> Any:
    """The hue of each image shifted by a part of the circle; of one channel: as it is.

    Channel c of (H, S, V) is V - V S clamp(min(k, 4 - k), 0, 1) with k = (6 H + c) mod 6, c = 5, 3
    and 1 for red, green and blue; V S is the span of the three values.
    """
    if x.shape[1] != 3:
        return x
    bound = _tensor.largest(x.dtype)
    floats = x if x.dtype.is_floating_point else x.to(float32) / bound
    red, green, blue = floats.unbind(1)
    top, low = floats.amax(1), floats.amin(1)
    span = top - low
    whole = ops.where(span == 0, 1.0, span)
    of_blue = 4.0 + (red - green) / whole
    of_green = ops.where(top == green, 2.0 + (blue - red) / whole, of_blue)
    hue = ops.where(top == red, (green - blue) / whole, of_green)
    hue = hue + 6.0 * _column(factor, len(x), 3).to(hue.dtype)
    k = hue[:, None] + tensor([5.0, 3.0, 1.0], dtype=hue.dtype).reshape(1, 3, 1, 1)
    k = k - 6.0 * (k / 6.0).floor()
    made = top[:, None] - span[:, None] * k.minimum(4.0 - k).clamp(0, 1)
    return made if x.dtype.is_floating_point else (made * (bound + 1.0 - 1e-3)).to(x.dtype)


def adjust_sharpness(x: Any, factor: Any) -> Any:
    """Each image blended with a smoothed one (factor 0); its rim stays."""
    channels, h, w = x.shape[1:]
    if h <= 2 or w <= 2:
        return x
    return _tensor.blend(x, _levels.smoothed(x), _column(factor, len(x)))


def invert(x: Any) -> Any:
    """White less the image."""
    return _tensor.largest(x.dtype) - x


def solarize(x: Any, threshold: Any) -> Any:
    """Inverted where the value is at least the image's threshold."""
    limit = _column(threshold, len(x)).to(x.dtype if x.dtype.is_floating_point else float32)
    return ops.where(x >= limit, invert(x), x)


def posterize(x: Any, bits: Any) -> Any:
    """Only so many of the 8 bits of each value are kept (floats: so many levels)."""
    kept = per_image(bits, len(x), int64).reshape(-1, 1, 1, 1)
    if x.dtype == uint8:
        return x & (256 - 2 ** (8 - kept)).to(uint8)
    levels = (2**kept).to(x.dtype)
    return (x * levels).floor().clamp(min=0).minimum(levels - 1) / levels


def autocontrast(x: Any) -> Any:
    """Each channel of each image stretched from black to white; a flat one stays."""
    return _levels.stretched(x)


def equalize(x: Any) -> Any:
    """The histogram of each channel of each image made flat; floats go through 256 levels."""
    if x.dtype == uint8:
        return _levels.flattened(x)
    levels = (x * (256.0 - 1e-3)).clamp(0, 255).to(uint8)
    return (_levels.flattened(levels).to(float32) / 255.0).to(x.dtype)
