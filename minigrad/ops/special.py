"""Special functions: error functions, gamma functions, sigmoid and its inverse."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import as_array
from ..kernels import cpu
from ._elementwise import Unary, unary
from ._operands import floating, write_out
from .arith import add, div, mul, neg, sub
from .compare import gt, logical_or, lt, where
from .unary import exp

__all__ = [
    "digamma", "erf", "erfc", "erfinv", "expit", "lgamma", "logit", "polygamma", "sigmoid",
]  # fmt: skip

_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


class Erf(Unary):
    """The error function."""

    __slots__ = ()
    kernel = "erf"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * 2 / sqrt(pi) * e^(-input^2)."""
        x = self.saved[0]
        return mul(mul(grad, _TWO_OVER_ROOT_PI), exp(neg(mul(x, x))))


def erf(input: Any, *, out: Any = None) -> Any:
    """The error function, elementwise."""
    return unary(Erf, input, out)


class Erfc(Unary):
    """1 - erf(input)."""

    __slots__ = ()
    kernel = "erfc"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """-grad * 2 / sqrt(pi) * e^(-input^2)."""
        x = self.saved[0]
        return mul(mul(grad, -_TWO_OVER_ROOT_PI), exp(neg(mul(x, x))))


def erfc(input: Any, *, out: Any = None) -> Any:
    """`1 - erf(input)`, accurate where it is small, elementwise."""
    return unary(Erfc, input, out)


class Erfinv(Unary):
    """The inverse of erf."""

    __slots__ = ()
    kernel = "erfinv"
    to_float = True
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * sqrt(pi) / 2 * e^(result^2)."""
        y = self.saved[0]
        return mul(mul(grad, 1 / _TWO_OVER_ROOT_PI), exp(mul(y, y)))


def erfinv(input: Any, *, out: Any = None) -> Any:
    """The inverse of the error function, elementwise; infinite at -1 and 1, NaN beyond."""
    return unary(Erfinv, input, out)


class Lgamma(Unary):
    """log |gamma(input)|."""

    __slots__ = ()
    kernel = "lgamma"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * digamma(input)."""
        return mul(grad, digamma(self.saved[0]))


def lgamma(input: Any, *, out: Any = None) -> Any:
    """The logarithm of the absolute value of the gamma function, elementwise."""
    return unary(Lgamma, input, out)


class Digamma(Unary):
    """The derivative of lgamma."""

    __slots__ = ()
    kernel = "digamma"
    to_float = True
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * polygamma(1, input)."""
        return mul(grad, polygamma(1, self.saved[0]))


def digamma(input: Any, *, out: Any = None) -> Any:
    """The logarithmic derivative of the gamma function, elementwise."""
    return unary(Digamma, input, out)


class Polygamma(Node):
    """The n-th derivative of digamma."""

    saves = (0,)
    fresh = True

    def forward(self, x: Any, n: int) -> Any:
        self.n = n
        return cpu.polygamma(x, n)

    def backward(self, grad: Any) -> Any:
        """grad * polygamma(n + 1, input)."""
        return mul(grad, polygamma(self.n + 1, self.saved[0]))


def polygamma(n: int, input: Any, *, out: Any = None) -> Any:
    """The n-th derivative of `digamma`, elementwise. RuntimeError for a negative n."""
    try:
        order = operator.index(n)
    except TypeError:
        raise TypeError(
            f"polygamma(): argument 'n' (position 1) must be int, not {n.__class__.__name__}"
        ) from None
    if order < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    if order == 0:
        return digamma(input, out=out)
    result = apply(Polygamma, (floating("polygamma", input),), order)
    return result if out is None else write_out("polygamma", out, result)


class Sigmoid(Unary):
    """1 / (1 + e^-input)."""

    __slots__ = ()
    kernel = "sigmoid"
    to_float = True
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * (1 - result) * result."""
        y = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.sigmoid_backward(grad, y)
        return mul(grad, mul(sub(1.0, y), y))


def sigmoid(input: Any, *, out: Any = None) -> Any:
    """`1 / (1 + e^-input)`, elementwise."""
    return unary(Sigmoid, input, out)


class Logit(Node):
    """log(input / (1 - input)), the input clamped to [eps, 1 - eps]."""

    saves = (0,)
    fresh = True

    def forward(self, x: Any, eps: float | None) -> Any:
        self.eps = eps
        if eps is not None:
            high = cpu.clamp(x, None, 1 - eps)
            x = np.where(x < eps, x.dtype.type(eps), high)  # the lower limit wins
        return as_array(cpu.logit(x))

    def backward(self, grad: Any) -> Any:
        """grad / (input * (1 - input)); outside [eps, 1 - eps] 0, without eps NaN."""
        x = self.saved[0]
        slope = div(grad, mul(add(x, 0.0), sub(1.0, x)))  # + 0 makes -0 positive
        low = 0.0 if self.eps is None else self.eps
        outside = logical_or(lt(x, low), gt(x, 1 - low))
        return where(outside, math.nan if self.eps is None else 0, slope)


def logit(input: Any, eps: float | None = None, *, out: Any = None) -> Any:
    """`log(input / (1 - input))`, the inverse of `sigmoid`, elementwise.

    With `eps` the input is clamped to [eps, 1 - eps] first.
    """
    if eps is not None and not isinstance(eps, (int, float)):
        raise TypeError(f"logit(): argument 'eps' must be float, not {eps.__class__.__name__}")
    result = apply(Logit, (floating("logit", input),), eps)
    return result if out is None else write_out("logit", out, result)


expit = sigmoid
