"""Arithmetic of sparse tensors, functions that keep zeros, transposition, sums and softmax."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..autograd import variable as _v
from ..backend import sparse_csr
from ..ops._shape import normalize_dim
from ..ops.join import cat
from ..ops.places import index_add
from ..ops.scattering import index_select
from .making import sparse_mask
from .products import matmul
from .tensor import Absent, SparseTensor, is_sparse, make, summed

__all__ = ["log_softmax", "softmax", "sum"]


def _scalar(value: Any) -> bool:
    return isinstance(value, (int, float)) or (not is_sparse(value) and not value.ndim)


def _same_shape(name: str, a: Any, b: Any) -> None:
    if tuple(a.shape) != tuple(b.shape):
        raise RuntimeError(
            f"{name}: expected sizes of 'self' and 'other' to match, but {list(a.shape)} != "
            f"{list(b.shape)}"
        )


def _add(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    if alpha != 1:
        other = other * alpha
    if is_sparse(input) and is_sparse(other):
        _same_shape("add", input, other)
        places = np.concatenate([input._places, other._places], 1)
        places, data = summed(places, cat([input._data, other._data], 0), _sizes(input))
        return make(places, data, tuple(input.shape), True, input.layout)
    if is_sparse(input):
        raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.")
    return input + other.to_dense()


def _sizes(x: Any) -> tuple[int, ...]:
    return tuple(x.shape[: len(x._places)])


def _sub(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    return _add(input, other * -alpha if is_sparse(other) else -other * alpha)


def _mul(input: Any, other: Any, *, out: Any = None) -> Any:
    if not is_sparse(input):
        input, other = other, input
    if _scalar(other):
        return input._with(ops.mul(input._data, other))
    chosen = input if input._coalesced else input.coalesce()
    if is_sparse(other):  # 0 where one of them has no place
        _same_shape("mul", input, other)
        return chosen._with(ops.mul(chosen._data, sparse_mask(other, chosen)._data))
    wide = ops.expand(other, tuple(input.shape))
    return chosen._with(ops.mul(chosen._data, sparse_mask(wide, chosen)._data))


def _div(input: Any, other: Any, *, rounding_mode: Any = None, out: Any = None) -> Any:
    if not is_sparse(input) or not _scalar(other):
        raise RuntimeError("div: a sparse tensor can be divided by a number only")
    return input._with(ops.div(input._data, other, rounding_mode=rounding_mode))


def _keeping_zeros(name: str) -> Callable:
    function = getattr(ops, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        chosen = self if self._coalesced else self.coalesce()
        return chosen._with(function(chosen._data, *args, **kwargs))

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"`{name}` of the values (the zeros stay zeros)."
    return method


def _pow(self: Any, exponent: Any) -> Any:
    """Powers of the values. RuntimeError for exponents that are not positive numbers."""
    if not isinstance(exponent, (int, float)) or exponent <= 0:
        raise RuntimeError("pow: a sparse tensor needs an exponent above 0")
    chosen = self if self._coalesced else self.coalesce()
    return chosen._with(ops.pow(chosen._data, exponent))


def _neg(self: Any) -> Any:
    """The values with the other sign."""
    return self._with(ops.neg(self._data))


def transpose(self: Any, dim0: int, dim1: int) -> Any:
    """Two of the sparse dimensions exchanged."""
    k = len(self._places)
    a, b = normalize_dim(dim0, len(self.shape)), normalize_dim(dim1, len(self.shape))
    if a == b:
        return self
    if max(a, b) >= k:
        raise RuntimeError("transpose: only sparse dimensions of a sparse tensor can be exchanged")
    order = list(range(len(self.shape)))
    order[a], order[b] = b, a
    shape = tuple([self.shape[d] for d in order])
    places = self._places[order[:k]]
    if self.layout is sparse_csr:  # rows first: PyTorch would call these compressed columns
        places, data = summed(places, self._data, shape)
        return make(places, data, shape, True, sparse_csr)
    return make(places, self._data, shape, False)


def t(self: Any) -> Any:
    """A matrix transposed."""
    if len(self.shape) > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 sparse dims, but self is {self.ndim}D")
    return transpose(self, 0, 1) if len(self.shape) == 2 else self


def sum(input: Any, dim: Any = None, dtype: Any = None) -> Any:
    """The sum of all elements, or over dimensions: sparse as long as a sparse dimension is left."""
    if not is_sparse(input):
        raise RuntimeError("sparse.sum: needed: a sparse tensor")
    data = input._data if dtype is None else input._data.to(dtype)
    if dim is None:
        return ops.sum(data)
    n, k = len(input.shape), len(input._places)
    dims = {normalize_dim(d, n) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))}
    inner = tuple([d - k + 1 for d in dims if d >= k])
    if inner:
        data = ops.sum(data, inner)
    rest = [d for d in range(k) if d not in dims]
    if not rest:
        return ops.sum(data, 0)
    shape = tuple([input.shape[d] for d in range(n) if d not in dims])
    if len(rest) == k:
        return make(input._places, data, shape, input._coalesced)
    places, data = summed(input._places[rest], data, shape[: len(rest)])
    return make(places, data, shape, True)


def _sum_method(self: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """`sparse.sum`."""
    if keepdim:
        raise NotImplementedError("sum: keepdim is not for sparse tensors")
    return sum(self, dim, dtype)


def _grouped(input: Any, dim: int, dtype: Any, log: bool) -> Any:
    """Softmax over the places that differ in `dim` only; the zeros count nothing."""
    x = input if input.layout is sparse_csr else input.coalesce()
    if x._data.ndim != 1:
        raise NotImplementedError("sparse.softmax: needed: a tensor without dense dimensions")
    data = x._data if dtype is None else x._data.to(dtype)
    d = normalize_dim(dim, len(x.shape))
    others = [i for i in range(len(x.shape)) if i != d]
    sizes = tuple([x.shape[i] for i in others])
    keys = np.ravel_multi_index(tuple(x._places[others]), sizes) if others else np.zeros(
        x._places.shape[1], np.int64
    )  # fmt: skip
    names, group = np.unique(keys, return_inverse=True)
    tops = np.full(len(names), -np.inf, data._array.dtype)
    np.maximum.at(tops, group, data._array)
    which = _v.wrap(group.reshape(-1))
    shifted = ops.sub(data, _v.wrap(tops[group]))
    powers = ops.exp(shifted)
    zeros = _v.wrap(np.zeros(len(names), data._array.dtype))
    totals = index_select(index_add(zeros, 0, which, powers), 0, which)
    return x._with(ops.sub(shifted, ops.log(totals)) if log else ops.div(powers, totals))


def softmax(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """Softmax along `dim` of the elements that have a place; the others stay 0."""
    return _grouped(input, dim, dtype, False)


def log_softmax(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """The logarithm of `softmax`, of the elements that have a place."""
    return _grouped(input, dim, dtype, True)


def _converted(name: str) -> Callable:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        data = getattr(self._data, name)(*args, **kwargs)
        return self if data is self._data else self._with(data)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"`{name}` of the values."
    return method


def _radd(self: Any, other: Any) -> Any:
    return _add(other, self)


def _rsub(self: Any, other: Any) -> Any:
    return _sub(other, self)


def _numpy(self: Any, *, force: bool = False) -> Any:
    raise TypeError("can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first.")


def _length(self: Any) -> int:
    return self.shape[0]


def _row(self: Any, index: Any) -> Any:
    """The elements at one number, or at several one after the other, of the first dimensions."""
    if index.__class__ is tuple:
        return functools.reduce(_row, index, self)
    if not is_sparse(self):
        return self[index]
    if not hasattr(index, "__index__"):
        raise NotImplementedError("indexing: a sparse tensor takes one int; use to_dense()")
    i = operator.index(index)
    n = self.shape[0]
    if not -n <= i < n:
        raise IndexError(f"index {i} is out of bounds for dimension 0 with size {n}")
    chosen = self if self._coalesced else self.coalesce()
    at = np.flatnonzero(chosen._places[0] == i % n)
    data = index_select(chosen._data, 0, _v.wrap(at))
    if len(chosen._places) == 1:
        return ops.sum(data, 0)
    return make(chosen._places[1:, at], data, tuple(self.shape[1:]), True)


# -- in place --------------------------------------------------------------------------------------


def _become(self: Any, other: Any) -> Any:
    """Takes the places and values of a sparse tensor of the same shape and dtype."""
    _same_shape("in-place operation", self, other)
    values = other._data
    if values._array.dtype != self._array.dtype:
        values = values.to(self.dtype)
    if self.requires_grad and self.is_leaf and _v.modes.state.recording:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation."
        )
    self._places, self._data, self._coalesced = other._places, values, other._coalesced
    return self


def _in_place(function: Callable) -> Callable:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = function(self, *args, **kwargs)
        if not is_sparse(result):
            raise RuntimeError("in-place operation: a sparse tensor cannot become a dense one")
        return _become(self, result)

    name = function.__name__.strip("_") + "_"
    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"`{name[:-1]}`, in place."
    return method


def _copy_(self: Any, src: Any, non_blocking: bool = False) -> Any:
    """Takes over another sparse tensor's places and a copy of its values."""
    if not is_sparse(src):
        raise RuntimeError("copy_() between dense and sparse Tensors is not implemented!")
    return _become(self, src.clone())


def _zero_(self: Any) -> Any:
    """Forgets all places."""
    values = _v.wrap(np.zeros((0, *self._data.shape[1:]), self._array.dtype))
    return _become(
        self, make(self._places[:, :0].copy(), values, tuple(self.shape), True, self.layout)
    )


def _detach_(self: Any) -> Any:
    """Takes the values out of the graph."""
    self._data = self._data.detach()
    return self


def _norm(self: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False,
          dtype: Any = None) -> Any:  # fmt: skip
    """The norm of all elements."""
    if dim is not None or keepdim:
        raise NotImplementedError("norm: of a sparse tensor without dim and keepdim only")
    return ops.norm(self.coalesce()._data, p, dtype=dtype)


for _name in ("to", "float", "double", "half", "bfloat16", "long", "int", "cpu", "cuda", "type",
              "type_as", "detach", "clone"):  # fmt: skip
    setattr(SparseTensor, _name, _converted(_name))
SparseTensor.data = property(SparseTensor.detach)  # type: ignore[assignment]
for _name in (
    "abs",
    "ceil",
    "expm1",
    "floor",
    "isinf",
    "isnan",
    "log1p",
    "relu",
    "sign",
    "sin",
    "sqrt",
    "tanh",
):
    Absent.operations[_name] = _keeping_zeros(_name)
    setattr(SparseTensor, _name, Absent.operations[_name])
for _names, _method in {
    ("add", "__add__"): _add,
    ("__radd__",): _radd,
    ("sub", "__sub__"): _sub,
    ("__rsub__",): _rsub,
    ("mul", "multiply", "__mul__", "__rmul__"): _mul,
    ("div", "true_divide", "__truediv__"): _div,
    ("neg", "negative", "__neg__"): _neg,
    ("add_", "__iadd__"): _in_place(_add),
    ("sub_", "__isub__"): _in_place(_sub),
    ("mul_", "__imul__"): _in_place(_mul),
    ("div_", "__itruediv__"): _in_place(_div),
    ("neg_",): _in_place(_neg),
    ("copy_",): _copy_,
    ("detach_",): _detach_,
    ("norm",): _norm,
    ("zero_",): _zero_,
    ("pow", "__pow__"): _pow,
    ("matmul", "mm", "mv", "__matmul__"): matmul,
    ("transpose", "swapaxes"): transpose,
    ("t",): t,
    ("sum",): _sum_method,
    ("numpy",): _numpy,
    ("__len__",): _length,
    ("__getitem__",): _row,
}.items():
    for _name in _names:
        setattr(SparseTensor, _name, _method)
for _name in ("T", "mT"):
    setattr(SparseTensor, _name, property(t))

Absent.operations.update(add=_add, sub=_sub, mul=_mul, div=_div, neg=_neg, t=t, transpose=transpose)
