"""Products of a sparse matrix's elements with dense ones; NumPy where the compiled form is not."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, indexing

__all__ = ["sampled", "sparse_product"]

_COMPILED = (np.dtype(np.float32), np.dtype(np.float64))


def sparse_product(rows: Any, columns: Any, values: Any, x: Any, n: int) -> Any:
    """out (n, k): the sum of values[i] * x[columns[i]] at out[rows[i]].

    rows, columns int64 (count,), values (count,), x (m, k) of values' type; in the list's order.
    """
    if x.dtype in _COMPILED:
        rows, columns, values, x = map(np.ascontiguousarray, (rows, columns, values, x))
        return _C.sparse_product(rows, columns, values, x, n)
    out = np.zeros((n, x.shape[1]), x.dtype)
    indexing.add_rows(out, rows, x[columns] * values[:, None])
    return out


def sampled(rows: Any, columns: Any, a: Any, b: Any) -> Any:
    """out[i] = a[rows[i]] . b[columns[i]], for matrices of one type and width."""
    if a.dtype in _COMPILED:
        rows, columns, a, b = map(np.ascontiguousarray, (rows, columns, a, b))
        return _C.sparse_sampled(rows, columns, a, b)
    return (a[rows] * b[columns]).sum(1, dtype=a.dtype)
