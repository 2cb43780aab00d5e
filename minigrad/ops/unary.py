"""Functions of one operand: exponentials, logarithms and roots."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.variable import Variable
from ..kernels import cpu
from ._elementwise import Unary, unary
from .arith import add, div, mul, neg

__all__ = [
    "exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "reciprocal", "rsqrt", "sqrt",
]  # fmt: skip


class Exp(Unary):
    """e^input."""

    __slots__ = ()
    kernel = "exp"
    to_float = True
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * e^input."""
        return mul(grad, self.saved[0])


def exp(input: Any, *, out: Any = None) -> Any:
    """`e ** input`, elementwise."""
    return unary(Exp, input, out)


class Exp2(Unary):
    """2^input."""

    __slots__ = ()
    kernel = "exp2"
    to_float = True
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * 2^input * log 2."""
        return mul(mul(grad, self.saved[0]), math.log(2))


def exp2(input: Any, *, out: Any = None) -> Any:
    """`2 ** input`, elementwise."""
    return unary(Exp2, input, out)


class Expm1(Unary):
    """e^input - 1."""

    __slots__ = ()
    kernel = "expm1"
    to_float = True
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * (result + 1)."""
        return mul(grad, add(self.saved[0], 1.0))


def expm1(input: Any, *, out: Any = None) -> Any:
    """`e ** input - 1`, accurate near 0, elementwise."""
    return unary(Expm1, input, out)


class Log(Unary):
    """The natural logarithm."""

    __slots__ = ()
    kernel = "log"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad / input."""
        return div(grad, self.saved[0])


def log(input: Any, *, out: Any = None) -> Any:
    """The natural logarithm, elementwise; -inf at 0, NaN below."""
    return unary(Log, input, out)


class Log2(Unary):
    """The logarithm to base 2."""

    __slots__ = ()
    kernel = "log2"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad / (input * log 2)."""
        return div(grad, mul(self.saved[0], math.log(2)))


def log2(input: Any, *, out: Any = None) -> Any:
    """The logarithm to base 2, elementwise."""
    return unary(Log2, input, out)


class Log10(Unary):
    """The logarithm to base 10."""

    __slots__ = ()
    kernel = "log10"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad / (input * log 10)."""
        return div(grad, mul(self.saved[0], math.log(10)))


def log10(input: Any, *, out: Any = None) -> Any:
    """The logarithm to base 10, elementwise."""
    return unary(Log10, input, out)


class Log1p(Unary):
    """log(1 + input)."""

    __slots__ = ()
    torch_name = "Log1PBackward0"
    kernel = "log1p"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad / (input + 1)."""
        return div(grad, add(self.saved[0], 1.0))


def log1p(input: Any, *, out: Any = None) -> Any:
    """`log(1 + input)`, accurate near 0, elementwise."""
    return unary(Log1p, input, out)


class Sqrt(Unary):
    """The square root."""

    __slots__ = ()
    kernel = "sqrt"
    to_float = True
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad / (2 * result)."""
        y = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.sqrt_backward(grad, y)
        return div(grad, mul(y, 2.0))


def sqrt(input: Any, *, out: Any = None) -> Any:
    """The square root, elementwise; NaN below 0."""
    return unary(Sqrt, input, out)


class Rsqrt(Unary):
    """1 / sqrt(input)."""

    __slots__ = ()
    kernel = "rsqrt"
    to_float = True
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """-grad / 2 * result^3."""
        y = self.saved[0]
        return mul(mul(grad, -0.5), mul(mul(y, y), y))


def rsqrt(input: Any, *, out: Any = None) -> Any:
    """`1 / sqrt(input)`, elementwise."""
    return unary(Rsqrt, input, out)


class Reciprocal(Unary):
    """1 / input."""

    __slots__ = ()
    kernel = "reciprocal"
    to_float = True
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """-grad * result^2."""
        y = self.saved[0]
        return neg(mul(grad, mul(y, y)))


def reciprocal(input: Any, *, out: Any = None) -> Any:
    """`1 / input`, elementwise."""
    return unary(Reciprocal, input, out)
