"""`SparseTensor`: the places and values of a tensor that is mostly zeros.

It is a tensor by class, but holds no dense array: `Absent` stands in that place, knows the shape
and the dtype, and refuses everything else, so that an operation without a sparse form says so. The
values are an ordinary tensor: gradients go through them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from .. import dispatch, dtypes
from ..autograd import variable as _v
from ..autograd.variable import Variable
from ..backend import sparse_coo, sparse_csr
from ..ops.places import index_add
from ..ops.scattering import index_select
from ..printing import contents, with_suffixes
from ..tensor import Tensor


class Absent:
    """Stands where a dense tensor has its array. `operations` are those that take sparse tensors.

    The functions of `minigrad.ops` look there for what to call instead of a kernel.
    """

    __array_priority__ = 2000
    operations: dict[str, Callable] = {}  # filled by the modules of this package

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype):
        self.shape, self.dtype = shape, dtype
        self.ndim, self.size = len(shape), math.prod(shape)
        self.itemsize, self.nbytes = dtype.itemsize, 0

    def __getattr__(self, name: str) -> NoReturn:
        raise self._refusal(name)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self._refusal("NumPy")

    def __array_ufunc__(self, ufunc: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise self._refusal(ufunc.__name__)

    def __array_function__(self, function: Any, *args: Any) -> NoReturn:
        raise self._refusal(function.__name__)

    def __getitem__(self, index: Any) -> NoReturn:
        raise self._refusal("indexing")

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise self._refusal("writing")

    def _refusal(self, name: str) -> NotImplementedError:
        return NotImplementedError(
            f"{name}: not for a sparse tensor ({', '.join(map(str, self.shape))}); needed: a dense "
            "one, as to_dense() gives it"
        )


class SparseTensor(Tensor):
    """A tensor in coordinate form (layout `sparse_coo`) or by compressed rows (`sparse_csr`).

    `_places` (sparse_dim, nnz) int64 are the indices; `_data` the values (nnz, dense shape...).
    """

    __slots__ = ()
    __torch_function__ = staticmethod(dispatch.disabled_torch_function)  # results are plain
    _places: np.ndarray
    _data: Any
    _coalesced: bool

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_array":
            raise NotImplementedError("writing in place and resizing: not for a sparse tensor")
        object.__setattr__(self, name, value)

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient of the values is wanted."""
        return self._data.requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self._data.requires_grad = value

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Sets `requires_grad` and returns self."""
        self._data.requires_grad_(requires_grad)
        return self

    @property
    def is_leaf(self) -> bool:
        return self._data.is_leaf

    @property
    def grad_fn(self) -> Any:
        return self._data.grad_fn

    @property
    def grad(self) -> Any:
        """The gradient of the values, as a sparse tensor with the same places; or None."""
        grad = self._data.grad
        return None if grad is None else self._with(grad)

    @grad.setter
    def grad(self, value: Any) -> None:
        self._data.grad = None if value is None else value._data

    def _with(self, data: Any, kept: bool = True) -> Any:
        """The same places with other values."""
        return make(self._places, data, tuple(self.shape), self._coalesced and kept, self.layout)

    def __repr__(self, **kwargs: Any) -> str:
        return sparse_repr(self)

    def backward(self, *args: Any, **kwargs: Any) -> None:
        """RuntimeError: gradients start from dense results."""
        raise RuntimeError("backward: a sparse result has no gradient of its own; sum it up first")


def make(
    places: np.ndarray, data: Any, shape: tuple[int, ...], coalesced: bool, kind: Any = sparse_coo
) -> Any:
    """A sparse tensor of parts that fit together."""
    t = object.__new__(SparseTensor)
    object.__setattr__(t, "_array", Absent(shape, data._array.dtype))
    t._fn = t._grad = t._cell = t._view = None
    t._places, t._data, t._coalesced = places, data, coalesced
    t.layout = kind
    t.is_sparse, t.is_sparse_csr = kind is sparse_coo, kind is sparse_csr
    return t


def is_sparse(value: Any) -> bool:
    """Whether a value is a sparse tensor."""
    return isinstance(value, SparseTensor)


# -- parts -----------------------------------------------------------------------------------------


def _need_coo(name: str, self: Any) -> None:
    if not is_sparse(self):
        raise RuntimeError(f"{name} expected sparse coordinate tensor layout but got Strided")
    if self.layout is not sparse_coo:
        raise RuntimeError(f"{name} expected sparse coordinate tensor layout but got SparseCsr")


def raw_indices(self: Any) -> Any:
    """The places (sparse_dim, nnz), perhaps repeated."""
    _need_coo("_indices", self)
    return _v.wrap(self._places)


def raw_values(self: Any) -> Any:
    """The values (nnz, ...) of the places."""
    if not is_sparse(self):
        _need_coo("_values", self)
    return self._data


def indices(self: Any) -> Any:
    """The places (sparse_dim, nnz) of a coalesced tensor."""
    _need_coo("indices", self)
    if not self._coalesced:
        raise RuntimeError(
            "Cannot get indices on an uncoalesced tensor, please call .coalesce() first"
        )
    return _v.wrap(self._places)


def values(self: Any) -> Any:
    """The values (nnz, ...) of a coalesced tensor."""
    if not is_sparse(self):
        raise RuntimeError("values expected sparse tensor layout but got Strided")
    if not self._coalesced:
        raise RuntimeError(
            "Cannot get values on an uncoalesced tensor, please call .coalesce() first"
        )
    return self._data


def nnz(self: Any) -> int:
    """The number of places."""
    if not is_sparse(self):
        raise NotImplementedError("_nnz: needed: a sparse tensor, not a dense one")
    return self._places.shape[1]


def sparse_dim(self: Any) -> int:
    """The number of dimensions that the indices name; 0 for a dense tensor."""
    return self._places.shape[0] if is_sparse(self) else 0


def dense_dim(self: Any) -> int:
    """The number of dimensions of each value."""
    return self._data.ndim - 1 if is_sparse(self) else self.ndim


def is_coalesced(self: Any) -> bool:
    """Whether the places are sorted and all different."""
    _need_coo("is_coalesced", self)
    return self._coalesced


def crow_indices(self: Any) -> Any:
    """Where each row begins among the places (rows + 1,), of a tensor by compressed rows."""
    if not is_sparse(self) or self.layout is not sparse_csr:
        raise RuntimeError("crow_indices expected sparse row compressed tensor layout")
    starts = np.searchsorted(self._places[0], np.arange(self.shape[0] + 1))
    return _v.wrap(starts.astype(np.int64))


def col_indices(self: Any) -> Any:
    """The columns (nnz,) of a tensor by compressed rows."""
    if not is_sparse(self) or self.layout is not sparse_csr:
        raise RuntimeError("col_indices expected sparse row compressed tensor layout")
    return _v.wrap(self._places[1])


def summed(places: np.ndarray, data: Any, sizes: tuple[int, ...]) -> tuple[np.ndarray, Any]:
    """Places sorted, values of equal ones added up; sizes are those of the places' dimensions."""
    if places.shape[0] == 0 or not places.shape[1]:
        return places, data
    keys = np.ravel_multi_index(tuple(places), sizes)
    steps = np.diff(keys)
    if (steps > 0).all():
        return places, data
    if (steps >= 0).all():
        order, ordered = None, keys
    else:
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
    new = np.flatnonzero(np.diff(ordered, prepend=-1))
    chosen = places[:, new if order is None else order[new]]
    if len(new) == len(keys):
        return chosen, index_select(data, 0, _v.wrap(order))
    to = np.empty(len(keys), np.int64)
    numbers = np.cumsum(np.diff(ordered, prepend=-1) > 0) - 1
    to[slice(None) if order is None else order] = numbers
    zeros = _v.wrap(np.zeros((len(new), *data.shape[1:]), data._array.dtype))
    return chosen, index_add(zeros, 0, _v.wrap(to), data)


def coalesce(self: Any) -> Any:
    """The same tensor with sorted places, each once: the values of equal ones are added up."""
    _need_coo("coalesce", self)
    if self._coalesced:
        return self
    places, data = summed(self._places, self._data, tuple(self.shape[: len(self._places)]))
    return make(places, data, tuple(self.shape), True)


def to_dense(self: Any, dtype: Any = None, *, masked_grad: bool | None = None) -> Any:
    """The tensor with its zeros; a dense one as it is. Gradient: that at the places."""
    result = self
    if is_sparse(self):
        k = len(self._places)
        sizes, rest = tuple(self.shape[:k]), tuple(self.shape[k:])
        zeros = _v.wrap(np.zeros((math.prod(sizes), *rest), self._data._array.dtype))
        keys = _v.wrap(np.asarray(np.ravel_multi_index(tuple(self._places), sizes)).reshape(-1))
        result = index_add(zeros, 0, keys, self._data).reshape(tuple(self.shape))
    return result if dtype is None else result.to(dtype)


# -- printing --------------------------------------------------------------------------------------


def _inner(name: str, t: Any) -> str:
    """A tensor inside the text: its elements alone, or the size where there are none."""
    head = f"{name}=tensor("
    if not t.numel():
        return f"{head}[], size={tuple(t.shape)})"
    return f"{head}{contents(t._array, len('tensor(' + head))})"


def sparse_repr(self: Any) -> str:
    """What `print` shows: the places, the values, the size."""
    if self.layout is sparse_csr:
        parts = [("crow_indices", crow_indices(self)), ("col_indices", col_indices(self))]
    else:
        parts = [("indices", _v.wrap(self._places))]
    parts.append(("values", self._data))
    between = ",\n" + " " * 7
    text = "tensor(" + between.join([_inner(name, t) for name, t in parts])
    suffixes = [f"size={tuple(self.shape)}", f"nnz={nnz(self)}"]
    if self.layout is not sparse_csr:  # the size has a line of its own
        text += between + suffixes.pop(0)
    if self.dtype not in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_):
        suffixes.append(f"dtype={self.dtype!r}")
    suffixes.append(f"layout={self.layout!r}")
    if self.grad_fn is not None:
        suffixes.append(f"grad_fn=<{self.grad_fn.name().rpartition('::')[2]}>")
    elif self.requires_grad:
        suffixes.append("requires_grad=True")
    return with_suffixes(text, suffixes, 7)


def is_dense(value: Any) -> bool:
    """Whether a value is a tensor that holds all its elements."""
    return isinstance(value, Variable) and not is_sparse(value)
