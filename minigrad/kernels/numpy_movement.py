"""Copies in another order in plain NumPy, under the names of the compiled ones."""

from __future__ import annotations

from typing import Any

import numpy as np

MODES = ("constant", "reflect", "replicate", "circular")


def flip(x: Any, dims: tuple[int, ...]) -> Any:
    """A copy with the order of the dimensions reversed."""
    return np.flip(x, dims).copy()


def roll(x: Any, shifts: tuple[int, ...], dims: tuple[int, ...]) -> Any:
    """A copy shifted around."""
    return np.roll(x, shifts, dims)


def repeat(x: Any, times: tuple[int, ...]) -> Any:
    """x times[i] times along dimension i; more numbers than dimensions add leading ones."""
    return np.tile(x, times) if times else x.copy()


def repeat_each(x: Any, times: int, dim: int) -> Any:
    """Every place of a dimension `times` times in a row."""
    return np.repeat(x, times, dim)


def repeat_each_backward(grad: Any, shape: tuple[int, ...], times: int, dim: int) -> Any:
    """The sum over the repetitions; `shape` is the input's."""
    split = (*shape[: dim + 1], times, *shape[dim + 1 :])
    return grad.reshape(split).sum(dim + 1, dtype=grad.dtype)


def sources(mode: str, n: int, before: int, after: int) -> Any:
    """For each place of a padded dimension the number of the element that stands there."""
    places = np.arange(-before, n + after)
    if mode == "replicate":
        return places.clip(0, n - 1)
    if mode == "reflect":
        places = np.abs(places)
        return np.where(places >= n, 2 * (n - 1) - places, places)
    # What is cut off does not come round again: the elements that stay are what is repeated.
    first, last = max(-before, 0), n - max(-after, 0)
    return (places - first) % max(last - first, 1) + first


def _pairs(widths: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(zip(widths[::2], widths[1::2], strict=True))


def pad(x: Any, widths: tuple[int, ...], mode: str, value: Any) -> Any:
    """x with (before, after) places more (or fewer) at each dimension, all in `widths`."""
    pairs = _pairs(widths)
    if mode != "constant":
        for d, (n, (a, b)) in enumerate(zip(x.shape, pairs, strict=True)):
            if a or b:
                x = x.take(sources(mode, n, a, b), d)
        return x.copy()
    out = np.full([n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True)], value, x.dtype)
    source, target = [], []
    for n, (a, b) in zip(x.shape, pairs, strict=True):
        source.append(slice(max(-a, 0), n - max(-b, 0)))
        target.append(slice(max(a, 0), n + a + b - max(b, 0)))
    out[tuple(target)] = x[tuple(source)]
    return out


def pad_backward(grad: Any, shape: tuple[int, ...], widths: tuple[int, ...], mode: int) -> Any:
    """The gradient of an input of `shape`: what `pad` took from each place, added up.

    `mode` is the number of one but "constant" in MODES.
    """
    pairs = _pairs(widths)
    for d, (n, (a, b)) in enumerate(zip(shape, pairs, strict=True)):
        if not a and not b:
            continue
        out = np.zeros((*grad.shape[:d], n, *grad.shape[d + 1 :]), grad.dtype)
        places = (*[slice(None)] * d, sources(MODES[mode], n, a, b))
        np.add.at(out, places, grad)
        grad = out
    return grad


def triangle(x: Any, diagonal: int, upper: bool) -> Any:
    """The last two dimensions' elements on and below (upper: above) a diagonal, and zeros."""
    return (np.triu if upper else np.tril)(x, diagonal)
