"""Fractional max pooling: maxima of windows of one size at places that random samples choose.

(Graham 2014, "Fractional max-pooling": pseudorandom, overlapping regions.)
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.record import apply
from ..kernels import cpu
from ..kernels._quiet import quiet
from ._nn import need_float, public
from ._shape import array_arg
from .pool import MaxPool, Window

__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]

_AXES = (("height", "width"), ("time", "height", "width"))


class FractionalMaxPool(MaxPool):
    """The maximum of each window and its place in the plane or volume."""

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        x = x.reshape(window.x)
        size, kernel, starts = window.sizes
        places = _places(starts, size, kernel)
        elements = cpu.gather_planes(
            x, places.reshape(*places.shape[:2], 1, math.prod(places.shape[2:]))
        )
        elements = elements.reshape(places.shape)
        best = elements.argmax(-1)
        nan = elements != elements
        if nan.any():  # the last NaN of a window counts
            last = places.shape[-1] - 1 - nan[..., ::-1].argmax(-1)
            best = np.where(nan.any(-1), last, best)
        index = np.take_along_axis(places, best[..., None], -1)
        self.where = index.reshape(window.out)
        out = cpu.gather_planes(x, self.where)
        return out.reshape(window.out_shape), self.where.reshape(window.out_shape)

    def backward(self, grads: Any) -> Any:
        """grad, added where each maximum was."""
        return super().backward(grads[0])

    def name(self) -> str:
        return f"FractionalMaxPool{len(self.window.sizes[0])}DBackward0"


def _places(starts: list, size: tuple[int, ...], kernel: tuple[int, ...]) -> Any:
    """The places (N, C, windows, elements of a window) that windows cover.

    `starts` holds (N, C, windows) of each axis: where the windows begin along it.
    """
    n, c = starts[0].shape[:2]
    places = np.zeros((n, c, 1, 1), np.int64, like=starts[0])
    for start, length, taps in zip(starts, size, kernel):
        axis = start[:, :, :, None] + np.arange(taps, like=start)  # (N, C, windows, taps)
        grown = places[:, :, :, None, :, None] * length + axis[:, :, None, :, None, :]
        shape = (n, c, places.shape[2] * start.shape[2], places.shape[3] * taps)
        places = grown.reshape(shape)
    return places


@quiet
def _starts(sample: Any, size: int, windows: int, kernel: int) -> Any:
    """Where the windows begin along an axis: (N, C, windows) for samples (N, C) of [0, 1)."""
    starts = np.full((*sample.shape, windows), size - kernel, np.int64, like=sample)
    if windows > 1:
        alpha = np.asarray(size - kernel, sample.dtype) / np.asarray(windows - 1, sample.dtype)
        steps = np.arange(windows - 1, dtype=np.int64, like=sample).astype(sample.dtype)
        at = sample[..., None]
        starts[..., :-1] = ((steps + at) * alpha).astype(np.int64) - (at * alpha).astype(np.int64)
    return starts


def _check_samples(samples: Any, x: Any, batch: int, channels: int, n: int) -> None:
    if samples.dtype != x.dtype:
        raise RuntimeError("Expect _random_samples to have the same dtype as input")
    if samples.ndim != 3:
        raise RuntimeError(f"Expect _random_samples to have 3 dimensions, got {samples.ndim}")
    if samples.shape[0] < batch:
        raise RuntimeError("Expect _random_samples.size(0) no less then input batch size.")
    if samples.shape[1] != channels:
        raise RuntimeError("Expect _random_samples.size(1) equals to input channel size.")
    if samples.shape[2] != n:
        raise RuntimeError(f"Expect _random_samples.size(2) equals to {n}; got {samples.shape[2]}.")


def _sizes(name: str, role: str, value: Any, n: int) -> tuple[int, ...]:
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(items) not in (1, n):
        several = "Ints" if n == 2 else "three Ints"
        raise RuntimeError(f"{name}: {role} must either be a single Int or tuple of {several}")
    sizes = tuple([operator.index(i) for i in items])
    return sizes * n if len(sizes) == 1 else sizes


def _fractional(n: int) -> Callable:
    """Fractional max pooling over n dimensions."""
    name = f"fractional_max_pool{n}d"
    full = name + ("_out" if n == 3 else "")

    def pool(input: Any, kernel_size: Any, output_size: Any, _random_samples: Any) -> Any:
        x = array_arg(name, input)
        samples = array_arg(name, _random_samples, 4, "_random_samples")
        kernel = _sizes(name, "kernel_size", kernel_size, n)
        out = _sizes(name, "output_size", output_size, n)
        if x.ndim not in (n + 1, n + 2):
            raise RuntimeError(
                f"{full}(): Expected {n + 1}D or {n + 2}D tensor, but got: {list(x.shape)}"
            )
        for d in range(x.ndim - n - 1, x.ndim):
            if not x.shape[d]:
                raise RuntimeError(
                    f"{full}(): Expected input to have non-zero size for non-batch dimensions, "
                    f"but got{list(x.shape)} with dimension {d} being empty."
                )
        size = x.shape[-n:]
        for axis, have, windows, taps in zip(_AXES[n - 2], size, out, kernel):
            if windows + taps - (n == 2) > have:  # PyTorch leaves one free in volumes
                raise RuntimeError(
                    f"{full}(): pool {axis} {taps} too large relative to input {axis} {have}"
                )
        if min(out) < 0:
            shape = [*x.shape[:-n], *out]
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {min(out)}: {shape}"
            )
        if min(kernel) <= 0:
            raise RuntimeError(f"{name}: given kernel_size {kernel}; needed: sizes of 1 or more")
        need_float(name, x)
        batch, channels = (1, *x.shape)[-n - 2 : -n] if x.ndim == n + 1 else x.shape[:2]
        _check_samples(samples, x, batch, channels, n)
        samples = samples[:batch]
        # The samples of a plane are those of its width and its height, of a volume those of time,
        # height and width.
        order = (1, 0) if n == 2 else (0, 1, 2)
        starts = [_starts(samples[:, :, i], *sizes) for i, *sizes in zip(order, size, out, kernel)]
        out_shape = (*x.shape[:-n], *out)
        flat = (batch, channels, 1, int(np.prod(size))), (batch, channels, 1, int(np.prod(out)))
        window = Window(x.shape, out_shape, *flat, (size, kernel, starts))
        return apply(FractionalMaxPool, (input,), window)

    space = "H, W" if n == 2 else "D, H, W"
    doc = f"""Maxima of windows of `kernel_size` of `input` ([N,] C, {space}), and their places.

    `_random_samples` (N, C, {n}) from [0, 1) choose where the `output_size` windows along each
    dimension begin. RuntimeError for sizes that do not fit together.
    """
    return public(pool, name, doc)


fractional_max_pool2d = _fractional(2)
fractional_max_pool3d = _fractional(3)
