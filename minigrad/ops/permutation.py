"""The order of dimensions: the same memory with some of them exchanged or moved."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.record import apply_view
from ..autograd.variable import Node
from ..kernels import fast
from ._shape import (
    array_arg,
    as_shape,
    normalize_dim,
    other_layout,
    shape_of,
)

__all__ = [
    "adjoint",
    "moveaxis",
    "movedim",
    "permute",
    "swapaxes",
    "swapdims",
    "t",
    "transpose",
]


class Permute(Node):
    """The same memory with its dimensions in another order."""

    views_input = True

    def forward(self, x: Any, dims: tuple[int, ...]) -> Any:
        self.dims = dims
        return x.transpose(dims)

    def backward(self, grad: Any) -> Any:
        """grad, with its dimensions in the old order."""
        inverse = [0] * len(self.dims)
        for i, d in enumerate(self.dims):
            inverse[d] = i
        return apply_view(Permute, grad, tuple(inverse))


class Transpose(Permute):
    """Two dimensions exchanged."""


class T(Permute):
    """The transpose of a matrix."""


def permute(input: Any, *order: Any, dims: Any = None) -> Any:
    """`input` with its dimensions in the order `dims`."""
    if dims is None:
        seen = fast.fast_permute(Permute, input, order)
        if seen is not None:
            return seen
    x = array_arg("permute", input)
    order = as_shape(order if dims is None else (dims,))
    if len(order) != x.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {x.ndim} is not "
            f"equal to len(dims) = {len(order)}"
        )
    order = tuple([normalize_dim(d, x.ndim) for d in order])
    if len(set(order)) != len(order):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return apply_view(Permute, input, order)


def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """`input` with dimensions `dim0` and `dim1` exchanged."""
    seen = fast.fast_transpose(Transpose, input, dim0, dim1)
    if seen is not None:
        return seen
    x = array_arg("transpose", input)
    if x.__class__ is not np.ndarray and (special := other_layout("transpose", input)):
        return special(input, dim0, dim1)
    a, b = normalize_dim(dim0, x.ndim), normalize_dim(dim1, x.ndim)
    order = list(range(x.ndim))
    if x.ndim:
        order[a], order[b] = b, a
    return apply_view(Transpose, input, tuple(order))


def t(input: Any) -> Any:
    """The transpose of a matrix; a vector or number as it is. RuntimeError from 3 dimensions on."""
    seen = fast.fast_t(T, input)
    if seen is not None:
        return seen
    x = array_arg("t", input)
    if x.__class__ is not np.ndarray and (special := other_layout("t", input)):
        return special(input)
    ndim = x.ndim
    if ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    return apply_view(T, input, tuple(range(ndim))[::-1])


def reversed_dims(input: Any) -> Any:
    """`input` with its dimensions in reverse order (`Tensor.T`)."""
    seen = fast.fast_transpose(Permute, input, None, None)
    if seen is not None:
        return seen
    return apply_view(Permute, input, tuple(range(len(shape_of(input))))[::-1])


def matrix_transpose(input: Any) -> Any:
    """Exchanges the last two dimensions (`Tensor.mT`, `Tensor.mH`)."""
    ndim = len(shape_of(input))
    if ndim == 0:
        return t(input)
    if ndim < 2:
        raise RuntimeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {ndim}-D tensor."
        )
    return transpose(input, -2, -1)


def adjoint(input: Any) -> Any:
    """`matrix_transpose`: real matrices are their own conjugates. RuntimeError for vectors."""
    if array_arg("adjoint", input).ndim == 1:
        raise RuntimeError(
            "tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    return matrix_transpose(input)


def hermitian(input: Any) -> Any:
    """The conjugate transpose of a matrix (`Tensor.H`); all tensors here are real."""
    ndim = len(shape_of(input))
    if ndim not in (0, 2):
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {ndim}-D tensor."
        )
    return transpose(input, 0, 1) if ndim else t(input)


def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Moves the dimensions `source` to the places `destination`; the others keep their order."""
    ndim = array_arg("movedim", input).ndim
    given = source if isinstance(source, (tuple, list)) else (source,)
    wanted = destination if isinstance(destination, (tuple, list)) else (destination,)
    if len(given) != len(wanted):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(given)} dims) should "
            f"contain the same number of dims as destination ({list(wanted)} dims)"
        )
    src = [normalize_dim(d, ndim) for d in given]
    dst = [normalize_dim(d, ndim) for d in wanted]
    for name, dims, asked in (("source", src, given), ("destination", dst, wanted)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(asked)})")
    order = [d for d in range(ndim) if d not in src]
    for to, d in sorted(zip(dst, src)):
        order.insert(to, d)
    return apply_view(Permute, input, tuple(order[:ndim]))


def swapaxes(input: Any, axis0: int, axis1: int) -> Any:
    """`transpose`, with NumPy's names."""
    return transpose(input, axis0, axis1)


swapdims = transpose
moveaxis = movedim
