"""Products of matrices and vectors, the matrix exponential, Vandermonde matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node
from ..kernels._quiet import quiet
from ..ops import products
from ..ops._matrices import check_tensors, mt, scalar_type
from ..ops._operands import converted
from ..ops._reduction import constant
from ..ops._shape import expand, normalize_dim, shape_of
from ..ops.arith import mul
from ..ops.join import cat
from ..ops.movement import reshape, unsqueeze
from ..ops.reduce import sum as sum_
from ..ops.scan import cumprod
from ..ops.slices import diagonal as _diagonal
from ..ops.slices import narrow
from ._checks import check_float, check_square, written

__all__ = ["cross", "diagonal", "matrix_exp", "multi_dot", "vander", "vecdot"]


# The Padé approximant of degree 13: the norm up to which it is exact, and its coefficients.
# Higham, "The scaling and squaring method for the matrix exponential revisited", 2005.
_LIMIT = 5.371920351148152
_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0,
    960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip


@quiet
def _exponential(x: Any) -> Any:
    """exp of matrices (..., n, n) of float64: scaled down, approximated, squared again."""
    norm = np.abs(x).sum(-2).max(-1)
    finite = np.isfinite(norm)[..., None, None]
    if not finite.all():
        return np.where(finite, _exponential(np.where(finite, x, 0)), x.dtype.type(np.nan))
    squarings = np.ceil(np.log2(np.maximum(norm / _LIMIT, 1))).astype(np.int64)
    x = np.ldexp(x, -squarings[..., None, None]).astype(x.dtype)
    square = x @ x
    one = np.eye(x.shape[-1], dtype=x.dtype, like=x)
    power = np.broadcast_to(one, x.shape)
    even, odd = _PADE[0] * power, _PADE[1] * power
    for k in range(2, len(_PADE), 2):
        power = power @ square if k > 2 else square
        even = even + _PADE[k] * power
        odd = odd + _PADE[k + 1] * power
    odd = x @ odd
    # (even + odd) / (even - odd), written so that exp(0) is 1 exactly.
    result = one + 2 * np.linalg.solve(even - odd, odd)
    for step in range(int(squarings.max())):
        result = np.where((squarings > step)[..., None, None], result @ result, result)
    return result


class MatrixExp(Node):
    """The exponential of square matrices."""

    saves = (0,)

    def forward(self, x: Any) -> Any:
        if not x.size:
            return x.copy()
        return _exponential(x.astype(np.float64)).astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        """The upper right block of exp([[A^T, grad], [0, A^T]]).

        Van Loan, "Computing integrals involving the matrix exponential", 1978.
        """
        turned = mt(self.saved[0])
        n = shape_of(turned)[-1]
        top = cat([turned, grad], -1)
        bottom = cat([mul(turned, 0.0), turned], -1)
        whole = apply(MatrixExp, (cat([top, bottom], -2),))
        return narrow(narrow(whole, -2, 0, n), -1, n, n)

    def name(self) -> str:
        return "LinalgMatrixExpBackward0"


def matrix_exp(A: Any) -> Any:
    """exp(A), the sum of A^k / k!, of square matrices (..., n, n)."""
    (x,) = check_tensors("linalg.matrix_exp", A=A)
    check_square("linalg.matrix_exp", x)
    if x.dtype.kind not in "fV":
        raise RuntimeError(
            "linalg.matrix_exp: Expected a floating point or complex tensor as input. Got "
            f"{scalar_type(x)}"
        )
    return apply(MatrixExp, (A,))


def multi_dot(tensors: Any, *, out: Any = None) -> Any:
    """The product of two or more matrices, in the order of multiplications that costs least.

    The first and the last may be vectors: a row and a column, whose dimension is then left out.
    """
    tensors = list(tensors)
    name = "multi_dot"
    if len(tensors) < 2:
        raise RuntimeError(f"{name}(): expected at least 2 tensors but got {len(tensors)}")
    arrays = check_tensors(name, **{f"tensors[{i}]": t for i, t in enumerate(tensors)})
    for i, x in enumerate(arrays):
        ends = i in (0, len(arrays) - 1)
        if x.ndim != 2 and not (ends and x.ndim == 1):
            needed = "1D or 2D" if ends else "2D"
            raise RuntimeError(f"{name}(): tensor {i} must be {needed} but got {x.ndim}D")
        if x.dtype != arrays[0].dtype:
            raise RuntimeError(
                f"{name}(): all tensors must have be the same dtype but tensor 0 is "
                f"{scalar_type(arrays[0])} and tensor {i} {scalar_type(x)}"
            )
    row, column = arrays[0].ndim == 1, arrays[-1].ndim == 1
    if row:
        tensors[0] = reshape(tensors[0], (1, arrays[0].size))
    if column:
        tensors[-1] = reshape(tensors[-1], (arrays[-1].size, 1))
    for i in range(len(tensors) - 1):
        s, t = shape_of(tensors[i]), shape_of(tensors[i + 1])
        if s[1] != t[0]:
            raise RuntimeError(
                f"{name}(): tensors {i} and {i + 1} with shapes {list(arrays[i].shape)} and "
                f"{list(arrays[i + 1].shape)} cannot be multiplied"
            )
    result = products.chain_matmul(*tensors)
    shape = shape_of(result)
    kept = (*(() if row else shape[:1]), *(() if column else shape[1:]))
    return written("linalg.multi_dot", out, result if kept == shape else reshape(result, kept))


def cross(input: Any, other: Any, *, dim: int = -1, out: Any = None) -> Any:
    """The cross product along `dim`, of size 3; the other dimensions broadcast."""
    return products.cross(input, other, dim, out=out)


def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonal of the matrices in two dimensions, as the last dimension. Shares memory."""
    return _diagonal(A, offset, dim1, dim2)


def vecdot(x: Any, y: Any, *, dim: int = -1, out: Any = None) -> Any:
    """Inner products along `dim`; the other dimensions broadcast."""
    a, b = check_tensors("linalg.vecdot", x=x, y=y)
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"linalg.vecdot: Expected vectors of same dtype, but got {scalar_type(a)} and "
            f"{scalar_type(b)}"
        )
    check_float("linalg.vecdot", a, low=True)
    at = normalize_dim(dim, a.ndim)
    normalize_dim(dim, b.ndim)
    if a.ndim and b.ndim and a.shape[dim] != b.shape[dim] and 1 not in (a.shape[dim], b.shape[dim]):
        raise RuntimeError(
            f"linalg.vecdot: Expected equal sizes along dim {at}, but got {a.shape[dim]} and "
            f"{b.shape[dim]}"
        )
    total = sum_(mul(x, y), dim, dtype=dtypes.from_numpy(a.dtype))
    return written("linalg.vecdot", out, total)


def vander(x: Any, *, N: int | None = None) -> Any:
    """x^0 ... x^(N-1) (N: the size of x by default) in a new last dimension: (..., n, N).

    Integers become int64. RuntimeError for bools, 16-bit floats and N < 2.
    """
    (array,) = check_tensors("linalg.vander", x=x)
    if array.dtype.kind == "b" or (array.dtype.kind in "fV" and array.dtype.itemsize < 4):
        raise RuntimeError(
            "linalg.vander supports floating point, complex, and integer tensors, but got "
            f"{scalar_type(array)}"
        )
    if not array.ndim:
        x, array = reshape(x, (1,)), array.reshape(1)
    n = array.shape[-1] if N is None else N
    if n <= 1:
        raise RuntimeError("N must be greater than 1.")
    wide = np.dtype(np.int64) if array.dtype.kind in "iu" else array.dtype
    column = unsqueeze(converted("vander", x, wide), -1)
    ones = constant(column, np.ones((*array.shape, 1), wide, like=array))
    return cat([ones, cumprod(expand(column, (*array.shape, n - 1)), -1)], -1)
