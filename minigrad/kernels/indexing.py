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
