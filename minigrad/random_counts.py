"""Random counts with the numbers of PyTorch's CPU generator: `poisson` and `binomial`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes, fills
from .autograd import variable as _v
from .autograd.variable import is_float
from .generator import Generator, chosen
from .ops._elementwise import type_name
from .ops._shape import broadcast_error, need_tensor

__all__ = ["binomial", "poisson"]


def poisson(input: Any, generator: Any = None) -> Any:
    """Poisson numbers whose rates stand in `input`, in its type."""
    rates = need_tensor("poisson", input)._array
    if not is_float(rates):
        raise fills.unsupported("poisson_cpu", rates.dtype)
    if (rates < 0).any():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    g = chosen(generator)
    with g._lock:
        values = [_poisson(rate, g) for rate in rates.astype(np.float64).ravel().tolist()]
    return _v.wrap(np.array(values, np.float64).astype(rates.dtype).reshape(rates.shape))


def _poisson(rate: float, g: Generator) -> int:
    """One number: products of uniforms for small rates, Hörmann's rejection (1993) from 10 on."""
    if rate == 0:
        return 0
    if rate < 10:
        bound, product, count = math.exp(-rate), 1.0, 0
        while True:
            product *= float(g.uniform64(1)[0])
            if product <= bound:
                return count
            count += 1
    root, log_rate = math.sqrt(rate), math.log(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    limit = 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = (float(x) for x in g.uniform64(2))
        u -= 0.5
        distance = 0.5 - abs(u)
        k = math.floor((2 * a / distance + b) * u + rate + 0.43)
        if distance >= 0.07 and v <= limit:
            return k
        if k < 0 or (distance < 0.013 and v > distance) or v == 0:
            continue
        left = math.log(v) + math.log(inverse) - math.log(a / (distance * distance) + b)
        if left <= k * log_rate - rate - math.lgamma(k + 1):
            return k


def binomial(count: Any, prob: Any, generator: Any = None) -> Any:
    """How many of `count` trials succeed, each with probability `prob`; both broadcast.

    The result has the type of `count`, float32 or float64, which `prob` must share.
    """
    n = need_tensor("binomial", count, 1, "count")._array
    p = need_tensor("binomial", prob, 2, "prob")._array
    for name, x in (("count", n), ("prob", p)):
        if not is_float(x):
            raise ValueError(
                f"binomial only supports floating-point dtypes for {name}, got: "
                f"{type_name(dtypes.from_numpy(x.dtype))}"
            )
    if n.dtype != p.dtype:
        found, needed = (type_name(dtypes.from_numpy(x.dtype)) for x in (p, n))
        raise RuntimeError(f"Found dtype {found} but expected {needed}")
    if n.dtype.itemsize == 2:
        raise fills.unsupported("binomial_cpu", n.dtype)
    try:
        n, p = np.broadcast_arrays(n, p)
    except ValueError:
        raise broadcast_error(n, p) from None
    g = chosen(generator)
    uniform: Callable[[], float] = functools.partial(_uniform, g)
    with g._lock:
        pairs = zip(n.ravel().tolist(), p.ravel().tolist())
        values = [_binomial(trials, chance, uniform) for trials, chance in pairs]
    return _v.wrap(np.array(values, np.float64).astype(n.dtype).reshape(n.shape))


def _uniform(g: Generator) -> float:
    return float(g.uniform64(1)[0])


def _binomial(count: float, prob: float, uniform: Callable[[], float]) -> float:
    if count <= 0 or prob <= 0:
        return 0
    if prob >= 1:
        return count
    if prob > 0.5:
        return count - _likely(count, 1 - prob, uniform)
    return _likely(count, prob, uniform) if prob == prob else math.nan


def _likely(count: float, prob: float, uniform: Callable[[], float]) -> float:
    """One number for prob <= 0.5: waiting times where few succeed, else rejection."""
    if count * prob >= 10:
        return _rejection(count, prob, uniform)
    successes, waited, slope = 0, 0.0, math.log1p(-prob)
    while True:
        u = uniform()
        waited += math.inf if u == 0 else math.ceil(math.log(u) / slope)
        if waited > count:
            return successes
        successes += 1


def _rejection(count: float, prob: float, uniform: Callable[[], float]) -> float:
    """Transformed rejection with squeeze: algorithm BTRS of Hörmann (1993)."""
    spread = math.sqrt(count * prob * (1 - prob))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * prob
    c = count * prob + 0.5
    limit = 0.92 - 4.2 / b
    odds = prob / (1 - prob)
    alpha = (2.83 + 5.1 / b) * spread
    mode = math.floor((count + 1) * prob)
    while True:
        u, v = uniform() - 0.5, uniform()
        distance = 0.5 - abs(u)
        k = math.floor((2 * a / distance + b) * u + c)
        if distance >= 0.07 and v <= limit:
            return k
        if k < 0 or k > count or v == 0:
            continue
        left = math.log(v * alpha / (a / (distance * distance) + b))
        bound = (
            (mode + 0.5) * math.log((mode + 1) / (odds * (count - mode + 1)))
            + (count + 1) * math.log((count - mode + 1) / (count - k + 1))
            + (k + 0.5) * math.log(odds * (count - k + 1) / (k + 1))
            + _tail(mode)
            + _tail(count - mode)
            - _tail(k)
            - _tail(count - k)
        )
        if left <= bound:
            return k


def _tail(k: float) -> float:
    """log(k!) less Stirling's approximation of it."""
    if k < 10:
        return math.lgamma(k + 1) - (
            0.5 * math.log(2 * math.pi) + (k + 0.5) * math.log(k + 1) - (k + 1)
        )
    square = (k + 1) ** 2
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
