"""The compiled kernels for the CPU, under the names that `numpy_kernels` has too.

Importing it applies the environment's settings, once.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from minigrad import settings

from . import _C, products
from .conv import *  # noqa: F403
from .elementwise import *  # noqa: F403
from .int8 import *  # noqa: F403
from .numpy_nn import *  # noqa: F403
from .optim import *  # noqa: F403
from .pool import *  # noqa: F403
from .pool_volumes import *  # noqa: F403
from .reduction import (  # noqa: F401
    maximum_reduce,
    minimum_reduce,
    product,
    total,
    var_mean,
    widened,
)

# isort: split
# The compiled ones among the kernels above take their NumPy forms' place.
from .ctc import *  # noqa: F403
from .loss import *  # noqa: F403
from .maps import *  # noqa: F403
from .maps import copy
from .movement import *  # noqa: F403
from .nn import *  # noqa: F403
from .norm import *  # noqa: F403
from .patches import *  # noqa: F403
from .places import *  # noqa: F403
from .resample import *  # noqa: F403
from .sampling import *  # noqa: F403

empty = _C.empty
empty_like = _C.empty_like
cast = _C.cast
gemm = _C.gemm
expand = _C.expand
_matmul = _C.matmul
_linear = _C.linear


def matmul(a: Any, b: Any) -> Any:
    """`a @ b` by NumPy's rules for 1 to n dimensions; 16-bit floats are added in float32."""
    result = _matmul(a, b)
    return products.matmul(a, b) if result is None else result


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """`x @ weight.T + bias`; x (..., in), weight (out, in), bias (out,) or None."""
    result = _linear(x, weight, bias)
    if result is None and x.dtype.kind in "fV" and not x.flags.c_contiguous:
        result = _linear(copy(x), weight, bias)  # rows that no single stride leads through
    return products.linear(x, weight, bias) if result is None else result


def addmm(input: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
    """`beta * input + alpha * (a @ b)`; input broadcasts, and is not read if beta is 0."""
    shape = (*a.shape[:-1], b.shape[-1])
    if a.dtype.kind not in "fV" or b.ndim != a.ndim or a.ndim < 2 or a.shape[:-2] != b.shape[:-2]:
        return products.addmm(input, a, b, beta, alpha)
    out = empty(shape, a.dtype)
    if beta != 0:
        out[...] = input
    try:
        _C.gemm(out, a, b, alpha, beta, None, False)
    except ValueError:  # misaligned, or strides that are no whole elements
        return products.addmm(input, a, b, beta, alpha)
    return out


# The random stream; `streams` has its NumPy form.
mt_seed = _C.mt_seed
draw32 = _C.draw32
draw64 = _C.draw64
uniform32 = _C.uniform32
uniform64 = _C.uniform64
uniform_fill = _C.uniform_fill
normal_fill = _C.normal_fill
integers = _C.integers
shuffle = _C.shuffle
sample_gamma = _C.sample_gamma
sample_poisson = _C.sample_poisson
sample_binomial = _C.sample_binomial
gamma_slope = _C.gamma_slope
beta_slope = _C.beta_slope


_FLOAT32 = np.dtype(np.float32)


def astype(x: Any, dtype: np.dtype) -> Any:
    """A copy of `x` in C order, converted to the NumPy type `dtype`."""
    converted = _C.convert(x, dtype)
    if converted is not None:
        return converted
    if x.dtype.itemsize == 2 and x.dtype.kind in "fV":
        wide = _C.convert(x, _FLOAT32)
        x = x if wide is None else wide
    with np.errstate(all="ignore"):  # what does not fit becomes infinite, or any integer
        return x.astype(dtype, order="C")


def _apply(chosen: settings.Settings) -> None:
    if chosen.cpu_isa is not None:
        try:
            _C.set_isa(chosen.cpu_isa)
        except ValueError as error:
            raise ValueError(f"MINIGRAD_CPU_ISA: {error}") from None
    if chosen.num_threads is not None:
        _C.set_num_threads(chosen.num_threads)
    if chosen.pool_limit is not None:
        _C.set_pool_limit(chosen.pool_limit)
    if "threadpoolctl" in sys.modules:
        from . import threadpool

        threadpool.register()


_apply(settings.read())
