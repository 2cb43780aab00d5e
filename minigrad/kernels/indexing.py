"""Indexed sums in NumPy: rows added to places that may be named several times."""

from __future__ import annotations

from typing import Any

import numpy as np


def add_rows(out: Any, index: Any, rows: Any) -> None:
    """Adds rows[i] to out[index[i]] for each i, also where an index repeats.

    `out` (n, k), `index` (m,) with values in [0, n), `rows` (m, k) of out's type. 16-bit floats are
    summed in float32 and rounded once.
    """
    n, k = out.shape
    if not index.size or not k:
        return
    if np.bincount(index, minlength=n).max() == 1:
        out[index] += rows
        return
    kind = out.dtype.kind
    if k == 1 and kind in "fV":
        sums = np.bincount(index, rows[:, 0].astype(np.float64), n)
        out[:, 0] = (out[:, 0].astype(np.float64) + sums).astype(out.dtype)
        return
    half = kind in "fV" and out.dtype.itemsize == 2
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    if half:
        rows = rows.astype(np.float32)
    sums = np.add.reduceat(rows[order], starts, axis=0, dtype=rows.dtype)
    places = ordered[starts]
    if half:
        out[places] = (out[places].astype(np.float32) + sums).astype(out.dtype)
    else:
        out[places] += sums


def grid(index: Any, dim: int) -> tuple:
    """NumPy's index for `gather`: `index` along `dim`, each place's own number elsewhere."""
    n = index.ndim
    return tuple(
        index
        if d == dim
        else np.arange(index.shape[d]).reshape((1,) * d + (-1,) + (1,) * (n - d - 1))
        for d in range(n)
    )


def gather(x: Any, dim: int, index: Any) -> Any:
    """out[i][j][k] = x[index[i][j][k]][j][k] (for dim 0); the index is valid."""
    return x[grid(index, dim)]


def scatter(x: Any, dim: int, index: Any, values: Any, add: bool) -> Any:
    """A copy of `x` (zeros where x is a shape) with values written or added as `gather` reads.

    `values` has index's shape, or none. The last one written to a place stays.
    """
    out = np.zeros(x, values.dtype) if isinstance(x, tuple) else x.copy(order="C")
    if not index.size:
        return out
    if add:
        places = np.ravel_multi_index(np.broadcast_arrays(*grid(index, dim)), out.shape)
        values = np.broadcast_to(values, index.shape).reshape(-1, 1)
        add_rows(out.reshape(-1, 1), places.reshape(-1), values)
    else:
        out[grid(index, dim)] = values
    return out
