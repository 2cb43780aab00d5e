"""Histograms whose range grows, and the search for the bounds with the least squared error.

The search narrows the range by quantiles as long as the error falls, as in PyTorch's
HistogramObserver (after Caffe2's norm minimization).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...creation import linspace

_UPSAMPLE = 16  # parts of a bin that move on their own
_STEP = 1e-5  # quantiles


def histogram_of(x: Any, bins: int, least: Any, largest: Any) -> Any:
    """How many values lie in each of `bins` equal parts of [least, largest]; `torch.histc`."""
    low, high = np.float32(least), np.float32(largest)
    if low == high:
        low, high = low - np.float32(1), high + np.float32(1)
    place = (x.reshape(-1) - low) / (high - low) * np.float32(bins)
    place = np.minimum(place.astype(np.int64), bins - 1)
    return np.bincount(place, minlength=bins).astype(np.float32)


def moved_histogram(histogram: Any, old: tuple, new: tuple) -> Any:
    """A histogram over `old` (least, largest) as one over `new`, which holds it."""
    bins = len(histogram)
    if old[0] == new[0] and old[1] == new[1]:
        return histogram
    if old[0] == old[1]:
        return histogram_of(np.asarray(old[0]), bins, *new) * histogram.sum()
    width = (old[1] - old[0]) / np.float32(bins * _UPSAMPLE)
    edges = linspace(float(old[0]), float(old[1]), bins * _UPSAMPLE + 1).numpy()[:-1]
    middles = edges + np.float32(0.5) * width
    targets = linspace(float(new[0]), float(new[1]), bins + 1).numpy()
    place = np.clip(np.searchsorted(targets, middles, side="right") - 1, 0, bins - 1)
    weights = np.repeat(histogram, _UPSAMPLE) / np.float32(_UPSAMPLE)
    return np.bincount(place, weights=weights, minlength=bins).astype(np.float32)


def _cube_part(begin: Any, end: Any) -> Any:
    """The integral of x^2 from begin to end."""
    return (end * end * end - begin * begin * begin) / 3


def rounding_error(histogram: Any, bin_width: float, first: int, last: int, levels: int) -> float:
    """The squared error of values that are rounded to `levels` centres over bins first .. last."""
    bins = len(histogram)
    step = bin_width * (last - first + 1) / levels
    if step == 0:
        return 0.0
    begin = (np.arange(bins) - first) * bin_width
    end = begin + bin_width
    level_begin = np.clip(np.floor(begin / step), 0, levels - 1)
    level_end = np.clip(np.floor(end / step), 0, levels - 1)
    density = histogram / bin_width
    # The rest of the first centre's part, whole parts, and the beginning of the last one's.
    error = _cube_part(begin - (level_begin + 0.5) * step, step / 2)
    error = error + (level_end - level_begin - 1) * _cube_part(-step / 2, step / 2)
    error = error + _cube_part(-step / 2, end - (level_end + 0.5) * step)
    return float((density * error).sum())


def search_bounds(histogram: Any, least: Any, largest: Any, levels: int) -> tuple[Any, Any]:
    """(least, largest) in float32 of the range that is worth its levels."""
    bins = len(histogram)
    width = (largest - least) / np.float32(bins)
    exact = (float(largest) - float(least)) / bins
    total = float(histogram.sum())
    sums = np.cumsum(histogram, dtype=np.float64)
    counts = histogram.astype(np.float64)
    first, last = 0, bins - 1
    low, high, smallest = 0.0, 1.0, np.inf
    while low < high and exact > 0:
        next_low, next_high = low + _STEP, high - _STEP
        left = min(max(int(np.searchsorted(sums, next_low * total)), first), last)
        right = max(min(int(np.searchsorted(sums, next_high * total, "right")) - 1, last), first)
        next_first, next_last = first, last
        if left - first > last - right:
            next_first, low = left, next_low
        else:
            next_last, high = right, next_high
        if (next_first, next_last) == (first, last):
            continue
        error = rounding_error(counts, exact, next_first, next_last, levels)
        if error > smallest:
            break
        smallest, first, last = error, next_first, next_last
    return least + width * np.float32(first), least + width * np.float32(last + 1)
