"""Products of matrices and vectors: matmul and its relatives, and linear.

`MatMul` is one node for all cases of rank; `Linear` is the layer's product with the weight as
(out, in) and a fused bias.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels import cpu, fast
from ..kernels._quiet import rounded
from ._matrices import (
    check_addmv,
    check_bmm,
    check_bool,
    check_dot,
    check_linear,
    check_matmul,
    check_mm,
    check_same_type,
    check_tensors,
    mt,
)
from ._out import write_exact
from ._shape import SumTo, other_layout, shape_of, sum_to
from .arith import add, mul
from .movement import reshape

__all__ = ["bmm", "dot", "ger", "inner", "linear", "matmul", "mm", "mv", "outer", "vdot"]


def _times(a: Any, b: Any) -> Any:
    """a @ b in a backward pass, where arrays are known to fit."""
    if a.__class__ is np.ndarray and b.__class__ is np.ndarray:
        return cpu.matmul(a, b)
    return matmul(a, b)


def left_gradient(grad: Any, y: Any, shape: tuple[int, ...]) -> Any:
    """The gradient of x, of `shape`, in x @ y."""
    y_shape = shape_of(y)
    if len(y_shape) == 1:  # each row of x met y once
        return mul(reshape(grad, (*shape_of(grad), 1)), y)
    if len(shape) == 1:
        grad = reshape(grad, (*shape_of(grad), 1))
        rows = _times(y, grad)
        return sum_to(reshape(rows, shape_of(rows)[:-1]), shape)
    return sum_to(_times(grad, mt(y)), shape)


def right_gradient(grad: Any, x: Any, shape: tuple[int, ...]) -> Any:
    """The gradient of y, of `shape`, in x @ y."""
    x_shape = shape_of(x)
    if len(x_shape) == 1:
        if len(shape) == 1:
            return mul(grad, x)
        grad_shape = shape_of(grad)
        return mul(reshape(x, (*x_shape, 1)), reshape(grad, (*grad_shape[:-1], 1, grad_shape[-1])))
    if len(shape) <= 2 and len(x_shape) > 2:  # all batches met the same y: one product
        rows = math.prod(x_shape[:-1])
        x = reshape(x, (rows, x_shape[-1]))
        grad = reshape(grad, (rows,) if len(shape) == 1 else (rows, shape[1]))
    return sum_to(_times(mt(x), grad), shape)


class MatMul(Node):
    """x @ y for 1 to n dimensions."""

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, x: Any, y: Any) -> Any:
        self.shapes = x.shape, y.shape
        return cpu.matmul(x, y)

    def backward(self, grad: Any) -> Any:
        """d input = grad @ other^T, d other = input^T @ grad, summed over broadcast batches."""
        x, y = self.saved
        f, g = self.next
        return (
            None if f is None else left_gradient(grad, y, self.shapes[0]),
            None if g is None else right_gradient(grad, x, self.shapes[1]),
        )

    def name(self) -> str:
        x, y = (len(shape) for shape in self.shapes)
        if x > 2 or y > 2:
            return "CloneBackward0" if x == 2 else "UnsafeViewBackward0"
        if x == 1:
            return "DotBackward0" if y == 1 else "SqueezeBackward4"
        return "MmBackward0" if y == 2 else "MvBackward0"


class Bmm(MatMul):
    """x @ y for batches of matrices."""

    def name(self) -> str:
        return "BmmBackward0"


def _product(input: Any, other: Any, out: Any = None, name: str = "") -> Any:
    """The product of operands that have been checked."""
    result = apply(Bmm if name == "bmm" else MatMul, (input, other))
    return result if out is None else write_exact(name, out, result)


def sparse_product(name: str, a: Any, b: Any) -> Any:
    """What multiplies operands of which one is sparse; None for two arrays."""
    if a.__class__ is np.ndarray and b.__class__ is np.ndarray:
        return None
    return other_layout(name, a, b)


def matmul(input: Any, other: Any, *, out: Any = None) -> Any:
    """`input @ other`: (..., m, k) with (..., k, n) gives (..., m, n), batches broadcast.

    A 1-d operand is a row on the left, a column on the right; its dimension is then left out.
    RuntimeError for 0-d operands, sizes that do not fit and unequal dtypes.
    """
    if out is None:
        t = fast.fast_matmul(MatMul, input, other)
        if t is not None:
            return t
    x = input._array if isinstance(input, Variable) else input
    y = other._array if isinstance(other, Variable) else other
    if x.__class__ is not np.ndarray or y.__class__ is not np.ndarray:
        special = other_layout("matmul", input, other)
        if special is not None:
            return special(input, other, out=out)
        check_tensors("matmul", input=input, other=other)
    s, t = x.shape, y.shape
    if not (
        x.dtype is y.dtype
        and len(s) > 1
        and (len(t) == 2 or (len(t) > 2 and s[:-2] == t[:-2]))
        and s[-1] == t[-2]
        and x.dtype.kind != "b"
    ):
        check_matmul(x, y)
    result = apply(MatMul, (input, other))
    return result if out is None else write_exact("matmul", out, result)


def operator_matmul(input: Any, other: Any) -> Any:
    """`input @ other`; other types than tensors are left to their own `__rmatmul__`."""
    return matmul(input, other) if isinstance(other, Variable) else NotImplemented


def operator_rmatmul(input: Any, other: Any) -> Any:
    """`other @ input`."""
    return matmul(other, input) if isinstance(other, Variable) else NotImplemented


def mm(input: Any, mat2: Any, *, out: Any = None) -> Any:
    """`input @ mat2` of two matrices, (n, m) and (m, p); no broadcasting. Gradients: `matmul`."""
    if out is None:
        t = fast.fast_matmul(MatMul, input, mat2, 2, 2)
        if t is not None:
            return t
    a, b = check_tensors("mm", input=input, mat2=mat2)
    special = sparse_product("mm", a, b)
    if special is not None:
        return special(input, mat2, out=out)
    check_mm(a, b)
    return _product(input, mat2, out, "mm")


def bmm(input: Any, mat2: Any, *, out: Any = None) -> Any:
    """Products of the matrices of two batches, (b, n, m) and (b, m, p). Gradients: `matmul`."""
    if out is None:
        t = fast.fast_matmul(Bmm, input, mat2, 3, 3)
        if t is not None:
            return t
    a, b = check_tensors("bmm", input=input, mat2=mat2)
    check_bmm(a, b)
    check_same_type(a, b, "expected scalar type {0} but found {1}")
    return _product(input, mat2, out, "bmm")


def mv(input: Any, vec: Any, *, out: Any = None) -> Any:
    """The product of a matrix (n, m) and a vector (m,). Gradients: `matmul`."""
    if out is None:
        t = fast.fast_matmul(MatMul, input, vec, 2, 1)
        if t is not None:
            return t
    a, b = check_tensors("mv", input=input, vec=vec)
    special = sparse_product("mv", a, b)
    if special is not None:
        return special(input, vec, out=out)
    check_addmv(None, a, b)
    return _product(input, vec, out, "mv")


def dot(input: Any, tensor: Any, *, out: Any = None) -> Any:
    """The inner product of two vectors of the same length. Gradients: each the other, times grad.

    RuntimeError unless both are 1-d, of the same length and dtype.
    """
    if out is None:
        t = fast.fast_matmul(MatMul, input, tensor, 1, 1)
        if t is not None:
            return t
    check_dot(*check_tensors("dot", input=input, tensor=tensor))
    return _product(input, tensor, out, "dot")


def vdot(input: Any, other: Any, *, out: Any = None) -> Any:
    """`dot`, for real numbers."""
    check_dot(*check_tensors("vdot", input=input, other=other))
    return named("VdotBackward0", _product(input, other, out, "vdot"))


def inner(input: Any, other: Any, *, out: Any = None) -> Any:
    """Inner products over the last dimension: (..., k) and (*, k) give (..., *).

    A 0-d operand multiplies every element. RuntimeError if the last dimensions differ.
    """
    x, y = check_tensors("inner", input=input, other=other)
    if x.ndim == 0 or y.ndim == 0:
        return mul(input, other, out=out)
    if x.shape[-1] != y.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(x.shape)} and {list(y.shape)}"
        )
    if x.dtype != y.dtype:
        raise RuntimeError("both inputs should have same dtype")
    rows = reshape(input, (math.prod(x.shape[:-1]), x.shape[-1]))
    columns = mt(reshape(other, (math.prod(y.shape[:-1]), y.shape[-1])))
    if x.ndim == y.ndim == 1:
        check_bool(x, "dot")
        result = _product(rows, columns)
    else:
        check_bool(x, "addmm_impl_cpu_", y)
        result = mm(rows, columns)  # which autocast lowers
    result = reshape(result, (*x.shape[:-1], *y.shape[:-1]))
    return result if out is None else write_exact("inner", out, result)


def outer(input: Any, vec2: Any, *, out: Any = None) -> Any:
    """All products of two vectors, (n,) and (m,), as (n, m); dtypes are promoted.

    Gradients: d input = grad @ vec2, d vec2 = grad^T @ input. RuntimeError unless both are 1-d.
    """
    a, b = check_tensors("outer", input=input, vec2=vec2)
    for name, x in (("self", a), ("vec2", b)):
        if x.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {x.ndim}-D")
    return mul(reshape(input, (a.size, 1)), vec2, out=out)


ger = outer


class Linear(Node):
    """input @ weight^T + bias."""

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, input: Any, weight: Any, bias: Any) -> Any:
        self.shape = input.shape
        return cpu.linear(input, weight, bias)

    def backward(self, grad: Any) -> Any:
        """d input = grad @ weight, d weight = grad^T @ input, d bias = grad summed over rows."""
        x, w = self.saved
        f, g, h = self.next
        d_input = None if f is None else _times(grad, w)
        d_weight = d_bias = None
        if g is not None or h is not None:
            shape = self.shape
            out_features = shape_of(grad)[-1]
            if len(shape) != 2:
                grad = reshape(grad, (math.prod(shape[:-1]), out_features))
            if g is not None:
                assert x is not None
                if len(shape) != 2:
                    x = reshape(x, (math.prod(shape[:-1]), shape[-1]))
                d_weight = _times(mt(grad), x)
            if h is not None and grad.__class__ is np.ndarray:
                d_bias = rounded(cpu.total(grad, (0,), False), grad.dtype)
            elif h is not None:
                d_bias = apply(SumTo, (grad,), (out_features,))
        return d_input, d_weight, d_bias

    def name(self) -> str:
        bias = self.next[2] is not None
        if len(self.shape) == 2:
            return "AddmmBackward0" if bias else "MmBackward0"
        if bias:
            return "ViewBackward0"
        return "UnsafeViewBackward0" if len(self.shape) > 2 else "SqueezeBackward4"


def linear(input: Any, weight: Any, bias: Any = None, *, out: Any = None) -> Any:
    """`input @ weight^T + bias`: input (..., in), weight (out, in), bias (out,); gives (..., out).

    A 1-d weight (in,) gives (...). RuntimeError for sizes that do not fit and unequal dtypes.
    """
    t = fast.fast_linear(Linear, input, weight, bias)
    if t is not None:
        return t if out is None else write_exact("linear", out, t)
    result = _linear(input, weight, bias)
    return result if out is None else write_exact("linear", out, result)


def _linear(input: Any, weight: Any, bias: Any) -> Any:
    x = input._array if isinstance(input, Variable) else input
    w = weight._array if isinstance(weight, Variable) else weight
    b = bias._array if isinstance(bias, Variable) else bias
    if x.__class__ is not np.ndarray or w.__class__ is not np.ndarray:
        check_tensors("linear", input=input, weight=weight)
    if not (
        x.dtype is w.dtype
        and w.ndim == 2
        and x.ndim
        and x.shape[-1] == w.shape[1]
        and x.dtype.kind != "b"
        and (b is None or (b.dtype is x.dtype and b.shape == w.shape[:1]))
    ):
        check_linear(x, w, b)
        if w.ndim == 1:
            return matmul(input, weight)
        if b is not None and b.shape != w.shape[:1]:  # broadcasts to the result
            return add(apply(Linear, (input, weight, None)), bias)
    return apply(Linear, (input, weight, bias))
