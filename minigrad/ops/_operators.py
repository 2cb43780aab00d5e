"""Methods behind Python's operators where they are not the op functions themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.variable import Variable
from ..kernels import fast
from ._elementwise import binary
from ._inplace import write
from ._shape import array_of, as_shape
from .arith import Add, Div, Mul, Neg, Rdiv, Rsub, Sub, add, div, mul, neg, sub
from .compare import bitwise_not, eq, ge, gt, le, lt, ne, where
from .power import float_power
from .reduce import sum
from .special import polygamma

_MUL: Any = Mul.spec
_SEQUENCES = (list, tuple, str, bytes, bytearray)
_OPERANDS = (Variable, bool, int, float, complex, np.ndarray, np.generic)


def compile_operators() -> None:
    """Puts compiled operators into the tensor class, which has its methods by now."""
    fast.bind_operators(
        (
            ("__add__", "__radd__", add, Add, Add, True),
            ("__sub__", "__rsub__", sub, Sub, Rsub, False),
            ("__mul__", "__rmul__", mul, Mul, Mul, True),
            ("__truediv__", "__rtruediv__", div, Div, Rdiv, False),
        ),
        (neg, Neg),
        (
            ("__lt__", lt),
            ("__le__", le),
            ("__eq__", eq),
            ("__ne__", ne),
            ("__gt__", gt),
            ("__ge__", ge),
        ),
    )


def comparing(op: Callable) -> Callable:
    """`__eq__` and the like: `t == None` and `t == "a"` are left to Python, as in PyTorch."""

    def method(self: Any, other: Any) -> Any:
        return op(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    return method


def reflected(op: Callable) -> Callable:
    """`__rsub__` and the like: the operands the other way round."""

    def method(self: Any, other: Any) -> Any:
        return op(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    return method


def repeated_or_multiplied(self: Any, other: Any) -> Any:
    """`__rmul__`: a product, or left to Python, which repeats a sequence an integer tensor's times.

    One frame, as small models multiply by numbers on the left.
    """
    t = fast.fast_binary(Mul, _MUL, self, other)
    if t is not None:
        return t
    return NotImplemented if isinstance(other, _SEQUENCES) else binary(Mul, self, other)


def reflected_as(op: Callable, plain: type, own: type) -> Callable:
    """`reflected`, whose node takes the class `own` in place of `plain`."""

    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        result = op(other, self)
        fn = getattr(result, "_fn", None)
        if fn.__class__ is plain:
            fn.__class__ = own
        return result

    return method


def invert(self: Any) -> Any:
    """`~t`. TypeError for floating point."""
    if array_of(self).dtype.kind in "fV":
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
        )
    return bitwise_not(self)


def float_power_in_place(self: Any, exponent: Any) -> Any:
    """`float_power` written to self. RuntimeError unless self is float64."""
    if array_of(self).dtype != np.float64:
        given = dtypes.type_name(dtypes.from_numpy(array_of(self).dtype))
        raise RuntimeError(
            f"the base given to float_power_ has dtype {given} but the operation's result "
            "requires dtype Double"
        )
    return write(self, float_power, (exponent,))


def where_method(self: Any, condition: Any, other: Any) -> Any:
    """`where(condition, self, other)`."""
    return where(condition, self, other)


def polygamma_method(self: Any, n: int) -> Any:
    """`polygamma(n, self)`."""
    return polygamma(n, self)


def sum_to_size(self: Any, *size: Any) -> Any:
    """The sum over the dimensions that broadcasting `size` to self's shape would repeat."""
    shape, own = as_shape(size), array_of(self).shape
    fits = len(shape) <= len(own) and all(
        n in (1, m) for n, m in zip(reversed(shape), reversed(own), strict=False)
    )
    if not fits:
        raise RuntimeError(f"size {{{list(shape)}}} is not expandable to size {{{list(own)}}}.")
    if shape == own and own:
        return self
    lead = len(own) - len(shape)
    dims = [i for i, n in enumerate(own) if i < lead or (shape[i - lead] == 1 and n != 1)]
    return sum(self, dims, True).view(shape)
