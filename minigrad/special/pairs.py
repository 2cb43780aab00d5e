"""Special functions of two operands, and the multivariate gamma function."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..kernels import gamma_integrals
from ..ops._elementwise import Binary, binary
from ..ops._operands import floating, need_one_tensor, need_tensors, write_out
from ..ops._shape import array_of
from ..ops.arith import add, div, mul, neg, sub
from ..ops.compare import eq, le, logical_and, where
from ..ops.pairs import xlogy
from ..ops.special import lgamma
from ..ops.unary import exp, log1p

__all__ = ["gammainc", "gammaincc", "igamma", "igammac", "multigammaln", "xlog1py", "zeta"]


class _Pair(Binary):
    __slots__ = ()
    to_float = True
    saves = (0, 1)
    fresh = True


def _missing(name: str, argument: str) -> NotImplementedError:
    return NotImplementedError(f"the derivative for '{name}: {argument}' is not implemented.")


class Gammainc(_Pair):
    """The regularized lower incomplete gamma function."""

    __slots__ = ()
    cpu = staticmethod(gamma_integrals.gammainc)
    title = "igamma"
    sign = 1

    def backward(self, grad: Any) -> Any:
        """d other = grad * other^(input - 1) e^-other / gamma(input); none of input, as PyTorch."""
        a, x = self.saved
        f, g = self.next
        if f is not None:
            raise _missing(self.title, "input")
        density = exp(sub(sub(xlogy(sub(a, 1.0), x), x), lgamma(a)))
        return self.fit(None, g and mul(grad if self.sign > 0 else neg(grad), density))


class Gammaincc(Gammainc):
    """The regularized upper incomplete gamma function."""

    __slots__ = ()
    cpu = staticmethod(gamma_integrals.gammaincc)
    title = "igammac"
    sign = -1


def igamma(input: Any, other: Any, *, out: Any = None) -> Any:
    """P(input, other), the lower incomplete gamma function over gamma(input), elementwise."""
    need_tensors("igamma", input=input, other=other)
    return binary(Gammainc, input, other, out)


def igammac(input: Any, other: Any, *, out: Any = None) -> Any:
    """Q(input, other) = 1 - P(input, other), accurate where it is small, elementwise."""
    need_tensors("igammac", input=input, other=other)
    return binary(Gammaincc, input, other, out)


gammainc, gammaincc = igamma, igammac


def _log1p(y: Any) -> Any:
    """log(1 + y) of a tensor, an array or a number."""
    if isinstance(y, (int, float)):
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.log1p(y))
    return log1p(y)


class Xlog1py(_Pair):
    """input log(1 + other)."""

    __slots__ = ()
    torch_name = "SpecialXlog1PyBackward0"
    cpu = staticmethod(gamma_integrals.xlog1py)
    title = "special_xlog1py"

    def backward(self, grad: Any) -> Any:
        """d input = grad log(1 + other), 0 where both are; d other = grad input / (1 + other)."""
        x, y = self.saved
        f, g = self.next
        dx = None
        if f:
            undefined = logical_and(eq(x, 0), le(np.asarray(array_of(y)), -1))
            dx = where(undefined, 0, mul(grad, _log1p(y)))
        return self.fit(dx, g and div(mul(grad, x), add(y, 1.0)))


def xlog1py(input: Any, other: Any, *, out: Any = None) -> Any:
    """`input * log(1 + other)`, 0 where input is 0, elementwise, broadcast."""
    need_one_tensor("special_xlog1py", input, other)
    return binary(Xlog1py, input, other, out)


class Zeta(_Pair):
    """Hurwitz's zeta function."""

    __slots__ = ()
    cpu = staticmethod(gamma_integrals.zeta)
    title = "special_zeta"

    def backward(self, grad: Any) -> Any:
        """d other = -grad input zeta(input + 1, other); none of input, as in PyTorch."""
        s, q = self.saved
        f, g = self.next
        if f is not None:
            raise _missing("zeta", "self")
        return self.fit(None, g and neg(mul(mul(grad, s), zeta(add(s, 1.0), q))))


def zeta(input: Any, other: Any, *, out: Any = None) -> Any:
    """The sum of 1 / (other + k)^input over k >= 0, elementwise, broadcast."""
    need_one_tensor("special_zeta", input, other)
    return binary(Zeta, input, other, out)


def multigammaln(input: Any, p: int, *, out: Any = None) -> Any:
    """The logarithm of the multivariate gamma function of dimension `p` >= 1, elementwise.

    The sum of lgamma(input - j / 2) over j < p, and p (p - 1) / 4 log(pi).
    """
    x = floating("mvlgamma", input)
    order = operator.index(p)
    if array_of(input).dtype.kind == "b":
        raise RuntimeError("The input tensor may not be a boolean tensor.")
    if order < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    result = lgamma(x)
    for j in range(1, order):
        result = add(result, lgamma(sub(x, j / 2)))
    if order > 1:
        result = add(result, order * (order - 1) / 4 * math.log(math.pi))
    return result if out is None else write_out("mvlgamma", out, result)
