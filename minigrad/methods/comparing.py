"""`Tensor` methods that compare and combine bits and truth values: each *is* an op function."""

from __future__ import annotations

from .. import ops
from ..ops._inplace import in_place
from ..ops._operators import (
    comparing,
    invert,
    reflected,
    where_method,
)


class Comparing:
    """Comparisons, tests of numbers, logical and bitwise operations."""

    __slots__ = ()

    # -- compare -----------------------------------------------------------------------------------

    eq = ops.eq
    eq_ = in_place(ops.eq)
    __eq__ = comparing(ops.eq)
    ne = not_equal = ops.ne
    ne_ = not_equal_ = in_place(ops.ne)
    __ne__ = comparing(ops.ne)
    lt = less = ops.lt
    lt_ = less_ = in_place(ops.lt)
    __lt__ = comparing(ops.lt)
    le = less_equal = ops.le
    le_ = less_equal_ = in_place(ops.le)
    __le__ = comparing(ops.le)
    gt = greater = ops.gt
    gt_ = greater_ = in_place(ops.gt)
    __gt__ = comparing(ops.gt)
    ge = greater_equal = ops.ge
    ge_ = greater_equal_ = in_place(ops.ge)
    __ge__ = comparing(ops.ge)
    isnan = ops.isnan
    isinf = ops.isinf
    isfinite = ops.isfinite
    isposinf = ops.isposinf
    isneginf = ops.isneginf
    isreal = ops.isreal
    signbit = ops.signbit
    isclose = ops.isclose
    allclose = ops.allclose
    equal = ops.equal
    logical_and, logical_and_ = ops.logical_and, in_place(ops.logical_and)
    logical_or, logical_or_ = ops.logical_or, in_place(ops.logical_or)
    logical_xor, logical_xor_ = ops.logical_xor, in_place(ops.logical_xor)
    logical_not, logical_not_ = ops.logical_not, in_place(ops.logical_not)
    bitwise_not, bitwise_not_ = ops.bitwise_not, in_place(ops.bitwise_not)
    bitwise_and = __and__ = ops.bitwise_and
    bitwise_and_ = __iand__ = in_place(ops.bitwise_and)
    __rand__ = reflected(ops.bitwise_and)
    bitwise_or = __or__ = ops.bitwise_or
    bitwise_or_ = __ior__ = in_place(ops.bitwise_or)
    __ror__ = reflected(ops.bitwise_or)
    bitwise_xor = __xor__ = ops.bitwise_xor
    bitwise_xor_ = __ixor__ = in_place(ops.bitwise_xor)
    __rxor__ = reflected(ops.bitwise_xor)
    bitwise_left_shift = __lshift__ = ops.bitwise_left_shift
    bitwise_left_shift_ = __ilshift__ = in_place(ops.bitwise_left_shift)
    __rlshift__ = reflected(ops.bitwise_left_shift)
    bitwise_right_shift = __rshift__ = ops.bitwise_right_shift
    bitwise_right_shift_ = __irshift__ = in_place(ops.bitwise_right_shift)
    __rrshift__ = reflected(ops.bitwise_right_shift)
    __invert__ = invert
    where = where_method
