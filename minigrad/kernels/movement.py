"""Copies in another order, compiled; NumPy does what that does not take."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, maps, numpy_movement
from .numpy_movement import MODES

__all__ = [
    "flip",
    "pad",
    "pad_backward",
    "repeat",
    "repeat_each",
    "repeat_each_backward",
    "roll",
    "triangle",
]


def _dense(x: Any) -> Any:
    """x, or a copy of it in C order: what the compiled functions take."""
    return x if x.flags.c_contiguous else maps.copy(x)


def _added_back(compiled: Any, form: Any, grad: Any, *args: Any) -> Any:
    """A gradient, added up in float32 for the 16-bit types."""
    wide: Any = _C.convert(grad, np.dtype(np.float32)) if grad.dtype.itemsize == 2 else _dense(grad)
    result = compiled(wide, *args)
    if result is None:
        result = form(wide, *args)
    return result if wide.dtype == grad.dtype else _C.convert(result, grad.dtype)


def flip(x: Any, dims: tuple[int, ...]) -> Any:
    """A copy with the order of the dimensions reversed."""
    result = _C.flip(_dense(x), dims)
    return numpy_movement.flip(x, dims) if result is None else result


def roll(x: Any, shifts: tuple[int, ...], dims: tuple[int, ...]) -> Any:
    """A copy shifted around."""
    result = _C.roll(_dense(x), shifts, dims)
    return numpy_movement.roll(x, shifts, dims) if result is None else result


def repeat(x: Any, times: tuple[int, ...]) -> Any:
    """x times[i] times along dimension i; more numbers than dimensions add leading ones."""
    result = _C.repeat(_dense(x), times)
    return numpy_movement.repeat(x, times) if result is None else result


def repeat_each(x: Any, times: int, dim: int) -> Any:
    """Every place of a dimension `times` times in a row."""
    result = _C.repeat_each(_dense(x), times, dim)
    return numpy_movement.repeat_each(x, times, dim) if result is None else result


def repeat_each_backward(grad: Any, shape: tuple[int, ...], times: int, dim: int) -> Any:
    """The sum over the repetitions; `shape` is the input's."""
    form = numpy_movement.repeat_each_backward
    return _added_back(_C.repeat_each_backward, form, grad, shape, times, dim)


def pad(x: Any, widths: tuple[int, ...], mode: str, value: Any) -> Any:
    """x with (before, after) places more (or fewer) at each dimension, all in `widths`.

    `mode`: "constant", with `value` (an array of one element of x's type), "reflect", "replicate"
    or "circular".
    """
    result = _C.pad(_dense(x), widths, MODES.index(mode), value)
    return numpy_movement.pad(x, widths, mode, value) if result is None else result


def pad_backward(grad: Any, shape: tuple[int, ...], widths: tuple[int, ...], mode: str) -> Any:
    """The gradient of an input of `shape`: what `pad` took from each place, added up."""
    if mode == "constant":
        return pad(grad, tuple([-n for n in widths]), mode, np.zeros((), grad.dtype))
    form = numpy_movement.pad_backward
    return _added_back(_C.pad_backward, form, grad, shape, widths, MODES.index(mode))


def triangle(x: Any, diagonal: int, upper: bool) -> Any:
    """The last two dimensions' elements on and below (upper: above) a diagonal, and zeros."""
    result = _C.triangle(_dense(x), diagonal, upper)
    return numpy_movement.triangle(x, diagonal, upper) if result is None else result
