"""`RowGrad`: a gradient that is zero outside some rows, as the backward loop passes it on.

It takes an array's place between nodes and becomes a sparse tensor where somebody sees it: in
`.grad`, in hooks, in what `grad` returns. The package of sparse tensors is loaded only then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels import cpu, indexing
from . import variable as _v
from .variable import Node, Variable

_make: list[Callable] = []


def set_sparse_class(make: Callable) -> None:
    """Tells what makes a sparse tensor of places (1, nnz), values, a shape and "is coalesced"."""
    _make[:] = [make]


def sparse_tensor(places: np.ndarray, values: Any, shape: tuple[int, ...]) -> Any:
    """The sparse tensor of `values` (nnz, ...) at `places` (1, nnz), which may be repeated."""
    return _make[0](places, values, shape, places.shape[1] == 0)


class RowGrad:
    """`values` (nnz, d) at rows `places` (1, nnz) of a gradient of `shape` (n, d).

    A row may be named several times: its values count together.
    """

    __slots__ = ("places", "shape", "values")
    __array_ufunc__ = None  # array + RowGrad is this class's business

    def __init__(self, places: np.ndarray, values: Any, shape: tuple[int, ...]):
        self.places, self.values, self.shape = places, values, shape

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    @property
    def base(self) -> Any:
        """Not None if the values may be somebody else's, as an array's `base`."""
        return self.values.base

    def __add__(self, other: Any) -> Any:
        if other.__class__ is not RowGrad:
            return self.add_to(other.copy())
        if np.array_equal(self.places, other.places):
            return RowGrad(self.places, self.values + other.values, self.shape)
        places = np.concatenate([self.places, other.places], 1)
        return RowGrad(places, np.concatenate([self.values, other.values]), self.shape)

    __radd__ = __add__

    def add_to(self, array: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Adds the rows, times `scale`, to an array of the same shape, which it returns."""
        if array.dtype.itemsize == 2:  # summed in float32 and rounded once
            values = self.values if scale == 1.0 else self.values * self.dtype.type(scale)
            indexing.add_rows(array, self.places[0], values)
        else:
            rows, sums = self.summed()
            if scale != 1.0:
                sums *= scale
            sums += cpu.embedding(array, rows)
            array[rows] = sums
        return array

    def summed(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the rows, each once and rising, and the sum of the values of each."""
        rows, numbers = np.unique(self.places[0], return_inverse=True)
        return rows, cpu.embedding_backward(self.values, numbers.reshape(-1), len(rows))

    def copy(self) -> RowGrad:
        """The same with values of its own."""
        return RowGrad(self.places, self.values.copy(), self.shape)

    def tensor(self) -> Any:
        """As a sparse tensor over the same values."""
        return sparse_tensor(self.places, _v.wrap(self.values), self.shape)


def row_grad(rows: np.ndarray, values: Any, shape: tuple[int, ...]) -> Any:
    """The gradient with `values` (nnz, d), array or tensor, at `rows` (nnz,)."""
    places = rows.reshape(1, -1).astype(np.int64, copy=False)
    if isinstance(values, Variable):
        return sparse_tensor(places, values, shape)
    return RowGrad(places, values, shape)


def goes_to_leaf(node: Node, index: int = 0) -> bool:
    """Whether the node's gradient is that of a leaf, and no other node has to understand it."""
    return node.next[index].__class__ is _v.Leaf


def as_tensor(grad: Any) -> Any:
    """A gradient of the loop (array, `RowGrad`, tensor or None) as a tensor (or None)."""
    if grad is None or isinstance(grad, Variable):
        return grad
    return grad.tensor() if grad.__class__ is RowGrad else _v.wrap(grad)


def as_array(t: Variable) -> Any:
    """What the loop passes on for a tensor: its array, or a `RowGrad`."""
    if not is_sparse(t):
        return t._array
    places, values = t._places, t._data._array
    if len(places) == 1 and values.ndim == 2:
        return RowGrad(places, values, tuple(t.shape))
    return t.to_dense()._array


def is_sparse(t: Any) -> bool:
    """Whether a tensor is a sparse one (of the package that this one does not know)."""
    return t.__class__ is not _v.Tensor and getattr(t, "_places", None) is not None


def total(a: Any, b: Any) -> Any:
    """a + b of tensors; a sparse one has to come last."""
    return b + a if is_sparse(a) else a + b


def elements(grad: Any) -> Any:
    """The array of all elements that are kept of a gradient (of the loop, or a tensor)."""
    if isinstance(grad, Variable):
        grad = as_array(grad)
    return grad.values if grad.__class__ is RowGrad else grad


def accumulate(variable: Any, grad: Any) -> None:
    """Adds a gradient to `.grad`, where one of both is sparse.

    As PyTorch: into what is there, but a dense gradient takes the place of a sparse one.
    """
    before = variable._grad
    if before is None:
        variable._grad = as_tensor(grad.copy())
    elif before.grad_fn is not None:
        variable._grad = total(before, as_tensor(grad))
    elif not is_sparse(before):
        grad.add_to(before._array)
        if before._cell is not None:
            before._cell[0] = _v.next_seq()
            before._cell[1] += 1
    else:
        grads = as_array(before) + grad
        if grads.__class__ is not RowGrad:
            variable._grad = _v.wrap(grads)
            return
        before._places, before._data = grads.places, _v.wrap(grads.values)
        before._coalesced = False
