"""Shapes: the same memory seen in another shape or order of dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import alias, apply, apply_view
from ..autograd.variable import Node, Variable
from ..kernels import cpu, fast
from ._shape import (
    Expand,
    array_arg,
    as_shape,
    normalize_dim,
    normalize_dims,
    other_layout,
    shape_of,
)
from ._shape import expand as expand_to

__all__ = [
    "adjoint",
    "broadcast_to",
    "expand",
    "expand_as",
    "flatten",
    "moveaxis",
    "movedim",
    "permute",
    "reshape",
    "reshape_as",
    "squeeze",
    "swapaxes",
    "swapdims",
    "t",
    "transpose",
    "unflatten",
    "unsqueeze",
    "view",
    "view_as",
]


class View(Node):
    """The same memory in another shape."""

    views_input = True

    def forward(self, x: Any, shape: tuple[int, ...]) -> Any:
        self.shape = x.shape
        return x.reshape(shape)

    def backward(self, grad: Any) -> Any:
        """grad, in the input's shape."""
        return reshape(grad, self.shape)


class Reshape(View):
    """A copy in another shape, where no view is possible."""

    views_input = False

    def forward(self, x: Any, copied: Any) -> Any:
        self.shape = x.shape
        return copied

    def name(self) -> str:
        return "UnsafeViewBackward0"


def infer_shape(shape: tuple[int, ...], numel: int) -> tuple[int, ...]:
    """`shape` with its -1 replaced. RuntimeError if it cannot hold `numel` elements."""
    known = 1
    free = None
    for i, n in enumerate(shape):
        if n == -1:
            if free is not None:
                raise RuntimeError("only one dimension can be inferred")
            free = i
        elif n < 0:
            raise RuntimeError(f"invalid shape dimension {n} at index {i} of shape {list(shape)}")
        else:
            known *= n
    if free is None:
        if known == numel:
            return shape
    elif known == 0:
        if numel == 0:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
                "unspecified dimension size -1 can be any value and is ambiguous"
            )
    elif numel % known == 0:
        return (*shape[:free], numel // known, *shape[free + 1 :])
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")


def can_view(x: Any, shape: tuple[int, ...]) -> bool:
    """Whether the strides of an array allow another shape without copying."""
    try:
        np.reshape(x, shape, copy=False)
    except ValueError:
        return False
    return True


def reshape(input: Any, *size: Any, shape: Any = None) -> Any:
    """`input` in another shape, one size may be -1: a view where its strides allow, else a copy.

    Gradient: grad in the input's shape. RuntimeError if the number of elements differs.
    """
    if shape is None:
        seen = fast.fast_view(View, input, size)
        if seen is not None:
            return seen
    if not isinstance(input, Variable):
        return array_arg("reshape", input).reshape(as_shape(size))
    x = input._array
    if shape is None:
        if not size:
            raise TypeError('reshape() missing 1 required positional arguments: "shape"')
        shape = size
    target = infer_shape(as_shape(shape if shape is size else (shape,)), x.size)
    if x.flags.c_contiguous:
        return apply_view(View, input, target)
    if x.size == 0 or can_view(x, target):
        return apply_view(View, input, target)
    return apply(Reshape, (input,), cpu.copy(x).reshape(target))


def view(input: Any, *shape: Any, dtype: Any = None, size: Any = None) -> Any:
    """The same memory in another shape, or read as another dtype (`view(torch.int32)`).

    RuntimeError if the strides do not allow the shape without copying.
    """
    if size is not None:
        shape = (size,)
    if dtype is None:
        seen = fast.fast_view(View, input, shape)
        if seen is not None:
            return seen
    if dtype is None and len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        dtype = shape[0]
    if dtype is not None:
        return _view_dtype(input, dtypes.numpy_type(dtype))
    x = array_arg("view", input)
    if not shape:
        raise TypeError("view() given no arguments; needed: a shape or a dtype")
    target = infer_shape(as_shape(shape), x.size)
    if not x.flags.c_contiguous and x.size and not np.may_share_memory(x.reshape(target), x):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return apply_view(View, input, target)


def _view_dtype(input: Any, dtype: np.dtype) -> Any:
    x = array_arg("view", input)
    if x.dtype == dtype:
        return apply_view(View, input, x.shape)
    old, new = x.dtype.itemsize, dtype.itemsize
    if old != new:
        if x.ndim == 0:
            raise RuntimeError(
                f"self.dim() cannot be 0 to view {dtypes.from_numpy(x.dtype).name} as "
                f"{dtypes.from_numpy(dtype).name} (different element sizes)"
            )
        if x.shape[-1] > 1 and x.strides[-1] != old:
            raise RuntimeError(
                "self.stride(-1) must be 1 to view as a dtype of another element size, but got "
                f"{x.strides[-1] // old}"
            )
        if x.shape[-1] * old % new:
            raise RuntimeError(
                f"self.size(-1) must be divisible by {new // old} to view as a dtype of {new} "
                f"bytes, but got {x.shape[-1]}"
            )
    out = alias(input)  # other bits' meaning: not differentiable
    out._array = x.view(dtype)
    return out


def view_as(input: Any, other: Any) -> Any:
    """`input.view(other.shape)`."""
    return view(input, shape_of(other))


def reshape_as(input: Any, other: Any) -> Any:
    """`input.reshape(other.shape)`."""
    return reshape(input, shape_of(other))


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Merges the dimensions from `start_dim` to `end_dim` (inclusive) into one."""
    seen = fast.fast_flatten(View, input, start_dim, end_dim)
    if seen is not None:
        return seen
    shape = array_arg("flatten", input).shape
    first = normalize_dim(start_dim, len(shape))
    last = normalize_dim(end_dim, len(shape))
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return reshape(input, (1,))
    if first == last:
        return input
    merged = math.prod(shape[first : last + 1])
    return reshape(input, (*shape[:first], merged, *shape[last + 1 :]))


def unflatten(input: Any, dim: Any = None, sizes: Any = None, *, axis: int | None = None) -> Any:
    """Splits dimension `dim` into several of the given sizes (one may be -1)."""
    if axis is not None:
        dim = axis
    shape = array_arg("unflatten", input).shape
    d = normalize_dim(dim, len(shape))
    sizes = as_shape((sizes,))
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    if not shape:
        raise RuntimeError("unflatten: the input has no dimension; needed: at least 1")
    try:
        split = infer_shape(sizes, shape[d])
    except RuntimeError:
        if sizes.count(-1) > 1:
            raise
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {d} "
            f"({shape[d]}) in the input tensor"
        ) from None
    return view(input, (*shape[:d], *split, *shape[d + 1 :]))


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
    x = array_arg("t", input)
    if x.__class__ is not np.ndarray and (special := other_layout("t", input)):
        return special(input)
    ndim = x.ndim
    if ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    seen = fast.fast_transpose(T, input, None, None)
    return apply_view(T, input, tuple(range(ndim))[::-1]) if seen is None else seen


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


class Squeeze(Node):
    """Dimensions of size 1 left out."""

    views_input = True
    variant = 0

    def forward(self, x: Any, dims: tuple[int, ...], variant: int) -> Any:
        self.shape = x.shape
        self.variant = variant
        return x.squeeze(dims)

    def backward(self, grad: Any) -> Any:
        """grad, in the input's shape."""
        return reshape(grad, self.shape)

    def name(self) -> str:
        return f"SqueezeBackward{self.variant}"


def squeeze(input: Any, dim: Any = None, *, axis: int | None = None) -> Any:
    """`input` without its dimensions of size 1: all, or those of `dim` that have size 1."""
    if axis is not None:
        dim = axis
    seen = fast.fast_squeeze(Squeeze, input, dim)
    if seen is not None:
        return seen
    shape = array_arg("squeeze", input).shape
    if dim is None:
        dims, variant = tuple(range(len(shape))), 0
    else:
        dims, variant = normalize_dims(dim, len(shape)), 2 if isinstance(dim, (tuple, list)) else 1
    return apply_view(Squeeze, input, tuple(d for d in dims if shape and shape[d] == 1), variant)


class Unsqueeze(Node):
    """One more dimension, of size 1."""

    views_input = True

    def forward(self, x: Any, index: tuple) -> Any:
        self.shape = x.shape
        return x[index]

    def backward(self, grad: Any) -> Any:
        """grad, in the input's shape."""
        return reshape(grad, self.shape)


def unsqueeze(input: Any, dim: Any = None, *, axis: int | None = None) -> Any:
    """`input` with a dimension of size 1 inserted at `dim`."""
    if axis is not None:
        dim = axis
    seen = fast.fast_unsqueeze(Unsqueeze, input, dim)
    if seen is not None:
        return seen
    ndim = array_arg("unsqueeze", input).ndim
    d = normalize_dim(dim, ndim + 1)
    return apply_view(Unsqueeze, input, (slice(None),) * d + (None, ...))


def expand(input: Any, *sizes: Any, size: Any = None) -> Any:
    """`input` repeated without copying along dimensions of size 1 and new leading ones.

    -1 keeps a size. Gradient: the sum over the repeated dimensions. RuntimeError for other sizes.
    """
    if size is None:
        seen = fast.fast_expand(Expand, input, sizes)
        if seen is not None:
            return seen
    shape = array_arg("expand", input).shape
    asked = as_shape(sizes if size is None else (size,))
    lead = len(asked) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"expand(torch.Tensor{{{list(shape)}}}, size={list(asked)}): the number of sizes "
            f"provided ({len(asked)}) must be greater or equal to the number of dimensions in the "
            f"tensor ({len(shape)})"
        )
    target = []
    for i, n in enumerate(asked):
        if i < lead:
            if n < 0:
                raise RuntimeError(
                    f"The expanded size of the tensor ({n}) isn't allowed in a leading, "
                    f"non-existing dimension {i}"
                )
        elif n == -1:
            n = shape[i - lead]
        elif n != shape[i - lead] and shape[i - lead] != 1:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size "
                f"({shape[i - lead]}) at non-singleton dimension {i}.  Target sizes: "
                f"{list(asked)}.  Tensor sizes: {list(shape)}"
            )
        elif n < 0:
            raise RuntimeError(f"expand: {n} is no size; needed: -1 or more")
        target.append(n)
    return expand_to(input, tuple(target))


def expand_as(input: Any, other: Any) -> Any:
    """`input.expand(other.shape)`."""
    return expand(input, shape_of(other))


def broadcast_to(input: Any, size: Any) -> Any:
    """`input.expand(size)`."""
    return expand(input, size)


def swapaxes(input: Any, axis0: int, axis1: int) -> Any:
    """`transpose`, with NumPy's names."""
    return transpose(input, axis0, axis1)


swapdims = transpose
moveaxis = movedim
