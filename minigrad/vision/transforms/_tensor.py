"""Functional transforms of tensors (..., C, H, W), as torchvision does them."""

from __future__ import annotations

import math
from typing import Any

from ... import ops
from ...creation import arange, linspace, tensor
from ...dtypes import float32, uint8


def is_image(x: Any) -> None:
    """TypeError unless a tensor has height and width."""
    if x.dim() < 2:
        raise TypeError("Tensor is not a torch image.")


def largest(dtype: Any) -> Any:
    """The value of white: 1 for floats, else the largest of the type."""
    if dtype.is_floating_point:
        return 1
    top = {"uint8": 255, "int8": 127, "int16": 32767, "int32": 2**31 - 1, "int64": 2**63 - 1}
    return top.get(str(dtype).split(".")[-1], 1)


def crop(x: Any, top: int, left: int, height: int, width: int) -> Any:
    """A part; what lies outside is 0."""
    is_image(x)
    h, w = x.shape[-2:]
    right, bottom = left + width, top + height
    if left < 0 or top < 0 or right > w or bottom > h:
        x = x[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        widths = [
            max(min(right, 0) - left, 0),
            max(right - max(w, left), 0),
            max(min(bottom, 0) - top, 0),
            max(bottom - max(h, top), 0),
        ]
        return ops.pad(x, widths, value=0)
    return x[..., top:bottom, left:right]


def _in_float(x: Any, function: Any) -> Any:
    """Runs a function of floats (N, C, H, W); integers are rounded back."""
    dtype, shape = x.dtype, x.shape
    batch = x.reshape((-1, *shape[-3:])) if x.dim() != 4 else x
    if x.dim() == 2:
        batch = x.reshape((1, 1, *shape))
    made = function(batch if dtype.is_floating_point else batch.to(float32))
    made = made.reshape((*shape[:-2], *made.shape[-2:]))
    if dtype.is_floating_point:
        return made
    made = made.round()
    if dtype == uint8:
        made = made.clamp(0, 255)
    return made.to(dtype)


def resize(x: Any, size: list[int], mode: str, antialias: bool) -> Any:
    """Resampled to (height, width)."""
    is_image(x)
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    smooth = mode in ("bilinear", "bicubic")

    def function(batch: Any) -> Any:
        made = ops.interpolate(
            batch,
            size=list(size),
            mode=mode,
            align_corners=False if smooth else None,
            antialias=antialias and smooth,
        )
        return made.clamp(0, 255) if mode == "bicubic" and x.dtype == uint8 else made

    return _in_float(x, function)


def pad(x: Any, widths: tuple[int, int, int, int], fill: Any, mode: str) -> Any:
    """Widened by (left, top, right, bottom)."""
    is_image(x)
    left, top, right, bottom = widths
    order = [left, right, top, bottom]
    if mode == "constant":
        value = fill[0] if isinstance(fill, (list, tuple)) else fill
        return ops.pad(x, order, value=float(value or 0))
    if mode == "symmetric":
        rows = _mirrored(x.shape[-2], top, bottom)
        columns = _mirrored(x.shape[-1], left, right)
        return x.index_select(-2, rows).index_select(-1, columns)
    names = {"edge": "replicate", "reflect": "reflect"}
    return _in_float(x, lambda batch: ops.pad(batch, order, mode=names[mode]))


def _mirrored(n: int, before: int, after: int) -> Any:
    """Indices of n elements, with so many mirrored ones on both sides (the rim twice)."""
    at = arange(-before, n + after) % (2 * n)
    return ops.where(at < n, at, 2 * n - 1 - at)


def warp(x: Any, matrix: list[float], size: tuple[int, int], mode: str, fill: Any) -> Any:
    """Read at the points that a 2 x 3 matrix gives for each output pixel, around the centre."""
    height, width = x.shape[-2:]
    out_h, out_w = size
    theta = tensor(matrix, dtype=float32).reshape(2, 3)
    xs = linspace(-out_w * 0.5 + 0.5, out_w * 0.5 - 0.5, out_w)
    ys = linspace(-out_h * 0.5 + 0.5, out_h * 0.5 - 0.5, out_h)
    columns, rows = ops.broadcast_tensors(xs[None, :], ys[:, None])
    # Divided first: where a point falls between two pixels is decided by the last bits.
    theta = theta.mT / tensor([0.5 * width, 0.5 * height])
    points = ops.stack([columns, rows, columns * 0 + 1], -1).reshape(-1, 3) @ theta
    return sample(x, points.reshape(1, out_h, out_w, 2), mode, fill)


def sample(x: Any, grid: Any, mode: str, fill: Any) -> Any:
    """Read at the points of a grid (1, H', W', 2), between -1 and 1; `fill` lies outside."""
    is_image(x)
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"Interpolation mode '{mode}' is unsupported with Tensor input")
    height, width = x.shape[-2:]

    def function(batch: Any) -> Any:
        where = grid.expand((batch.shape[0], *grid.shape[1:])).to(batch.dtype)
        colour = fill
        if colour is None:
            return ops.grid_sample(batch, where, mode, "zeros", align_corners=False)
        mask = batch.new_ones((batch.shape[0], 1, height, width))
        both = ops.cat([batch, mask], 1)
        made = ops.grid_sample(both, where, mode, "zeros", align_corners=False)
        made, mask = made[:, :-1], made[:, -1:]
        values = colour if isinstance(colour, (list, tuple)) else [colour]
        ground = tensor([float(v) for v in values], dtype=batch.dtype).reshape(1, -1, 1, 1)
        if mode == "nearest":
            return ops.where(mask < 0.5, ground, made)
        return made * mask + (1.0 - mask) * ground

    return _in_float(x, function)


def blend(x: Any, other: Any, factor: Any) -> Any:
    """factor * x + (1 - factor) * other, within black and white."""
    bound = largest(x.dtype)
    factor = float(factor) if isinstance(factor, int) else factor  # 3 * bytes would be bytes
    return (factor * x + (1.0 - factor) * other).clamp(0, bound).to(x.dtype)


def rgb_to_grayscale(x: Any, channels: int = 1) -> Any:
    """Luma (ITU-R 601-2) in one channel, or the same three times."""
    if x.dim() < 3:
        raise TypeError(
            f"Input image tensor should have at least 3 dimensions, but found {x.dim()}"
        )
    if channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    if x.shape[-3] == 3:
        r, g, b = x.unbind(-3)
        gray = (0.2989 * r + 0.587 * g + 0.114 * b).to(x.dtype).unsqueeze(-3)
    else:
        gray = x.clone()
    return gray.expand((*gray.shape[:-3], 3, *gray.shape[-2:])) if channels == 3 else gray


def adjust_brightness(x: Any, factor: float) -> Any:
    """Blended with black."""
    return blend(x, ops.mul(x, 0), factor)


def adjust_contrast(x: Any, factor: float) -> Any:
    """Blended with the mean luma."""
    dtype = x.dtype if x.dtype.is_floating_point else float32
    gray = rgb_to_grayscale(x) if x.shape[-3] == 3 else x
    return blend(x, gray.to(dtype).mean((-3, -2, -1), keepdim=True), factor)


def adjust_saturation(x: Any, factor: float) -> Any:
    """Blended with the luma."""
    return x if x.shape[-3] == 1 else blend(x, rgb_to_grayscale(x), factor)


def adjust_hue(x: Any, factor: float) -> Any:
    """The hue shifted by a part of the circle."""
    if x.shape[-3] == 1:
        return x
    dtype = x.dtype
    floats = x if dtype.is_floating_point else x.to(float32) / largest(dtype)
    hue, saturation, value = _to_hsv(floats)
    made = _to_rgb((hue + factor) % 1.0, saturation, value)
    if dtype.is_floating_point:
        return made
    return (made * (largest(dtype) + 1.0 - 1e-3)).to(dtype)


def _to_hsv(x: Any) -> tuple:
    r, g, b = x.unbind(-3)
    top, low = x.amax(-3), x.amin(-3)
    flat = top == low
    spread = top - low
    saturation = spread / ops.where(flat, 1.0, top)
    divisor = ops.where(flat, 1.0, spread)
    red, green, blue = ((top - c) / divisor for c in (r, g, b))
    of_red = (top == r) * (blue - green)
    of_green = ((top == g) & (top != r)) * (2.0 + red - blue)
    of_blue = ((top != g) & (top != r)) * (4.0 + green - red)
    hue = ((of_red + of_green + of_blue) / 6.0 + 1.0) % 1.0
    return hue, saturation, top


def _to_rgb(hue: Any, saturation: Any, value: Any) -> Any:
    sector = (hue * 6.0).floor()
    f = hue * 6.0 - sector
    p = (value * (1.0 - saturation)).clamp(0.0, 1.0)
    q = (value * (1.0 - saturation * f)).clamp(0.0, 1.0)
    t = (value * (1.0 - saturation * (1.0 - f))).clamp(0.0, 1.0)
    which = sector.long() % 6
    table = (
        (value, q, p, p, t, value),
        (t, value, value, q, p, p),
        (p, p, t, value, value, q),
    )
    planes = [ops.stack(list(row), 0).gather(0, which[None]).squeeze(0) for row in table]
    return ops.stack(planes, -3)


def adjust_gamma(x: Any, gamma: float, gain: float) -> Any:
    """gain * x ^ gamma, of floats in [0, 1]."""
    dtype = x.dtype
    bound = largest(dtype)
    floats = x if dtype.is_floating_point else x.to(float32) / bound
    made = (gain * floats**gamma).clamp(0, 1)
    return made if dtype.is_floating_point else (made * (bound + 1.0 - 1e-3)).to(dtype)


def gaussian_blur(x: Any, kernel_size: list[int], sigma: list[float]) -> Any:
    """Convolved with a Gaussian, the image mirrored at its rims."""

    def taps(n: int, width: float, dtype: Any) -> Any:
        half = (n - 1) * 0.5
        weights = (-0.5 * (linspace(-half, half, n, dtype=dtype) / width) ** 2).exp()
        return weights / weights.sum()

    def function(batch: Any) -> Any:
        kx = taps(kernel_size[0], sigma[0], batch.dtype)
        ky = taps(kernel_size[1], sigma[1], batch.dtype)
        kernel = (ky[:, None] * kx[None, :]).expand((batch.shape[1], 1, len(ky), len(kx)))
        rims = [len(kx) // 2, len(kx) // 2, len(ky) // 2, len(ky) // 2]
        wide = ops.pad(batch, rims, mode="reflect")
        return ops.conv2d(wide, kernel, groups=batch.shape[1])

    return _in_float(x, function)


def rotated_size(matrix: list[float], width: int, height: int) -> tuple[int, int]:
    """(width, height) of the frame that holds a rotated image."""
    a, b, _, c, d, _ = matrix
    corners = [
        (-0.5 * width, -0.5 * height), (-0.5 * width, 0.5 * height),
        (0.5 * width, 0.5 * height), (0.5 * width, -0.5 * height),
    ]  # fmt: skip
    xs = [a * x + b * y + 0.5 * width for x, y in corners]
    ys = [c * x + d * y + 0.5 * height for x, y in corners]

    def span(values: list[float]) -> int:
        # The corners are rounded off a little so that whole sizes stay whole.
        low, high = (int(v / 1e-4) * 1e-4 for v in (min(values), max(values)))
        return int(math.ceil(high) - math.floor(low))

    return span(xs), span(ys)
