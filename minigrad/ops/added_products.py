"""A tensor plus a product, with a factor for each: addmm and its relatives.

`AddMatMul` is one node for all of them.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels import cpu, fast
from ._matrices import (
    check_addmv,
    check_bmm,
    check_bool,
    check_expands,
    check_input_type,
    check_mm,
    check_tensors,
    cxx_name,
    mt,
    size_text,
)
from ._operands import to_dtype
from ._out import write_exact
from ._shape import array_of, sum_to
from .arith import add, mul
from .linalg import left_gradient, right_gradient, sparse_product
from .movement import reshape

__all__ = ["addbmm", "addmm", "addmv", "addr", "baddbmm"]


class AddMatMul(Node):
    """beta * input + alpha * (a @ b)."""

    saves = (1, 2)
    cross = True

    def forward(self, input: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
        self.shapes = input.shape, a.shape, b.shape
        self.beta, self.alpha = beta, alpha
        return cpu.addmm(input, a, b, beta, alpha)

    def backward(self, grad: Any) -> Any:
        """d input = beta grad, d a = alpha grad @ b^T, d b = alpha a^T @ grad."""
        a, b = self.saved
        e, f, g = self.next
        scaled = mul(grad, self.alpha) if self.alpha != 1 and (f or g) else grad
        return (
            e and sum_to(mul(grad, self.beta), self.shapes[0]),
            f and left_gradient(scaled, b, self.shapes[1]),
            g and right_gradient(scaled, a, self.shapes[2]),
        )

    def name(self) -> str:
        a, b = len(self.shapes[1]), len(self.shapes[2])
        return "BaddbmmBackward0" if a == 3 else "AddmvBackward0" if b == 1 else "AddmmBackward0"


def _factors(x: Any, beta: Any, alpha: Any) -> tuple:
    """beta and alpha as numbers; for integers they are cut to that type, as in PyTorch."""
    beta, alpha = (v.item() if hasattr(v, "item") else v for v in (beta, alpha))
    for name, value in (("beta", beta), ("alpha", alpha)):
        if not isinstance(value, (bool, int, float)):
            raise TypeError(
                f"addmm(): argument '{name}' must be Number, not {value.__class__.__name__}"
            )
    if x.dtype.kind in "iu":
        return tuple([int(np.int64(int(v)).astype(x.dtype)) for v in (beta, alpha)])
    return beta, alpha


def _add_product(
    name: str, input: Any, a: Any, b: Any, beta: Any, alpha: Any, out: Any, shape: tuple
) -> Any:
    x = input._array if isinstance(input, Variable) else input
    check_expands(x.shape, shape)
    result = apply(AddMatMul, (input, a, b), *_factors(x, beta, alpha))
    return result if out is None else write_exact(name, out, result)


def addmm(
    input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1, out: Any = None
) -> Any:
    """`beta * input + alpha * (mat1 @ mat2)`: input broadcasts to (n, p), mat1 (n, m), mat2 (m, p).

    With beta = 0 input is not read. Gradients: beta grad; alpha grad @ mat2^T; alpha mat1^T @ grad.
    """
    if out is None:
        t = fast.fast_addmm(AddMatMul, input, mat1, mat2, beta, alpha)
        if t is not None:
            return t
    x, a, b = check_tensors("addmm", input=input, mat1=mat1, mat2=mat2)
    special = sparse_product("addmm", a, b)
    if special is not None:
        return special(input, mat1, mat2, beta=beta, alpha=alpha, out=out)
    for name, m in (("mat1", a), ("mat2", b)):
        if m.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix, got {m.ndim}-D tensor")
    check_input_type(x, a, b)
    check_mm(a, b)
    return _add_product("addmm", input, mat1, mat2, beta, alpha, out, (a.shape[0], b.shape[1]))


def addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Any:
    """`beta * input + alpha * (mat @ vec)`: input broadcasts to (n,), mat (n, m), vec (m,)."""
    x, a, b = check_tensors("addmv", input=input, mat=mat, vec=vec)
    check_addmv(x, a, b)
    return _add_product("addmv", input, mat, vec, beta, alpha, out, (a.shape[0],))


def baddbmm(
    input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1, out: Any = None
) -> Any:
    """`beta * input + alpha * (batch1 @ batch2)`: input broadcasts to (b, n, p)."""
    x, a, b = check_tensors("baddbmm", input=input, batch1=batch1, batch2=batch2)
    check_bmm(a, b, typed=False)
    if not x.dtype == a.dtype == b.dtype:
        raise RuntimeError(
            f"Input dtypes must be the same, got: input {cxx_name(x)}, batch1: {cxx_name(a)}, "
            f"batch2: {cxx_name(b)}"
        )
    check_bool(a, "baddbmm", b)
    shape = (*a.shape[:2], b.shape[2])
    return _add_product("baddbmm", input, batch1, batch2, beta, alpha, out, shape)


def addbmm(
    input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1, out: Any = None
) -> Any:
    """`beta * input + alpha * sum_i batch1[i] @ batch2[i]`: input broadcasts to (n, p)."""
    x, a, b = check_tensors("addbmm", input=input, batch1=batch1, batch2=batch2)
    for name, m in (("batch1", a), ("batch2", b)):
        if m.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor")
    if a.shape[0] != b.shape[0]:
        raise RuntimeError(
            f"batch1 and batch2 must have same number of batches, got {a.shape[0]} and {b.shape[0]}"
        )
    if a.shape[2] != b.shape[1]:
        raise RuntimeError(
            f"Incompatible matrix sizes for bmm ({size_text(a.shape[1:])} and "
            f"{size_text(b.shape[1:])})"
        )
    check_input_type(x, a, b)
    check_bool(a, "addmm_impl_cpu_", b)
    count, n, m = a.shape
    p = b.shape[2]
    # The sum over the batch is part of the contraction: one product of (n, b m) and (b m, p).
    wide = reshape(mt(reshape(mt(batch1), (count * m, n))), (n, count * m))
    tall = reshape(batch2, (count * m, p))
    result = _add_product("addbmm", input, wide, tall, beta, alpha, out, (n, p))
    return named("AddbmmBackward0", result)


def addr(
    input: Any, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1, out: Any = None
) -> Any:
    """`beta * input + alpha * outer(vec1, vec2)`: input broadcasts to (n, m); dtypes promote."""
    x, a, b = check_tensors("addr", input=input, vec1=vec1, vec2=vec2)
    for name, v in (("vec1", a), ("vec2", b)):
        if v.ndim != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {v.ndim}-D")
    check_expands(x.shape, (a.size, b.size))
    if all(v.dtype.kind not in "fV" for v in (x, a, b)):
        for name, value in (("beta", beta), ("alpha", alpha)):
            if isinstance(value, float):
                raise RuntimeError(
                    f"For integral input tensors, argument {name} must not be a floating point "
                    "number."
                )
    rows, columns = reshape(vec1, (a.size, 1)), reshape(vec2, (1, b.size))
    if x.dtype.kind == a.dtype.kind == b.dtype.kind == "b":
        product = mul(mul(rows, columns), bool(alpha))
        return add(mul(input, bool(beta)), product, out=out)
    types = [dtypes.from_numpy(v.dtype) for v in (x, a, b)]
    dtype = functools.reduce(dtypes.promote_types, types).numpy  # 0-d tensors count in full
    operands: Any = [
        v if array_of(v).dtype == dtype else to_dtype(v, dtype) for v in (input, rows, columns)
    ]
    result = _add_product("addr", *operands, beta, alpha, out, (a.size, b.size))  # type: ignore[call-arg]
    return named("AddrBackward0", result)
