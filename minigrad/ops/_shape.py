"""What several op families need of shapes: broadcasting, its gradient, dimension arguments."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd.record import apply, apply_view
from ..autograd.variable import Node, Variable
from ..kernels import cpu
from ..kernels._quiet import rounded


def array_of(value: Any) -> Any:
    """The array of a tensor; an array as it is."""
    return value._array if isinstance(value, Variable) else value


def other_layout(name: str, *operands: Any) -> Any:
    """What stands for the operation `name` if an operand is no dense tensor; else None.

    A sparse tensor has an object with `operations` in its array's place.
    """
    for value in operands:
        operations = getattr(array_of(value), "operations", None)
        if operations is not None:
            return operations.get(name)
    return None


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of a tensor or an array."""
    return value._array.shape if isinstance(value, Variable) else value.shape


def array_arg(name: str, value: Any, position: int = 1, argument: str = "input") -> Any:
    """The array of an argument that must be a tensor (or an array). TypeError for others."""
    if isinstance(value, Variable):
        return value._array
    if isinstance(value, np.ndarray):
        return value
    raise TypeError(
        f"{name}(): argument '{argument}' (position {position}) must be Tensor, not "
        f"{value.__class__.__name__}"
    )


def need_tensor(name: str, value: Any, position: int = 1, argument: str = "input") -> Variable:
    """An argument that must be a tensor. TypeError for others."""
    if not isinstance(value, Variable):
        raise TypeError(
            f"{name}(): argument '{argument}' (position {position}) must be Tensor, not "
            f"{value.__class__.__name__}"
        )
    return value


def memory_order(x: Any) -> tuple[int, ...]:
    """The dimensions of an array from the slowest in memory to the fastest.

    As in PyTorch (`infer_dense_strides`): repeated dimensions (stride 0) stay where they are.
    """
    if x.flags.c_contiguous:
        return tuple(range(x.ndim))
    order = list(range(x.ndim))[::-1]  # from the fastest
    for i in range(1, x.ndim):
        at = i
        for before in range(i - 1, -1, -1):
            a, b = order[before], order[at]
            s, t = x.strides[a], x.strides[b]
            if s == 0 or t == 0:
                continue
            if s > t or (s == t and x.shape[a] > x.shape[b]):
                order[before], order[at] = b, a
                at = before
            elif s < t:
                break
    return tuple(order[::-1])


def broadcast_error(x: Any, y: Any) -> Exception:
    """The error for shapes that do not broadcast, in PyTorch's words."""
    a, b = np.shape(x), np.shape(y)
    for i in range(1, min(len(a), len(b)) + 1):
        if a[-i] != b[-i] and a[-i] != 1 and b[-i] != 1:
            dim = max(len(a), len(b)) - i
            return RuntimeError(
                f"The size of tensor a ({a[-i]}) must match the size of tensor b ({b[-i]}) at "
                f"non-singleton dimension {dim}"
            )
    return RuntimeError(f"shapes {list(a)} and {list(b)} do not fit together")


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that all of `shapes` broadcast to. RuntimeError if there is none."""
    sizes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    try:
        return np.broadcast_shapes(*sizes)
    except ValueError:
        raise RuntimeError(
            "Shape mismatch: objects cannot be broadcast to a single shape: "
            + ", ".join(str(list(s)) for s in sizes)
        ) from None


def whole(argument: str, value: Any) -> int:
    """An int, or what stands for one. TypeError for others, bools among them."""
    if value.__class__ is int:
        return value
    if not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(f"{argument}: argument must be int, not {type(value).__name__}")


def normalize_dim(dim: Any, ndim: int, name: str = "dim") -> int:
    """A dimension counted from the front. IndexError out of range; 0-d counts as 1-d."""
    if dim.__class__ is not int:
        dim = whole(name, dim)
    n = max(ndim, 1)
    if not -n <= dim < n:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        )
    return dim + n if dim < 0 else dim


def normalize_dims(dims: Any, ndim: int) -> tuple[int, ...]:
    """One or several dimensions counted from the front. RuntimeError for one named twice."""
    given: Sequence = dims if isinstance(dims, (tuple, list)) else (dims,)
    if len(given) == 1:
        return (normalize_dim(given[0], ndim),)
    result = tuple([normalize_dim(d, ndim) for d in given])
    if len(set(result)) != len(result):
        twice = next(d for d in result if result.count(d) > 1)
        raise RuntimeError(f"dim {twice} appears multiple times in the list of dims")
    return result


_EVERY = [tuple(range(n)) for n in range(9)]


def all_or(dims: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions of a reduction: all of them where `dims` is None or empty."""
    if dims is None or (isinstance(dims, (tuple, list)) and not dims):
        return _EVERY[ndim] if ndim < len(_EVERY) else tuple(range(ndim))
    if dims.__class__ is int and -ndim <= dims < ndim:
        return (dims % ndim,)
    if dims.__class__ is bool:
        raise TypeError("dim: argument must be int or a tuple of ints, not bool")
    return tuple(d for d in normalize_dims(dims, ndim) if ndim)


def as_shape(size: tuple) -> tuple[int, ...]:
    """The shape meant by `f(2, 3)`, `f((2, 3))` or `f([2, 3])`, given as the tuple of arguments."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    return tuple([operator.index(n) for n in size])


class SumTo(Node):
    """Sum over the dimensions that broadcasting from `shape` added or widened."""

    fresh = False  # an expanded view

    def forward(self, x: Any, shape: tuple[int, ...]) -> Any:
        self.shape = x.shape
        lead = x.ndim - len(shape)
        axes = tuple(range(lead)) + tuple(
            lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1
        )
        return rounded(cpu.total(x, axes, True), x.dtype).reshape(shape)

    def backward(self, grad: Any) -> Any:
        """grad, repeated along the summed dimensions."""
        return expand(grad, self.shape)


class Expand(Node):
    """Repeats dimensions of size 1 without copying."""

    fresh = True
    views_input = True

    def forward(self, x: Any, shape: tuple[int, ...]) -> Any:
        self.shape = x.shape
        if shape == x.shape:
            self.fresh = False  # backward passes its gradient on as it is
        return cpu.expand(x, shape)

    def backward(self, grad: Any) -> Any:
        """The sum of grad over the repeated dimensions."""
        return sum_to(grad, self.shape)


def sum_to(value: Any, shape: tuple[int, ...]) -> Any:
    """Sums `value` (tensor or array) down to `shape`, the reverse of broadcasting."""
    return value if shape_of(value) == shape else apply(SumTo, (value,), shape)


def expand(value: Any, shape: tuple[int, ...]) -> Any:
    """`value` (tensor or array) seen with a broadcast `shape`; checked by the caller."""
    return apply_view(Expand, value, shape)
