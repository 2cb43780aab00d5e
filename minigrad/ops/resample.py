"""Images made larger or smaller: `interpolate` in all its modes, and its older names."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Node
from ..backend import device_of, move
from ..kernels import cpu
from ._nn import need_tensor, torch_name
from ._taps import Taps, taps
from .rearrange import clone

__all__ = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]

# The mode of a dimension, and the numbers of dimensions of the input, by the mode of the call.
_MODES = {
    "nearest": ("nearest", (3, 4, 5)),
    "nearest-exact": ("nearest-exact", (3, 4, 5)),
    "area": ("area", (3, 4, 5)),
    "linear": ("linear", (3,)),
    "bilinear": ("linear", (4,)),
    "trilinear": ("linear", (5,)),
    "bicubic": ("cubic", (4,)),
    "lanczos": ("lanczos", (4,)),
}
_NAMES = {"nearest": "UpsampleNearest", "nearest-exact": "UpsampleNearestExact"}


class Resample(Node):
    """Weighted sums of neighbours along some dimensions, one after the other."""

    fresh = True

    def forward(self, x: Any, plan: tuple, mode: str) -> Any:
        """`plan`: (axis, taps, transposed taps) for each dimension."""
        self.plan, self.mode, self.ndim = plan, mode, x.ndim
        return _resampled(x, plan)

    def backward(self, grad: Any) -> Any:
        """Each input gets grad by the weights with which it was read: the transposed sums."""
        plan = tuple([(axis, back, there) for axis, there, back in reversed(self.plan)])
        return apply(Resample, (grad,), plan, self.mode)

    def name(self) -> str:
        stem = _NAMES.get(self.mode, f"Upsample{self.mode.capitalize()}")
        return f"{stem}{self.ndim - 2}DBackward0"


def _resampled(x: Any, plan: tuple) -> Any:
    """`x` after each step of the plan; 16-bit floats are computed in float32."""
    dtype = x.dtype
    exact = all(step[1].plain for step in plan)
    if dtype.kind == "u" and not exact:
        return _resampled_bytes(x, plan)
    narrow = dtype.itemsize < 4 and not exact
    out, where = x.astype(np.float32) if narrow else x, device_of(x)
    for axis, step, _ in sorted(plan, key=_growth):
        weight = None if step.plain else move(step.weight, where)
        out = cpu.resample(out, axis, move(step.index, where), weight)
    if out is x:
        return x.copy()
    return out.astype(dtype) if narrow else out


def _resampled_bytes(x: Any, plan: tuple) -> Any:
    """The same for bytes, in integers: rounded after each dimension, the last one first.

    The weights are scaled so that the largest one fits 16 bits, as Pillow and PyTorch have it.
    """
    where = device_of(x)
    for axis, step, _ in sorted(plan, reverse=True, key=lambda step: step[0]):
        largest, bits = step.weight.max(), 0
        while bits < 22 and int(0.5 + largest * (1 << (bits + 1))) < 1 << 15:
            bits += 1
        whole = np.trunc(step.weight * (1 << bits) + np.copysign(0.5, step.weight))
        index, weight = move(step.index, where), move(whole.astype(np.int32), where)
        wide = cpu.resample(x.astype(np.int32), axis, index, weight)
        x = np.clip((wide + (1 << (bits - 1))) >> bits, 0, 255).astype(np.uint8)
    return x


def _growth(step: tuple[int, Taps, Taps]) -> tuple:
    """Dimensions that shrink come first, the outermost before the last, in which neighbours have to
    be gathered; of others the last one: the least work in all."""
    axis, found, _ = step
    growth = len(found.first) / max(found.size, 1)
    return (0, axis) if growth < 1 else (1, growth, -axis)


def _sizes(name: str, given: Any, spatial: tuple[int, ...]) -> list:
    """One size or scale factor for each dimension. ValueError for another number of them."""
    if not isinstance(given, (list, tuple)):
        return [given] * len(spatial)
    if len(given) == len(spatial):
        return list(given)
    shown = "output size of" if name == "output" else "scale_factor of shape"
    raise ValueError(
        f"Input and {name} must have the same number of spatial dimensions, but got input with "
        f"spatial dimensions of {list(spatial)} and {shown} {given}. Please provide input tensor "
        f"in (N, C, d1, d2, ...,dK) format and {name.replace('output', 'output size')} in "
        f"{'(o1, o2, ...,oK)' if name == 'output' else '(s1, s2, ...,sK)'} format."
    )


def _whole_sizes(size: Any, spatial: tuple[int, ...]) -> list[int]:
    sizes = _sizes("output", size, spatial)
    if any(isinstance(n, (float, bool, str)) for n in sizes):
        raise TypeError(
            "expected size to be one of int or Tuple[int] or Tuple[int, int] or "
            f"Tuple[int, int, int], but got size with types {[type(n) for n in sizes]}"
        )
    return [operator.index(n) for n in sizes]


def _targets(
    spatial: tuple[int, ...], size: Any, scale_factor: Any, mode: str, recompute: bool | None
) -> tuple[list[int], list]:
    """The sizes of the result, and the scale factors that place its positions (or None)."""
    none = [None] * len(spatial)
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        sizes = _whole_sizes(size, spatial)
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        return sizes, none
    if scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    factors = [float(f) for f in _sizes("scale_factor", scale_factor, spatial)]
    sizes = [int(n * f) for n, f in zip(spatial, factors, strict=True)]
    return sizes, none if recompute or mode == "area" else factors


def _check_corners(mode: str, align_corners: bool | None) -> None:
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear "
            "| bicubic | trilinear"
        )


def _check_mode(mode: str, ndim: int, align_corners: bool | None, antialias: bool) -> str:
    """The mode of each dimension. ValueError or NotImplementedError for what cannot be."""
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            "a 4-D tensor as input"
        )
    if mode == "lanczos" and not antialias:
        raise ValueError("Lanczos interpolation is supported only with antialias=True")
    if mode == "lanczos" and align_corners:
        raise ValueError("Lanczos mode does not support align_corners=True")
    each, ndims = _MODES.get(mode, ("", ()))
    if ndim in ndims:
        return each
    modes = {3: "linear", 4: "bilinear", 5: "trilinear"}
    if ndim in modes and each:
        raise NotImplementedError(f"Got {ndim}D input, but {mode} mode needs {ndims[0]}D input")
    raise NotImplementedError(
        "Input Error: Only 3D, 4D and 5D input Tensors supported (got "
        f"{ndim}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | area | "
        f"nearest-exact (got {mode})"
    )


def _check_dtype(x: Any, mode: str) -> None:
    if x.dtype.kind in "fV":
        return
    bytes_taken = mode.startswith("nearest") or (mode in ("bilinear", "bicubic", "lanczos"))
    if not (bytes_taken and x.dtype == np.uint8):
        raise NotImplementedError(f"\"interpolate_{mode}\" not implemented for '{torch_name(x)}'")


def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """`input` (N, C, L), (N, C, H, W) or (N, C, D, H, W) resampled to `size`, or by `scale_factor`.

    `mode`: "nearest", "nearest-exact", "linear" (3-d), "bilinear" and "bicubic" (4-d), "trilinear"
    (5-d), "area", or "lanczos" (4-d, with `antialias`). `align_corners`: the centres of the corner
    elements stay where they are, instead of the corners' edges. A scale factor that is no ratio of
    sizes places the positions itself unless `recompute_scale_factor`. `antialias` widens the filter
    where the image shrinks. ValueError for contradicting arguments; NotImplementedError for a mode
    with another number of dimensions; RuntimeError for sizes of 0.
    """
    x = need_tensor("interpolate", "input", input)
    spatial = x.shape[2:]
    _check_corners(mode, align_corners)
    sizes, factors = _targets(spatial, size, scale_factor, mode, recompute_scale_factor)
    each = _check_mode(mode, x.ndim, align_corners, antialias)
    if mode != "area" and (min((*sizes, *spatial)) <= 0 or 0 in x.shape[1:]):
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input (shape "
            f"{list(x.shape)}) output (size {sizes})"
        )
    _check_dtype(x, mode)
    real = np.float32 if x.dtype.kind in "fV" and x.dtype.itemsize <= 4 else np.float64
    plan = []
    for axis, (n, out, factor) in enumerate(zip(spatial, sizes, factors, strict=True), 2):
        if n == out and (antialias or factor in (None, 1.0)):
            continue
        found = taps(each, n, out, bool(align_corners), factor, antialias, real)
        plan.append((axis, *found))
    return apply(Resample, (input,), tuple(plan), mode) if plan else clone(input)


def upsample(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Any:
    """Deprecated name of `interpolate`."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """Deprecated: `interpolate` with mode="nearest"."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """Deprecated: `interpolate` with mode="bilinear" and align_corners=True."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)
