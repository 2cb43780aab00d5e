"""Incomplete gamma functions and Hurwitz's zeta function, computed in float64.

Errors relative to the result: the incomplete gamma functions within 2e-13 (a < 1e4), zeta 1e-14.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import special
from .special import ZETA, paired

__all__ = ["gammainc", "gammaincc", "xlog1py", "zeta"]

_EPS = np.finfo(np.float64).eps
_MANY = 500.0  # from this `a` on the integral is done by quadrature
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


def _front(a: Any, x: Any) -> Any:
    """x^a e^-x / gamma(a + 1), without the cancellation of large exponents."""
    small = a < 20
    safe = np.where(small, 20.0, a)
    ratio = (x - safe) / safe
    # a log(x / a) - (x - a) and Stirling's formula for gamma(a + 1)
    exponent = np.where(
        np.abs(ratio) < 0.5,
        -safe * (ratio - np.log1p(np.where(np.abs(ratio) < 0.5, ratio, 0.0))),
        safe * np.log(x / safe) - (x - safe),
    )
    correction = special.polynomial(special.STIRLING, 1 / (safe * safe)) / safe
    large = np.exp(exponent - correction) / np.sqrt(2 * math.pi * safe)
    direct = np.exp(a * np.log(x) - x - special.lgamma(a + 1))
    return np.where(small, direct, large)


def _by_series(a: Any, x: Any) -> Any:
    """P(a, x) = x^a e^-x / gamma(a + 1) * (1 + x / (a + 1) + x^2 / ((a + 1)(a + 2)) + ...)."""
    total, term = np.ones_like(x), np.ones_like(x)
    k = 0.0
    while True:
        k += 1
        term = term * (x / (a + k))
        total += term
        if not (term > _EPS * total).any():
            return total * _front(a, x)


def _by_fraction(a: Any, x: Any) -> Any:
    """Q(a, x) by Legendre's continued fraction (Lentz's algorithm)."""
    b = x + 1 - a
    c = np.full_like(x, 1e300)
    d = 1 / b
    h = d.copy()
    i = 0.0
    while True:
        i += 1
        an = -i * (i - a)
        b = b + 2
        d = an * d + b
        d = 1 / np.where(d == 0, 1e-300, d)
        c = b + an / c
        c = np.where(c == 0, 1e-300, c)
        delta = c * d
        h = h * delta
        if not (np.abs(delta - 1) > _EPS).any() or i > 5000:
            return h * _front(a, x) * a


def _by_quadrature(a: Any, x: Any) -> Any:
    """The smaller of P and Q for large `a`: Gauss and Legendre over the 14 widths next to x."""
    width = 14 * np.sqrt(a)
    end = np.where(x < a, np.maximum(x - width, 0.0), x + width)
    middle, half = 0.5 * (end + x), 0.5 * np.abs(end - x)
    t = middle[:, None] + half[:, None] * _NODES
    ratio = (t - a[:, None]) / a[:, None]
    near = np.abs(ratio) < 0.5
    logs = np.where(near, np.log1p(np.where(near, ratio, 0.0)), np.log(t / a[:, None]))
    density = np.exp(-a[:, None] * (ratio - logs)) / t
    correction = special.polynomial(special.STIRLING, 1 / (a * a)) / a
    scale = np.sqrt(a / (2 * math.pi)) * np.exp(-correction)
    return (density * _WEIGHTS).sum(1) * half * scale


def _both(a: Any, x: Any) -> tuple:
    """P and Q = 1 - P, the smaller one first computed."""
    p, q = np.full_like(x, np.nan), np.full_like(x, np.nan)
    inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    many = inside & (a >= _MANY) & (np.abs(x - a) < 0.4 * a)
    series = inside & ~many & (x < a + 1)
    fraction = inside & ~many & ~series
    for where, compute, lower in (
        (series, _by_series, p),
        (fraction, _by_fraction, q),
    ):
        if where.any():
            lower[where] = compute(a[where], x[where])
            other = q if lower is p else p
            other[where] = 1 - lower[where]
    if many.any():
        one = _by_quadrature(a[many], x[many])
        left = x[many] < a[many]
        p[many], q[many] = np.where(left, one, 1 - one), np.where(left, 1 - one, one)
    valid = ~((a < 0) | (x < 0))  # one limit decides, even beside a NaN
    for where, value in (
        (valid & (x == 0) & (a != 0), 0.0),
        (valid & (a == 0) & (x > 0), 1.0),
        (valid & np.isinf(x) & ~np.isinf(a), 1.0),
        (valid & np.isinf(a) & ~np.isinf(x), 0.0),
    ):
        p[where], q[where] = value, 1 - value
    return p, q


@paired
def gammainc(a: Any, x: Any) -> Any:
    """P(a, x), the integral of t^(a-1) e^-t / gamma(a) from 0 to x."""
    return _both(a, x)[0]


@paired
def gammaincc(a: Any, x: Any) -> Any:
    """Q(a, x) = 1 - P(a, x)."""
    return _both(a, x)[1]


@paired
def xlog1py(x: Any, y: Any) -> Any:
    """x log(1 + y); 0 where x is 0, NaN where y is."""
    result = x * np.log1p(y)
    return np.where((x == 0) & ~np.isnan(y), 0.0, result)


@paired
def zeta(s: Any, q: Any) -> Any:
    """The sum of 1 / (q + k)^s over k >= 0: infinite for s = 1 and poles, NaN for s < 1.

    Terms up to q + k >= 10 + s, then Euler and Maclaurin. Negative q need a whole s.
    """
    whole = s == np.floor(s)
    good = (s > 1) & np.isfinite(q) & ((q > 0) | (whole & (q != np.floor(q))))
    at, power = np.where(good, q, 1.0), np.where(good, s, 2.0)
    result = np.zeros_like(at)
    enough = 10 + np.minimum(power, 60)  # later terms are nothing to the first one
    while True:
        below = at < enough
        if not below.any():
            break
        np.add(result, at**-power, out=result, where=below)
        at = at + below
    tail = at**-power
    result += at * tail / (power - 1) + 0.5 * tail
    term = power * tail / at
    for k, b in enumerate(ZETA):
        result += b * term
        term = term * (power + 2 * k + 1) * (power + 2 * k + 2) / (at * at)
    pole = (s == 1) | ((q <= 0) & (q == np.floor(q)) & (s >= 1))
    result = np.where(good, result, np.where(pole, np.inf, np.nan))
    return np.where((s > 1) & np.isposinf(q), 0.0, result)
