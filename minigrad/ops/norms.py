"""Norms of vectors, and the nuclear norm of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node
from ..dtypes import type_name
from ..kernels import cpu, reduction
from ..kernels._quiet import quiet
from ..kernels.reduction import SAVES_INPUT, SAVES_OUTPUT, kind
from ._operands import write_out
from ._reduction import (
    check_flag,
    constant,
    converted,
    fill,
    finish,
    is_float,
    kept_shape,
    restore,
)
from ._shape import all_or, array_arg, array_of, normalize_dim, whole
from ._singular import nuclear
from .arith import add, div, mul
from .movement import reshape
from .permutation import permute
from .power import pow
from .rounding import abs

__all__ = ["norm", "norm_except_dim", "renorm"]

_reduce = reduction.reduce
_BOTH = SAVES_INPUT | SAVES_OUTPUT
_KINDS = {
    order: kind(name, _BOTH)
    for order, name in {
        0.0: "norm0", 1.0: "norm1", 2.0: "norm2", np.inf: "norminf", -np.inf: "normleast",
    }.items()
}  # fmt: skip


class Norm(Node):
    """The p-norm over dimensions: (sum of |input|^p)^(1/p)."""

    saves = (0,)
    saves_output = (0,)

    def forward(self, x: Any, p: float, axes: tuple[int, ...], keepdim: bool) -> Any:
        self.number, self.axes = p, axes
        return np.asarray(p_norm(cpu.widened(x), p, axes, keepdim), x.dtype, order="C")

    def backward(self, grad: Any) -> Any:
        """grad * sign(input) * (|input| / output)^(p - 1); 0 where the output is 0.

        p = 0 has no gradient. For p = inf and -inf the elements that reach it share grad evenly.
        """
        x, out = self.saved
        p, values, result = self.number, array_of(x), array_of(out)
        shape = values.shape
        if p == 0:
            return None
        sign = np.sign(cpu.widened(values)).astype(values.dtype)
        if p == 1:
            return mul(restore(grad, self.axes, shape), constant(grad, sign))
        if np.isinf(p):
            best = np.abs(values) == result.reshape(kept_shape(shape, self.axes))
            count = np.count_nonzero(best, axis=self.axes, keepdims=True)
            weight = cpu.div(sign, np.maximum(count, 1).astype(values.dtype))
            weight = np.where(best, weight, values.dtype.type(0))
            return mul(restore(grad, self.axes, shape), constant(grad, weight))
        zero = result == 0
        if p == 2:
            ratio = fill(div(grad, fill(out, zero, 1)), zero, 0)
            return mul(x, restore(ratio, self.axes, shape))
        size = mul(x, constant(x, sign))
        if p < 2:
            # |x|^(p-1) is infinite (or not differentiable) at 0: no gradient goes there.
            none = values == 0
            powers = fill(pow(fill(size, none, 1), p - 1), none, 0)
            powers = mul(powers, constant(powers, sign))
        else:
            powers = mul(x, pow(size, p - 2))
        if p < 1:
            scale = mul(grad, fill(pow(fill(out, zero, 1), 1 - p), zero, 0))
        else:
            scale = fill(div(grad, pow(fill(out, zero, 1), p - 1)), zero, 0)
        return mul(powers, restore(scale, self.axes, shape))

    def name(self) -> str:
        return "LinalgVectorNormBackward0"


_square, _power = quiet(np.square), quiet(np.power)


def p_norm(x: Any, p: float, axes: tuple[int, ...], keepdim: bool) -> Any:
    """The p-norm of an array over dimensions."""
    if p == 2:
        return cpu.sqrt(cpu.total(_square(x), axes, keepdim))
    size = np.abs(x)
    if p == 1:
        return cpu.total(size, axes, keepdim)
    if p == 0:
        return cpu.total((x != 0).astype(x.dtype), axes, keepdim)
    if np.isinf(p):
        reduce = cpu.maximum_reduce if p > 0 else cpu.minimum_reduce
        return reduce(size, axis=axes, keepdims=keepdim, **({"initial": 0} if p > 0 else {}))
    powers = _power(size, x.dtype.type(p))
    return _power(cpu.total(powers, axes, keepdim), x.dtype.type(1 / p))


def _matrix_norm(input: Any, p: str, dim: Any, keepdim: bool, out: Any, dtype: Any) -> Any:
    x = array_of(input)
    given = range(x.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    dims = [normalize_dim(d, x.ndim) for d in given]
    if x.ndim < 2:
        raise RuntimeError(
            "linalg.matrix_norm: The input tensor A must have at least 2 dimensions."
        )
    if p not in ("fro", "nuc"):
        raise RuntimeError(f"linalg.matrix_norm: Order {p} not supported.")
    if len(dims) != 2:
        raise RuntimeError(
            f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, given))}"
        )
    if dims[0] == dims[1]:
        raise RuntimeError(
            f"linalg.matrix_norm: dims must be different. Got ({dims[0]}, {dims[1]})"
        )
    if dtype is not None:
        input = converted("norm", input, dtype, None)
        x = array_of(input)
    if not is_float(x):
        raise RuntimeError(
            "linalg.matrix_norm: Expected a floating point or complex tensor as input. Got "
            f"{type_name(dtypes.from_numpy(x.dtype))}"
        )
    if x.dtype.itemsize < 4:
        raise RuntimeError(
            "linalg.matrix_norm: Low precision dtypes not supported. Got "
            f"{type_name(dtypes.from_numpy(x.dtype))}"
        )
    rest = [d for d in range(x.ndim) if d not in dims]
    result = nuclear(permute(input, rest + dims))
    if keepdim:
        result = reshape(result, kept_shape(x.shape, tuple(dims)))
    return result if out is None else write_out("norm", out, result)


def norm(
    input: Any,
    p: Any = "fro",
    dim: Any = None,
    keepdim: bool = False,
    out: Any = None,
    dtype: Any = None,
) -> Any:
    """The p-norm of all elements or over `dim`: p a number, inf, -inf, 0 (count), or "fro" (2).

    "nuc" is the sum of the singular values of the matrices in two dimensions.
    """
    order = 2.0 if p is None or p == "fro" else 0.5 if isinstance(p, str) else float(p)
    number = _KINDS.get(order)
    several = isinstance(dim, (tuple, list)) and len(dim) > 2
    if number is not None and dtype is None and out is None and not (p == "fro" and several):
        result = _reduce(Norm, number, input, dim, keepdim, order)
        if result is not None:
            return result
    x = array_arg("norm", input)
    check_flag("norm", keepdim)
    if isinstance(p, str) and (p != "fro" or (isinstance(dim, (tuple, list)) and len(dim) > 2)):
        return _matrix_norm(input, p, dim, keepdim, out, dtype)
    if dtype is not None:
        input = converted("norm", input, dtype, None)
        x = array_of(input)
    if not is_float(x):
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{type_name(dtypes.from_numpy(x.dtype))}"
        )
    axes = all_or(dim, x.ndim)
    if (order < 0 or order == np.inf) and 0 in [x.shape[a] for a in axes]:
        label = "inf" if order == np.inf else f"{order:g}"
        where = "tensor" if dim is None else "dimension"
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {label} norm on an empty {where} because the "
            "operation does not have an identity"
        )
    return finish("norm", apply(Norm, (input,), order, axes, keepdim), out)


def norm_except_dim(v: Any, pow: int = 2, dim: int = 0) -> Any:
    """The `pow`-norm over all dimensions but `dim`, which are kept with size 1; -1: over all."""
    x = array_arg("norm_except_dim", v, 1, "v")
    order = whole("norm_except_dim(): pow", pow)
    if dim == -1:
        return norm(v, order)
    if not x.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    d = normalize_dim(dim, x.ndim)
    rest = tuple([i for i in range(x.ndim) if i != d])
    return norm(v, order, rest, True) if rest else abs(v)


def renorm(input: Any, p: float, dim: int, maxnorm: float, *, out: Any = None) -> Any:
    """`input` with each place of dimension `dim` scaled down to the p-norm `maxnorm` if above it.

    RuntimeError for p <= 0, a negative `maxnorm` and fewer than two dimensions.
    """
    x = array_arg("renorm", input)
    if not p > 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if not maxnorm >= 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    if x.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {x.ndim} dimensions")
    d = normalize_dim(dim, x.ndim)
    size = norm(input, p, tuple([i for i in range(x.ndim) if i != d]), True)
    above = array_of(size) > maxnorm
    scale = fill(div(maxnorm, add(size, 1e-7)), np.logical_not(above), 1)
    result = named("RenormBackward0", mul(input, scale))
    return result if out is None else write_out("renorm", out, result)
