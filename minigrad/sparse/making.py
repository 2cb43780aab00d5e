"""Sparse tensors from places and values, and from dense tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.variable import Variable
from ..backend import as_device, sparse_coo, sparse_csr, strided
from ..creation.data import tensor
from ..ops._shape import as_shape
from ..ops.scattering import index_select
from .tensor import SparseTensor, is_sparse, make

__all__ = [
    "sparse_coo_tensor", "sparse_csr_tensor", "sparse_mask", "spdiags", "to_sparse",
    "to_sparse_csr",
]  # fmt: skip


def _places(value: Any, dims: int) -> np.ndarray:
    """Indices as int64, of `dims` dimensions. RuntimeError for other shapes."""
    array = value._array if isinstance(value, Variable) else np.asarray(value)
    if array.dtype.kind not in "iu" and array.size:
        raise RuntimeError(f"indices must be an int64 tensor, but got {array.dtype}")
    if array.ndim != dims:
        raise RuntimeError(f"indices must be a {dims}-dimensional tensor, but got {array.ndim}-D")
    return np.ascontiguousarray(array, np.int64)


def _data(value: Any, dtype: Any, requires_grad: bool) -> Any:
    data = value if isinstance(value, Variable) else tensor(value, dtype=dtype)
    if dtype is not None:
        data = data.to(dtype)
    if requires_grad:  # a leaf of its own, as in PyTorch
        data = data.detach().clone().requires_grad_()
    return data


def sparse_coo_tensor(
    *args: Any,
    indices: Any = None,
    values: Any = None,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> Any:
    """A tensor of `size` with `values` (nnz, ...) at `indices` (sparse_dim, nnz), zeros elsewhere.

    `sparse_coo_tensor(indices, values, size=None)` or `sparse_coo_tensor(size)`. Values at equal
    places add up. The size is the smallest that holds all places if it is not given. RuntimeError
    for indices outside of it, and for numbers of indices and values that differ.
    """
    as_device(device)
    if len(args) == 1 and values is None:
        size = as_shape(tuple(args))
        places = np.zeros((len(size), 0), np.int64)
        return make(places, _data(tensor([], dtype=dtype), None, requires_grad), size, True)
    given = [*args, *[None] * (3 - len(args))]
    indices = given[0] if indices is None else indices
    values = given[1] if values is None else values
    size = given[2] if size is None else size
    data = _data(values, dtype, requires_grad)
    places = _places(indices, 2)
    if not data.ndim:
        data = data.reshape(1)
    if places.shape[1] != data.shape[0]:
        raise RuntimeError(
            "indices and values must have same nnz, but got nnz from indices: "
            f"{places.shape[1]}, nnz from values: {data.shape[0]}"
        )
    k, dense = places.shape[0], tuple(data.shape[1:])
    if size is None:
        top = places.max(1, initial=-1) + 1
        size = (*map(int, top), *dense)
    size = as_shape((tuple(size),))
    if len(size) != k + len(dense):
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, "
            f"sparse_dim = {k}, dense_dim = {len(dense)}"
        )
    if size[k:] != dense:
        raise RuntimeError(
            f"values has incorrect size, expected {list(size[k:])}, got {list(dense)}"
        )
    if places.size:
        least, most = places.min(), places.max(1)
        if least < 0:
            raise RuntimeError(f"found negative index {least}")
        for d in range(k):
            if most[d] >= size[d]:
                raise RuntimeError(
                    f"size is inconsistent with indices: for dim {d}, size is {size[d]} but found "
                    f"index {most[d]}"
                )
    return make(places, data, size, bool(is_coalesced) or places.shape[1] < 2)


def sparse_csr_tensor(
    crow_indices: Any,
    col_indices: Any,
    values: Any,
    size: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> Any:
    """A matrix by compressed rows: row i has the columns and values from crow[i] to crow[i + 1].

    RuntimeError for parts that do not fit together.
    """
    as_device(device)
    crow, columns = _places(crow_indices, 1), _places(col_indices, 1)
    data = _data(values, dtype, requires_grad)
    counts = np.diff(crow)
    if not len(crow) or crow[0] or (counts < 0).any() or crow[-1] != len(columns):
        raise RuntimeError(
            "sparse_csr_tensor: crow_indices must rise from 0 to the number of col_indices "
            f"({len(columns)})"
        )
    if data.shape[0] != len(columns):
        raise RuntimeError(
            f"sparse_csr_tensor: {len(columns)} col_indices and {data.shape[0]} values were given"
        )
    if size is None:
        size = (len(crow) - 1, int(columns.max(initial=-1)) + 1)
    size = as_shape((tuple(size),))
    if len(size) != 2 or size[0] != len(crow) - 1 or (columns >= size[1]).any():
        raise RuntimeError(f"sparse_csr_tensor: size {list(size)} does not hold the indices given")
    rows = np.repeat(np.arange(len(counts)), counts)
    return make(np.stack([rows, columns]), data, size, True, sparse_csr)


def to_sparse(
    self: Any, sparse_dim: Any = None, *, layout: Any = None, blocksize: Any = None,
    dense_dim: int | None = None,
) -> Any:  # fmt: skip
    """The elements that are not 0, with their places in the first `sparse_dim` dimensions (all).

    Gradient: that of the values, zeros elsewhere. `layout` may be `sparse_csr` for a matrix.
    """
    if layout not in (None, sparse_coo, sparse_csr):
        raise NotImplementedError(f"to_sparse: layout {layout!r} is not in minigrad")
    if is_sparse(self):
        kind = layout or sparse_coo
        if kind is self.layout:
            return self
        source = self if self.layout is sparse_csr else self.coalesce()
        return make(source._places, source._data, tuple(self.shape), True, kind)
    k = self.ndim if sparse_dim is None else int(sparse_dim)
    if not 0 < k <= max(self.ndim, 1):
        raise RuntimeError(
            f"sparse_dim argument must be in >0, <= {self.ndim} range, but {k} is given"
        )
    array = self._array
    marks = (array != 0).reshape(*array.shape[:k], -1).any(-1) if k < array.ndim else array != 0
    places = np.stack(np.nonzero(marks)) if array.ndim else np.zeros((0, int(marks)), np.int64)
    keys = np.flatnonzero(marks)
    flat = self.reshape(-1, *array.shape[k:])
    data = index_select(flat, 0, _v.wrap(keys))
    if layout is sparse_csr and array.ndim != 2:
        raise RuntimeError("to_sparse: compressed rows need a matrix")
    return make(places, data, tuple(array.shape), True, layout or sparse_coo)


def to_sparse_csr(self: Any, dense_dim: int | None = None) -> Any:
    """`to_sparse(layout=sparse_csr)`."""
    return to_sparse(self, layout=sparse_csr)


def sparse_mask(self: Any, mask: Any) -> Any:
    """The elements of `self` at the places of the sparse `mask`."""
    if not isinstance(mask, SparseTensor):
        raise RuntimeError("sparse_mask: needed: a sparse mask")
    chosen = mask if mask.layout is sparse_csr else mask.coalesce()
    source = self.to_dense()
    if tuple(source.shape) != tuple(mask.shape):
        raise RuntimeError(
            f"sparse_mask(): operands have incompatible sizes; self has size {list(source.shape)} "
            f"but mask has size {list(mask.shape)}"
        )
    k = len(chosen._places)
    keys = np.ravel_multi_index(tuple(chosen._places), tuple(mask.shape[:k]))
    flat = source.reshape(-1, *mask.shape[k:])
    return chosen._with(index_select(flat, 0, _v.wrap(np.asarray(keys))))


def spdiags(diagonals: Any, offsets: Any, shape: Any, layout: Any = None) -> Any:
    """A matrix of `shape` with row i of `diagonals` on the diagonal offsets[i], as SciPy's.

    Element j of a row stands in column j.
    """
    rows = diagonals if diagonals.ndim == 2 else diagonals.reshape(1, -1)
    shifts = _places(offsets, offsets.ndim).reshape(-1)
    if len(shifts) != rows.shape[0]:
        raise RuntimeError(
            f"Number of diagonals ({rows.shape[0]}) does not match the number of offsets "
            f"({len(shifts)})"
        )
    if len(set(shifts.tolist())) != len(shifts):
        raise RuntimeError("Offset tensor contains duplicate values")
    n, m = as_shape((tuple(shape),))
    number, column = np.divmod(np.arange(rows.shape[0] * rows.shape[1]), max(rows.shape[1], 1))
    row = column - shifts[number]
    good = (row >= 0) & (row < n) & (column < m)
    data = index_select(rows.reshape(-1), 0, _v.wrap(np.flatnonzero(good)))
    result = make(np.stack([row[good], column[good]]), data, (n, m), False)
    return result if layout in (None, sparse_coo, strided) else to_sparse(result, layout=layout)
