"""Splitting a tensor into pieces that share its memory, and the nodes that join pieces again."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.record import apply, apply_view, apply_views
from ..autograd.variable import Node, Variable
from ..kernels import cpu, fast
from ._shape import array_arg, array_of, normalize_dim
from .slices import Select, Slice, at_dim

__all__ = [
    "chunk",
    "dsplit",
    "hsplit",
    "split",
    "split_with_sizes",
    "tensor_split",
    "unbind",
    "vsplit",
]


def gradients(grads: list, arrays_like: Any) -> list:
    """The gradients of a node's outputs, with zeros where none arrived.

    `arrays_like`: (shape, NumPy type) of each.
    """
    tensors = any(isinstance(g, Variable) for g in grads)
    result = []
    for g, (shape, dtype) in zip(grads, arrays_like):
        if g is None:
            g = np.zeros(shape, dtype)
            if tensors:
                g = _v.wrap(g)
        result.append(g)
    return result


class Cat(Node):
    """Pieces put together along a dimension: the reverse of a split."""

    def forward(self, *pieces: Any) -> Any:
        *arrays, dim = pieces
        self.dim = dim
        self.sizes = [a.shape[dim] for a in arrays]
        return cpu.join(tuple(arrays), dim, False)

    def backward(self, grad: Any) -> Any:
        """The pieces of grad."""
        ends = itertools.accumulate(self.sizes)
        return tuple(
            [
                None if fn is None else apply_view(Slice, grad, at_dim(self.dim, slice(e - n, e)))
                for fn, n, e in zip(self.next, self.sizes, ends)
            ]
        )


class Split(Node):
    """Neighbouring pieces of a dimension."""

    fresh = True
    views_input = True

    def forward(self, x: Any, dim: int, bounds: tuple[tuple[int, int], ...]) -> tuple:
        self.dim = dim
        pieces = tuple([x[at_dim(dim, slice(a, b))] for a, b in bounds])
        self.like = [(p.shape, x.dtype) for p in pieces]
        return pieces

    def backward(self, grads: Any) -> Any:
        """The gradients of the pieces, joined."""
        return apply(Cat, tuple(gradients(grads, self.like)), self.dim)


class SplitWithSizes(Split):
    """Pieces of given sizes."""


class Stack(Node):
    """Tensors of one shape put together along a new dimension."""

    def forward(self, *pieces: Any) -> Any:
        *arrays, dim = pieces
        self.dim = dim
        return cpu.join(tuple(arrays), dim, True)

    def backward(self, grad: Any) -> Any:
        """The places of grad along the dimension."""
        return tuple(
            [
                None if fn is None else apply_view(Select, grad, at_dim(self.dim, i))
                for i, fn in enumerate(self.next)
            ]
        )


class Unbind(Node):
    """The places along a dimension."""

    fresh = True
    views_input = True

    def forward(self, x: Any, dim: int) -> tuple:
        self.dim = dim
        pieces = tuple([x[at_dim(dim, i)] for i in range(x.shape[dim])])
        self.like = [(p.shape, x.dtype) for p in pieces]
        return pieces

    def backward(self, grads: Any) -> Any:
        """The gradients of the places, stacked."""
        return apply(Stack, tuple(gradients(grads, self.like)), self.dim)


def _split(input: Any, dim: int, bounds: list[tuple[int, int]], cls: type[Split] = Split) -> tuple:
    each = [(at_dim(dim, slice(a, b)),) for a, b in bounds]
    return apply_views(cls, input, Slice, each, dim, tuple(bounds))


def split(
    tensor: Any, split_size_or_sections: Any = None, dim: int = 0, *, split_size: Any = None
) -> tuple:
    """Pieces of a size (the last may be smaller), or of the given sizes, of dimension `dim`.

    The pieces share memory. `split_size` is the method's name of the second argument. RuntimeError
    if given sizes do not sum up to the dimension.
    """
    pieces = fast.fast_split(Split, Slice, tensor, split_size_or_sections, dim)
    if pieces is not None:
        return pieces
    x = array_arg("split", tensor, argument="tensor")
    if split_size_or_sections is None:
        split_size_or_sections = split_size
    if not x.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    d = normalize_dim(dim, x.ndim)
    if isinstance(split_size_or_sections, (tuple, list)):
        return split_with_sizes(tensor, split_size_or_sections, d)
    n, size = x.shape[d], operator.index(split_size_or_sections)
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    if size == 0 and n:
        raise RuntimeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}"
        )
    starts = range(0, n, size) if n else (0,)
    return _split(tensor, d, [(a, min(a + size, n)) for a in starts])


def split_with_sizes(
    input: Any, split_sizes: Any, dim: int = 0, *, axis: int | None = None
) -> tuple:
    """Pieces of the given sizes of dimension `dim`. They share memory."""
    if axis is not None:
        dim = axis
    x = array_arg("split_with_sizes", input)
    if not x.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    d = normalize_dim(dim, x.ndim)
    sizes = [operator.index(n) for n in split_sizes]
    if any(n < 0 for n in sizes):
        raise RuntimeError(
            "split_with_sizes expects split_sizes have only non-negative entries, but got "
            f"split_sizes={sizes}"
        )
    if sum(sizes) != x.shape[d]:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {x.shape[d]} (input "
            f"tensor's size at dimension {d}), but got split_sizes={sizes}"
        )
    ends = itertools.accumulate(sizes)
    return _split(input, d, [(e - n, e) for n, e in zip(sizes, ends)], SplitWithSizes)


def chunk(input: Any, chunks: int, dim: int = 0, *, axis: int | None = None) -> tuple:
    """At most `chunks` pieces of one size (the last may be smaller) of dimension `dim`."""
    if axis is not None:
        dim = axis
    x = array_arg("chunk", input)
    if not x.ndim:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    d = normalize_dim(dim, x.ndim)
    if not x.shape[d]:
        return split_with_sizes(input, [0] * chunks, d)
    return split(input, -(-x.shape[d] // chunks), d)


def unbind(input: Any, dim: int = 0, *, axis: int | None = None) -> tuple:
    """The places along a dimension, each without it. They share memory."""
    if axis is not None:
        dim = axis
    pieces = fast.fast_unbind(Unbind, Select, input, dim)
    if pieces is not None:
        return pieces
    x = array_arg("unbind", input)
    if not x.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    d = normalize_dim(dim, x.ndim)
    return apply_views(Unbind, input, Select, [(at_dim(d, i),) for i in range(x.shape[d])], d)


def tensor_split(
    input: Any, indices_or_sections: Any, dim: int = 0, *, axis: int | None = None
) -> tuple:
    """`indices_or_sections` pieces as equal as possible, or the pieces between given indices."""
    if axis is not None:
        dim = axis
    x = array_arg("tensor_split", input)
    if not x.ndim:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    d = normalize_dim(dim, x.ndim)
    n = x.shape[d]
    asked = array_of(indices_or_sections)
    if isinstance(asked, np.ndarray):
        if asked.dtype != np.int64 or asked.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
                f"one-dimensional int64 tensor, but got {asked.ndim} dims of {asked.dtype}"
            )
        asked = asked.tolist()
    if isinstance(asked, (tuple, list)):
        cuts = [0, *[operator.index(i) for i in asked], n]
        cuts = [min(max(c + n if c < 0 else c, 0), n) for c in cuts]
        return tuple(
            [
                apply_view(Slice, input, at_dim(d, slice(a, max(a, b))))
                for a, b in itertools.pairwise(cuts)
            ]
        )
    sections = operator.index(asked)
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    small, extra = divmod(n, sections)
    sizes = [small + (i < extra) for i in range(sections)]
    ends = itertools.accumulate(sizes)
    return tuple(
        [apply_view(Slice, input, at_dim(d, slice(e - s, e))) for s, e in zip(sizes, ends)]
    )


def _named_split(name: str, least: int, input: Any, asked: Any, dim: int) -> tuple:
    x = array_arg(name, input)
    if x.ndim < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension"
            f"{'s' if least > 1 else ''}, but got a tensor with {x.ndim} dimensions!"
        )
    if isinstance(asked, int) and (asked <= 0 or x.shape[dim] % asked):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the "
            f"dimension {x.shape[dim]} is not divisible by the split_size {asked}!"
        )
    return tensor_split(input, asked, dim)


def hsplit(input: Any, indices_or_sections: Any) -> tuple:
    """`tensor_split` along dimension 1 (0 for a vector); equal pieces only."""
    dim = 0 if array_arg("hsplit", input).ndim == 1 else 1
    return _named_split("hsplit", 1, input, indices_or_sections, dim)


def vsplit(input: Any, indices_or_sections: Any) -> tuple:
    """`tensor_split` along dimension 0; equal pieces only."""
    return _named_split("vsplit", 2, input, indices_or_sections, 0)


def dsplit(input: Any, indices_or_sections: Any) -> tuple:
    """`tensor_split` along dimension 2; equal pieces only."""
    return _named_split("dsplit", 3, input, indices_or_sections, 2)
