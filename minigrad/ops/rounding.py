"""Signs, absolute values and rounding."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import as_array
from ..kernels import cpu
from ..kernels._quiet import quiet
from ._elementwise import Unary, unary
from ._operands import floating, not_a_tensor, write_out, zeros_of
from ._shape import array_of
from .arith import mul

__all__ = [
    "abs", "absolute", "angle", "ceil", "fix", "floor", "frac", "round", "sgn", "sign", "trunc",
]  # fmt: skip


class Abs(Unary):
    """|input|."""

    __slots__ = ()
    kernel = "abs"
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * sign(input): 0 at 0."""
        x = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.abs_backward(grad, x)
        return mul(grad, sign(x))


def abs(input: Any, *, out: Any = None) -> Any:
    """The absolute value, elementwise. NotImplementedError for bools."""
    return unary(Abs, input, out)


class _Step(Unary):
    """A piecewise constant function."""

    __slots__ = ()
    fresh = True

    def backward(self, grad: Any) -> Any:
        """0."""
        return zeros_of(grad)


class Sign(_Step):
    """-1, 0 or 1."""

    __slots__ = ()
    kernel = "sign"


def sign(input: Any, *, out: Any = None) -> Any:
    """-1, 0 or 1 by the sign, elementwise; 0 for NaN."""
    return unary(Sign, input, out)


def sgn(input: Any, *, out: Any = None) -> Any:
    """`sign`, which it differs from for complex numbers only."""
    return unary(Sign, input, out)


class Angle(Node):
    """0 for positive numbers and 0, pi for negative ones."""

    fresh = True

    @quiet
    def forward(self, x: Any) -> Any:
        result = np.where(x < 0, x.dtype.type(np.pi), x.dtype.type(0))
        return np.where(x == x, result, x)  # NaN stays

    def backward(self, grad: Any) -> Any:
        """0."""
        return zeros_of(grad)


def angle(input: Any, *, out: Any = None) -> Any:
    """The angle in the complex plane, elementwise: 0, or pi for negative numbers."""
    result = apply(Angle, (floating("angle", input),))
    return result if out is None else write_out("angle", out, result)


class Floor(_Step):
    """The largest integer that is not larger."""

    __slots__ = ()
    kernel = "floor"


def floor(input: Any, *, out: Any = None) -> Any:
    """Rounds downwards, elementwise; integers as they are."""
    return unary(Floor, input, out)


class Ceil(_Step):
    """The smallest integer that is not smaller."""

    __slots__ = ()
    kernel = "ceil"


def ceil(input: Any, *, out: Any = None) -> Any:
    """Rounds upwards, elementwise; integers as they are."""
    return unary(Ceil, input, out)


class Trunc(_Step):
    """The integer part."""

    __slots__ = ()
    kernel = "trunc"


def trunc(input: Any, *, out: Any = None) -> Any:
    """Rounds towards zero, elementwise; integers as they are."""
    return unary(Trunc, input, out)


class Round(_Step):
    """The nearest integer."""

    __slots__ = ()
    kernel = "round"


class RoundDecimals(Node):
    """The nearest multiple of 10^-decimals."""

    torch_name = "RoundBackward1"
    fresh = True

    def forward(self, x: Any, decimals: int) -> Any:
        return as_array(cpu.round_decimals(x, decimals))

    def backward(self, grad: Any) -> Any:
        """0."""
        return zeros_of(grad)


def round(input: Any, *, decimals: int | None = None, out: Any = None) -> Any:
    """Rounds to the nearest integer, a half to even, or to `decimals` digits, elementwise."""
    if decimals is None or (decimals == 0 and array_of(input).dtype.kind in "fV"):
        return unary(Round, input, out)
    if not hasattr(array_of(input), "dtype"):
        raise not_a_tensor("round", "input", 1, input)
    try:
        digits = operator.index(decimals)
    except TypeError:
        raise TypeError(
            f"round(): argument 'decimals' must be int, not {decimals.__class__.__name__}"
        ) from None
    result = apply(RoundDecimals, (input,), digits)
    return result if out is None else write_out("round", out, result)


class Frac(Unary):
    """input - trunc(input)."""

    __slots__ = ()
    kernel = "frac"

    def backward(self, grad: Any) -> Any:
        """grad."""
        return grad


def frac(input: Any, *, out: Any = None) -> Any:
    """The fractional part, with the sign of `input`, elementwise. Floats only."""
    return unary(Frac, input, out)


absolute = abs
fix = trunc
