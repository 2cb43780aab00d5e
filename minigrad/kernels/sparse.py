"""Products of a sparse matrix's elements with dense ones; NumPy where the compiled form is not."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, indexing

__all__ = ["bag_sums", "sampled", "sparse_product"]

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


def bag_sums(ids: Any, bounds: Any, values: Any, table: Any, mean: bool) -> Any:
    """Sums of values[i] * table[ids[i]], or their means, for i in bounds[b] to bounds[b + 1].

    ids int64, bounds int64 (bags + 1) rising, values None (ones) or as many as ids, table (n, d)
    float32 or float64: (bags, d). None where an id is no row.
    """
    values = None if values is None else np.ascontiguousarray(values)
    return _C.bag_sums(np.ascontiguousarray(ids), bounds, values, np.ascontiguousarray(table), mean)


def sampled(rows: Any, columns: Any, a: Any, b: Any) -> Any:
    """out[i] = a[rows[i]] . b[columns[i]], for matrices of one type and width."""
    if a.dtype in _COMPILED:
        rows, columns, a, b = map(np.ascontiguousarray, (rows, columns, a, b))
        return _C.sparse_sampled(rows, columns, a, b)
    return (a[rows] * b[columns]).sum(1, dtype=a.dtype)
