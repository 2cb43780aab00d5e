"""Weighted sums of neighbours along one dimension, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["resample"]


def resample(x: Any, axis: int, first: Any, weight: Any, plain: bool) -> Any:
    """out[o] = sum over k of weight[k, o] * x[first[o] + k] along `axis`, as a new array.

    first (out,), weight (K, out); a weight of 0 may stand beyond the input's end. `plain`: K is 1
    and the weights are 1.
    """
    if plain:
        return np.take(x, first, axis)
    shape = [1] * x.ndim
    shape[axis] = len(first)
    end = x.shape[axis] - 1
    if end < 0:
        return np.zeros((*x.shape[:axis], len(first), *x.shape[axis + 1 :]), x.dtype)
    out = None
    for k, row in enumerate(weight):
        # What stands beyond a range must not be multiplied by 0: it might be infinite.
        part = np.take(x, np.where(row != 0, np.minimum(first + k, end), first), axis)
        part *= row.reshape(shape)
        out = part if out is None else np.add(out, part, out=out)
    return out
