"""Window functions: the weights that fade a stretch of a signal in and out.

The formulas here compute in float64 for both `hann_window` and the like and `signal.windows`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..backend import strided
from ..ops._shape import whole
from ._common import finish, typed

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]

BLACKMAN = (0.42, 0.5, 0.08)

# -- formulas ------------------------------------------------------------------------------------


def _places(count: int, periodic: bool) -> np.ndarray:
    """The places of `count` points from 0 to 1; `periodic` leaves out the last of one more."""
    return np.arange(count) / max(count if periodic else count - 1, 1)


def cosines(count: int, periodic: bool, weights: Sequence[float]) -> np.ndarray:
    """The sum of (-1)^i weights[i] cos(2 pi i k / (count - 1)); a single point is 1."""
    if count == 1:
        return np.ones(1)
    turn = 2 * np.pi * _places(count, periodic)
    terms = [(-1) ** i * w * np.cos(i * turn) for i, w in enumerate(weights)]
    return np.sum(terms, axis=0)


def triangle(count: int, periodic: bool) -> np.ndarray:
    """1 - |2 k / (count - 1) - 1| (Bartlett 1950)."""
    return np.ones(1) if count == 1 else 1 - np.abs(2 * _places(count, periodic) - 1)


def kaiser(count: int, periodic: bool, beta: float) -> np.ndarray:
    """i0(beta sqrt(1 - x^2)) / i0(beta) for x from -1 to 1 (Kaiser, Schafer 1980)."""
    if count == 1:
        return np.ones(1)
    x = 2 * _places(count, periodic) - 1
    return np.i0(beta * np.sqrt(np.maximum(1 - x * x, 0))) / np.i0(beta)


# -- torch's functions ---------------------------------------------------------------------------


def _window(name: str, count: Any, formula: Callable, options: dict) -> Any:
    """A window as a tensor. RuntimeError for a negative length and types that hold no fractions."""
    n = whole(f"{name}(): window_length", count)
    layout = options["layout"]
    if layout is not None and layout is not strided:
        raise RuntimeError(f"{name} is not implemented for sparse types, got: {layout!r}")
    wanted = typed(name, options["dtype"], options["device"])
    if wanted.kind not in "fV":
        raise RuntimeError(
            f"{name} expects floating point dtypes, got: {dtypes.from_numpy(wanted)!r}"
        )
    if n < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={n}")
    values = formula(n) if n else np.empty(0)
    return finish(np.asarray(values, wanted), options["requires_grad"], options["device"])


def bartlett_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """A triangle from 0 up to 1 and down again, of `window_length` points.

    `periodic`: the first points of a window that is one longer, so that copies join smoothly; else
    symmetric. RuntimeError for a negative length and integers.
    """
    return _window("bartlett_window", window_length, lambda n: triangle(n, periodic), locals())


def blackman_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """0.42 - 0.5 cos(2 pi k / (n - 1)) + 0.08 cos(4 pi k / (n - 1)); else as `bartlett_window`."""

    def formula(n: int) -> np.ndarray:
        return cosines(n, periodic, BLACKMAN)

    return _window("blackman_window", window_length, formula, locals())


def hann_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """0.5 - 0.5 cos(2 pi k / (n - 1)); else as `bartlett_window`."""

    def formula(n: int) -> np.ndarray:
        return cosines(n, periodic, (0.5, 0.5))

    return _window("hann_window", window_length, formula, locals())


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *,
    dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:  # fmt: skip
    """alpha - beta cos(2 pi k / (n - 1)); else as `bartlett_window`."""

    def formula(n: int) -> np.ndarray:
        return cosines(n, periodic, (alpha, beta))

    return _window("hamming_window", window_length, formula, locals())


def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: Any = None,
    layout: Any = None, device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """i0(beta sqrt(1 - x^2)) / i0(beta) for x from -1 to 1; else as `bartlett_window`."""
    return _window("kaiser_window", window_length, lambda n: kaiser(n, periodic, beta), locals())


def exponential(count: int, center: float, tau: float) -> np.ndarray:
    """exp(-|k - center| / tau)."""
    return np.exp(-np.abs(np.arange(count) - center) / tau)


def gaussian(count: int, periodic: bool, std: float) -> np.ndarray:
    """exp(-x^2 / (2 std^2)) for x counted from the middle."""
    middle = (count if periodic and count > 1 else count - 1) / 2
    return np.exp(-(((np.arange(count) - middle) / (std * math.sqrt(2))) ** 2))


def sine(count: int, periodic: bool) -> np.ndarray:
    """sin(pi (k + 1/2) / count): half a wave."""
    return np.sin(
        np.pi * (np.arange(count) + 0.5) / (count + 1 if periodic and count > 1 else count)
    )
