"""Norms of vectors and matrices, condition numbers and ranks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..ops import norms
from ..ops._lapack import eigh as _eigh
from ..ops._lapack import svdvals as _svdvals
from ..ops._matrices import check_tensors
from ..ops._operands import to_dtype
from ..ops._reduction import kept_shape
from ..ops._shape import array_of, normalize_dim, shape_of
from ..ops._singular import singular_values
from ..ops.arith import div, mul
from ..ops.extrema import nan_to_num
from ..ops.maxima import amax, amin
from ..ops.movement import reshape
from ..ops.permutation import permute
from ..ops.reduce import sum as sum_
from ._checks import check_float, check_matrix, matrix, written
from .systems import inv_ex, limit_of

__all__ = [
    "cond", "frobenius_norm", "matrix_norm", "matrix_rank", "norm", "nuclear_norm", "vector_norm",
]  # fmt: skip


def _number(name: str, order: Any) -> float:
    if isinstance(order, (int, float)) and not isinstance(order, bool):
        return float(order)
    value = array_of(order)
    if isinstance(value, (np.ndarray, np.generic)) and value.ndim == 0:
        return float(value)
    raise TypeError(f"{name}(): argument 'ord' must be Number, not {type(order).__name__}")


def _check_dtype(name: str, x: Any, dtype: Any) -> None:
    """RuntimeError for a `dtype` that is not floating point or narrower than the input."""
    if dtype is None:
        return
    wanted = dtypes.from_numpy(dtypes.numpy_type(dtype))
    if not wanted.is_floating_point:
        raise RuntimeError(
            f"{name}: dtype should be floating point or complex. Got {dtypes.type_name(wanted)}"
        )
    have = dtypes.from_numpy(x.dtype)
    if dtypes.promote_types(have, wanted) is not wanted:
        raise RuntimeError(
            f"{name}: the dtype of the input ({dtypes.type_name(have)}) should be convertible "
            f"without narrowing to the specified dtype ({dtypes.type_name(wanted)})"
        )


def vector_norm(
    x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
    out: Any = None,
) -> Any:  # fmt: skip
    """(sum |x|^ord)^(1/ord) over `dim` (all by default): inf and -inf the extrema, 0 a count.

    Gradient: that of `norm`. RuntimeError for integers, and for no elements where ord < 0.
    """
    name = "linalg.vector_norm"
    (array,) = check_tensors(name, x=x)
    check_float(name, array, low=True)
    _check_dtype(name, array, dtype)
    if dim is not None and dim.__class__ is not int:
        dim = list(dim)
    result = norms.norm(x, _number(name, ord), dim, keepdim, dtype=dtype)
    return written(name, out, result)


_ORDERS = (1.0, 2.0, math.inf)


def _extreme(largest: bool, values: Any, dim: Any, keepdim: bool) -> Any:
    """The largest (0 for no elements) or the least of `values` over `dim`."""
    if not largest:
        return amin(values, dim, keepdim)
    return (amax if array_of(values).size else sum_)(values, dim, keepdim)


def matrix_norm(
    A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None,
    out: Any = None,
) -> Any:  # fmt: skip
    """A norm of the matrices in two dimensions: "fro", "nuc", 1, -1, inf, -inf, 2 or -2.

    1 and inf are the largest sums of sizes of a column and of a row (-1 and -inf: the least), 2
    and -2 the largest and the least singular value, "nuc" the sum of the singular values.
    """
    name = "linalg.matrix_norm"
    (x,) = check_tensors(name, A=A)
    check_float(name, x, low=True)
    check_matrix(name, x)
    if isinstance(ord, str):
        if ord not in ("fro", "nuc"):
            raise RuntimeError(f"{name}: Order {ord} not supported.")
        singular = ord == "nuc"
    else:
        ord = _number(name, ord)
        if abs(ord) not in _ORDERS:
            raise RuntimeError(f"{name}: Order {ord:g} not supported.")
        singular = abs(ord) == 2
    dims = list(dim) if isinstance(dim, (tuple, list)) else [dim]
    if len(dims) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {' '.join(map(str, dims))}")
    first, second = (normalize_dim(d, x.ndim) for d in dims)
    if first == second:
        raise RuntimeError(f"{name}: dims must be different. Got ({dims[0]}, {dims[1]})")
    _check_dtype(name, x, dtype)
    if dtype is not None and dtypes.numpy_type(dtype) != x.dtype:
        A = to_dtype(A, dtypes.numpy_type(dtype))
        x = array_of(A)
    if ord == "fro":
        return written(name, out, norms.norm(A, 2.0, [first, second], keepdim))
    if not singular:
        # sums down the columns for 1, along the rows for inf
        inner, outer = (first, second) if abs(ord) == 1 else (second, first)
        sums = norms.norm(A, 1.0, inner, True)
        result = _extreme(ord > 0, sums, (inner, outer), keepdim)
        return written(name, out, result)
    check_float(name, x)
    rest = [d for d in range(x.ndim) if d not in (first, second)]
    values = singular_values(permute(A, [*rest, first, second]))
    if ord == "nuc":
        result = sum_(values, -1)
    else:
        result = _extreme(ord > 0, values, -1, False)
    if keepdim:
        result = reshape(result, kept_shape(x.shape, (first, second)))
    return written(name, out, result)


def norm(
    A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, out: Any = None,
    dtype: Any = None,
) -> Any:  # fmt: skip
    """`matrix_norm` for two dimensions with `ord`, else `vector_norm` (all elements for None)."""
    name = "linalg.norm"
    (x,) = check_tensors(name, A=A)
    if dim is not None:
        dim = [dim] if dim.__class__ is int else list(dim)
        if len(dim) not in (1, 2):
            raise RuntimeError(
                f"{name}: If dim is specified, it must be of length 1 or 2. Got {dim}"
            )
    elif ord is not None and x.ndim not in (1, 2):
        raise RuntimeError(
            f"{name}: If dim is not specified but ord is, the input must be 1D or 2D. Got {x.ndim}D"
        )
    pair = dim is not None and len(dim) == 2
    if isinstance(ord, str) or (ord is not None and (pair or (dim is None and x.ndim == 2))):
        if dim is None and isinstance(ord, str) and x.ndim != 2:
            raise RuntimeError(f"{name}: Order {ord} needs a matrix. Got {x.ndim}D")
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype, out=out)
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype, out=out)


def frobenius_norm(input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """`norm(input, "fro", dim)`: the root of the sum of squares."""
    given = [] if dim is None else [dim] if dim.__class__ is int else list(dim)
    if len(given) > 2:
        raise RuntimeError(
            f"Expected at most 2 dimensions, but got {len(given)} dimensions instead."
        )
    return vector_norm(input, 2, given or None, keepdim, out=out)


def nuclear_norm(input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """`matrix_norm(input, "nuc", dim)`; also called as `nuclear_norm(input, keepdim)`."""
    if isinstance(dim, bool):
        dim, keepdim = None, dim
    return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, out=out)


def cond(A: Any, p: Any = None, *, out: Any = None) -> Any:
    """The condition number |A| |A^-1| in a matrix norm (None: 2); inf for singular matrices."""
    name = "linalg.cond"
    x = matrix(name, A)
    if p is None or p in (2, -2):
        values = singular_values(A)
        if not shape_of(values)[-1]:
            zeros = np.zeros(x.shape[:-2], x.dtype, like=x)
            return written(name, out, _v.wrap(zeros))
        first, last = values[..., 0], values[..., -1]
        return written(name, out, div(last, first) if p == -2 else div(first, last))
    if x.shape[-1] != x.shape[-2]:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {x.shape[-2]} by "
            f"{x.shape[-1]} matrices"
        )
    if not isinstance(p, str) and abs(_number(name, p)) not in _ORDERS:
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if not x.size:
        return written(name, out, _v.wrap(np.zeros(x.shape[:-2], x.dtype, like=x)))
    inverse, info = inv_ex(A)
    result = mul(matrix_norm(A, p), matrix_norm(inverse, p))
    if array_of(info).any():
        result = nan_to_num(result, math.inf)
    return written(name, out, result)


def matrix_rank(
    A: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None,
    out: Any = None,
) -> Any:  # fmt: skip
    """The number (...) int64 of singular values above max(atol, rtol * the largest).

    rtol is max(m, n) * eps by default (0 if atol is positive); `tol` is atol with rtol 0.
    """
    name = "linalg.matrix_rank"
    x = matrix(name, A, square=hermitian)
    if tol is not None:
        if hermitian.__class__ is not bool:
            raise TypeError(f"{name}(): argument 'hermitian' must be bool")
        atol, rtol = tol, 0.0
    if not x.size:
        return written(name, out, _v.wrap(np.zeros(x.shape[:-2], np.int64, like=x)))
    values = np.sort(np.abs(_eigh(x, "L")[0]))[..., ::-1] if hermitian else _svdvals(x)
    limit = limit_of(x, atol, rtol)(values)
    rank = np.asarray((values > limit[..., None]).sum(-1), np.int64)
    return written(name, out, _v.wrap(rank))
