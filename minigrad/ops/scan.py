"""Running sums, products and maxima along a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes, return_types
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..dtypes import type_name
from ..kernels import reduction
from ..kernels._quiet import quiet, unsupported
from ..kernels.cpu import widened
from ._operands import to_dtype, write_out
from ._reduction import (
    MISSING,
    constant,
    converted,
    finish_pair,
    is_float,
    one_dim,
    renamed,
    shift,
    take_along,
)
from ._shape import array_arg, array_of
from .arith import add, div, mul, neg

__all__ = ["cumsum", "cumprod", "logcumsumexp", "cummax", "cummin"]

_INT64 = np.dtype(np.int64)
_add = quiet(np.add.accumulate)
_multiply = quiet(np.multiply.accumulate)
_logaddexp = quiet(np.logaddexp.accumulate)


@quiet
def _accumulate(scan: Any, x: Any, dim: int, reverse: bool = False) -> Any:
    """A running ufunc along `dim`; floats run in the next wider type and are rounded once."""
    if x.ndim == 0:
        return x.copy()
    if not x.flags.c_contiguous:  # nor would the result be, which is always
        x = np.ascontiguousarray(x)
    product = None if scan is _logaddexp else scan is _multiply
    result = reduction.scan(x, dim, product, reverse)
    if result is not None:
        return result
    if reverse:
        return np.flip(_accumulate(scan, np.flip(x, dim), dim), dim)
    if x.dtype.kind == "f" and x.dtype.itemsize == 4:
        values = x.astype(np.float64)
        return scan(values, axis=dim, out=values).astype(x.dtype)
    values = widened(x)
    return scan(values, axis=dim, dtype=values.dtype).astype(x.dtype, copy=False)


class Cumsum(Node):
    """Running sum along a dimension, from the end if `reverse`."""

    def forward(self, x: Any, dim: int, reverse: bool = False) -> Any:
        self.dim, self.reverse = dim, reverse
        return _accumulate(_add, x, dim, reverse)

    def backward(self, grad: Any) -> Any:
        """The running sum of grad in the other direction."""
        return apply(Cumsum, (grad,), self.dim, not self.reverse)


class Cumprod(Node):
    """Running product along a dimension."""

    saves = (0,)
    saves_output = (0,)

    def forward(self, x: Any, dim: int) -> Any:
        self.dim = dim
        return _accumulate(_multiply, x, dim)

    def backward(self, grad: Any) -> Any:
        """d input[k] = sum over j >= k of grad[j] * (the product of input[:j+1] without [k])."""
        x, out = self.saved
        values = array_of(x)
        if values.ndim == 0:
            return mul(grad, constant(grad, np.ones((), values.dtype)))
        if bool((values != 0).all()):
            return div(apply(Cumsum, (mul(grad, out),), self.dim, True), x)
        # With zeros: s[k] = grad[k] + x[k+1] s[k+1], d input[k] = (product before k) * s[k]. The
        # recurrence is solved by doubling: each step composes the affine maps of twice the length.
        dim, size = self.dim, values.shape[self.dim]
        before, factor, total = shift(x, dim, 1, 1), shift(x, dim, -1, 0), grad
        step = 1
        while step < size:
            before = mul(before, shift(before, dim, step, 1))
            total = add(total, mul(factor, shift(total, dim, -step, 0)))
            factor = mul(factor, shift(factor, dim, -step, 0))
            step *= 2
        return mul(before, total)


def _running(name: str, cls: type[Node], input: Any, dim: Any, dtype: Any, out: Any) -> Any:
    x, given = array_arg(name, input), input
    d = one_dim(name, dim, x.ndim)
    if dtype is not None or out is not None:
        input = converted(name, input, dtype, out)
    elif not is_float(x) and x.dtype != _INT64:
        input = to_dtype(input, _INT64)
    if array_of(input).dtype.kind == "b":
        raise unsupported(f"{name}_out_cpu", array_of(input))
    result = apply(cls, (input,), d)
    return result if out is None else write_out(name, out, result, given)


def cumsum(
    input: Any, dim: Any = MISSING, *, dtype: Any = None, out: Any = None, **names: Any
) -> Any:
    """Running sum along `dim`; integers and bools are summed in int64."""
    if dtype is None and out is None and not names:
        result = reduction.fast_cumsum(Cumsum, input, dim)
        if result is not None:
            return result
    if names:
        return renamed(cumsum, locals())
    return _running("cumsum", Cumsum, input, dim, dtype, out)


def cumprod(
    input: Any, dim: Any = MISSING, *, dtype: Any = None, out: Any = None, **names: Any
) -> Any:
    """Running product along `dim`; integers and bools are multiplied in int64."""
    if names:
        return renamed(cumprod, locals())
    return _running("cumprod", Cumprod, input, dim, dtype, out)


class Logcumsumexp(Node):
    """log of the running sum of exp(input), from the end if `reverse`."""

    saves = (0,)
    saves_output = (0,)

    def forward(self, x: Any, dim: int, reverse: bool = False) -> Any:
        self.dim, self.reverse = dim, reverse
        return _accumulate(_logaddexp, x, dim, reverse)

    def backward(self, grad: Any) -> Any:
        """exp(input) * the running sum, from the other end, of grad * exp(-output)."""
        x, out = self.saved
        return apply(_ScaledRun, (grad, neg(out), neg(x)), self.dim, not self.reverse)


class _ScaledRun(Node):
    """The running sum of a * exp(s), from the end if `reverse`, over exp(e): linear in a.

    Positive and negative a are summed apart, as logarithms: nothing overflows.
    """

    saves = (0, 1, 2)
    saves_output = (0,)

    def forward(self, a: Any, s: Any, e: Any, dim: int, reverse: bool) -> Any:
        self.dim, self.reverse = dim, reverse
        none = a.dtype.type(-1e4 if a.dtype == np.float16 else -1e30)  # log 0; no inf - inf

        def part(signed: Any) -> Any:
            outside = signed <= 0
            logs = np.where(outside, none, np.log(np.where(outside, signed.dtype.type(1), signed)))
            return np.exp(_accumulate(_logaddexp, logs + s, dim, reverse) - e)

        with np.errstate(all="ignore"):
            return part(a) - part(-a)

    def backward(self, grad: Any) -> Any:
        """The same sum of grad from the other end, e and s changed places and signs, is a's."""
        a, s, e, out = self.saved
        f, g, h = self.next
        back = None
        if f or g:
            back = apply(_ScaledRun, (grad, neg(e), neg(s)), self.dim, not self.reverse)
        return f and back, g and mul(a, back), h and neg(mul(grad, out))


def logcumsumexp(input: Any, dim: Any = MISSING, *, out: Any = None, **names: Any) -> Any:
    """`log(cumsum(exp(input), dim))` without overflow. NotImplementedError for integers."""
    if names:
        return renamed(logcumsumexp, locals())
    x = array_arg("logcumsumexp", input)
    one_dim("logcumsumexp", dim, x.ndim)
    if not is_float(x):
        kind = type_name(dtypes.from_numpy(x.dtype))
        raise NotImplementedError(f"\"logcumsumexp_out_cpu\" not implemented for '{kind}'")
    if isinstance(out, Variable) and not is_float(out._array):
        kinds = [type_name(dtypes.from_numpy(a.dtype)) for a in (x, out._array)]
        raise RuntimeError(f"logcumsumexp: expected scalar_type {kinds[0]} but found {kinds[1]}")
    return _running("logcumsumexp", Logcumsumexp, input, dim, None, out)


def _record(name: str, pick: Any, input: Any, dim: Any, out: Any) -> Any:
    """(values, indices) of the running extremum; of equal ones and of NaNs the latest counts."""
    x = array_arg(name, input)
    d = one_dim(name, dim, x.ndim)
    pair = reduction.record(x, d, name == "cummin") if x.ndim else None
    if pair is not None and not (isinstance(input, Variable) and input.requires_grad):
        pair = tuple([constant(input, part) for part in pair])
        return finish_pair(name, getattr(return_types, name), pair, out)
    known, index = (None, _latest(pick, x, d)) if pair is None else pair
    values = take_along(input, index, d, name.capitalize(), repeats=True, values=known)
    pair = (values, constant(input, index))
    return finish_pair(name, getattr(return_types, name), pair, out)


def _latest(pick: Any, x: Any, d: int) -> Any:
    """The places of the running extrema."""
    wide = widened(np.atleast_1d(x))
    best = pick(wide, axis=d)
    position = np.arange(wide.shape[d], like=wide).reshape((-1,) + (1,) * (wide.ndim - 1 - d))
    reached = (wide == best) | (wide != wide)
    return np.maximum.accumulate(np.where(reached, position, 0), axis=d).reshape(x.shape)


def cummax(input: Any, dim: Any = MISSING, *, out: Any = None, **names: Any) -> Any:
    """`(values, indices)` of the running maximum along `dim`; NaN is the largest."""
    if names:
        return renamed(cummax, locals())
    return _record("cummax", np.maximum.accumulate, input, dim, out)


def cummin(input: Any, dim: Any = MISSING, *, out: Any = None, **names: Any) -> Any:
    """`(values, indices)` of the running minimum along `dim`; NaN is the smallest."""
    if names:
        return renamed(cummin, locals())
    return _record("cummin", np.minimum.accumulate, input, dim, out)
