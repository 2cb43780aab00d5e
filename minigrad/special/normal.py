"""Functions of the normal distribution, and the entropy's summand, elementwise."""

from __future__ import annotations

import math
from typing import Any

from ..kernels import normal
from ..ops._elementwise import Unary, unary
from ..ops.arith import add, mul, neg, sub
from ..ops.unary import exp, log, reciprocal

__all__ = ["entr", "erfcx", "log_ndtr", "ndtr", "ndtri"]

_DENSITY = 1 / math.sqrt(2 * math.pi)


class _Normal(Unary):
    __slots__ = ()
    to_float = True
    saves: tuple[int, ...] = (0,)
    fresh = True


class Erfcx(_Normal):
    """exp(input^2) erfc(input)."""

    __slots__ = ()
    torch_name = "SpecialErfcxBackward0"
    cpu = staticmethod(normal.erfcx)
    title = "erfcx"

    def backward(self, grad: Any) -> Any:
        """grad * (2 input result - 2 / sqrt(pi))."""
        x = self.saved[0]
        return mul(grad, sub(mul(mul(x, 2.0), erfcx(x)), 2 / math.sqrt(math.pi)))


def erfcx(input: Any, *, out: Any = None) -> Any:
    """`exp(input^2) * erfc(input)`, which does not underflow, elementwise."""
    return unary(Erfcx, input, out)


class Ndtr(_Normal):
    """The normal distribution function."""

    __slots__ = ()
    cpu = staticmethod(normal.ndtr)
    title = "ndtr"

    def backward(self, grad: Any) -> Any:
        """grad * exp(-input^2 / 2) / sqrt(2 pi)."""
        x = self.saved[0]
        return mul(grad, mul(exp(mul(mul(x, x), -0.5)), _DENSITY))


def ndtr(input: Any, *, out: Any = None) -> Any:
    """The area under the standard normal density up to `input`, elementwise."""
    return unary(Ndtr, input, out)


class LogNdtr(_Normal):
    """The logarithm of the normal distribution function."""

    __slots__ = ()
    torch_name = "SpecialLogNdtrBackward0"
    cpu = staticmethod(normal.log_ndtr)
    title = "log_ndtr"

    def backward(self, grad: Any) -> Any:
        """grad * sqrt(2 / pi) / erfcx(-input / sqrt 2)."""
        scaled = erfcx(mul(self.saved[0], -math.sqrt(0.5)))
        return mul(grad, mul(reciprocal(scaled), math.sqrt(2 / math.pi)))


def log_ndtr(input: Any, *, out: Any = None) -> Any:
    """`log(ndtr(input))`, which does not underflow, elementwise."""
    return unary(LogNdtr, input, out)


class Ndtri(_Normal):
    """The inverse of the normal distribution function."""

    __slots__ = ()
    torch_name = "SpecialNdtriBackward0"
    saves = ()
    saves_output = (0,)
    cpu = staticmethod(normal.ndtri)
    title = "ndtri"

    def backward(self, grad: Any) -> Any:
        """grad * sqrt(2 pi) exp(result^2 / 2)."""
        y = self.saved[0]
        return mul(grad, mul(exp(mul(mul(y, y), 0.5)), 1 / _DENSITY))


def ndtri(input: Any, *, out: Any = None) -> Any:
    """The x with `ndtr(x) = input`, elementwise: infinite at 0 and 1, NaN outside."""
    return unary(Ndtri, input, out)


class Entr(_Normal):
    """-input log(input)."""

    __slots__ = ()
    torch_name = "SpecialEntrBackward0"
    cpu = staticmethod(normal.entr)
    title = "entr"

    def backward(self, grad: Any) -> Any:
        """-grad * (1 + log(input))."""
        return neg(mul(grad, add(log(self.saved[0]), 1.0)))


def entr(input: Any, *, out: Any = None) -> Any:
    """`-input * log(input)`, 0 at 0 and -infinity below, elementwise."""
    return unary(Entr, input, out)
