"""Weighted sums of neighbours along one dimension, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["resample"]


def resample(x: Any, axis: int, index: Any, weight: Any) -> Any:
    """out[o] = sum over k of weight[k, o] * x[index[k, o]] along `axis`, as a new array.

    index and weight (K, out); weight None: K is 1, and values are copied.
    """
    if weight is None:
        return np.take(x, index[0], axis)
    shape = [1] * x.ndim
    shape[axis] = index.shape[1]
    if not x.shape[axis]:
        return np.zeros((*x.shape[:axis], index.shape[1], *x.shape[axis + 1 :]), x.dtype)
    out = None
    for places, row in zip(index, weight, strict=True):
        part = np.take(x, places, axis)
        part *= row.reshape(shape)
        out = part if out is None else np.add(out, part, out=out)
    return out
