"""Comparison, predicates, logic, bits, and choosing by a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node, Variable, wrap
from ..backend import as_array
from ..kernels import cpu, fast
from ._elementwise import unrecorded
from ._operands import (
    misfit,
    need_one_tensor,
    need_tensors,
    not_a_tensor,
    number,
    operand,
    operand_array,
    result_numpy,
    write_out,
)
from ._shape import array_of, sum_to
from .assign import number_for
from .masked import nonzero

__all__ = [
    "allclose", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "eq", "equal", "ge", "greater", "greater_equal", "gt",
    "isclose", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "isreal", "le", "less",
    "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "ne",
    "not_equal", "signbit", "where",
]  # fmt: skip


def _comparison(name: str, symbol: str) -> Any:
    kernel = getattr(cpu, name)
    index = fast.COMPARE.index(name)

    def op(input: Any, other: Any, *, out: Any = None) -> Any:
        if out is None:
            t = fast.fast_compare(index, input, other)
            if t is not None:
                return t
        if out is None and isinstance(input, Variable) and isinstance(other, Variable):
            x, y = input._array, other._array
            if y.dtype is x.dtype and y.shape == x.shape:  # nothing to promote
                return wrap(as_array(kernel(x, y)))
        elif (
            out is None
            and other.__class__ is int
            and 0 <= other < 128  # every integer type holds it
            and isinstance(input, Variable)
            and input._array.dtype.kind in "iu"
        ):
            return wrap(as_array(kernel(input._array, other)))
        if not isinstance(input, (Variable, np.ndarray)):
            if isinstance(other, np.ndarray):
                return kernel(input, other)
            raise not_a_tensor(name, "input", 1, input)
        return unrecorded(name, kernel, (input, other), None, out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"`input {symbol} other`, elementwise, broadcast, as bools. No gradient."
    return op


eq = _comparison("eq", "==")
ne = _comparison("ne", "!=")
lt = _comparison("lt", "<")
le = _comparison("le", "<=")
gt = _comparison("gt", ">")
ge = _comparison("ge", ">=")


def _predicate(name: str, kernel: Any, what: str) -> Any:
    def op(input: Any, *, out: Any = None) -> Any:
        if not isinstance(input, (Variable, np.ndarray)):
            raise not_a_tensor(name, "input", 1, input)
        return unrecorded(name, kernel, (input,), array_of(input).dtype, out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"{what}, elementwise, as bools. No gradient."
    return op


_NE = fast.COMPARE.index("ne")
_isnan = _predicate("isnan", cpu.isnan, "Whether a value is NaN")


def isnan(input: Any, *, out: Any = None) -> Any:
    """Whether a value is NaN, elementwise, as bools. No gradient."""
    if out is None:
        result = fast.fast_compare(_NE, input, input)
        if result is not None:
            return result
    return _isnan(input, out=out)


isinf = _predicate("isinf", cpu.isinf, "Whether a value is infinite")
isfinite = _predicate("isfinite", cpu.isfinite, "Whether a value is neither infinite nor NaN")
isposinf = _predicate("isposinf", cpu.isposinf, "Whether a value is plus infinity")
isneginf = _predicate("isneginf", cpu.isneginf, "Whether a value is minus infinity")
isreal = _predicate("isreal", cpu.isreal, "True: there are no complex tensors")
signbit = _predicate("signbit", cpu.signbit, "Whether the sign bit is set, as it is in -0.0")
logical_not = _predicate("logical_not", cpu.logical_not, "Whether a value is 0")


def _logical(name: str, word: str) -> Any:
    kernel = getattr(cpu, name)

    def op(input: Any, other: Any, *, out: Any = None) -> Any:
        need_tensors(name, input=input, other=other)
        # Truth first: converting to a common type could round a small number to 0.
        truths = tuple([ne(v, 0) for v in (input, other)])
        return unrecorded(name, kernel, truths, None, out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"`input {word} other` of truth values, elementwise, broadcast. No gradient."
    return op


logical_and = _logical("logical_and", "and")
logical_or = _logical("logical_or", "or")
logical_xor = _logical("logical_xor", "xor")


def _bitwise(name: str, kernel_name: str, symbol: str) -> Any:
    kernel = getattr(cpu, kernel_name)

    def op(input: Any, other: Any, *, out: Any = None) -> Any:
        if out is None and isinstance(input, Variable) and isinstance(other, Variable):
            x, y = input._array, other._array
            if x.dtype is y.dtype and x.shape == y.shape and x.dtype.kind in "biu":
                return wrap(as_array(kernel(x, y)))
        need_one_tensor(name, input, other)
        return unrecorded(name, kernel, (input, other), None, out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"`input {symbol} other` of integers (or bools), elementwise, broadcast."
    return op


bitwise_and = _bitwise("bitwise_and", "bitwise_and", "&")
bitwise_or = _bitwise("bitwise_or", "bitwise_or", "|")
bitwise_xor = _bitwise("bitwise_xor", "bitwise_xor", "^")
bitwise_left_shift = _bitwise("bitwise_left_shift", "left_shift", "<<")
bitwise_right_shift = _bitwise("bitwise_right_shift", "right_shift", ">>")


def bitwise_not(input: Any, *, out: Any = None) -> Any:
    """`~input` of integers, `not input` of bools, elementwise."""
    if not isinstance(input, (Variable, np.ndarray)):
        raise not_a_tensor("bitwise_not", "input", 1, input)
    return unrecorded("bitwise_not", cpu.bitwise_not, (input,), array_of(input).dtype, out)


def isclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """`|input - other| <= atol + rtol |other|`, elementwise, broadcast, as bools.

    RuntimeError for different dtypes and negative tolerances.
    """
    need_tensors("isclose", input=input, other=other)
    x, y = array_of(input), array_of(other)
    if x.dtype != y.dtype:
        a, b = (dtypes.type_name(dtypes.from_numpy(v.dtype)) for v in (x, y))
        raise RuntimeError(f"{a} did not match {b}")
    rtol, atol = number("isclose", "rtol", 3, rtol), number("isclose", "atol", 4, atol)
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not value >= 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value}")

    def close(x: Any, y: Any) -> Any:
        result = np.equal(x, y)
        if equal_nan:
            result = result | (np.not_equal(x, x) & np.not_equal(y, y))
        if rtol == 0 and atol == 0:
            return result
        kind = x.dtype if x.dtype.itemsize >= 4 and x.dtype.kind == "f" else np.dtype(np.float32)
        wide = y.astype(dtypes.default_numpy() if x.dtype.kind not in "fV" else kind)
        error = cpu.abs(cpu.sub(x.astype(wide.dtype), wide))
        return result | (np.isfinite(error) & (error <= atol + np.abs(rtol * wide)))

    return unrecorded("isclose", close, (input, other))


def allclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether `isclose` holds everywhere, as a Python bool."""
    return bool(array_of(isclose(input, other, rtol, atol, equal_nan)).all())


def equal(input: Any, other: Any) -> bool:
    """Whether two tensors have the same shape and values, as a Python bool."""
    same = fast.fast_equal(input, other)
    if same is not None:
        return same
    need_tensors("equal", input=input, other=other)
    x, y = array_of(input), array_of(other)
    if x.shape != y.shape:
        return False
    dtype = result_numpy("equal", input, other)
    return bool(np.equal(operand_array(x, dtype), operand_array(y, dtype)).all())


class Where(Node):
    """input where the mask is true, else other."""

    fresh = True

    def forward(self, x: Any, y: Any, mask: Any) -> Any:
        self.mask = mask
        self.shapes = x.shape, y.shape
        return as_array(cpu.where(mask, x, y))

    def backward(self, grad: Any) -> Any:
        """d input = grad where the mask is true, d other = grad where it is not, else 0."""
        f, g = self.next
        return (
            f and sum_to(where(self.mask, grad, 0), self.shapes[0]),
            g and sum_to(where(self.mask, 0, grad), self.shapes[1]),
        )


def _plain_where(mask: Any, input: Any, other: Any) -> Any:
    """`where` outside the graph of tensors that need no conversion; None for anything else."""
    if not isinstance(input, Variable) or input._fn is not None or mask.dtype.kind != "b":
        return None
    x, y = input._array, other
    if isinstance(other, Variable):
        y = other._array
        if other._fn is not None or y.dtype is not x.dtype:
            return None
    elif y.__class__ is not float or x.dtype.char not in "fd" or not abs(y) < 1e38:
        return None
    result = cpu.try_where(mask, x, y)
    return None if result is None else wrap(as_array(result))


def where(condition: Any, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """`input` where `condition` (bools) is true, else `other`; all three are broadcast.

    Both may be numbers. `where(condition)` alone gives the places where it is not 0, a vector for
    each dimension. RuntimeError: a condition that is not bool.
    """
    if out is None and condition.__class__ is np.ndarray:  # what backward calls
        result = cpu.try_where(condition, input, other)
        if result is not None:
            return result
    if out is None and isinstance(condition, Variable):
        result = _plain_where(condition._array, input, other)
        if result is not None:
            return result
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if input is None or other is None:
        raise TypeError(
            "where() received an invalid combination of arguments: one of 'input' and 'other' is "
            "missing; needed: both or none"
        )
    condition = as_array(condition)
    if not isinstance(condition, (Variable, np.ndarray)):
        raise not_a_tensor("where", "condition", 1, condition)
    mask = array_of(condition)
    if mask.dtype.kind != "b":
        if mask.dtype != np.uint8:
            raise RuntimeError(
                "where expected condition to be a boolean tensor, but got a tensor with dtype "
                + dtypes.type_name(dtypes.from_numpy(mask.dtype))
            )
        mask = mask != 0
    both = out is None and isinstance(input, Variable) and isinstance(other, Variable)
    if both and input._array.dtype is other._array.dtype:  # nothing to promote
        try:
            return apply(Where, (input, other), mask)
        except ValueError:
            raise misfit(mask, input, other) from None
    dtype = result_numpy("where", input, other)
    if dtype.kind in "iu" or dtype == np.float32:
        for x in (input, other):
            if isinstance(x, (int, float)):
                number_for(dtype, x)
    raw = not any(isinstance(v, Variable) for v in (condition, input, other))
    convert = (lambda n, v, d: operand_array(v, d)) if raw else operand
    x, y = convert("where", input, dtype), convert("where", other, dtype)
    try:
        result = apply(Where, (x, y), mask)
    except ValueError:
        raise misfit(mask, x, y) from None
    return result if out is None else write_out("where", out, result)


not_equal = ne
less = lt
less_equal = le
greater = gt
greater_equal = ge
