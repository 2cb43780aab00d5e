"""Larger and smaller of two, clamping, replacing NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import as_array
from ..kernels import cpu, fast
from ..kernels._quiet import quiet, unsupported
from ._elementwise import Binary, binary
from ._operands import converted, misfit, not_a_tensor, result_numpy, write_out
from ._shape import array_of, sum_to
from .arith import mul
from .assign import number_for
from .compare import eq, ge, gt, isnan, logical_not, logical_or, lt, where

__all__ = [
    "clamp", "clamp_max", "clamp_min", "clip", "fmax", "fmin", "maximum", "minimum", "nan_to_num",
]  # fmt: skip


_PLAIN = {float: True, int: True, None.__class__: True}


class _Extremum(Binary):
    """One of two operands; equal ones share the gradient."""

    __slots__ = ()
    tensors_only = True
    saves = (0, 1)
    fresh = True
    loses: Any  # the comparison by which the first operand is not the result

    def backward(self, grad: Any) -> Any:
        """grad for the operand that was taken, grad / 2 for each of two equal ones."""
        x, y = self.saved
        f, g = self.next
        shared = where(eq(x, y), mul(grad, 0.5), grad)
        loses = self.__class__.loses
        return self.fit(
            f and where(loses(x, y), 0, shared),
            g and where(loses(y, x), 0, shared),
        )


class Maximum(_Extremum):
    """The larger one; NaN if one is NaN."""

    __slots__ = ()
    kernel = "maximum"
    loses = staticmethod(lt)


def maximum(input: Any, other: Any, *, out: Any = None) -> Any:
    """The larger of two tensors, elementwise, broadcast; NaN where one is NaN."""
    return binary(Maximum, input, other, out)


class Minimum(_Extremum):
    """The smaller one; NaN if one is NaN."""

    __slots__ = ()
    kernel = "minimum"
    loses = staticmethod(gt)


def minimum(input: Any, other: Any, *, out: Any = None) -> Any:
    """The smaller of two tensors, elementwise, broadcast; NaN where one is NaN."""
    return binary(Minimum, input, other, out)


class Fmax(_Extremum):
    """The larger one; the other one if one is NaN."""

    __slots__ = ()
    kernel = "fmax"
    wins = staticmethod(ge)

    def backward(self, grad: Any) -> Any:
        """grad for the operand that was taken: the first of equal ones."""
        x, y = self.saved
        f, g = self.next
        first = logical_or(self.__class__.wins(x, y), isnan(y))
        return self.fit(
            f and where(first, grad, 0),
            g and where(logical_not(first), grad, 0),
        )


def fmax(input: Any, other: Any, *, out: Any = None) -> Any:
    """The larger of two tensors, elementwise, broadcast; a number wins over NaN."""
    return binary(Fmax, input, other, out)


class Fmin(Fmax):
    """The smaller one; the other one if one is NaN."""

    __slots__ = ()
    kernel = "fmin"
    wins = staticmethod(lambda x, y: ge(y, x))


def fmin(input: Any, other: Any, *, out: Any = None) -> Any:
    """The smaller of two tensors, elementwise, broadcast; a number wins over NaN."""
    return binary(Fmin, input, other, out)


class Clamp(Node):
    """min(max(input, low), high) for numbers."""

    torch_name = "ClampBackward1"
    saves = (0,)
    fresh = True

    def forward(self, x: Any, low: Any, high: Any) -> Any:
        self.numbers = low, high
        return as_array(cpu.clamp(x, low, high))

    def backward(self, grad: Any) -> Any:
        """grad where low <= input <= high, else 0."""
        x = array_of(self.saved[0])
        low, high = self.numbers
        if not isinstance(grad, Variable):
            return cpu.clamp_backward(grad, x, low, high)
        return where(cpu.within(x, low, high), grad, 0)


class ClampTensor(Node):
    """min(max(input, low), high) for tensors; one of the two may be None."""

    torch_name = "ClampBackward0"
    saves = (0, 1, 2)

    @quiet
    def forward(self, x: Any, low: Any, high: Any) -> Any:
        self.shapes = tuple(None if a is None else a.shape for a in (x, low, high))
        result = x if low is None else np.maximum(x, low)
        return as_array(result if high is None else np.minimum(result, high))

    def backward(self, grad: Any) -> Any:
        """grad for input inside, for low below it, for high above it; high wins if they cross."""
        x, low, high = (None if a is None else array_of(a) for a in self.saved)
        f, g, h = self.next
        dlow = dhigh = None
        inside: Any = True
        if low is not None:
            below = cpu.lt(x, low)
            inside = inside & cpu.ge(x, low)
            dlow = below if high is None else below & cpu.lt(low, high)
        if high is not None:
            above = cpu.gt(x, high)
            inside = inside & cpu.le(x, high)
            dhigh = above if low is None else above | cpu.lt(high, low)
        return tuple(
            wanted and sum_to(where(np.asarray(mask), grad, 0), shape)
            for wanted, mask, shape in zip(
                (f, g, h), (inside, dlow, dhigh), self.shapes, strict=True
            )
        )


_CLAMP = fast.spec("clamp", 1, Clamp.saves, (), False)


def clamp(input: Any, min: Any = None, max: Any = None, *, out: Any = None) -> Any:
    """`input` limited to [min, max] (numbers, or tensors that are broadcast; None: no limit).

    NaN stays NaN; where min > max the result is max. RuntimeError if both are None.
    """
    if not isinstance(input, (Variable, np.ndarray)):
        raise not_a_tensor("clamp", "input", 1, input)
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    plain = out is None and _PLAIN.get(min.__class__) and _PLAIN.get(max.__class__)
    if plain and isinstance(input, Variable) and input._array.dtype.kind == "f":
        lower = -math.inf if min is None else float(min)
        upper = math.inf if max is None else float(max)
        if lower == lower and upper == upper:
            result = fast.fast_unary(Clamp, _CLAMP, input, (lower, upper))
            if result is not None:
                return result
        return apply(Clamp, (input,), min, max)  # nothing to promote
    limits = [v for v in (min, max) if v is not None]
    tensors = [isinstance(v, (Variable, np.ndarray)) for v in limits]
    if any(tensors) and not all(tensors) and not any(np.ndim(array_of(v)) for v in limits):
        min, max = (v.item() if isinstance(v, (Variable, np.ndarray)) else v for v in (min, max))
        limits, tensors = [min, max], [False, False]
    if any(tensors) and not all(tensors):
        raise TypeError(
            "clamp(): min and max must both be Tensor or both be Number, not "
            f"{min.__class__.__name__} and {max.__class__.__name__}"
        )
    dtype = result_numpy("clamp", input, *limits)
    if dtype.kind == "b" and not tensors[0]:
        raise unsupported("clamp_scalar_cpu", np.empty(0, dtype))
    x = converted("clamp", input, dtype)
    if tensors[0]:
        low, high = (None if v is None else converted("clamp", v, dtype) for v in (min, max))
        try:
            result = apply(ClampTensor, (x, low, high))
        except ValueError:
            raise misfit(x, low, high) from None
    else:
        if dtype.kind in "iu":  # limits that the type has; negative ones of uint8 wrap around
            limits = [None if v is None else number_for(dtype, v)._array for v in (min, max)]
            min, max = (None if v is None else v.item() for v in limits)
        result = apply(Clamp, (x,), min, max)
    return result if out is None else write_out("clamp", out, result)


def clamp_min(input: Any, min: Any, *, out: Any = None) -> Any:
    """`input`, but at least `min` (a number or a tensor), elementwise."""
    result = clamp(input, _limit("clamp_min", "min", min), None, out=out)
    return named(f"ClampMinBackward{int(isinstance(min, Variable))}", result)


def clamp_max(input: Any, max: Any, *, out: Any = None) -> Any:
    """`input`, but at most `max` (a number or a tensor), elementwise."""
    result = clamp(input, None, _limit("clamp_max", "max", max), out=out)
    return named(f"ClampMaxBackward{int(isinstance(max, Variable))}", result)


def _limit(name: str, argument: str, value: Any) -> Any:
    if value is None:
        raise TypeError(f"{name}(): argument '{argument}' must be Tensor or Number, not NoneType")
    return value


class NanToNum(Node):
    """NaN and infinities replaced by numbers."""

    fresh = True
    saves = (0,)

    def forward(self, x: Any, nan: float, posinf: Any, neginf: Any) -> Any:
        if x.dtype.kind not in "fV":
            return x.copy()
        return cpu.nan_to_num(x, float(nan), float(posinf), float(neginf))

    def backward(self, grad: Any) -> Any:
        """grad where the input was finite, else 0."""
        return where(np.asarray(cpu.isfinite(array_of(self.saved[0]))), grad, 0)


def nan_to_num(
    input: Any,
    nan: float | None = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
    *,
    out: Any = None,
) -> Any:
    """NaN replaced by `nan`, infinities by `posinf` and `neginf` (None: the largest numbers)."""
    if not isinstance(input, (Variable, np.ndarray)):
        raise not_a_tensor("nan_to_num", "input", 1, input)
    for name, value in (("nan", nan), ("posinf", posinf), ("neginf", neginf)):
        if value is not None and not isinstance(value, (int, float, np.number)):
            raise TypeError(
                f"nan_to_num(): argument '{name}' must be float, not {value.__class__.__name__}"
            )
    d = dtypes.from_numpy(array_of(input).dtype)
    if d.is_floating_point:
        info = dtypes.finfo(d)
        posinf = info.max if posinf is None else posinf
        neginf = info.min if neginf is None else neginf
    result = apply(NanToNum, (input,), 0.0 if nan is None else nan, posinf, neginf)
    return result if out is None else write_out("nan_to_num", out, result)


clip = clamp
