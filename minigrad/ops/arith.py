"""Arithmetic of two operands: add, sub, mul, div."""

from __future__ import annotations

from typing import Any

from ._elementwise import Binary, Unary, binary, unary

__all__ = ["add", "div", "divide", "mul", "multiply", "neg", "negative", "sub", "subtract"]


class Add(Binary):
    """input + other."""

    __slots__ = ()
    kernel = "add"

    def backward(self, grad: Any) -> Any:
        """d input = d other = grad."""
        return self.fit(grad, grad)


def add(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """`input + alpha * other`, elementwise, broadcast."""
    if alpha != 1:
        other = mul(other, alpha)
    return binary(Add, input, other, out)


class Sub(Binary):
    """input - other."""

    __slots__ = ()
    kernel = "sub"

    def backward(self, grad: Any) -> Any:
        """d input = grad, d other = -grad."""
        f, g = self.next
        return self.fit(f and grad, g and neg(grad))


def sub(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """`input - alpha * other`, elementwise, broadcast."""
    if alpha != 1:
        other = mul(other, alpha)
    return binary(Sub, input, other, out)


class Mul(Binary):
    """input * other."""

    __slots__ = ()
    kernel = "mul"
    saves = (0, 1)
    cross = True
    fresh = True

    def backward(self, grad: Any) -> Any:
        """d input = grad * other, d other = grad * input."""
        x, y = self.saved
        return self.fit(
            None if y is None else mul(grad, y),
            None if x is None else mul(grad, x),
        )


def mul(input: Any, other: Any, *, out: Any = None) -> Any:
    """`input * other`, elementwise, broadcast."""
    return binary(Mul, input, other, out)


class Div(Binary):
    """input / other."""

    __slots__ = ()
    kernel = "div"
    to_float = True
    saves = (0, 1)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """d input = grad / other, d other = -grad * input / other^2."""
        x, y = self.saved
        f, g = self.next
        return self.fit(
            f and div(grad, y),
            g and neg(div(mul(grad, div(x, y)), y)),
        )


def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Any = None) -> Any:
    """`input / other`, elementwise, broadcast; integers give the default float type."""
    return binary(Div, input, other, out)


class Neg(Unary):
    """-input."""

    __slots__ = ()
    kernel = "neg"
    fresh = True

    def backward(self, grad: Any) -> Any:
        """-grad."""
        return neg(grad)


def neg(input: Any, *, out: Any = None) -> Any:
    """`-input`."""
    return unary(Neg, input, out)


subtract = sub
multiply = mul
divide = div
negative = neg
