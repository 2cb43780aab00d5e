"""Copies with elements in other places: flips, rolls, repeats, triangles, diagonals."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..autograd.naming import named
from ..autograd.record import apply, apply_view
from ..autograd.variable import Node, Variable
from ..backend import as_array, contiguous_format
from ..kernels import cpu, fast
from ._format import check_format, order_in_copy
from ._operands import write_out
from ._out import write_exact
from ._shape import array_arg, as_shape, normalize_dim, normalize_dims, sum_to, whole
from .movement import reshape
from .permutation import transpose
from .slices import OnDiagonal, Slice, at_dim, diagonal

__all__ = [
    "clone", "contiguous", "diag", "diag_embed", "flip", "fliplr", "flipud", "ravel", "repeat",
    "roll", "rot90", "select_scatter", "slice_scatter", "tile", "tril", "triu",
]  # fmt: skip


class Clone(Node):
    """A copy."""

    fresh = False  # backward passes its gradient on as it is

    def forward(self, x: Any, axes: tuple[int, ...]) -> Any:
        """`axes`: the dimensions, from the slowest in the copy's memory to the fastest."""
        if axes == tuple(range(x.ndim)):
            return as_array(cpu.copy(x))
        return cpu.copy(x.transpose(axes)).transpose(np.argsort(axes))

    def backward(self, grad: Any) -> Any:
        """grad."""
        return grad


def clone(input: Any, *, memory_format: Any = None) -> Any:
    """A copy of `input`, in its order of memory or a given one. Gradient: grad."""
    if memory_format is None:
        result = fast.fast_copy(Clone, input, False)
        if result is not None:
            return result
    check_format("clone", memory_format)
    return apply(Clone, (input,), order_in_copy(array_arg("clone", input), memory_format))


def contiguous(input: Any, memory_format: Any = contiguous_format) -> Any:
    """`input` if its elements lie in order (of `memory_format`), else a copy in which they do."""
    if memory_format is contiguous_format:
        result = fast.fast_copy(Clone, input, True)
        if result is not None:
            return result
    x = array_arg("contiguous", input)
    check_format("contiguous", memory_format)
    axes = order_in_copy(x, memory_format)
    if x.transpose(axes).flags.c_contiguous:
        return input
    return apply(Clone, (input,), axes)


def ravel(input: Any) -> Any:
    """`input` as one dimension: a copy unless its elements lie in order."""
    return reshape(contiguous(input), (array_arg("ravel", input).size,))


class Flip(Node):
    """Dimensions in reverse order."""

    fresh = True

    def forward(self, x: Any, dims: tuple[int, ...]) -> Any:
        self.dims = dims
        return cpu.flip(x, dims)

    def backward(self, grad: Any) -> Any:
        """grad, flipped back."""
        return apply(Flip, (grad,), self.dims)


def flip(input: Any, *axes: Any, dims: Any = None) -> Any:
    """`input` with the order of the dimensions `dims` reversed (a copy)."""
    result = fast.fast_flip(input, axes if dims is None else (dims,))
    if result is not None:
        return result
    x = array_arg("flip", input)
    if len(axes) == 1 and dims is None and axes[0].__class__ is int and -x.ndim <= axes[0] < x.ndim:
        return apply(Flip, (input,), (axes[0] % x.ndim,))
    axes = normalize_dims(as_shape(axes if dims is None else (dims,)), x.ndim)
    return apply(Flip, (input,), axes if x.ndim else ())


def fliplr(input: Any) -> Any:
    """`flip` of dimension 1."""
    if array_arg("fliplr", input).ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input: Any) -> Any:
    """`flip` of dimension 0."""
    if array_arg("flipud", input).ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


def rot90(input: Any, k: int = 1, dims: Any = (0, 1)) -> Any:
    """`input` turned k times by 90 degrees, from dimension dims[0] towards dims[1]."""
    ndim = array_arg("rot90", input).ndim
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {ndim}")
    a, b = normalize_dim(dims[0], ndim), normalize_dim(dims[1], ndim)
    if a == b:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    k = whole("rot90(): k", k) % 4
    if k == 0:
        return named("Rot90Backward0", clone(input))
    turned = flip(input, (a, b) if k == 2 else b if k == 1 else a)
    return named("Rot90Backward0", turned if k == 2 else transpose(turned, a, b))


class Roll(Node):
    """Dimensions shifted around."""

    fresh = True

    def forward(self, x: Any, shifts: tuple[int, ...], dims: tuple[int, ...]) -> Any:
        self.shifts, self.dims = shifts, dims
        return cpu.roll(x, shifts, dims)

    def backward(self, grad: Any) -> Any:
        """grad, shifted back."""
        return apply(Roll, (grad,), tuple([-s for s in self.shifts]), self.dims)


def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """`input` shifted around along `dims`; without `dims`, along the flattened elements."""
    result = fast.fast_roll(input, shifts, dims)
    if result is not None:
        return result
    x = array_arg("roll", input)
    if shifts.__class__ is int and dims.__class__ is int and -x.ndim <= dims < x.ndim:
        return apply(Roll, (input,), (shifts,), (dims % x.ndim,))
    steps = as_shape((shifts,))
    if dims is None or (isinstance(dims, (tuple, list)) and not dims):
        if not steps:
            raise RuntimeError("`shifts` required")
        if len(steps) != 1:
            raise RuntimeError(f"shifts and dimensions must align. shifts: {len(steps)}, dims:0")
        flat = reshape(input, (x.size,))
        return named("RollBackward0", reshape(roll(flat, steps, 0), x.shape))
    axes = as_shape((dims,))
    if not steps:
        raise RuntimeError("`shifts` required")
    if len(steps) != len(axes):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(steps)}, dims:{len(axes)}"
        )
    if not x.ndim:
        raise IndexError(f"Dimension specified as {axes[0]} but tensor has no dimensions")
    axes = tuple([normalize_dim(d, x.ndim) for d in axes])
    return apply(Roll, (input,), steps, axes)


class Repeat(Node):
    """The tensor several times along each dimension."""

    def forward(self, x: Any, times: tuple[int, ...]) -> Any:
        self.times = times
        self.shape = x.shape
        return cpu.repeat(x, times)

    def backward(self, grad: Any) -> Any:
        """The sum of grad over the repetitions."""
        shape = (1,) * (len(self.times) - len(self.shape)) + self.shape
        split = tuple([n for pair in zip(self.times, shape) for n in pair])
        ones = tuple([n for size in shape for n in (1, size)])
        return reshape(sum_to(reshape(grad, split), ones), self.shape)


def repeat(input: Any, *times: Any, repeats: Any = None) -> Any:
    """`input` repeats[i] times along dimension i; more repeats than dimensions add leading ones."""
    result = fast.fast_repeat(input, times if repeats is None else (repeats,))
    if result is not None:
        return result
    x = array_arg("repeat", input)
    times = as_shape(times if repeats is None else (repeats,))
    if len(times) < x.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    if any(n < 0 for n in times):
        raise RuntimeError(f"repeat: repeats {list(times)} given; needed: no negative number")
    return apply(Repeat, (input,), times)


def tile(input: Any, *times: Any, dims: Any = None) -> Any:
    """`repeat`, with ones put before `dims` where the tensor has more dimensions."""
    times = as_shape(times if dims is None else (dims,))
    missing = array_arg("tile", input).ndim - len(times)
    return repeat(input, (1,) * missing + times)


class Tril(Node):
    """The elements on and below a diagonal; zeros above it."""

    fresh = True
    upper = False

    def forward(self, x: Any, diagonal: int) -> Any:
        self.diagonal = diagonal
        return cpu.triangle(x, diagonal, self.upper)

    def backward(self, grad: Any) -> Any:
        """The same triangle of grad."""
        return apply(self.__class__, (grad,), self.diagonal)


class Triu(Tril):
    """The elements on and above a diagonal; zeros below it."""

    upper = True


def _triangle(name: str, cls: type[Tril], input: Any, diagonal: int, out: Any) -> Any:
    if array_arg(name, input).ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
    result = apply(cls, (input,), operator.index(diagonal))
    return result if out is None else write_exact(name, out, result)


def tril(input: Any, diagonal: int = 0, *, out: Any = None) -> Any:
    """The lower triangle of the last two dimensions: columns up to row + `diagonal`."""
    return _triangle("tril", Tril, input, diagonal, out)


def triu(input: Any, diagonal: int = 0, *, out: Any = None) -> Any:
    """The upper triangle of the last two dimensions: columns from row + `diagonal` on."""
    return _triangle("triu", Triu, input, diagonal, out)


def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices (over `dim1`, `dim2`) with the last dimension of `input` on a diagonal."""
    x = array_arg("diag_embed", input)
    if not x.ndim:
        raise IndexError("Dimension out of range (expected to be in range of [-1, 0], but got 1)")
    a, b = normalize_dim(dim1, x.ndim + 1), normalize_dim(dim2, x.ndim + 1)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    shape = list(x.shape[:-1])
    n = x.shape[-1] + abs(offset)
    for d in sorted((a, b)):
        shape.insert(d, n)
    return apply(OnDiagonal, (input,), tuple(shape), (operator.index(offset), a, b))


def diag(input: Any, diagonal: int = 0, *, out: Any = None) -> Any:
    """A matrix with the given vector on its diagonal, or a copy of a matrix's diagonal."""
    ndim = array_arg("diag", input).ndim
    if ndim == 1:
        result = diag_embed(input, diagonal)
    elif ndim == 2:
        result = clone(_diagonal(input, diagonal))
    else:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    return result if out is None else write_exact("diag", out, result)


_diagonal = diagonal  # `diag` has an argument of that name


class Replaced(Node):
    """A copy with the places of a basic index replaced."""

    def forward(self, x: Any, part: Any, index: tuple) -> Any:
        self.at = index
        out = x.copy()
        out[index] = part
        return out

    def backward(self, grad: Any) -> Any:
        """d input = grad with zeros at the places; d part = grad at the places."""
        kept, part = None, None
        if self.next[0] is not None:
            zeros = np.zeros((), (grad._array if isinstance(grad, Variable) else grad).dtype)
            kept = apply(self.__class__, (grad, zeros), self.at)
        if self.next[1] is not None:
            part = apply_view(Slice, grad, self.at)
        return kept, part


class SelectScatter(Replaced):
    """One place along a dimension replaced."""


class SliceScatter(Replaced):
    """A slice of a dimension replaced."""


def select_scatter(input: Any, src: Any, dim: int, index: int, *, out: Any = None) -> Any:
    """A copy of `input` with `src` at place `index` of dimension `dim`."""
    x = array_arg("select_scatter", input)
    d, i = normalize_dim(dim, x.ndim), operator.index(index)
    if not x.ndim or not -x.shape[d] <= i < x.shape[d]:
        raise IndexError(
            f"select(): index {i} out of range for tensor of size {list(x.shape)} at dimension {d}"
        )
    result = _replace("select_scatter", SelectScatter, input, src, at_dim(d, i))
    return result if out is None else write_out("select_scatter", out, result)


def slice_scatter(
    input: Any,
    src: Any,
    dim: int = 0,
    start: Any = None,
    end: Any = None,
    step: int = 1,
    *,
    out: Any = None,
) -> Any:
    """A copy of `input` with `src` at start:end:step of dimension `dim`."""
    d = normalize_dim(dim, array_arg("slice_scatter", input).ndim)
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    index = at_dim(d, slice(start, end, step))
    result = _replace("slice_scatter", SliceScatter, input, src, index)
    return result if out is None else write_out("slice_scatter", out, result)


def _replace(name: str, cls: type[Replaced], input: Any, src: Any, index: tuple) -> Any:
    x, part = array_arg(name, input), array_arg(name, src, 2, "src")
    if part.shape != x[index].shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(part.shape)}, slice size = {list(x[index].shape)}"
        )
    return apply(cls, (input, src), index)
