"""Powers: tensor to tensor, tensor to number, number to tensor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import as_array
from ..kernels import cpu, fast
from ._elementwise import Binary, Unary, binary, unary
from ._operands import converted, result_numpy, write_out, zeros_of
from .arith import mul, sub
from .assign import number_for
from .compare import eq, ge, logical_and, where
from .unary import log

__all__ = ["float_power", "pow", "square"]

_SHORTCUTS = (0.0, 0.5, 1.0, 2.0, 3.0, -0.5, -1.0, -2.0)  # cpu.pow_scalar has them


class Pow(Binary):
    """input ^ other."""

    __slots__ = ()
    kernel = "pow"
    saves = (0, 1)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """d input = grad * other * input^(other - 1), d other = grad * result * log(input).

        0 where other is 0, and for other where input is 0 and other is not negative.
        """
        x, y = self.saved
        f, g = self.next
        dx = dy = None
        if f:
            dx = where(eq(y, 0), 0, mul(grad, mul(y, pow(x, sub(y, 1.0)))))
        if g:
            slope = mul(grad, mul(pow(x, y), log(x)))
            dy = where(logical_and(eq(x, 0), ge(y, 0)), 0, slope)
        return self.fit(dx, dy)

    def name(self) -> str:
        return "PowBackward0" if self.next[1] is None else "PowBackward1"


class Square(Unary):
    """input ^ 2."""

    __slots__ = ()
    kernel = "square"
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """2 * grad * input."""
        return mul(mul(grad, self.saved[0]), 2.0)

    def name(self) -> str:
        return "PowBackward0"


class PowScalar(Node):
    """input ^ number."""

    saves = (0,)
    fresh = True
    exponent: float

    def forward(self, x: Any, exponent: float) -> Any:
        self.exponent = exponent
        return as_array(cpu.pow_scalar(x, exponent))

    def backward(self, grad: Any) -> Any:
        """grad * exponent * input^(exponent - 1); 0 for the exponent 0."""
        (x,) = self.saved
        e = self.exponent
        if e == 0:
            return zeros_of(grad)
        if e == 2:
            return mul(mul(grad, x), 2.0)
        return mul(mul(grad, float(e)), pow(x, e - 1))

    def name(self) -> str:
        return "PowBackward0"


class Cube(PowScalar):
    """input ^ 3, in one call."""

    exponent = 3.0


class Root(PowScalar):
    """input ^ 0.5, in one call."""

    exponent = 0.5


class Inverse(PowScalar):
    """input ^ -1, in one call."""

    exponent = -1.0


class InverseRoot(PowScalar):
    """input ^ -0.5, in one call."""

    exponent = -0.5


_KERNELS: dict[Any, tuple] = {
    cls.exponent: (cls, fast.spec(kernel, 1, cls.saves, (), False))
    for cls, kernel in (
        (Cube, "cube"),
        (Root, "sqrt"),
        (Inverse, "reciprocal"),
        (InverseRoot, "rsqrt"),
    )
}


class PowNumber(Pow):
    """input ^ number, in one call; what is saved is the input and the number."""

    __slots__ = ()

    def backward(self, grad: Any) -> Any:
        """grad * exponent * input^(exponent - 1)."""
        x, e = self.saved
        return mul(mul(grad, e), pow(x, e - 1)), None

    def name(self) -> str:
        return "PowBackward0"


_POW = fast.spec("pow", 2, Pow.saves, (), False)
_SQUARE: Any = Square.spec


class PowBase(Node):
    """number ^ input."""

    saves = (0,)
    saves_output = (0,)
    fresh = True

    def forward(self, y: Any, base: Any) -> Any:
        self.base = float(base)
        return as_array(cpu.pow(as_array(np.asarray(base).astype(y.dtype)), y))

    def backward(self, grad: Any) -> Any:
        """grad * base^input * log(base); 0 where 0 is raised to at least 0."""
        y, result = self.saved
        if self.base == 0:
            return where(ge(y, 0), 0, mul(grad, mul(result, -math.inf)))
        return mul(grad, mul(result, math.log(self.base) if self.base > 0 else math.nan))

    def name(self) -> str:
        return "PowBackward2"


def pow(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """`input ** exponent`, elementwise, broadcast; one of the two may be a number.

    RuntimeError: integers to a negative integer number.
    """
    if not isinstance(exponent, (Variable, np.ndarray)):
        if exponent == 2 and isinstance(input, Variable) and input._array.dtype.kind == "f":
            return unary(Square, input, out)
        if out is None and (exponent.__class__ is float or exponent.__class__ is int):
            result = None
            if exponent in _KERNELS:
                cls, spec = _KERNELS[exponent]
                result = fast.fast_unary(cls, spec, input)
            elif exponent.__class__ is float and exponent not in _SHORTCUTS:
                result = fast.fast_binary(PowNumber, _POW, input, exponent)
            if result is not None:
                return result
        dtype = result_numpy("pow", input, exponent)
        if isinstance(input, (Variable, np.ndarray)):
            if dtype.kind in "iu" and exponent < 0:
                raise RuntimeError("Integers to negative integer powers are not allowed.")
            if dtype.itemsize < 4:
                number_for(dtype, exponent)
            result = apply(PowScalar, (converted("pow", input, dtype),), exponent)
            return result if out is None else write_out("pow", out, result)
        raise TypeError(
            "pow(): at least one of 'input' and 'exponent' must be Tensor, not "
            f"{input.__class__.__name__} and {exponent.__class__.__name__}"
        )
    if isinstance(input, (Variable, np.ndarray)):
        return binary(Pow, input, exponent, out)
    dtype = result_numpy("pow", input, exponent)
    result = apply(PowBase, (converted("pow", exponent, dtype),), input)
    return result if out is None else write_out("pow", out, result)


def float_power(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """`input ** exponent` computed in float64, elementwise, broadcast."""
    double = np.dtype(np.float64)
    result_numpy("float_power", input, exponent)  # the argument check
    x, y = (
        converted("float_power", v, double) if isinstance(v, (Variable, np.ndarray)) else float(v)
        for v in (input, exponent)
    )
    return pow(x, y, out=out)


def square(input: Any, *, out: Any = None) -> Any:
    """`input * input`, elementwise."""
    if out is None:
        result = fast.fast_unary(Square, _SQUARE, input)
        if result is not None:
            return result
    return pow(input, 2, out=out)
