"""Products with a shape of their own: the cross product and powers of matrices."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ._elementwise import write_out
from ._matrices import check_bool, check_same_type, check_tensors, mt
from ._shape import broadcast_error, expand, normalize_dim
from .arith import mul, neg, sub
from .linalg import matmul
from .rearrange import roll

__all__ = ["cross", "matrix_power"]


def cross(input: Any, other: Any, dim: int | None = None, *, out: Any = None) -> Any:
    """The cross product along `dim`, of size 3 (by default the first dimension of that size).

    RuntimeError if no dimension or the given one has not the size 3, or the dtypes differ.
    """
    x, y = check_tensors("cross", input=input, other=other)
    if x.ndim != y.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    if dim is None:
        dim = next((i for i, n in enumerate(x.shape) if n == 3), None)
        if dim is None:
            raise RuntimeError("no dimension of size 3 in input")
    d = normalize_dim(dim, x.ndim)
    if x.shape[d] != 3 or y.shape[d] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {x.shape[d]} and "
            f"{y.shape[d]}"
        )
    try:
        shape = np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        raise broadcast_error(x, y) from None
    check_same_type(x, y, "expected scalar type {0} but found {1}")
    check_bool(x, "cross")
    a, b = expand(input, shape), expand(other, shape)
    # (a x b)_i = a_{i+1} b_{i+2} - a_{i+2} b_{i+1}, indices modulo 3
    result = sub(
        mul(roll(a, -1, d), roll(b, -2, d)),
        mul(roll(a, -2, d), roll(b, -1, d)),
    )
    return result if out is None else write_out("cross", out, result)


class Inverse(Node):
    """The inverse of each matrix of a batch."""

    saves_output = (0,)

    def forward(self, x: Any) -> Any:
        try:
            return np.linalg.inv(x)
        except np.linalg.LinAlgError:
            raise RuntimeError(
                f"matrix_power: a matrix of the input {list(x.shape)} is singular; a negative "
                "power needs an invertible one"
            ) from None

    def backward(self, grad: Any) -> Any:
        """-inv^T @ grad @ inv^T."""
        transposed = mt(self.saved[0])
        return neg(matmul(transposed, matmul(grad, transposed)))


def matrix_power(input: Any, n: int, *, out: Any = None) -> Any:
    """The n-th power of square matrices (..., m, m), by repeated squaring; n < 0 inverts first.

    Gradient: that of the products. RuntimeError unless the last two dimensions are equal.
    """
    (x,) = check_tensors("matrix_power", input=input)
    if x.ndim < 2:
        raise RuntimeError(
            "linalg.matrix_power: The input tensor A must have at least 2 dimensions."
        )
    if x.shape[-1] != x.shape[-2]:
        raise RuntimeError(
            "linalg.matrix_power: A must be batches of square matrices, but they are "
            f"{x.shape[-2]} by {x.shape[-1]} matrices"
        )
    power = operator.index(n)
    check_bool(x, "addmm_impl_cpu_")
    if power < 0:
        if x.dtype.kind != "f" or x.dtype.itemsize < 4:
            raise RuntimeError(
                f"linalg.inv: Expected a floating point tensor of 32 or 64 bits as input, got "
                f"{x.dtype}"
            )
        input, power = apply(Inverse, (input,)), -power
    result = None
    while power:
        if power & 1:
            result = input if result is None else matmul(result, input)
        power >>= 1
        if power:
            input = matmul(input, input)
    if result is None:
        identity = np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape).copy()
        result = _v.wrap(identity) if isinstance(input, Variable) else identity
    elif result is input and n == 1:
        result = mul(input, 1)  # PyTorch returns a copy
    return result if out is None else write_out("matrix_power", out, result)
