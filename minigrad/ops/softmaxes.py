"""Softmax and its logarithm."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels import cpu
from ._nn import need_float, need_tensor
from ._operands import to_dtype, write_out
from ._shape import normalize_dim
from .arith import mul, neg, sub
from .movement import reshape
from .rearrange import clone
from .reduce import sum
from .unary import exp

__all__ = ["log_softmax", "softmax", "softmin"]


class Softmax(Node):
    """exp(input) over its sum along a dimension."""

    saves_output = (0,)
    fresh = True

    def forward(self, x: Any, dim: int) -> Any:
        self.dim = dim
        return cpu.softmax(x, dim)

    def backward(self, grad: Any) -> Any:
        """y * (grad - sum(grad * y))."""
        (y,) = self.saved
        if isinstance(grad, Variable):
            return mul(y, sub(grad, sum(mul(grad, y), self.dim, True)))
        return cpu.softmax_backward(grad, y, self.dim)


class LogSoftmax(Node):
    """input - log(sum(exp(input))) along a dimension."""

    saves_output = (0,)
    fresh = True

    def forward(self, x: Any, dim: int) -> Any:
        self.dim = dim
        return cpu.log_softmax(x, dim)

    def backward(self, grad: Any) -> Any:
        """grad - exp(y) * sum(grad)."""
        (y,) = self.saved
        if isinstance(grad, Variable):
            return sub(grad, mul(exp(y), sum(grad, self.dim, True)))
        return cpu.log_softmax_backward(grad, y, self.dim)


def _along(cls: type[Node], name: str, input: Any, dim: int, dtype: Any, out: Any) -> Any:
    x = need_tensor(name, "input", input)
    if dtype is not None:
        wanted = dtypes.numpy_type(dtype)
        if wanted != x.dtype:
            input = to_dtype(input, wanted)
            x = need_tensor(name, "input", input)
    axis = normalize_dim(dim, x.ndim)
    if x.size:
        need_float(f"{name}_lastdim_kernel_impl", x)
    if not x.size:  # of any type: there is nothing to compute
        result = clone(input)
    elif x.ndim:
        result = apply(cls, (input,), axis)
    else:
        result = reshape(apply(cls, (reshape(input, (1,)),), 0), ())
    return result if out is None else write_out(name, out, result)


def softmax(
    input: Any, dim: Any = None, dtype: Any = None, *, out: Any = None, axis: int | None = None
) -> Any:
    """`exp(input) / sum(exp(input))` along `dim`, computed in `dtype` if given.

    IndexError for a dimension out of range; NotImplementedError for integers without `dtype`.
    """
    if axis is not None:
        dim = axis
    return _along(Softmax, "softmax", input, dim, dtype, out)


def log_softmax(
    input: Any, dim: Any = None, dtype: Any = None, *, out: Any = None, axis: int | None = None
) -> Any:
    """`log(softmax(input, dim))`, without overflow; computed in `dtype` if given.

    IndexError for a dimension out of range; NotImplementedError for integers without `dtype`.
    """
    if axis is not None:
        dim = axis
    return _along(LogSoftmax, "log_softmax", input, dim, dtype, out)


def softmin(input: Any, dim: int, dtype: Any = None) -> Any:
    """`softmax(-input, dim)`; errors as of `softmax`."""
    need_tensor("softmin", "input", input)
    return softmax(neg(input), dim, dtype)
