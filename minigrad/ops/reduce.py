"""Sums, means, products and truth over dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node
from ..backend import as_array
from ..dtypes import type_name
from ..kernels import cpu, fast, reduction
from ..kernels._quiet import rounded
from ..kernels.reduction import SAVES_INPUT, SAVES_OUTPUT, kind
from ._operands import to_dtype, write_out
from ._reduction import (
    MISSING,
    check_flag,
    constant,
    converted,
    divided,
    fill,
    finish,
    is_float,
    kept_shape,
    no_keepdim,
    one_dim,
    renamed,
    restore,
    shift,
)
from ._shape import all_or, array_arg, array_of
from .arith import div, mul, sub
from .movement import reshape
from .unary import exp

__all__ = [
    "sum", "nansum", "mean", "nanmean", "prod", "logsumexp", "all", "any", "count_nonzero", "trace",
]  # fmt: skip

_INT64 = np.dtype(np.int64)
_reduce = reduction.reduce
_SUM, _MEAN = kind("sum"), kind("mean")
_PROD = kind("prod", SAVES_INPUT | SAVES_OUTPUT)
_NANSUM = kind("nansum", SAVES_INPUT)
_LOGSUMEXP = kind("logsumexp", SAVES_INPUT | SAVES_OUTPUT)


class Sum(Node):
    """Sum over dimensions. 16-bit floats are accumulated in float32."""

    def forward(self, x: Any, axes: tuple[int, ...], keepdim: bool) -> Any:
        self.shape, self.axes = x.shape, axes
        total = cpu.total(x, axes, keepdim)
        return total if total.dtype is x.dtype else rounded(total, x.dtype)

    def backward(self, grad: Any) -> Any:
        """grad, repeated along the summed dimensions."""
        return restore(grad, self.axes, self.shape)

    def name(self) -> str:
        return "SumBackward0" if len(self.axes) == len(self.shape) else "SumBackward1"


def sum(
    input: Any,
    dim: Any = MISSING,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    out: Any = None,
    **names: Any,
) -> Any:
    """Sum over `dim` (an int, several, or all); integers and bools are summed in int64.

    `dtype` converts the input first. The sum of no elements is 0.
    """
    if dtype is None and out is None and not names and (dim is not MISSING or keepdim is False):
        result = _reduce(Sum, _SUM, input, None if dim is MISSING else dim, keepdim, 0.0)
        if result is None and dim is MISSING:
            result = fast.fast_count(input)
        if result is not None:
            return result
    if names:
        return renamed(sum, locals())
    x = array_arg("sum", input)
    if dim is MISSING:
        no_keepdim("sum", keepdim)
        dim = None
    else:
        check_flag("sum", keepdim)
    axes = all_or(dim, x.ndim)
    if dtype is not None or out is not None:
        input = converted("sum", input, dtype, out)
    elif x.dtype.kind not in "fV" and x.dtype != _INT64:
        input = to_dtype(input, _INT64)
    result = apply(Sum, (input,), axes, keepdim)
    return result if out is None else write_out("sum", out, result)


class NanSum(Node):
    """Sum of the elements that are not NaN."""

    torch_name = "NansumBackward0"
    saves = (0,)

    def forward(self, x: Any, axes: tuple[int, ...], keepdim: bool) -> Any:
        self.shape, self.axes = x.shape, axes
        zero = np.where(np.isnan(x), x.dtype.type(0), x)
        return rounded(cpu.total(zero, axes, keepdim), x.dtype)

    def backward(self, grad: Any) -> Any:
        """grad, repeated along the summed dimensions; 0 at NaN."""
        mask = np.isnan(array_of(self.saved[0]))
        weight = np.logical_not(mask).astype(array_of(grad).dtype)
        return mul(restore(grad, self.axes, self.shape), constant(grad, weight))


def nansum(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    out: Any = None,
    **names: Any,
) -> Any:
    """Sum over `dim` that counts NaN as 0."""
    if names:
        return renamed(nansum, locals())
    if dtype is None and out is None:
        result = _reduce(NanSum, _NANSUM, input, dim, keepdim, 0.0)
        if result is not None:
            return result
    x = array_arg("nansum", input)
    check_flag("nansum", keepdim)
    if not is_float(x):
        return sum(input, dim, keepdim, dtype=dtype, out=out)
    axes = all_or(dim, x.ndim)
    input = converted("nansum", input, dtype, out)
    if not is_float(array_of(input)):
        return sum(fill(input, np.isnan(x), 0), dim, keepdim, dtype=dtype, out=out)
    result = apply(NanSum, (input,), axes, keepdim)
    return result if out is None else write_out("nansum", out, result)


def _need_float(name: str, x: Any, dtype: Any) -> None:
    """RuntimeError unless the dtype asked for, or the input's, is floating point."""
    wanted = x.dtype if dtype is None else dtypes.numpy_type(dtype)
    if wanted.kind not in "fV":
        which = "Input" if dtype is None else "Optional"
        raise RuntimeError(
            f"{name}(): could not infer output dtype. {which} dtype must be either a floating "
            f"point or complex dtype. Got: {type_name(dtypes.from_numpy(wanted))}"
        )


class Mean(Node):
    """Mean over dimensions. 16-bit floats are accumulated in float32 and rounded once."""

    def forward(self, x: Any, axes: tuple[int, ...], keepdim: bool) -> Any:
        self.shape, self.axes = x.shape, axes
        count = 1
        for a in axes:
            count *= x.shape[a]
        total = cpu.total(x, axes, keepdim)
        return rounded(as_array(cpu.div(total, count)), x.dtype)

    def backward(self, grad: Any) -> Any:
        """grad / n, repeated along the reduced dimensions."""
        count = 1
        for a in self.axes:
            count *= self.shape[a]
        return restore(divided(grad, count or np.nan), self.axes, self.shape)

    def name(self) -> str:
        return "MeanBackward0" if len(self.axes) == len(self.shape) else "MeanBackward1"


def mean(
    input: Any,
    dim: Any = MISSING,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    out: Any = None,
    **names: Any,
) -> Any:
    """Mean over `dim`; NaN of no elements. RuntimeError for integers unless `dtype` is a float."""
    if dtype is None and out is None and not names and (dim is not MISSING or keepdim is False):
        result = _reduce(Mean, _MEAN, input, None if dim is MISSING else dim, keepdim, 0.0)
        if result is not None:
            return result
    if names:
        return renamed(mean, locals())
    x = array_arg("mean", input)
    if dim is MISSING:
        no_keepdim("mean", keepdim)
        dim = None
    else:
        check_flag("mean", keepdim)
    axes = all_or(dim, x.ndim)
    _need_float("mean", x, dtype)
    input = converted("mean", input, dtype, out)
    result = apply(Mean, (input,), axes, keepdim)
    return result if out is None else write_out("mean", out, result)


def nanmean(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    out: Any = None,
    **names: Any,
) -> Any:
    """Mean over `dim` of the elements that are not NaN."""
    if names:
        return renamed(nanmean, locals())
    x = array_arg("nanmean", input)
    check_flag("nanmean", keepdim)
    if not is_float(x):
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{type_name(dtypes.from_numpy(x.dtype))}"
        )
    if dtype is not None:
        _need_float("nanmean", x, dtype)
    axes = all_or(dim, x.ndim)
    total = nansum(input, dim, keepdim, dtype=dtype)
    count = np.sum(np.logical_not(np.isnan(x)), axis=axes, keepdims=keepdim)
    result = div(total, constant(input, np.asarray(count, array_of(total).dtype)))
    return result if out is None else write_out("nanmean", out, result)


class Prod(Node):
    """Product along one dimension, or of all elements seen as one (`dim` None)."""

    saves = (0,)
    saves_output = (0,)

    def forward(self, x: Any, dim: int | None, keepdim: bool) -> Any:
        axes = tuple(range(x.ndim)) if dim is None or x.ndim == 0 else (dim,)
        self.axes = axes
        result = cpu.product(cpu.widened(x), axis=axes, keepdims=keepdim, dtype=_prod_type(x))
        return np.asarray(result, x.dtype, order="C")

    def backward(self, grad: Any) -> Any:
        """grad times the product of the other elements."""
        x, out = self.saved
        values = array_of(x)
        if bool((values != 0).all()):
            product = mul(grad, out)
            return div(restore(product, self.axes, values.shape), x)
        grad = restore(grad, self.axes, values.shape)
        if len(self.axes) == 1 or values.ndim == 0:
            return mul(grad, _product_of_others(x, self.axes[0] if self.axes else 0))
        others = _product_of_others(reshape(x, (values.size,)), 0)
        return mul(grad, reshape(others, values.shape))


def _prod_type(x: Any) -> Any:
    return np.float32 if is_float(x) and x.dtype.itemsize == 2 else x.dtype


def _product_of_others(x: Any, dim: int) -> Any:
    """For each element the product of all others: of those before it times those after it."""
    if array_of(x).ndim == 0:
        return constant(x, np.ones((), array_of(x).dtype))
    size = array_of(x).shape[dim]
    before, after = shift(x, dim, 1, 1), shift(x, dim, -1, 1)
    step = 1
    while step < size:
        before = mul(before, shift(before, dim, step, 1))
        after = mul(after, shift(after, dim, -step, 1))
        step *= 2
    return mul(before, after)


def prod(
    input: Any,
    dim: Any = MISSING,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    out: Any = None,
    **names: Any,
) -> Any:
    """Product over one dimension, or of all elements; integers and bools are multiplied in int64.

    d input = grad * (product of the other elements), also where elements are 0.
    """
    if dtype is None and out is None and not names:
        if dim is MISSING and keepdim is False:
            result = _reduce(Prod, _PROD, input, None, False, 0.0)
        else:
            result = (
                _reduce(Prod, _PROD, input, dim, keepdim, 0.0) if dim.__class__ is int else None
            )
        if result is not None:
            return result
    if names:
        return renamed(prod, locals())
    x = array_arg("prod", input)
    d = None
    if dim is MISSING:
        no_keepdim("prod", keepdim)
    else:
        check_flag("prod", keepdim)
        d = one_dim("prod", dim, x.ndim)
    if dtype is not None or out is not None:
        input = converted("prod", input, dtype, out)
    elif not is_float(x):
        input = to_dtype(input, _INT64)
    result = apply(Prod, (input,), d, keepdim)
    return result if out is None else write_out("prod", out, result)


class LogSumExp(Node):
    """log(sum(exp(input))), computed with the maximum taken out."""

    torch_name = "LogsumexpBackward0"
    saves = (0,)
    saves_output = (0,)

    def forward(self, x: Any, axes: tuple[int, ...], keepdim: bool) -> Any:
        self.axes = axes
        wide = cpu.widened(x)
        if x.size == 0:
            shape = [n for i, n in enumerate(x.shape) if i not in axes]
            return np.full(
                kept_shape(x.shape, axes) if keepdim else shape, -np.inf, x.dtype, like=x
            )
        peak = np.asarray(cpu.maximum_reduce(wide, axis=axes, keepdims=True))
        peak = np.where(np.isinf(peak), peak.dtype.type(0), peak)
        total = cpu.total(cpu.exp(cpu.sub(wide, peak)), axes, keepdim)
        result = as_array(cpu.log(total)) + peak.reshape(total.shape)
        return np.asarray(result, x.dtype, order="C")

    def backward(self, grad: Any) -> Any:
        """grad * exp(input - output)."""
        x, out = self.saved
        shape = array_of(x).shape
        ratio = exp(sub(x, restore(out, self.axes, shape)))
        return mul(restore(grad, self.axes, shape), ratio)


def logsumexp(
    input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None, **names: Any
) -> Any:
    """`log(sum(exp(input)))` over `dim`, without overflow; integers give the default float type."""
    if out is None and dim is not None and not names:
        result = _reduce(LogSumExp, _LOGSUMEXP, input, dim, keepdim, 0.0)
        if result is not None:
            return result
    if names:
        return renamed(logsumexp, locals())
    x = array_arg("logsumexp", input)
    check_flag("logsumexp", keepdim)
    if dim is None:
        raise TypeError('logsumexp() missing 1 required positional arguments: "dim"')
    axes = all_or(dim, x.ndim)
    if not is_float(x):
        input = to_dtype(input, dtypes.default_numpy())
    result = apply(LogSumExp, (input,), axes, keepdim)
    return result if out is None else write_out("logsumexp", out, result)


_COUNTS = {name: kind(name) for name in ("count_nonzero", "any", "all")}


def _truth(name: str, reduce: Any, input: Any, dim: Any, keepdim: bool, out: Any) -> Any:
    if out is None and (dim is None or dim.__class__ is int):
        result = _reduce(None, _COUNTS[name], input, dim, keepdim, 0.0)
        if result is not None:
            return result
    x = array_arg(name, input)
    check_flag(name, keepdim)
    true = x != 0
    if not (isinstance(dim, (tuple, list)) and not dim):
        axes = all_or(dim, x.ndim)
        true = reduce(true, axis=axes, keepdims=keepdim)
    result = constant(
        input, np.asarray(true, np.uint8 if x.dtype == np.uint8 else np.bool_, order="C")
    )
    if out is not None and array_of(out).dtype not in (np.dtype(bool), np.dtype(np.uint8)):
        got = type_name(dtypes.from_numpy(array_of(out).dtype))
        raise RuntimeError(f"{name} only supports bool tensor for result, got: {got}")
    return finish(name, result, out)


def any(
    input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None, **names: Any
) -> Any:
    """Whether an element over `dim` is true (not 0; NaN is true); bool, uint8 for uint8."""
    if names:
        return renamed(any, locals())
    return _truth("any", np.logical_or.reduce, input, dim, keepdim, out)


def all(
    input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None, **names: Any
) -> Any:
    """Whether all elements over `dim` are true (not 0; NaN is true); bool, uint8 for uint8."""
    if names:
        return renamed(all, locals())
    return _truth("all", np.logical_and.reduce, input, dim, keepdim, out)


def count_nonzero(input: Any, dim: Any = None, **names: Any) -> Any:
    """The number of elements over `dim` that are not 0, in int64."""
    result = None if names else _reduce(None, _COUNTS["count_nonzero"], input, dim, False, 0.0)
    if result is not None:
        return result
    if names:
        return renamed(count_nonzero, locals())
    x = array_arg("count_nonzero", input)
    axes = all_or(dim, x.ndim)
    return constant(input, np.asarray(np.count_nonzero(x != 0, axis=axes), np.int64, order="C"))


class Trace(Node):
    """Sum of the main diagonal."""

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        diagonal = np.diagonal(x)
        return rounded(cpu.total(diagonal, (0,)), x.dtype)

    def backward(self, grad: Any) -> Any:
        """grad on the diagonal, 0 elsewhere."""
        eye = np.eye(*self.shape, dtype=array_of(grad).dtype, like=array_of(grad))
        return mul(grad, constant(grad, eye))


def trace(input: Any) -> Any:
    """Sum of the diagonal of a matrix; integers are summed in int64."""
    x = array_arg("trace", input)
    if x.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {x.ndim}")
    if x.dtype.kind == "b":
        raise NotImplementedError("\"trace\" not implemented for 'Bool'")
    if not is_float(x):
        input = to_dtype(input, _INT64)
    return apply(Trace, (input,))
