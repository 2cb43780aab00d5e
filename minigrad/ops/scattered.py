"""Copies with a diagonal or a strided part replaced, matrices of a diagonal, `fill`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..autograd.record import apply, apply_view
from ..autograd.variable import Node, Variable
from ._operands import write_out
from ._shape import array_arg, array_of, normalize_dim
from .assign import fill_
from .movement import reshape
from .rearrange import clone, contiguous, diag_embed
from .restride import as_strided, memory_of
from .slices import Diagonal, diagonal

__all__ = ["as_strided_scatter", "diagflat", "diagonal_scatter", "fill"]


def fill(input: Any, value: Any) -> Any:
    """A tensor like `input` that holds `value`, a number or a 0-d tensor, everywhere.

    Gradient: of a tensor `value`, the sum of grad; of `input`, zero. RuntimeError if the type
    cannot hold the number.
    """
    array_arg("fill", input)
    return fill_(clone(input), value)


def diagflat(input: Any, offset: int = 0) -> Any:
    """A matrix with the elements of `input`, of any shape, on its diagonal `offset`."""
    x = array_arg("diagflat", input)
    return diag_embed(reshape(input, (x.size,)), offset)


def _check_source(part: Any, shape: tuple[int, ...]) -> None:
    if part.shape != shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(part.shape)}, slice size = {list(shape)}"
        )


class DiagonalScatter(Node):
    """A copy with a diagonal replaced."""

    def forward(self, x: Any, part: Any, where: tuple[int, int, int]) -> Any:
        self.where = where
        out = x.copy()
        diagonal(out, *where)[...] = part
        return out

    def backward(self, grad: Any) -> Any:
        """d input = grad with zeros on the diagonal; d src = grad's diagonal."""
        kept = part = None
        if self.next[0] is not None:
            zero = np.zeros((), array_of(grad).dtype)
            kept = apply(DiagonalScatter, (grad, zero), self.where)
        if self.next[1] is not None:
            part = apply_view(Diagonal, grad, self.where)
        return kept, part


def diagonal_scatter(
    input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1, *, out: Any = None
) -> Any:
    """A copy of `input` with `src` on the diagonal that `diagonal` gives.

    Gradient: of `input`, grad with zeros there; of `src`, grad's diagonal. RuntimeError unless
    `src` has the diagonal's shape.
    """
    x, part = array_arg("diagonal_scatter", input), array_arg("diagonal_scatter", src, 2, "src")
    a, b = normalize_dim(dim1, x.ndim), normalize_dim(dim2, x.ndim)
    where = (operator.index(offset), a, b)
    _check_source(part, diagonal(x, *where).shape)
    result = apply(DiagonalScatter, (input, src), where)
    return result if out is None else write_out("diagonal_scatter", out, result)


class AsStridedScatter(Node):
    """A copy, with the memory around it, in which a strided part is replaced.

    `start` counts from the input's first element.
    """

    def forward(self, x: Any, part: Any, size: tuple, stride: tuple, start: int) -> Any:
        self.where = (size, stride, start)
        flat, at = memory_of(x)
        flat, step = flat.copy(), x.itemsize
        steps = tuple([s * step for s in stride])
        np.lib.stride_tricks.as_strided(flat[at + start :], size, steps)[...] = part
        return np.lib.stride_tricks.as_strided(flat[at:], x.shape, x.strides)

    def backward(self, grad: Any) -> Any:
        """d input = grad with zeros in the part; d src = the part of grad."""
        grad = contiguous(grad)
        kept = part = None
        if self.next[0] is not None:
            zero = np.zeros((), array_of(grad).dtype)
            kept = apply(AsStridedScatter, (grad, zero), *self.where)
        if self.next[1] is not None:
            size, stride, start = self.where
            part = as_strided(grad, size, stride, memory_of(array_of(grad))[1] + start)
        return kept, part


def as_strided_scatter(
    input: Any, src: Any, size: Any, stride: Any, storage_offset: int | None = None, *,
    out: Any = None,
) -> Any:  # fmt: skip
    """A copy of `input` with `src` as the view that `as_strided` gives.

    Gradient: of `input`, grad with zeros there; of `src`, grad's view. RuntimeError unless `src`
    has that shape, and for an `input` that requires grad and whose elements do not lie in order.
    """
    x, part = array_arg("as_strided_scatter", input), array_arg("as_strided_scatter", src, 2, "src")
    _check_source(part, as_strided(x, size, stride, storage_offset).shape)
    recorded = isinstance(input, Variable) and input._fn is not None
    if recorded and not x.flags.c_contiguous:
        raise RuntimeError("as_strided_scatter is currently only supported for contiguous inputs")
    start = 0 if storage_offset is None else operator.index(storage_offset) - memory_of(x)[1]
    where = tuple([operator.index(n) for n in size]), tuple([operator.index(n) for n in stride])
    result = apply(AsStridedScatter, (input, src), *where, start)
    return result if out is None else write_out("as_strided_scatter", out, result)
