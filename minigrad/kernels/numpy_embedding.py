"""Rows of a table by number, and the gradient of the table, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import quiet
from .numpy_softmax import widen


def embedding(weight: Any, ids: Any) -> Any:
    """weight[ids]: weight (n, d), ids any shape; the ids are valid."""
    return weight.take(ids, axis=0)


@quiet
def embedding_backward(
    grad: Any, ids: Any, n: int, padding_idx: int = -1, by_frequency: bool = False
) -> Any:
    """The gradient of a table (n, d): the sum of the rows of grad that belong to each id.

    Rows of `padding_idx` count nothing (-1: none are left out). `by_frequency` divides each sum by
    the number of its rows. The order of summation is that of the ids: the result is reproducible.
    """
    d = grad.shape[-1]
    wide = np.zeros((n, d), np.float32 if grad.dtype.itemsize == 2 else grad.dtype)
    flat = ids.reshape(-1)
    rows = widen(grad).reshape(flat.size, d)
    if padding_idx >= 0:
        keep = flat != padding_idx
        flat, rows = flat[keep], rows[keep]
    if flat.size:
        order = flat.argsort(kind="stable")
        ordered = flat[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        sums = np.add.reduceat(rows[order], starts, axis=0)
        if by_frequency:
            sums /= np.diff(np.r_[starts, flat.size])[:, None].astype(sums.dtype)
        wide[ordered[starts]] = sums
    return wide.astype(grad.dtype, copy=False)
