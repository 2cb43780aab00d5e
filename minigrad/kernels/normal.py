"""The normal distribution's functions and the entropy's summand, computed in float64 by block."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import maps, special
from ._quiet import wide
from .special import blocked

__all__ = ["entr", "erfcx", "log_ndtr", "ndtr", "ndtri"]

_COMPILED = vars(maps)  # made at run time, one by one
_erfc, ndtri = _COMPILED["erfc"], _COMPILED["ndtri"]
_ROOT_HALF = math.sqrt(0.5)
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def _erfcx(x: Any) -> Any:
    """exp(x^2) erfc(x): the series of erfc for positive x, reflected for negative ones."""
    y = np.abs(x)
    t = (y - 3.75) / (y + 3.75)
    result = special.polynomial(special.ERFC, np.where(np.isinf(y), 1.0, t)) / (1 + 2 * y)
    result[x == 0] = 1
    negative = x < 0
    if negative.any():
        square = np.minimum(y[negative], 30.0)  # infinite from 26.7 on
        high = square.astype(np.float32).astype(np.float64)  # 24 bits: its square is exact
        growth = np.exp(high * high) * np.exp((square - high) * (square + high))
        result[negative] = 2 * growth - result[negative]
    return result


@blocked
def erfcx(x: Any, short: bool) -> Any:
    """exp(x^2) erfc(x), which does not underflow."""
    return _erfcx(x)


@blocked
def ndtr(x: Any, short: bool) -> Any:
    """The area under the standard normal density up to x."""
    return 0.5 * _erfc(x * -_ROOT_HALF)


def _log_ndtr(x: Any) -> Any:
    tail = x < -1
    result = np.log1p(-0.5 * _erfc(np.where(tail, 0.0, x) * _ROOT_HALF))
    if tail.any():
        y = x[tail]
        scaled = np.log(0.5 * _erfcx(y * -_ROOT_HALF))
        result[tail] = np.where(np.isinf(y), -np.inf, scaled - 0.5 * y * y)
    return result


@blocked
def log_ndtr(x: Any, short: bool) -> Any:
    """log(ndtr(x)), which does not underflow."""
    return _log_ndtr(x)


@wide
def entr(x: Any) -> Any:
    """-x log(x); 0 at 0, -infinity below."""
    positive = np.where(x > 0, x, x.dtype.type(1))
    result = np.where(x > 0, -x * np.log(positive), x.dtype.type(0))
    return np.where(x < 0, x.dtype.type(-np.inf), np.where(x != x, x, result))
