"""Functions of two operands beyond arithmetic: angles, lengths, logarithms of sums, signs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.naming import named
from ..autograd.variable import Variable
from ..kernels._quiet import unsupported
from ._elementwise import Binary, binary, unrecorded
from ._operands import need_one_tensor, need_tensors, not_a_tensor, operand, result_numpy, zeros_of
from ._shape import array_of
from .arith import add, div, mul, neg, sub
from .compare import eq, le, logical_and, where
from .power import pow
from .unary import exp, exp2, reciprocal

__all__ = [
    "arctan2", "atan2", "copysign", "gcd", "heaviside", "hypot", "lcm", "ldexp", "logaddexp",
    "logaddexp2", "nextafter", "xlogy",
]  # fmt: skip


class _Floats(Binary):
    """Two floating-point tensors."""

    __slots__ = ()
    tensors_only = True


def _refuse_integers(name: str, *values: Any) -> None:
    """Refuses operands none of which is floating point, as PyTorch's kernels do."""
    arrays = [array_of(v) for v in values if isinstance(v, (Variable, np.ndarray))]
    if len(arrays) == 2 and all(a.dtype.kind not in "fV" for a in arrays):
        raise unsupported(f"{name}_cpu", np.empty(0, result_numpy(name, *arrays)))


class Atan2(_Floats):
    """The angle of the point (other, input)."""

    __slots__ = ()
    kernel = "atan2"
    to_float = True
    saves = (0, 1)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """d input = grad * other / r^2, d other = -grad * input / r^2, 0 at the origin.

        r^2 = input^2 + other^2.
        """
        y, x = self.saved
        f, g = self.next
        squared = add(mul(y, y), mul(x, x))
        scaled = mul(grad, where(eq(squared, 0), 0, reciprocal(squared)))
        return self.fit(f and mul(scaled, x), g and neg(mul(scaled, y)))


def atan2(input: Any, other: Any, *, out: Any = None) -> Any:
    """The angle of the point (x = other, y = input) in radians, elementwise, broadcast."""
    return binary(Atan2, input, other, out)


class Hypot(_Floats):
    """sqrt(input^2 + other^2)."""

    __slots__ = ()
    kernel = "hypot"
    saves = (0, 1)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """d input = grad * input / result, d other = grad * other / result."""
        x, y = self.saved
        f, g = self.next
        result = hypot(x, y)
        return self.fit(f and mul(grad, div(x, result)), g and mul(grad, div(y, result)))


def hypot(input: Any, other: Any, *, out: Any = None) -> Any:
    """`sqrt(input^2 + other^2)` without overflow, elementwise, broadcast. Floats only."""
    _refuse_integers("hypot", input, other)
    return binary(Hypot, input, other, out)


class Logaddexp(_Floats):
    """log(e^input + e^other)."""

    __slots__ = ()
    kernel = "logaddexp"
    saves = (0, 1)
    fresh = True
    power: Any = staticmethod(exp)

    def backward(self, grad: Any) -> Any:
        """d input = grad / (1 + e^(other - input)), and the other way round."""
        x, y = self.saved
        f, g = self.next
        power = self.__class__.power
        return self.fit(
            f and div(grad, add(power(sub(y, x)), 1.0)), g and div(grad, add(power(sub(x, y)), 1.0))
        )


def logaddexp(input: Any, other: Any, *, out: Any = None) -> Any:
    """`log(e^input + e^other)` without overflow, elementwise, broadcast. Floats only."""
    _refuse_integers("logaddexp", input, other)
    return binary(Logaddexp, input, other, out)


class Logaddexp2(Logaddexp):
    """log2(2^input + 2^other), with 2 for e in the gradients."""

    __slots__ = ()
    kernel = "logaddexp2"
    power = staticmethod(exp2)


def logaddexp2(input: Any, other: Any, *, out: Any = None) -> Any:
    """`log2(2^input + 2^other)` without overflow, elementwise, broadcast. Floats only."""
    _refuse_integers("logaddexp2", input, other)
    return binary(Logaddexp2, input, other, out)


class Xlogy(Binary):
    """input * log(other)."""

    __slots__ = ()
    kernel = "xlogy"
    to_float = True
    saves = (0, 1)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """d input = grad * log(other), d other = grad * input / other.

        0 for input where input is 0 and other is not positive.
        """
        x, y = self.saved
        f, g = self.next
        dx = None
        if f:
            undefined = logical_and(eq(x, 0), le(np.asarray(array_of(y)), 0))
            dx = where(undefined, 0, xlogy(grad, y))
        return self.fit(dx, g and div(mul(grad, x), y))


def xlogy(input: Any, other: Any, *, out: Any = None) -> Any:
    """`input * log(other)`, 0 where input is 0, elementwise, broadcast."""
    need_one_tensor("xlogy", input, other)
    return binary(Xlogy, input, other, out)


class Copysign(Binary):
    """|input| with the sign of other."""

    __slots__ = ()
    kernel = "copysign"
    to_float = True
    saves = (0, 1)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """d input = grad * result / input, 0 where input is 0; d other = 0."""
        x, y = self.saved
        f, g = self.next
        dx = None
        if f:
            dx = mul(grad, where(eq(x, 0), 0, div(binary(Copysign, x, y, None), x)))
        return self.fit(dx, g and zeros_of(grad))


def copysign(input: Any, other: Any, *, out: Any = None) -> Any:
    """`|input|` with the sign of `other` (a tensor or a number), elementwise, broadcast."""
    if not isinstance(input, (Variable, np.ndarray)):
        raise not_a_tensor("copysign", "input", 1, input)
    return binary(Copysign, input, other, out)


class Nextafter(_Floats):
    """The next number after input towards other."""

    __slots__ = ()
    kernel = "nextafter"
    saves = (0, 1)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """d input = grad where the two differ; d other = grad where they are equal; else 0."""
        x, y = self.saved
        f, g = self.next
        same = eq(x, y)
        return self.fit(f and where(same, 0, grad), g and where(same, grad, 0))


def nextafter(input: Any, other: Any, *, out: Any = None) -> Any:
    """The next representable number after `input` towards `other`, elementwise, broadcast."""
    _refuse_integers("nextafter", input, other)
    return binary(Nextafter, input, other, out)


class Heaviside(_Floats):
    """0 below 0, 1 above it, other at it."""

    __slots__ = ()
    kernel = "heaviside"
    title = "heaviside"

    def backward(self, grad: Any) -> Any:
        """None: an error, as in PyTorch."""
        raise RuntimeError("derivative for aten::heaviside is not implemented")


def heaviside(input: Any, values: Any, *, out: Any = None) -> Any:
    """0 where input < 0, 1 where input > 0, `values` where it is 0, elementwise, broadcast."""
    need_tensors("heaviside", input=input, values=values)
    if array_of(input).dtype != array_of(values).dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    return binary(Heaviside, input, values, out)


def _is_float(value: Any) -> bool:
    return array_of(value).dtype.kind in "fV"


def ldexp(input: Any, other: Any, *, out: Any = None) -> Any:
    """`input * 2^other`, elementwise, broadcast."""
    need_tensors("ldexp", input=input, other=other)
    base = operand("ldexp", 2.0, array_of(input).dtype) if _is_float(input) else 2.0
    return named("LdexpBackward0", mul(input, pow(base, other), out=out))


def _whole(name: str, function: Any, what: str) -> Any:
    def kernel(x: Any, y: Any) -> Any:
        if x.dtype.kind not in "iu":
            raise unsupported(f"{name}_cpu", x)
        return function(x, y)

    def op(input: Any, other: Any, *, out: Any = None) -> Any:
        need_tensors(name, input=input, other=other)
        return unrecorded(name, kernel, (input, other), None, out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"{what} of integers, elementwise, broadcast."
    return op


def _gcd(x: Any, y: Any) -> Any:
    """NumPy's, but for the least number of a type, which has no absolute value: as in C++."""
    result = np.gcd(x, y)
    if x.dtype.kind == "i":
        least = np.iinfo(x.dtype).min
        odd = (x == least) | (y == least)
        if odd.any():
            result = np.where(odd, _euclid(*np.broadcast_arrays(x, y)), result)
    return result


def _euclid(x: Any, y: Any) -> Any:
    """Euclid's algorithm on all elements at once, in the type's own wrapping numbers."""
    a, b = np.abs(x), np.abs(y)
    while a.any():
        rest = np.fmod(b, np.where(a == 0, 1, a).astype(a.dtype))
        a, b = np.where(a == 0, a, rest), np.where(a == 0, b, a)
    return b


gcd = _whole("gcd", _gcd, "The greatest common divisor")


def _lcm(x: Any, y: Any) -> Any:
    """NumPy's; what does not fit wraps around before the absolute value is taken, as in C++."""
    if x.dtype.kind == "i" and x.dtype.itemsize < 4:  # C++ takes it of an int, and wraps after
        wide = np.abs(np.lcm(x.astype(np.int32), y.astype(np.int32)))
        return wide.astype(x.dtype)
    return np.abs(np.lcm(x, y))


lcm = _whole("lcm", _lcm, "The least common multiple")
arctan2 = atan2
