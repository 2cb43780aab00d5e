"""Shapes: the same memory seen in another shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import alias, apply, apply_view
from ..autograd.variable import Node, Variable
from ..backend import as_complex_view
from ..kernels import cpu, fast
from ._shape import (
    Expand,
    array_arg,
    as_shape,
    normalize_dim,
    normalize_dims,
    shape_of,
)
from ._shape import expand as expand_to

__all__ = [
    "broadcast_to",
    "expand",
    "expand_as",
    "flatten",
    "reshape",
    "reshape_as",
    "squeeze",
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
    if dtype is not None and dtype.__class__ is dtypes.AbsentDtype and dtype.is_complex:
        return as_complex_view(input, dtype)
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
