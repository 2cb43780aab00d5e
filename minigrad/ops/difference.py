"""Differences of neighbours along a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Node
from ..kernels import cpu
from ..kernels._quiet import quiet
from ._operands import write_out
from ._reduction import constant, renamed
from ._shape import array_arg, array_of, normalize_dim, whole
from .arith import add
from .join import cat

__all__ = ["diff"]

_diff = quiet(np.diff)
_LATER, _EARLIER = slice(1, None), slice(None, -1)


class Diff(Node):
    """Each element minus the one before it."""

    def forward(self, x: Any, dim: int) -> Any:
        self.dim = dim
        if x.dtype.kind != "f":
            return _diff(x, axis=dim)
        at = (slice(None),) * dim
        return cpu.sub(x[(*at, _LATER)], x[(*at, _EARLIER)])

    def backward(self, grad: Any) -> Any:
        """grad[k - 1] - grad[k], with 0 beyond both ends."""
        return apply(DiffBack, (grad,), self.dim)


class DiffBack(Node):
    """The transpose of `Diff`."""

    fresh = True

    def forward(self, x: Any, dim: int) -> Any:
        self.dim = dim
        at = (slice(None),) * dim
        size = x.shape[dim]
        result = np.zeros((*x.shape[:dim], size + 1, *x.shape[dim + 1 :]), x.dtype, like=x)
        result[(*at, slice(1, None))] = x
        result[(*at, slice(0, size))] -= x
        return result

    def backward(self, grad: Any) -> Any:
        """The differences of grad."""
        return apply(Diff, (grad,), self.dim)


def diff(
    input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None, *,
    out: Any = None, **names: Any,
) -> Any:  # fmt: skip
    """The n-th differences of neighbours along `dim`, of the input with others put before, after.

    For bools: whether neighbours differ.
    """
    if names:
        return renamed(diff, locals())
    x = array_arg("diff", input)
    n = whole("diff(): n", n)
    if x.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    d = normalize_dim(dim, x.ndim)
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    ends = [e for e in (prepend, append) if e is not None]
    for end in ends:
        _check_end(array_arg("diff", end), x, d)
    if n == 0:
        result = add(input, constant(input, np.zeros((), x.dtype)))
    else:
        if ends:
            parts = [prepend, input, append]
            input = cat([p for p in parts if p is not None], d)
        result = input
        for _ in range(min(n, array_of(input).shape[d])):
            result = apply(Diff, (result,), d)
    return result if out is None else write_out("diff", out, result)


def _check_end(end: Any, x: Any, d: int) -> None:
    if end.ndim != x.ndim:
        raise RuntimeError(
            f"diff expects prepend or append to be the same dimension as input: got {end.ndim} "
            f"dimensions, needed {x.ndim}"
        )
    for i, (a, b) in enumerate(zip(x.shape, end.shape)):
        if i != d and a != b:
            raise RuntimeError(
                "diff expects the shape of tensor to prepend or append to match that of input "
                f"except along the differencing dimension; input.size({i}) = {a}, but got "
                f"tensor.size({i}) = {b}"
            )
