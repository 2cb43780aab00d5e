"""Arithmetic of two operands: sums, products, quotients and remainders."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.naming import named
from ..autograd.variable import Variable, wrap
from ..backend import as_array
from ..kernels import cpu
from ._elementwise import Binary, Unary, binary, unary
from ._operands import (
    need_one_tensor,
    not_a_tensor,
    operand,
    result_numpy,
    to_dtype,
    write_out,
    zeros_of,
)
from ._shape import array_of, other_layout

__all__ = [
    "add", "div", "divide", "floor_divide", "fmod", "mul", "multiply", "neg", "negative",
    "positive", "remainder", "rsub", "sub", "subtract", "true_divide",
]  # fmt: skip


class Add(Binary):
    """input + other."""

    __slots__ = ()
    kernel = "add"

    def backward(self, grad: Any) -> Any:
        """d input = d other = grad."""
        return self.fit(grad, grad)


def add(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """`input + alpha * other`, elementwise, broadcast."""
    if alpha.__class__ is not int or alpha != 1:
        return _scaled(Add, input, other, alpha, out)
    return binary(Add, input, other, out)


class Sub(Binary):
    """input - other."""

    __slots__ = ()
    kernel = "sub"

    @staticmethod
    def check(*arrays: Any) -> None:
        """Bools have no difference."""
        bools = [np.asarray(a).dtype.kind == "b" for a in arrays]
        if all(bools):
            raise RuntimeError(
                "Subtraction, the `-` operator, with two bool tensors is not supported. Use the "
                "`^` or `logical_xor()` operator instead."
            )
        if any(bools):
            raise RuntimeError(
                "Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
                "trying to invert a mask, use the `~` or `logical_not()` operator instead."
            )

    def backward(self, grad: Any) -> Any:
        """d input = grad, d other = -grad."""
        f, g = self.next
        return self.fit(f and grad, g and neg(grad))


def sub(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """`input - alpha * other`, elementwise, broadcast. RuntimeError for bools."""
    if alpha.__class__ is not int or alpha != 1:
        return _scaled(Sub, input, other, alpha, out)
    return binary(Sub, input, other, out)


def rsub(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """`other - alpha * input`, elementwise, broadcast."""
    if not isinstance(input, (Variable, np.ndarray)):
        raise not_a_tensor("rsub", "input", 1, input)
    if alpha.__class__ is not int or alpha != 1:
        result = _scaled(Sub, other, input, alpha, out)
    else:
        result = binary(Sub, other, input, out)
    return named(f"RsubBackward{int(not isinstance(other, Variable))}", result)


def _scaled(cls: type[Binary], input: Any, other: Any, alpha: Any, out: Any) -> Any:
    """`input ± alpha * other`; half precision is computed in float32 and rounded once."""
    name = cls.title
    if isinstance(alpha, Variable):
        alpha = alpha.item()
    if not isinstance(alpha, (bool, int, float, np.number, np.bool_)):
        raise TypeError(f"{name}(): argument 'alpha' must be Number, not {type(alpha).__name__}")
    special = other_layout(cls.kernel, input, other)
    if special is not None:
        return special(input, other, alpha=alpha)
    dtype = result_numpy(name, input, other)
    cls.check(array_of(input), array_of(other))
    if isinstance(alpha, (bool, np.bool_)) and dtype.kind != "b":
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, (float, np.floating)) and dtype.kind not in "fV":
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )
    pair = (input, other)
    in_one_pass = out is None and dtype.kind == "f" and dtype.itemsize > 2
    if in_one_pass and all(
        isinstance(x, Variable) and x._array.dtype == dtype and not x.requires_grad for x in pair
    ):  # nothing is recorded
        factor = float(alpha) if cls is Add else -float(alpha)
        return wrap(as_array(cpu.add_scaled(input._array, other._array, factor)))
    wide = np.dtype(np.float32) if dtype.kind in "fV" and dtype.itemsize == 2 else dtype
    scaled = binary(Mul, operand(name, other, wide), operand(name, alpha, wide))
    result = binary(cls, operand(name, input, wide), scaled)
    if wide is not dtype:
        result = to_dtype(result, dtype)
    return result if out is None else write_out(name, out, result)


class Rsub(Sub):
    """other - input, of `rsub` and of a number on the left."""

    __slots__ = ()
    torch_name = "RsubBackward1"


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
    """`input / other`, elementwise, broadcast; integers give the default float type.

    `rounding_mode` "trunc" rounds towards zero, "floor" downwards; integers then stay integers.
    """
    if rounding_mode is None:
        return binary(Div, input, other, out)
    if rounding_mode == "floor":
        return binary(DivFloor, input, other, out)
    if rounding_mode == "trunc":
        return binary(DivTrunc, input, other, out)
    raise RuntimeError(
        "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
        f"'{rounding_mode}'"
    )


def true_divide(input: Any, other: Any, *, out: Any = None) -> Any:
    """`div(input, other)`."""
    return div(input, other, out=out)


class _Step(Binary):
    """A piecewise constant function."""

    __slots__ = ()
    fresh = True

    def backward(self, grad: Any) -> Any:
        """0."""
        f, g = self.next
        return self.fit(f and zeros_of(grad), g and zeros_of(grad))


class Rdiv(Div):
    """A number over input, which PyTorch takes as a multiple of the reciprocal."""

    __slots__ = ()
    torch_name = "MulBackward0"


class DivFloor(_Step):
    """floor(input / other)."""

    __slots__ = ()
    torch_name = "DivBackward2"
    kernel = "div_floor"
    title = "div"


class DivTrunc(_Step):
    """trunc(input / other)."""

    __slots__ = ()
    torch_name = "DivBackward2"
    kernel = "div_trunc"
    title = "div"


class FloorDivide(Binary):
    """floor(input / other), which PyTorch gives no gradient."""

    __slots__ = ()
    kernel = "div_floor"
    title = "floor_divide"

    def backward(self, grad: Any) -> Any:
        """None: an error, as in PyTorch."""
        raise RuntimeError("derivative for aten::floor_divide is not implemented")


def floor_divide(input: Any, other: Any, *, out: Any = None) -> Any:
    """`floor(input / other)`, elementwise, broadcast. RuntimeError: an integer divided by 0."""
    return binary(FloorDivide, input, other, out)


class Remainder(Binary):
    """input - other * floor(input / other)."""

    __slots__ = ()
    kernel = "remainder"
    saves = (0, 1)

    def backward(self, grad: Any) -> Any:
        """d input = grad, d other = -grad * floor(input / other)."""
        x, y = self.saved
        f, g = self.next
        return self.fit(f and grad, g and neg(mul(grad, div(x, y, rounding_mode="floor"))))

    def name(self) -> str:
        return "RemainderBackward0" if self.next[1] is None else "RemainderBackward1"


def remainder(input: Any, other: Any, *, out: Any = None) -> Any:
    """The remainder with the sign of `other` (Python's `%`), elementwise, broadcast."""
    need_one_tensor("remainder", input, other)
    return binary(Remainder, input, other, out)


class Fmod(Binary):
    """input - other * trunc(input / other)."""

    __slots__ = ()
    kernel = "fmod"
    saves = (0, 1)

    def backward(self, grad: Any) -> Any:
        """d input = grad, d other = -grad * trunc(input / other)."""
        x, y = self.saved
        f, g = self.next
        return self.fit(f and grad, g and neg(mul(grad, div(x, y, rounding_mode="trunc"))))

    def name(self) -> str:
        return "FmodBackward0" if self.next[1] is None else "FmodBackward1"


def fmod(input: Any, other: Any, *, out: Any = None) -> Any:
    """The remainder with the sign of `input` (C's fmod), elementwise, broadcast."""
    if not isinstance(input, (Variable, np.ndarray)):
        raise not_a_tensor("fmod", "input", 1, input)
    return binary(Fmod, input, other, out)


class Neg(Unary):
    """-input."""

    __slots__ = ()
    kernel = "neg"
    fresh = True

    def backward(self, grad: Any) -> Any:
        """-grad."""
        return neg(grad)


def neg(input: Any, *, out: Any = None) -> Any:
    """`-input`. RuntimeError for bools."""
    return unary(Neg, input, out)


def positive(input: Any) -> Any:
    """`input` itself. RuntimeError for bools."""
    if not isinstance(input, (Variable, np.ndarray)):
        raise not_a_tensor("positive", "input", 1, input)
    if array_of(input).dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


subtract = sub
multiply = mul
divide = div
negative = neg
