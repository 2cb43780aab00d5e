"""Random counts with the numbers of PyTorch's CPU generator: `poisson` and `binomial`."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes, fills
from .autograd import variable as _v
from .autograd.variable import is_float
from .backend import need_cpu
from .dtypes import type_name
from .generator import chosen
from .kernels import cpu
from .ops._shape import broadcast_error, need_tensor

__all__ = ["binomial", "poisson"]


def _doubles(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x, np.float64).reshape(x.shape)


def poisson(input: Any, generator: Any = None) -> Any:
    """Poisson numbers of the rates in `input`, in its type. RuntimeError for negative rates."""
    rates = need_tensor("poisson", input)._array
    need_cpu("poisson", rates)
    if not is_float(rates):
        raise fills.unsupported("poisson_cpu", rates.dtype)
    if (rates < 0).any():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    g = chosen(generator)
    out = np.empty(rates.shape)
    with g._lock:
        cpu.sample_poisson(g._engine(), _doubles(rates), out)
    return _v.wrap(out.astype(rates.dtype, copy=False))


def binomial(count: Any, prob: Any, generator: Any = None) -> Any:
    """How many of `count` trials succeed, each with probability `prob`; both broadcast.

    The result has the type of `count`, float32 or float64, which `prob` must share.
    """
    n = need_tensor("binomial", count, 1, "count")._array
    p = need_tensor("binomial", prob, 2, "prob")._array
    need_cpu("binomial", n, p)
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
    out = np.empty(n.shape)
    with g._lock:
        cpu.sample_binomial(g._engine(), _doubles(n), _doubles(p), out)
    return _v.wrap(out.astype(n.dtype, copy=False))
