"""Products of a sparse matrix with dense and sparse ones, with gradients of both operands."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node
from ..kernels import sparse as kernels
from ..ops import linalg
from ..ops._matrices import check_tensors, size_text
from ..ops._out import write_exact
from ..ops._shape import expand
from ..ops.arith import add, mul
from ..ops.movement import reshape
from ..ops.reduce_at import scatter_reduce
from ..ops.scattering import index_select
from .tensor import Absent, is_sparse, make, summed

__all__ = ["addmm", "matmul", "mm", "sampled_addmm"]


class SparseProduct(Node):
    """(n, k): the sum of values[i] * x[columns[i]] at rows[i]."""

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, values: Any, x: Any, rows: Any, columns: Any, n: int) -> Any:
        self.places, self.height = (rows, columns), x.shape[0]
        return kernels.sparse_product(rows, columns, values, x, n)

    def backward(self, grad: Any) -> Any:
        """d values[i] = grad[rows[i]] . x[columns[i]]; d x = the transposed matrix @ grad."""
        values, x = self.saved
        rows, columns = self.places
        f, g = self.next
        return (
            None if f is None else apply(Sampled, (grad, x), rows, columns),
            None if g is None else apply(
                SparseProduct, (values, grad), columns, rows, self.height
            ),
        )  # fmt: skip

    def name(self) -> str:
        return "SparseAddmmBackward0"


class Sampled(Node):
    """(count,): a[rows[i]] . b[columns[i]], elements of a @ b^T."""

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, a: Any, b: Any, rows: Any, columns: Any) -> Any:
        self.places, self.heights = (rows, columns), (a.shape[0], b.shape[0])
        return kernels.sampled(rows, columns, a, b)

    def backward(self, grad: Any) -> Any:
        """Products of the sparse matrix of grad with the other operand."""
        a, b = self.saved
        rows, columns = self.places
        n, m = self.heights
        f, g = self.next
        return (
            None if f is None else apply(SparseProduct, (grad, b), rows, columns, n),
            None if g is None else apply(SparseProduct, (grad, a), columns, rows, m),
        )


def _check(name: str, a: Any, b: Any) -> None:
    if a.ndim != 2 or b.ndim != 2:
        raise RuntimeError(f"{name}: needed: two matrices, not {a.ndim}-D and {b.ndim}-D tensors")
    if a.shape[1] != b.shape[0]:
        raise RuntimeError(
            f"{name}: mat1 and mat2 shapes cannot be multiplied ({size_text(tuple(a.shape))} and "
            f"{size_text(tuple(b.shape))})"
        )
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"{name}: expected both matrices of one dtype, but got {a.dtype} and {b.dtype}"
        )


def mm(mat1: Any, mat2: Any, reduce: str | None = None, *, out: Any = None) -> Any:
    """`mat1 @ mat2` of matrices (n, m) and (m, k), of which at least one may be sparse.

    Sparse with dense gives a dense matrix, sparse with sparse a sparse one. Gradients go to the
    values and to the dense operand. `reduce` ("mean", "amax", "amin") of a CSR and a dense matrix
    takes the place of the sum; a maximum that several terms share shares its gradient.
    """
    check_tensors("mm", mat1=mat1, mat2=mat2)
    _check("sparse.mm", mat1, mat2)
    if reduce is not None:
        return _reduced(mat1, mat2, reduce, out)
    left, right = is_sparse(mat1), is_sparse(mat2)
    if left and right:
        return _sparse_sparse(mat1, mat2)
    if left:
        places = mat1._places
        result = apply(SparseProduct, (mat1._data, mat2), places[0], places[1], mat1.shape[0])
    elif right:  # (b^T @ a^T)^T
        places = mat2._places
        turned = apply(SparseProduct, (mat2._data, mat1.t()), places[1], places[0], mat2.shape[1])
        result = turned.t()
    else:
        result = linalg.mm(mat1, mat2)
    return result if out is None else write_exact("mm", out, result)


_REDUCE = {"sum": "sum", "mean": "mean", "max": "amax", "amax": "amax", "min": "amin",
           "amin": "amin"}  # fmt: skip


def _reduced(mat1: Any, mat2: Any, reduce: str, out: Any) -> Any:
    """Row i: the sum (mean, maximum ...) of values[i, j] * mat2[j] over the elements of mat1."""
    if reduce not in _REDUCE:
        raise RuntimeError(f"sparse.mm: reduce={reduce!r}; needed: one of {', '.join(_REDUCE)}")
    if not is_sparse(mat1) or not mat1.is_sparse_csr or is_sparse(mat2):
        raise NotImplementedError("sparse.mm: reduce needs a sparse CSR matrix and a dense one")
    rows, columns = mat1._places
    if reduce == "sum":
        result = apply(SparseProduct, (mat1._data, mat2), rows, columns, mat1.shape[0])
    else:
        terms = mul(index_select(mat2, 0, _v.wrap(columns)), reshape(mat1._data, (-1, 1)))
        places = expand(_v.wrap(rows[:, None]), terms._array.shape)
        start = _v.wrap(np.zeros((mat1.shape[0], mat2.shape[1]), terms._array.dtype))
        result = scatter_reduce(start, 0, places, terms, _REDUCE[reduce], include_self=False)
    return result if out is None else write_exact("mm", out, result)


def _sparse_sparse(a: Any, b: Any) -> Any:
    """Each element of a with the row of b that its column names; equal places are added up."""
    b = b if b.is_sparse_csr else b.coalesce()
    starts = np.searchsorted(b._places[0], np.arange(b.shape[0] + 1))
    first, counts = starts[a._places[1]], np.diff(starts)[a._places[1]]
    of_a = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts)
    of_b = np.arange(len(of_a)) - np.repeat(ends - counts, counts) + np.repeat(first, counts)
    data = mul(
        index_select(a._data, 0, _v.wrap(of_a)),
        index_select(b._data, 0, _v.wrap(of_b.astype(np.int64))),
    )
    shape = a.shape[0], b.shape[1]
    places, data = summed(np.stack([a._places[0][of_a], b._places[1][of_b]]), data, shape)
    return make(places, data, shape, True, a.layout)


def matmul(input: Any, other: Any, *, out: Any = None) -> Any:
    """`input @ other` with a sparse matrix: also with a vector on its other side."""
    check_tensors("matmul", input=input, other=other)
    if other.ndim == 1:
        return mm(input, other.reshape(-1, 1)).reshape(-1)
    if input.ndim == 1:
        return mm(input.reshape(1, -1), other).reshape(-1)
    return mm(input, other, out=out)


def addmm(
    input: Any, mat1: Any, mat2: Any, *, beta: float = 1.0, alpha: float = 1.0, out: Any = None
) -> Any:
    """`beta * input + alpha * (mat1 @ mat2)` with a sparse mat1 (or mat2) and a dense input."""
    product = mm(mat1, mat2)
    result = add(product if alpha == 1 else product * alpha, input if beta == 1 else input * beta)
    return result if out is None else write_exact("addmm", out, result)


def sampled_addmm(
    input: Any, mat1: Any, mat2: Any, *, beta: float = 1.0, alpha: float = 1.0, out: Any = None
) -> Any:
    """`alpha * (mat1 @ mat2)` at the places of the sparse `input`, plus `beta * input`."""
    _check("sparse.sampled_addmm", mat1, mat2)
    if not is_sparse(input):
        raise RuntimeError("sampled_addmm: Expected self to be a sparse tensor")
    places = input._places
    products = apply(Sampled, (mat1, mat2.t()), places[0], places[1])
    return input._with(add(mul(input._data, beta), mul(products, alpha)))


def _mv(input: Any, vec: Any, *, out: Any = None) -> Any:
    return matmul(input, vec, out=out)


Absent.operations.update(mm=mm, matmul=matmul, addmm=addmm, mv=_mv)
