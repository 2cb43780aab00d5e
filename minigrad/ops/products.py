"""Products with a shape of their own: Kronecker, cross, chains and powers of matrices, bilinear."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from . import _lapack
from ._matrices import check_bool, check_same_type, check_tensors, mt
from ._operands import operand, write_out
from ._reduction import constant
from ._shape import array_arg, array_of, broadcast_error, expand, normalize_dim, whole
from .arith import add, mul, neg, sub
from .compare import where
from .join import cat
from .linalg import linear, matmul
from .movement import reshape
from .permutation import permute
from .rearrange import flip, roll
from .reduce import sum as sum_
from .scan import cumprod

__all__ = ["bilinear", "chain_matmul", "cross", "kron", "matrix_power", "vander"]


def cross(
    input: Any, other: Any, dim: int | None = None, *, out: Any = None, axis: int | None = None
) -> Any:
    """The cross product along `dim`, of size 3 (by default the first dimension of that size).

    RuntimeError if no dimension or the given one has not the size 3, or the dtypes differ.
    """
    if axis is not None:
        dim = axis
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
    named("LinalgCrossBackward0", result)
    return result if out is None else write_out("cross", out, result)


class Inverse(Node):
    """The inverse of each matrix of a batch (NaN where it is singular), and the infos."""

    saves_output = (0,)

    def forward(self, x: Any) -> tuple:
        return _lapack.inv(x)

    def backward(self, grads: Any) -> Any:
        """-inv^T @ grad @ inv^T."""
        transposed = mt(self.saved[0])
        return neg(matmul(transposed, matmul(grads[0], transposed)))

    def name(self) -> str:
        return "LinalgInvExBackward0"


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
    if power not in (0, 1):
        check_bool(x, "addmm_impl_cpu_")
    if power < 0:
        if x.dtype.kind != "f" or x.dtype.itemsize < 4:
            raise RuntimeError(
                f"linalg.inv: Expected a floating point tensor of 32 or 64 bits as input, got "
                f"{x.dtype}"
            )
        input, info = apply(Inverse, (input,))
        if array_of(info).any():
            raise _lapack.failed("linalg.inv", array_of(info), _lapack.SINGULAR)
        power = -power
    result = None
    while power:
        if power & 1:
            result = input if result is None else matmul(result, input)
        power >>= 1
        if power:
            input = matmul(input, input)
    if result is None:
        identity = np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype, like=x), x.shape).copy()
        result = _v.wrap(identity) if isinstance(input, Variable) else identity
        if x.dtype.kind in "fV":  # still a result of the input
            result = where(constant(input, np.zeros((), bool)), input, result)
    elif result is input and n == 1:
        result = mul(input, 1)  # PyTorch returns a copy
    return result if out is None else write_out("matrix_power", out, result)


def kron(input: Any, other: Any, *, out: Any = None) -> Any:
    """The Kronecker product: each element of `input` times all of `other`, as blocks."""
    x, y = check_tensors("kron", input=input, other=other)
    ndim = max(x.ndim, y.ndim)
    s = (1,) * (ndim - x.ndim) + x.shape
    t = (1,) * (ndim - y.ndim) + y.shape
    left = reshape(input, tuple([n for size in s for n in (size, 1)]))
    right = reshape(other, tuple([n for size in t for n in (1, size)]))
    result = reshape(mul(left, right), tuple([m * n for m, n in zip(s, t, strict=True)]))
    return result if out is None else write_out("kron", out, result)


def chain_matmul(*matrices: Any, out: Any = None) -> Any:
    """The product of matrices, in the order of multiplications that costs least."""
    if len(matrices) == 1 and isinstance(matrices[0], (list, tuple)):
        matrices = tuple(matrices[0])
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    arrays = check_tensors("chain_matmul", **{f"matrices[{i}]": m for i, m in enumerate(matrices)})
    for x in arrays:
        if x.ndim != 2:
            raise RuntimeError(f"Tensor dimension is {x.ndim}, expected 2 instead.")
    sizes = [arrays[0].shape[0]] + [x.shape[1] for x in arrays]
    n = len(matrices)
    # cost[i, j]: the least multiplications for matrices i ... j; cut: where the last product is.
    cost = {(i, i): 0 for i in range(n)}
    cut: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j], cut[i, j] = min(
                (cost[i, c] + cost[c + 1, j] + sizes[i] * sizes[c + 1] * sizes[j + 1], c)
                for c in range(i, j)
            )

    def product(i: int, j: int) -> Any:
        if i == j:
            return matrices[i]
        c = cut[i, j]
        return matmul(product(i, c), product(c + 1, j))

    result = product(0, n - 1)
    return result if out is None else write_out("chain_matmul", out, result)


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """`y[..., o] = sum_ij input1[..., i] weight[o, i, j] input2[..., j] + bias[o]`.

    input1 (..., i), input2 (..., j), weight (o, i, j), bias (o,); RuntimeError where they misfit.
    """
    x, y, w = check_tensors("bilinear", input1=input1, input2=input2, weight=weight)
    if x.ndim != y.ndim:
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {x.ndim} and {y.ndim}")
    for i in range(x.ndim - 1):
        if x.shape[i] != y.shape[i]:
            raise RuntimeError(
                f"bilinear(): input batch dimensions do not match at dim {i}: got {x.shape[i]} and "
                f"{y.shape[i]}"
            )
    for number, size, at in ((1, x.shape[-1], 1), (2, y.shape[-1], 2)):
        if size != w.shape[at]:
            raise RuntimeError(
                f"bilinear(): input{number} size does not match weight size: got {size} but "
                f"expected {w.shape[at]}"
            )
    if bias is not None and array_of(bias).shape != w.shape[:1]:
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {array_of(bias).shape[0]} but "
            f"expected {w.shape[0]}"
        )
    check_same_type(x, y, "expected scalar type {0} but found {1}")
    check_same_type(x, w, "expected scalar type {0} but found {1}")
    lead = x.shape[:-1]
    rows = math.prod(lead)
    o, i, j = w.shape
    left = reshape(input1, (rows, i))
    right = reshape(input2, (rows, 1, j))
    # (rows, o, j): input1 with every matrix of the weight; then each row's product with input2.
    middle = reshape(linear(left, reshape(permute(weight, (0, 2, 1)), (o * j, i))), (rows, o, j))
    result = reshape(sum_(mul(middle, right), -1, dtype=dtypes.from_numpy(x.dtype)), (*lead, o))
    return result if bias is None else add(result, bias)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The N powers (as many as elements by default) of each element of a vector, as rows.

    From the highest down to 0, or up from 0 if `increasing`. RuntimeError for other shapes.
    """
    values = array_arg("vander", x, 1, "x")
    if values.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = values.shape[0] if N is None else whole("vander(): N", N)
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    dtype = values.dtype if values.dtype.kind in "fV" else np.dtype(np.int64)
    rows = reshape(operand("vander", x, dtype), (-1, 1))
    one = constant(x, np.ones((values.shape[0], min(n, 1)), dtype))
    powers = one
    if n > 1:
        powers = cat([one, cumprod(expand(rows, (values.shape[0], n - 1)), 1)], 1)
    return powers if increasing else flip(powers, 1)
