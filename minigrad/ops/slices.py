"""Views of parts of a tensor: slices, diagonals, windows, and the pieces of a split."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..autograd.record import apply, apply_view
from ..autograd.variable import Node, Variable
from ..kernels import fast
from ..kernels._quiet import rounded
from ._shape import array_arg, normalize_dim
from .movement import reshape

__all__ = [
    "diagonal",
    "narrow",
    "select",
    "unfold",
]

_FULL = slice(None)


class Slice(Node):
    """What a NumPy basic index (a tuple that ends in `...`) selects."""

    fresh = True
    views_input = True

    def forward(self, x: Any, index: tuple) -> Any:
        self.shape = x.shape
        self.at = index
        return x[index]

    def backward(self, grad: Any) -> Any:
        """Zeros of the input's shape, with grad at the selected places."""
        return apply(Placed, (grad,), self.shape, self.at)


class Select(Slice):
    """One place along a dimension."""


class Alias(Slice):
    """The whole tensor."""


class Placed(Node):
    """Zeros, with the input at the places that a basic index selects."""

    def forward(self, x: Any, shape: tuple[int, ...], index: tuple) -> Any:
        self.at = index
        out = np.zeros(shape, x.dtype, like=x)
        out[index] = x
        return out

    def backward(self, grad: Any) -> Any:
        """The places of grad."""
        return apply_view(Slice, grad, self.at)


def at_dim(dim: int, part: Any) -> tuple:
    """The basic index that takes `part` (an int or a slice) of dimension `dim`."""
    return (_FULL,) * dim + (part, ...)


def narrow(
    input: Any, dim: Any = None, start: Any = None, length: Any = None, *, axis: int | None = None
) -> Any:
    """The `length` places from `start` on of dimension `dim`. Shares memory."""
    if axis is not None:
        dim = axis
    seen = fast.fast_narrow(Slice, input, dim, start, length)
    if seen is not None:
        return seen
    x = array_arg("narrow", input)
    if not x.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    d = normalize_dim(dim, x.ndim)
    n, first = x.shape[d], _start(start)
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -n <= first <= n:
        raise IndexError(
            f"start out of range (expected to be in range of [{-n}, {n}], but got {first})"
        )
    if first < 0:
        first += n
    if first + length > n:
        raise RuntimeError(f"start ({first}) + length ({length}) exceeds dimension size ({n}).")
    return apply_view(Slice, input, at_dim(d, slice(first, first + length)))


def _start(start: Any) -> int:
    """An index given as an int or as a 0-d tensor of integers."""
    if isinstance(start, Variable):
        array = start._array
        if array.ndim or array.dtype.kind not in "iu":
            raise RuntimeError("start must be an 0-dim integral Tensor.")
        return int(array)
    return operator.index(start)


def select(input: Any, dim: Any = None, index: Any = None, *, axis: int | None = None) -> Any:
    """Place `index` of dimension `dim`, which disappears. Shares memory."""
    if axis is not None:
        dim = axis
    seen = fast.fast_select(Select, input, dim, index)
    if seen is not None:
        return seen
    x = array_arg("select", input)
    if not x.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    d, i = normalize_dim(dim, x.ndim), operator.index(index)
    if not -x.shape[d] <= i < x.shape[d]:
        raise IndexError(
            f"select(): index {i} out of range for tensor of size {list(x.shape)} at dimension {d}"
        )
    return apply_view(Select, input, at_dim(d, i))


# -- diagonals and windows ---------------------------------------------------------------------


def _diagonal_view(x: Any, offset: int, dim1: int, dim2: int) -> Any:
    seen = fast.diagonal(x, offset, dim1, dim2)
    if seen is not None:
        return seen
    rows, columns = x.shape[dim1], x.shape[dim2]
    n = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    start: list = [_FULL] * x.ndim
    if n:
        start[dim1 if offset < 0 else dim2] = slice(abs(offset), None)
    x = x[tuple(start)]
    rest = [d for d in range(x.ndim) if d not in (dim1, dim2)]
    return np.lib.stride_tricks.as_strided(
        x,
        (*[x.shape[d] for d in rest], n),
        (*[x.strides[d] for d in rest], x.strides[dim1] + x.strides[dim2]),
    )


class Diagonal(Node):
    """The diagonal of two dimensions, as the last dimension."""

    fresh = True
    views_input = True

    def forward(self, x: Any, where: tuple[int, int, int]) -> Any:
        self.shape = x.shape
        self.where = where
        return _diagonal_view(x, *where)

    def backward(self, grad: Any) -> Any:
        """Zeros of the input's shape, with grad on the diagonal."""
        return apply(OnDiagonal, (grad,), self.shape, self.where)


class OnDiagonal(Node):
    """Zeros, with the input on a diagonal."""

    def forward(self, x: Any, shape: tuple[int, ...], where: tuple) -> Any:
        self.where = where
        out = np.zeros(shape, x.dtype, like=x)
        _diagonal_view(out, *where)[...] = x
        return out

    def backward(self, grad: Any) -> Any:
        """The diagonal of grad."""
        return apply_view(Diagonal, grad, self.where)

    def name(self) -> str:
        return "DiagEmbedBackward0"


def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal over `dim1` and `dim2`, as the last dimension. Shares memory."""
    seen = fast.fast_diagonal(Diagonal, input, offset, dim1, dim2)
    if seen is not None:
        return seen
    ndim = array_arg("diagonal", input).ndim
    a, b = normalize_dim(dim1, ndim), normalize_dim(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return apply_view(Diagonal, input, (operator.index(offset), a, b))


class Unfold(Node):
    """Windows along a dimension, as a new last dimension."""

    fresh = True
    views_input = True

    def forward(self, x: Any, dim: int, size: int, step: int) -> Any:
        self.shape = x.shape
        self.args = (dim, size, step)
        count = (x.shape[dim] - size) // step + 1
        return np.lib.stride_tricks.as_strided(
            x,
            (*x.shape[:dim], count, *x.shape[dim + 1 :], size),
            (*x.strides[:dim], x.strides[dim] * step, *x.strides[dim + 1 :], x.strides[dim]),
        )

    def backward(self, grad: Any) -> Any:
        """The sum of grad over the windows that contain a place."""
        return apply(UnfoldBackward, (grad,), self.shape, *self.args)


class UnfoldBackward(Node):
    """The sum of windows at their places."""

    def forward(self, x: Any, shape: tuple[int, ...], dim: int, size: int, step: int) -> Any:
        self.args = (dim, size, step)
        out = np.zeros(shape, np.float32 if x.dtype.itemsize == 2 else x.dtype, like=x)
        span = (x.shape[dim] - 1) * step + 1
        for k in range(size):
            out[at_dim(dim, slice(k, k + span, step))] += x[..., k]
        return rounded(out, x.dtype)

    def backward(self, grad: Any) -> Any:
        """The windows of grad."""
        return apply_view(Unfold, grad, *self.args)


def unfold(input: Any, dimension: int, size: int, step: int) -> Any:
    """All windows of `size` places, `step` apart, of a dimension: (..., count, ..., size).

    Shares memory. RuntimeError if `size` exceeds the dimension.
    """
    x = array_arg("unfold", input)
    d = normalize_dim(dimension, x.ndim)
    n = x.shape[d] if x.ndim else 1
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {d} is {n} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if not x.ndim:
        return apply_view(Slice, reshape(input, (1,)), (slice(0, size), ...))
    return apply_view(Unfold, input, d, size, step)
