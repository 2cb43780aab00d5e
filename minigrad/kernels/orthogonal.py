"""Orthogonal polynomials by their three-term recurrences, computed in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .special import paired

__all__ = ["POLYNOMIALS"]


def _polynomial(first: Callable, following: Callable, shifted: bool = False) -> Callable:
    """p_n(x) from p_0 = 1, p_1 = first(x) and p_{k+1} = following(k, x, p_k, p_{k-1})."""

    @paired
    def evaluate(x: Any, n: Any) -> Any:
        x = 2 * x - 1 if shifted else x
        degree = np.where(np.isfinite(n), np.trunc(n), -1.0)  # such degrees give 0
        before, now = np.ones_like(x), first(x)
        result = np.where(degree == 0, 1.0, np.where(degree == 1, now, 0.0))
        top = int(np.max(degree, initial=0))
        for k in range(1, top):
            before, now = now, following(k, x, now, before)
            result = np.where(degree == k + 1, now, result)
        return np.where(np.isnan(x) & (degree > 0), np.nan, result)

    return evaluate


def _chebyshev(k: int, x: Any, now: Any, before: Any) -> Any:
    return 2 * x * now - before


_KINDS: dict[str, Callable] = {
    "t": lambda x: x,
    "u": lambda x: 2 * x,
    "v": lambda x: 2 * x - 1,
    "w": lambda x: 2 * x + 1,
}
POLYNOMIALS: dict[str, Callable] = {
    **{f"chebyshev_polynomial_{k}": _polynomial(f, _chebyshev) for k, f in _KINDS.items()},
    **{
        f"shifted_chebyshev_polynomial_{k}": _polynomial(f, _chebyshev, True)
        for k, f in _KINDS.items()
    },
    "hermite_polynomial_h": _polynomial(
        lambda x: 2 * x, lambda k, x, now, before: 2 * (x * now - k * before)
    ),
    "hermite_polynomial_he": _polynomial(
        lambda x: x, lambda k, x, now, before: x * now - k * before
    ),
    "laguerre_polynomial_l": _polynomial(
        lambda x: 1 - x,
        lambda k, x, now, before: ((2 * k + 1 - x) * now - k * before) / (k + 1),
    ),
    "legendre_polynomial_p": _polynomial(
        lambda x: x,
        lambda k, x, now, before: ((2 * k + 1) * x * now - k * before) / (k + 1),
    ),
}
