"""Bessel functions and Airy's, computed in float64, block by block.

Chebyshev series of what is smooth: near the origin of the function itself (times e^-|x|, or without
its logarithm), far out of the factors of the asymptotic form, in powers of 1/x. Within 2e-15 of the
larger of the function and (where it oscillates) its envelope.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import bessel_tables as tables
from .special import blocked

__all__ = [
    "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "i0", "i0e", "i1", "i1e",
    "modified_bessel_k0", "modified_bessel_k1", "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1", "spherical_bessel_j0",
]  # fmt: skip

_TWO_OVER_PI = 2 / math.pi


def _series(coefficients: tuple, u: Any, low: float, high: float) -> Any:
    """A Chebyshev series on [low, high], by Clenshaw's recurrence."""
    t = (u - (low + high) / 2) * (4 / (high - low))  # twice the argument in [-1, 1]
    after = np.zeros_like(t)
    now = np.full_like(t, coefficients[-1])
    for c in coefficients[-2:0:-1]:
        now, after = t * now - after + c, now
    return 0.5 * t * now - after + coefficients[0]


def _pieces(x: Any, split: float, near: Callable, far: Callable) -> Any:
    """`near` of x up to `split`, `far` beyond (and of NaN)."""
    inside = x <= split
    if inside.all():
        return near(x)
    if not inside.any():
        return far(x)
    result = np.empty_like(x)
    result[inside] = near(x[inside])
    result[~inside] = far(x[~inside])
    return result


# -- modified: I ----------------------------------------------------------------------------------


def _i0e(x: Any) -> Any:
    result = _pieces(
        np.abs(x),
        8,
        lambda y: _series(tables.I0_NEAR, y, 0, 8),
        lambda y: _series(tables.I0_FAR, 8 / y, 0, 1) / np.sqrt(y),
    )
    result[x == 0] = 1
    return result


def _i1e(x: Any) -> Any:
    size = _pieces(
        np.abs(x),
        8,
        lambda y: y * _series(tables.I1_NEAR, y, 0, 8),
        lambda y: _series(tables.I1_FAR, 8 / y, 0, 1) / np.sqrt(y),
    )
    return np.copysign(size, x)


def _grown(scaled: Any, x: Any) -> Any:
    """scaled * e^|x|, in two steps: e^|x| may be infinite where the result is not."""
    half = np.exp(np.abs(x) / 2)
    return np.where(np.isinf(x), x * x * np.sign(scaled), scaled * half * half)


@blocked
def i0e(x: Any, short: bool) -> Any:
    """e^-|x| I_0(x)."""
    return _i0e(x)


@blocked
def i0(x: Any, short: bool) -> Any:
    """The modified Bessel function I_0; NaN at infinity, as PyTorch's."""
    return np.where(np.isinf(x), np.nan, _grown(_i0e(x), x))


@blocked
def i1e(x: Any, short: bool) -> Any:
    """e^-|x| I_1(x)."""
    return _i1e(x)


@blocked
def i1(x: Any, short: bool) -> Any:
    """The modified Bessel function I_1; NaN at infinity, as PyTorch's."""
    return np.where(np.isinf(x), np.nan, _grown(_i1e(x), x))


# -- modified: K ----------------------------------------------------------------------------------


def _k0_near(x: Any) -> Any:
    return _series(tables.K0_NEAR, x * x, 0, 4) - np.log(x / 2) * np.exp(x) * _i0e(x)


def _k1_near(x: Any) -> Any:
    return _series(tables.K1_NEAR, x * x, 0, 4) / x + np.log(x / 2) * np.exp(x) * _i1e(x)


def _k(x: Any, near: Callable, far: tuple, scaled: bool) -> Any:
    """K_0 or K_1, times e^x if `scaled`: infinite at 0, NaN below."""
    result = _pieces(
        np.where(x > 0, x, 1.0),
        2,
        lambda y: near(y) * (np.exp(y) if scaled else 1),
        lambda y: _series(far, 2 / y, 0, 1) / np.sqrt(y) * (1 if scaled else np.exp(-y)),
    )
    return np.where(x > 0, result, np.where(x == 0, np.inf, np.nan))


@blocked
def modified_bessel_k0(x: Any, short: bool) -> Any:
    """The modified Bessel function K_0."""
    return _k(x, _k0_near, tables.K0_FAR, False)


@blocked
def modified_bessel_k1(x: Any, short: bool) -> Any:
    """The modified Bessel function K_1."""
    return _k(x, _k1_near, tables.K1_FAR, False)


@blocked
def scaled_modified_bessel_k0(x: Any, short: bool) -> Any:
    """e^x K_0(x)."""
    return _k(x, _k0_near, tables.K0_FAR, True)


@blocked
def scaled_modified_bessel_k1(x: Any, short: bool) -> Any:
    """e^x K_1(x)."""
    return _k(x, _k1_near, tables.K1_FAR, True)


# -- J and Y --------------------------------------------------------------------------------------


def _wave(x: Any, p: tuple, q: tuple, order: int, second: bool) -> Any:
    """sqrt(2 / (pi x)) (P cos(phase) - Q sin(phase)) for J; sin and cos, with a plus, for Y.

    The phase x - order pi/2 - pi/4 is taken into sin x and cos x, so that it is not rounded.
    """
    u = (8 / x) ** 2
    amplitude = _series(p, u, 0, 1)
    shift = _series(q, u, 0, 1) / x
    sine, cosine = np.sin(x), np.cos(x)
    root = math.sqrt(0.5)
    along = root * (sine + cosine) if order == 0 else root * (sine - cosine)  # cos(phase)
    across = root * (sine - cosine) if order == 0 else -root * (sine + cosine)  # sin(phase)
    wave = amplitude * across + shift * along if second else amplitude * along - shift * across
    return np.where(np.isinf(x), 0.0, np.sqrt(_TWO_OVER_PI / x) * wave)


def _j0_near(x: Any) -> Any:
    return _series(tables.J0, x * x, 0, 64)


def _j1_near(x: Any) -> Any:
    return x * _series(tables.J1, x * x, 0, 64)


@blocked
def bessel_j0(x: Any, short: bool) -> Any:
    """The Bessel function J_0."""
    size = np.abs(x)
    result = _pieces(size, 8, _j0_near, lambda y: _wave(y, tables.P0, tables.Q0, 0, False))
    result[x == 0] = 1
    return result


@blocked
def bessel_j1(x: Any, short: bool) -> Any:
    """The Bessel function J_1."""
    size = _pieces(np.abs(x), 8, _j1_near, lambda y: _wave(y, tables.P1, tables.Q1, 1, False))
    return np.where(x < 0, -size, size)


def _below_zero(x: Any, result: Any) -> Any:
    return np.where(x > 0, result, np.where(x == 0, -np.inf, np.nan))


@blocked
def bessel_y0(x: Any, short: bool) -> Any:
    """The Bessel function Y_0: -infinity at 0, NaN below."""

    def near(y: Any) -> Any:
        return _series(tables.Y0, y * y, 0, 64) + _TWO_OVER_PI * np.log(y) * _j0_near(y)

    result = _pieces(
        np.where(x > 0, x, 1.0), 8, near, lambda y: _wave(y, tables.P0, tables.Q0, 0, True)
    )
    return _below_zero(x, result)


@blocked
def bessel_y1(x: Any, short: bool) -> Any:
    """The Bessel function Y_1: -infinity at 0, NaN below."""

    def near(y: Any) -> Any:
        smooth = y * _series(tables.Y1, y * y, 0, 64)
        return smooth + _TWO_OVER_PI * (np.log(y) * _j1_near(y) - 1 / y)

    result = _pieces(
        np.where(x > 0, x, 1.0), 8, near, lambda y: _wave(y, tables.P1, tables.Q1, 1, True)
    )
    return _below_zero(x, result)


@blocked
def spherical_bessel_j0(x: Any, short: bool) -> Any:
    """sin(x) / x; 1 at 0, 0 at infinity."""
    y = np.where((x == 0) | np.isinf(x), 1.0, x)
    return np.where(x == 0, 1.0, np.where(np.isinf(x), 0.0, np.sin(y) / y))


# -- Airy -----------------------------------------------------------------------------------------

_ZETA_3 = 2 / 3 * 3**1.5
_ZETA_8 = 2 / 3 * 8**1.5


def _airy_wave(x: Any) -> Any:
    """Below -8: a wave of slowly changing amplitude and phase."""
    z = 2 / 3 * x**1.5
    u = (_ZETA_8 / z) ** 2
    p, q = _series(tables.AIRY_P, u, 0, 1), _series(tables.AIRY_Q, u, 0, 1) / z
    phase = z - math.pi / 4
    return (p * np.cos(phase) + q * np.sin(phase)) / (math.sqrt(math.pi) * x**0.25)


def _airy_right(x: Any) -> Any:
    z = 2 / 3 * x**1.5
    size = _series(tables.AIRY_RIGHT, _ZETA_3 / z, 0, 1) * np.exp(-z)
    return np.where(np.isinf(x), 0.0, size / (2 * math.sqrt(math.pi) * x**0.25))


@blocked
def airy_ai(x: Any, short: bool) -> Any:
    """Airy's function Ai; NaN at infinity."""

    def left(y: Any) -> Any:
        return _pieces(
            -y, 8, lambda v: _series(tables.AIRY_LEFT, -v, -8, -3), lambda v: _airy_wave(v)
        )

    def right(y: Any) -> Any:
        return _pieces(y, 3, lambda v: _series(tables.AIRY_MIDDLE, v, -3, 3), _airy_right)

    result = _pieces(-x, 3, lambda v: right(-v), lambda v: left(-v))
    return np.where(np.isinf(x), np.nan, result)
