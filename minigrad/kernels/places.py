"""Elements at numbered places and joined arrays, compiled; NumPy does what that does not take.

`fast_*` record an operation in one call, as `fast.apply` does, and return None, having done
nothing, for whatever is not usual: the Python code says what is wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, indexing, numpy_embedding
from ._quiet import rounded

__all__ = [
    "combine",
    "embedding",
    "embedding_backward",
    "gather",
    "join",
    "put_rows",
    "scatter",
    "take_rows",
    "try_combine",
]

fast_take = _C.fast_take
fast_gather = _C.fast_gather
fast_put = _C.fast_put
fast_put_at = _C.fast_put_at  # (input, indices, values, add): whether it was written in place
fast_scatter = _C.fast_scatter
fast_embedding = _C.fast_embedding
fast_join = _C.fast_join

# Where NumPy has to look: they return None for types they do not take and misfits.
take_rows = _C.take  # (x, dim, index, wrap): x[:, index]
put_rows = _C.put  # (x or shape, dim, index, values, False, wrap, add): a copy of x, or zeros
# (shape, indices): the numbers among all places of a shape that index arrays of these name, with
# what they broadcast to; None for arrays that it does not take, and where one is out of range.
numbers = _C.numbers
all_between = _C.all_between  # (index, low, count): whether all numbers are in [low, count)
write_rows = _C.write_rows  # (x, dim, index, values): x[:, index] = values; whether it was done


def gather(x: Any, dim: int, index: Any) -> Any:
    """out[i][j][k] = x[index[i][j][k]][j][k] (for dim 0); the index is valid."""
    result = _C.gather(x, dim, index)
    return indexing.gather(x, dim, index) if result is None else result


def scatter(x: Any, dim: int, index: Any, values: Any, add: bool) -> Any:
    """A copy of `x` (zeros where x is a shape) with values written or added as `gather` reads."""
    result = _C.put(x, dim, index, values, True, False, add)
    return indexing.scatter(x, dim, index, values, add) if result is None else result


def join(arrays: tuple, dim: int, stack: bool) -> Any:
    """The arrays one after the other along `dim`, or (`stack`) along a new dimension."""
    result = _C.join(arrays, dim, stack)
    if result is None:
        result = np.stack(arrays, dim) if stack else np.concatenate(arrays, dim)
        if not result.flags.c_contiguous and not _channels_last(arrays):
            return result.copy(order="C")  # NumPy keeps the order of the arrays' memory
    return result


def _channels_last(arrays: tuple) -> bool:
    """Whether all arrays lie in memory with the second dimension last."""
    return all(
        a.ndim in (4, 5) and a.transpose(0, *range(2, a.ndim), 1).flags.c_contiguous for a in arrays
    )


_COMBINED = ("prod", "amax", "amin")  # in the order of CombineOp in csrc/kernels/index.h


def combine(x: Any, dim: int, index: Any, values: Any, reduce: str) -> Any:
    """A copy of `x` with values combined as `scatter` adds them; None for other types than floats
    and int64, and where NumPy has to look."""
    return _C.combine(x, dim, index, values, _COMBINED.index(reduce))


def try_combine(x: Any, dim: int, index: Any, values: Any, reduce: str) -> Any:
    """The same, also for "sum" and "mean" (its sum), of an index that nobody has checked; None also
    where one of its numbers is out of range."""
    if reduce in _COMBINED:
        return combine(x, dim, index, values, reduce)
    if x.dtype.kind not in "fi":
        return None
    return _C.put(x, dim, index, values, True, False, True)


def embedding(weight: Any, ids: Any) -> Any:
    """weight[ids]: weight (n, d), ids any shape; the ids are valid."""
    result = _C.take(weight, 0, ids, False)
    return numpy_embedding.embedding(weight, ids) if result is None else result


def embedding_backward(
    grad: Any, ids: Any, n: int, padding_idx: int = -1, by_frequency: bool = False
) -> Any:
    """The gradient of a table (n, d): the sum of the rows of grad that belong to each id."""
    result = None
    if not by_frequency and ids.ndim:
        shape = (n, grad.shape[-1])
        wide = grad.astype(np.float32) if grad.dtype.itemsize == 2 else grad
        result = _C.put(shape, 0, ids, wide, False, False, True, padding_idx)
    if result is None:
        return numpy_embedding.embedding_backward(grad, ids, n, padding_idx, by_frequency)
    return rounded(result, grad.dtype)
