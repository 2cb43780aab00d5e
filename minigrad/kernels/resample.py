"""Resampling kernels: which code runs them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import _C, numpy_resample
from .reduction import dense

__all__ = ["resample"]


def resample(x: Any, axis: int, index: Any, weight: Any) -> Any:
    """out[o] = sum over k of weight[k, o] * x[index[k, o]] along `axis`, as a new array.

    index (K, out) int32, weight (K, out) of the type of x; None: K is 1, and values are copied.
    """
    shape = x.shape
    same = weight is None or weight.dtype == x.dtype
    if not same or x.dtype not in (np.float32, np.float64) or not shape[axis]:
        return numpy_resample.resample(x, axis, index, weight)
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    out = _C.empty((*shape[:axis], index.shape[1], *shape[axis + 1 :]), x.dtype)
    _C.resample(
        out.reshape(outer, index.shape[1], inner),
        dense(x).reshape(outer, shape[axis], inner),
        index,
        weight,
    )
    return out
