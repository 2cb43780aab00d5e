"""Trigonometric and hyperbolic functions."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.variable import Variable
from ..kernels import cpu
from ._elementwise import Unary, unary
from .arith import add, div, mul, neg, sub
from .compare import eq, where
from .unary import rsqrt

__all__ = [
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin",
    "asinh", "atan", "atanh", "cos", "cosh", "deg2rad", "rad2deg", "sin", "sinc", "sinh", "tan",
    "tanh",
]  # fmt: skip


class Sin(Unary):
    """The sine."""

    __slots__ = ()
    kernel = "sin"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * cos(input)."""
        return mul(grad, cos(self.saved[0]))


def sin(input: Any, *, out: Any = None) -> Any:
    """The sine of an angle in radians, elementwise."""
    return unary(Sin, input, out)


class Cos(Unary):
    """The cosine."""

    __slots__ = ()
    kernel = "cos"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """-grad * sin(input)."""
        return neg(mul(grad, sin(self.saved[0])))


def cos(input: Any, *, out: Any = None) -> Any:
    """The cosine of an angle in radians, elementwise."""
    return unary(Cos, input, out)


class Tan(Unary):
    """The tangent."""

    __slots__ = ()
    kernel = "tan"
    to_float = True
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * (1 + result^2)."""
        y = self.saved[0]
        return mul(grad, add(mul(y, y), 1.0))


def tan(input: Any, *, out: Any = None) -> Any:
    """The tangent of an angle in radians, elementwise."""
    return unary(Tan, input, out)


class Asin(Unary):
    """The inverse sine."""

    __slots__ = ()
    kernel = "asin"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad / sqrt(1 - input^2)."""
        x = self.saved[0]
        return mul(grad, rsqrt(sub(1.0, mul(x, x))))


def asin(input: Any, *, out: Any = None) -> Any:
    """The angle in [-pi/2, pi/2] of a sine; NaN outside [-1, 1], elementwise."""
    return unary(Asin, input, out)


class Acos(Unary):
    """The inverse cosine."""

    __slots__ = ()
    kernel = "acos"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """-grad / sqrt(1 - input^2)."""
        x = self.saved[0]
        return neg(mul(grad, rsqrt(sub(1.0, mul(x, x)))))


def acos(input: Any, *, out: Any = None) -> Any:
    """The angle in [0, pi] of a cosine; NaN outside [-1, 1], elementwise."""
    return unary(Acos, input, out)


class Atan(Unary):
    """The inverse tangent."""

    __slots__ = ()
    kernel = "atan"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad / (1 + input^2)."""
        x = self.saved[0]
        return div(grad, add(mul(x, x), 1.0))


def atan(input: Any, *, out: Any = None) -> Any:
    """The angle in [-pi/2, pi/2] of a tangent, elementwise."""
    return unary(Atan, input, out)


class Sinh(Unary):
    """The hyperbolic sine."""

    __slots__ = ()
    kernel = "sinh"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * cosh(input)."""
        return mul(grad, cosh(self.saved[0]))


def sinh(input: Any, *, out: Any = None) -> Any:
    """The hyperbolic sine, elementwise."""
    return unary(Sinh, input, out)


class Cosh(Unary):
    """The hyperbolic cosine."""

    __slots__ = ()
    kernel = "cosh"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * sinh(input)."""
        return mul(grad, sinh(self.saved[0]))


def cosh(input: Any, *, out: Any = None) -> Any:
    """The hyperbolic cosine, elementwise."""
    return unary(Cosh, input, out)


class Tanh(Unary):
    """The hyperbolic tangent."""

    __slots__ = ()
    kernel = "tanh"
    to_float = True
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * (1 - result^2)."""
        y = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.tanh_backward(grad, y)
        return mul(grad, sub(1.0, mul(y, y)))


def tanh(input: Any, *, out: Any = None) -> Any:
    """The hyperbolic tangent, elementwise."""
    return unary(Tanh, input, out)


class Asinh(Unary):
    """The inverse hyperbolic sine."""

    __slots__ = ()
    kernel = "asinh"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad / sqrt(input^2 + 1)."""
        x = self.saved[0]
        return mul(grad, rsqrt(add(mul(x, x), 1.0)))


def asinh(input: Any, *, out: Any = None) -> Any:
    """The inverse hyperbolic sine, elementwise."""
    return unary(Asinh, input, out)


class Acosh(Unary):
    """The inverse hyperbolic cosine."""

    __slots__ = ()
    kernel = "acosh"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad / sqrt(input^2 - 1)."""
        x = self.saved[0]
        return mul(grad, rsqrt(sub(mul(x, x), 1.0)))


def acosh(input: Any, *, out: Any = None) -> Any:
    """The inverse hyperbolic cosine; NaN below 1, elementwise."""
    return unary(Acosh, input, out)


class Atanh(Unary):
    """The inverse hyperbolic tangent."""

    __slots__ = ()
    kernel = "atanh"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad / (1 - input^2)."""
        x = self.saved[0]
        return div(grad, sub(1.0, mul(x, x)))


def atanh(input: Any, *, out: Any = None) -> Any:
    """The inverse hyperbolic tangent; NaN outside [-1, 1], elementwise."""
    return unary(Atanh, input, out)


class Sinc(Unary):
    """sin(pi input) / (pi input)."""

    __slots__ = ()
    kernel = "sinc"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * (cos(pi input) - sinc(input)) / input, 0 at 0."""
        x = self.saved[0]
        angle = mul(x, math.pi)
        denominator = mul(angle, x)
        slope = div(sub(mul(cos(angle), angle), sin(angle)), denominator)
        return where(eq(denominator, 0), 0, mul(grad, slope))


def sinc(input: Any, *, out: Any = None) -> Any:
    """`sin(pi input) / (pi input)`, 1 at 0, elementwise."""
    return unary(Sinc, input, out)


class Deg2rad(Unary):
    """Degrees to radians."""

    __slots__ = ()
    torch_name = "Deg2RadBackward0"
    kernel = "deg2rad"
    to_float = True
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * pi / 180."""
        return mul(grad, math.pi / 180)


def deg2rad(input: Any, *, out: Any = None) -> Any:
    """Degrees to radians, elementwise."""
    return unary(Deg2rad, input, out)


class Rad2deg(Unary):
    """Radians to degrees."""

    __slots__ = ()
    torch_name = "Rad2DegBackward0"
    kernel = "rad2deg"
    to_float = True
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * 180 / pi."""
        return mul(grad, 180 / math.pi)


def rad2deg(input: Any, *, out: Any = None) -> Any:
    """Radians to degrees, elementwise."""
    return unary(Rad2deg, input, out)


arcsin = asin
arccos = acos
arctan = atan
arcsinh = asinh
arccosh = acosh
arctanh = atanh
