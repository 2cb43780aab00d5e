"""Where each output position of a resampled dimension reads, and with which weights.

The coordinates are PyTorch's: computed in float32 for float32 images, with the same shortcuts.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np


class Taps(NamedTuple):
    """out[o] = sum over k of weight[k, o] * in[first[o] + k]; weights beyond a range are 0.

    `plain`: every weight is 1 and K is 1, so that nothing has to be multiplied.
    """

    first: Any  # (out,) int64
    weight: Any  # (K, out) float64 or float32
    size: int  # of the input
    plain: bool
    index: Any = None  # (K, out) int32: first[o] + k, or first[o] where the weight is 0


def _indexed(taps: Taps) -> Taps:
    """The taps with their places, as the kernel reads them."""
    steps = np.arange(len(taps.weight))[:, None]
    places = np.where(taps.weight != 0, taps.first + steps, taps.first)
    return taps._replace(index=np.ascontiguousarray(places.astype(np.int32)))


def _packed(first: Any, last: Any, weight: Any, size: int, plain: bool = False) -> Taps:
    """Taps of ranges [first, last] with dense rows `weight` (out, K)."""
    width = max(int((last - first).max(initial=0)) + 1, 1)
    return Taps(first, np.ascontiguousarray(weight[:, :width].T), size, plain)


def _gathered(index: Any, weight: Any, size: int) -> Taps:
    """Taps of positions (out, K), which may repeat, with their weights (out, K)."""
    first = index.min(1)
    width = int((index - first[:, None]).max(initial=0)) + 1
    dense = np.zeros((len(index), width), weight.dtype)
    np.add.at(dense, (np.arange(len(index))[:, None], index - first[:, None]), weight)
    return Taps(first, np.ascontiguousarray(dense.T), size, False)


def transposed(taps: Taps) -> Taps:
    """The taps of the transposed map: from output positions back to input positions."""
    k, n = np.nonzero(taps.weight)
    if not len(k):
        return Taps(
            np.zeros(taps.size, np.int64), np.zeros((1, taps.size), taps.weight.dtype),
            len(taps.first), False,
        )  # fmt: skip
    at = taps.first[n] + k
    first = np.full(taps.size, len(taps.first) - 1)
    np.minimum.at(first, at, n)
    width = int((n - first[at]).max()) + 1
    weight = np.zeros((width, taps.size), taps.weight.dtype)
    weight[n - first[at], at] = taps.weight[k, n]
    return Taps(first, weight, len(taps.first), False)


def _scale(size: int, out: int, align: bool, factor: float | None, real: Any) -> Any:
    """Input positions for each output position."""
    if align:
        return real(size - 1) / real(out - 1) if out > 1 else real(0)
    if factor is not None and factor > 0:
        return real(1.0 / factor)
    return real(size) / real(out)


def _nearest(size: int, out: int, factor: float | None, exact: bool, real: Any) -> Taps:
    scale = _scale(size, out, False, factor, real)
    at = np.floor((np.arange(out, dtype=real) + real(0.5 if exact else 0)) * scale)
    position = np.minimum(at.astype(np.int64), size - 1)
    return Taps(position, np.ones((1, out), real), size, True)


def _positions(size: int, out: int, align: bool, factor: float | None, real: Any) -> Any:
    """The input coordinate of each output position."""
    scale, at = _scale(size, out, align, factor, real), np.arange(out, dtype=real)
    if align:
        return at * scale
    # One rounding, as of a fused multiplication and addition.
    wide = np.float64(scale) * (at.astype(np.float64) + 0.5) - 0.5
    return wide.astype(real)


def _linear(size: int, out: int, align: bool, factor: float | None, real: Any) -> Taps:
    if size == out:
        return Taps(np.arange(out, dtype=np.int64), np.ones((1, out), real), size, True)
    at = np.maximum(_positions(size, out, align, factor, real), real(0))
    first = np.minimum(np.floor(at).astype(np.int64), size - 1)
    part = np.clip(at - first.astype(real), real(0), real(1))
    index = np.stack([first, np.minimum(first + 1, size - 1)], 1)
    return _gathered(index, np.stack([1 - part, part], 1), size)


def _near(x: Any, a: float) -> Any:
    """Keys's cubic at distances up to 1."""
    return ((a + 2) * x - (a + 3)) * x * x + 1


def _far(x: Any, a: float) -> Any:
    """Keys's cubic at distances from 1 to 2."""
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a


def cubic_weights(part: Any) -> list:
    """The weights of the four neighbours of a point `part` (0 to 1) behind the second."""
    a = part.dtype.type(-0.75)
    return [_far(part + 1, a), _near(part, a), _near(1 - part, a), _far(2 - part, a)]


def _cubic(size: int, out: int, align: bool, factor: float | None, real: Any) -> Taps:
    at = _positions(size, out, align, factor, real)
    base = np.minimum(np.floor(at).astype(np.int64), size - 1)
    part = np.clip(at - base.astype(real), real(0), real(1))
    index = np.clip(base[:, None] + np.arange(-1, 3), 0, size - 1)
    return _gathered(index, np.stack(cubic_weights(part), 1), size)


def _triangle_filter(x: Any) -> Any:
    return np.maximum(1 - np.abs(x), 0)


def _cubic_filter(x: Any) -> Any:
    x = np.abs(x)
    return np.where(x < 1, _near(x, -0.5), np.where(x < 2, _far(x, -0.5), 0))


def _lanczos_filter(x: Any) -> Any:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


# Each filter with the number of inputs it reaches at scale 1.
_FILTERS = {"linear": (_triangle_filter, 2), "cubic": (_cubic_filter, 4)}
_FILTERS["lanczos"] = (_lanczos_filter, 6)


def _antialiased(
    mode: str, size: int, out: int, align: bool, factor: float | None, real: Any
) -> Taps:
    """Weights of a filter stretched over what one output position covers."""
    shape, reach = _FILTERS[mode]
    scale = np.float64(_scale(size, out, align, factor, real))
    stretch = max(float(scale), 1.0)
    support = reach * 0.5 * stretch
    centre = scale * (np.arange(out) + 0.5)
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + support + 0.5).astype(np.int64), size)
    k = np.arange(max(int((end - first).max(initial=0)), 1))
    weight = shape((k + first[:, None] - centre[:, None] + 0.5) / stretch)
    weight = np.where(k < (end - first)[:, None], weight, 0)
    total = weight.sum(1, keepdims=True)
    weight = np.divide(weight, total, out=weight, where=total != 0).astype(real)
    return _packed(first, end - 1, weight, size)


def _area(size: int, out: int, real: Any) -> Taps:
    position = np.arange(out, dtype=np.int64)
    first = position * size // out
    end = -(-(position + 1) * size // out)
    count = (end - first)[:, None]
    k = np.arange(max(int(count.max(initial=0)), 1))
    weight = np.where(k < count, 1 / np.maximum(count, 1), 0).astype(real)
    return _packed(first, end - 1, weight, size)


@functools.lru_cache(512)
def taps(
    mode: str,
    size: int,
    out: int,
    align: bool,
    factor: float | None,
    antialias: bool,
    real: Any,
) -> tuple[Taps, Taps]:
    """The taps of one dimension and their transpose, computed in the NumPy type `real`.

    `mode`: "nearest", "nearest-exact", "linear", "cubic", "lanczos" or "area". `factor` is the
    scale factor that the caller gave, if it is to place the positions.
    """
    if math.prod((size, out)) == 0:
        found = Taps(np.zeros(out, np.int64), np.zeros((1, out), real), size, False)
    elif mode in ("nearest", "nearest-exact"):
        found = _nearest(size, out, factor, mode != "nearest", real)
    elif mode == "area":
        found = _area(size, out, real)
    elif antialias:
        found = _antialiased(mode, size, out, align, factor, real)
    else:
        found = (_linear if mode == "linear" else _cubic)(size, out, align, factor, real)
    return _indexed(found), _indexed(transposed(found))
