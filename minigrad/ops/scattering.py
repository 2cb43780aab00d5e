"""Gathering and scattering along one dimension, and the index_* family."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ._elementwise import operand, type_name, write_out
from ._shape import array_arg, array_of, normalize_dim
from .arith import mul
from .index import Index, IndexPut, put_at, take_at
from .movement import reshape
from .rearrange import clone
from .slices import Placed

__all__ = [
    "gather", "index_add", "index_copy", "index_fill", "index_select", "put",
    "repeat_interleave", "scatter", "scatter_add", "take", "take_along_dim",
]  # fmt: skip


class Gather(Index):
    """Along a dimension, the elements at an index for each place."""


class IndexSelect(Index):
    """Whole places of a dimension at an index."""


class Take(Index):
    """Elements by their number in the flattened tensor."""


class Scatter(IndexPut):
    """Values written along a dimension, each at its own index."""


class ScatterAdd(IndexPut):
    """Values added along a dimension, each at its own index."""


class IndexAdd(IndexPut):
    """Values added at places of a dimension."""


class IndexCopy(IndexPut):
    """Values written at places of a dimension."""


class IndexFill(IndexPut):
    """One number written at places of a dimension."""


class PutAt(IndexPut):
    """Values written at elements named by their number in the flattened tensor."""

    def name(self) -> str:
        return "PutBackward0"


# -- arguments -----------------------------------------------------------------------------------


def index_arg(name: str, index: Any, position: int = 3) -> Any:
    """The array of an `index` argument. RuntimeError unless it holds int64 or int32."""
    i = array_arg(name, index, position, "index")
    if i.dtype != np.int64 and i.dtype != np.int32:
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")
    return i


def check_bounds(i: Any, dim: int, size: int, kind: type[Exception] = RuntimeError) -> None:
    """Negative numbers are out of bounds here, unlike in `x[i]`."""
    bad = (i < 0) | (i >= size)
    if bad.any():
        raise kind(
            f"index {int(i[bad].flat[0])} is out of bounds for dimension {dim} with size {size}"
        )


def grid(index: Any, dim: int) -> tuple[list, tuple[int, ...]]:
    """Index arrays for all dimensions: `index` along `dim`, each place's own number elsewhere."""
    shape = array_of(index).shape
    n = len(shape)
    arrays = [
        index if d == dim else np.arange(shape[d]).reshape((1,) * d + (-1,) + (1,) * (n - d - 1))
        for d in range(n)
    ]
    return arrays, tuple(range(n))


def along(name: str, input: Any, dim: int, index: Any) -> tuple[int, bool]:
    """Checks index against input for gather and scatter; (dimension, whether all is 0-d)."""
    x, i = array_arg(name, input), index_arg(name, index)
    d = normalize_dim(dim, x.ndim)
    if max(x.ndim, 1) != max(i.ndim, 1):
        if not i.size:
            return d, False
        raise RuntimeError(
            "Index tensor must have the same number of dimensions as input tensor"
            if name == "gather"
            else "Index tensor must have the same number of dimensions as self tensor"
        )
    for k, (n, m) in enumerate(zip(i.shape or (1,), x.shape or (1,))):
        if k != d and n > m and i.size:
            raise RuntimeError(
                f"Size does not match at dimension {k} expected index {list(i.shape)} to be no "
                f"larger than self {list(x.shape)} apart from dimension {d}"
            )
    check_bounds(i, d, x.shape[d] if x.ndim else 1)
    return d, not x.ndim


def as_1d(value: Any) -> Any:
    """A 0-d tensor or array as one of 1 element."""
    return reshape(value, (1,)) if not array_of(value).ndim else value


# -- gather and scatter --------------------------------------------------------------------------


def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False, out: Any = None) -> Any:
    """out[i][j][k] = input[index[i][j][k]][j][k] (for dim 0); the shape is that of `index`.

    Gradient: grad added at the places that were taken. RuntimeError for indices out of bounds.
    """
    d, _ = along("gather", input, dim, index)
    i = array_of(index)
    if i.ndim != array_of(input).ndim and not i.size:
        result = _v.wrap(np.zeros(i.shape, array_of(input).dtype))
    else:
        arrays, positions = grid(as_1d(index), d)
        result = reshape_like(take_at(as_1d(input), arrays, positions, Gather), i.shape)
    return result if out is None else write_out("gather", out, result)


def reshape_like(value: Any, shape: tuple[int, ...]) -> Any:
    """`value` in a shape, itself if it has it."""
    return value if array_of(value).shape == shape else reshape(value, shape)


def source_for(name: str, input: Any, index: Any, src: Any, dim: int) -> Any:
    """The part of `src` that `index` covers. RuntimeError for other types and smaller shapes."""
    x, i, s = array_of(input), array_of(index), array_arg(name, src, 4, "src")
    if s.dtype != x.dtype:
        raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
    if max(s.ndim, 1) != max(i.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    shape, src = i.shape or (1,), as_1d(src)
    s = array_of(src)
    if any(n > m for n, m in zip(shape, s.shape)):
        raise RuntimeError(
            f"Expected index {list(i.shape)} to be no larger than self {list(x.shape)} apart from "
            f"dimension {dim} and to be no larger size than src {list(s.shape)}"
        )
    if s.shape == shape:
        return src
    return apply(Corner, (src,), tuple([slice(n) for n in shape]))


class Corner(Node):
    """The part of a tensor that an index covers."""

    fresh = True

    def forward(self, x: Any, part: tuple) -> Any:
        self.shape, self.part = x.shape, part
        return x[part].copy()

    def backward(self, grad: Any) -> Any:
        """Zeros, with grad at the part."""
        return apply(Placed, (grad,), self.shape, self.part)


_REDUCTIONS = {"add": "sum", "multiply": "prod"}


def _scatter(name: str, input: Any, dim: int, index: Any, src: Any, adds: bool, cls: Any) -> Any:
    x = array_arg(name, input)
    d, _ = along(name, input, dim, index)
    if isinstance(src, (bool, int, float, np.number)):
        values = array_of(operand(name, src, x.dtype))
    else:
        values = source_for(name, input, index, src, d)
    if not array_of(index).size:
        return clone(input)
    arrays, positions = grid(as_1d(index), d)
    return reshape_like(put_at(as_1d(input), values, arrays, positions, adds, cls), x.shape)


def scatter(
    input: Any,
    dim: int,
    index: Any,
    src: Any = None,
    *,
    value: Any = None,
    reduce: str | None = None,
    out: Any = None,
) -> Any:
    """A copy of `input` with `src` (a tensor or a number) written at `index` along `dim`.

    `reduce` "add" or "multiply" combines it with what is there. Gradient: of `input`, grad with
    zeros at the places; of `src`, grad at the places. RuntimeError for indices out of bounds.
    """
    src = value if src is None else src
    if reduce is None:
        result = _scatter("scatter", input, dim, index, src, False, Scatter)
    else:
        if reduce not in _REDUCTIONS:
            raise RuntimeError("reduce argument must be either add or multiply.")
        result = _combine(input, dim, index, src, reduce)
    return result if out is None else write_out("scatter", out, result)


def _combine(input: Any, dim: int, index: Any, src: Any, reduce: str) -> Any:
    if reduce == "add":
        return _scatter("scatter", input, dim, index, src, True, ScatterAdd)
    x = array_arg("scatter", input)
    if not isinstance(src, Variable):
        src = _v.wrap(np.full(array_of(index).shape, src, x.dtype))
    return scatter_product(input, dim, index, src)


def scatter_product(input: Any, dim: int, index: Any, src: Any) -> Any:
    """`input` times the values scattered to each place; PyTorch has no gradient for it."""
    d, _ = along("scatter", input, dim, index)
    values = array_of(source_for("scatter", input, index, src, d))
    x = np.atleast_1d(array_of(input)).copy()
    arrays, positions = grid(np.atleast_1d(array_of(index)), d)
    if array_of(index).size:
        np.multiply.at(x, tuple(arrays), values)
    return _v.wrap(x.reshape(array_of(input).shape))


def scatter_add(input: Any, dim: int, index: Any, src: Any, *, out: Any = None) -> Any:
    """A copy of `input` with `src` added at `index` along `dim`; repeated indices add up.

    Gradient: of `input`, grad; of `src`, grad at the places.
    """
    array_arg("scatter_add", src, 4, "src")
    result = _scatter("scatter_add", input, dim, index, src, True, ScatterAdd)
    return result if out is None else write_out("scatter_add", out, result)


# -- whole places of a dimension -----------------------------------------------------------------


def _vector(name: str, index: Any) -> Any:
    i = index_arg(name, index)
    if i.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, but got dim: {i.ndim}")
    return as_1d(index)


def index_select(input: Any, dim: int, index: Any, *, out: Any = None) -> Any:
    """The places `index` (a vector) of dimension `dim`. Gradient: grad added at the places."""
    x = array_arg("index_select", input)
    d, i = normalize_dim(dim, x.ndim), _vector("index_select", index)
    check_bounds(array_of(i), d, x.shape[d] if x.ndim else 1, IndexError)
    result = take_at(as_1d(input), [i], (d,), IndexSelect)
    if not x.ndim:
        if array_of(i).size != 1:
            raise RuntimeError(
                "index_select(): Index to scalar can have only 1 value, got "
                f"{array_of(i).size} value(s)"
            )
        result = reshape(result, ())
    return result if out is None else write_out("index_select", out, result)


def _index_write(
    name: str, input: Any, dim: int, index: Any, source: Any, adds: bool, cls: Any
) -> Any:
    x, s = array_arg(name, input), array_arg(name, source, 4, "source")
    d, i = normalize_dim(dim, x.ndim), _vector(name, index)
    if x.dtype != s.dtype:
        raise RuntimeError(
            f"{name}(): self and source expected to have the same dtype, but got (self) "
            f"{type_name(dtypes.from_numpy(x.dtype))} and (source) "
            f"{type_name(dtypes.from_numpy(s.dtype))}"
        )
    count = array_of(i).size
    place = (*x.shape[:d], count, *x.shape[d + 1 :]) if x.ndim else (count,)
    if (s.shape or (1,)) != place:
        raise RuntimeError(
            f"{name}(): source of shape {list(s.shape)} given; needed: {list(place)}, as many "
            f"places of dimension {d} as the index names and self's other sizes"
        )
    check_bounds(array_of(i), d, x.shape[d] if x.ndim else 1, IndexError)
    result = put_at(as_1d(input), as_1d(source), [i], (d,), adds, cls)
    return reshape_like(result, x.shape)


def index_add(
    input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1, out: Any = None
) -> Any:
    """A copy of `input` with `alpha * source` added at the places `index` of dimension `dim`.

    Repeated indices add up. Gradient: of `input`, grad; of `source`, alpha * grad at the places.
    """
    array_arg("index_add", source, 4, "source")
    if alpha != 1:
        source = mul(source, alpha)
    result = _index_write("index_add", input, dim, index, source, True, IndexAdd)
    return result if out is None else write_out("index_add", out, result)


def index_copy(input: Any, dim: int, index: Any, source: Any, *, out: Any = None) -> Any:
    """A copy of `input` with `source` written at the places `index` of dimension `dim`.

    Gradient: of `input`, grad with zeros at the places; of `source`, grad at the places.
    """
    result = _index_write("index_copy", input, dim, index, source, False, IndexCopy)
    return result if out is None else write_out("index_copy", out, result)


def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """A copy of `input` with a number (or 0-d tensor) at the places `index` of dimension `dim`."""
    x = array_arg("index_fill", input)
    d, i = normalize_dim(dim, x.ndim), _vector("index_fill", index)
    if isinstance(value, Variable) and value._array.ndim:
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._array.ndim} dimension(s)."
        )
    values = operand("index_fill", value, x.dtype)
    if not isinstance(value, Variable):
        values = array_of(values)
    n = x.shape[d] if x.ndim else 1
    a = array_of(i)
    check_bounds(np.where(a < 0, a + n, a), d, n, IndexError)
    return reshape_like(put_at(as_1d(input), values, [i], (d,), False, IndexFill), x.shape)


# -- elements of the flattened tensor ------------------------------------------------------------


def _flat_index(name: str, input: Any, index: Any) -> Any:
    i, n = array_arg(name, index, 2, "index"), array_arg(name, input).size
    if i.dtype != np.int64:
        raise RuntimeError(f"{name}(): Expected a long tensor for index, but got {i.dtype}")
    if i.size and not n:
        raise IndexError(f"{name}(): tried to take from an empty tensor")
    bad = (i < -n) | (i >= n)
    if bad.any():
        raise IndexError(
            f"out of range: tried to access index {int(i[bad].flat[0])} on a tensor of {n} "
            "elements."
        )
    return i


def take(input: Any, index: Any, *, out: Any = None) -> Any:
    """The elements with the numbers `index` in the flattened `input`, in the shape of `index`."""
    _flat_index("take", input, index)
    flat = reshape(input, (array_of(input).size,))
    result = take_at(flat, [index], (0,), Take)
    return result if out is None else write_out("take", out, result)


def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """A copy of `input` with `source` at the elements `index` of the flattened tensor."""
    x, s = array_arg("put", input), array_arg("put", source, 3, "source")
    i = _flat_index("put", input, index)
    if x.dtype != s.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{type_name(dtypes.from_numpy(x.dtype))} and source.dtype = "
            f"{type_name(dtypes.from_numpy(s.dtype))}"
        )
    if i.size != s.size:
        raise RuntimeError(
            f"put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {s.size}, index.numel() = {i.size}"
        )
    flat = reshape(input, (x.size,))
    values = reshape(source, (s.size,))
    result = put_at(flat, values, [reshape(index, (i.size,))], (0,), accumulate, PutAt)
    return reshape(result, x.shape)


def take_along_dim(input: Any, indices: Any, dim: int | None = None, *, out: Any = None) -> Any:
    """`gather` whose input and index are broadcast against each other; flattened without `dim`."""
    x, i = array_arg("take_along_dim", input), index_arg("take_along_dim", indices, 2)
    if i.dtype != np.int64:
        raise RuntimeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got {i.dtype}"
        )
    if dim is None:
        result = gather(reshape(input, (x.size,)), 0, reshape(indices, (i.size,)))
        return result if out is None else write_out("take_along_dim", out, result)
    if x.ndim != i.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {x.ndim} dimensions for input, and {i.ndim} dimensions for indices"
        )
    d = normalize_dim(dim, x.ndim)
    n = x.shape[d] if x.ndim else 1
    bad = (i < -n) | (i >= n)
    if bad.any():
        raise RuntimeError(
            f"index {int(i[bad].flat[0])} is out of bounds for dimension {d} with size {n}"
        )
    shape = _broadcast_but(x.shape, i.shape, d)
    arrays, positions = grid(np.empty(shape, np.bool_), d)
    for k, (m, size) in enumerate(zip(x.shape, shape)):
        if k != d and m == 1 and size != 1:
            arrays[k] = np.zeros_like(arrays[k])
    if x.ndim:
        arrays[d] = indices
        # The index arrays broadcast together, so an index of size 1 is repeated by itself.
        result = take_at(input, arrays, positions, Gather)
    else:
        result = reshape(gather(as_1d(input), 0, as_1d(indices)), ())
    return result if out is None else write_out("take_along_dim", out, result)


def _broadcast_but(a: tuple, b: tuple, dim: int) -> tuple[int, ...]:
    """The broadcast shape of `a` and `b`, with b's size at `dim`."""
    shape = []
    for k, (n, m) in enumerate(zip(a, b)):
        if k != dim and n != m and n != 1 and m != 1:
            raise RuntimeError(
                f"The size of tensor a ({n}) must match the size of tensor b ({m}) at "
                f"non-singleton dimension {k}"
            )
        shape.append(m if k == dim or n == 1 else n)
    return tuple(shape)


def repeat_interleave(
    input: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Any:
    """Each place of `dim` (of the flattened input without it) repeated `repeats` times in a row.

    `repeats` is an int or an int tensor with a number for each place; `repeat_interleave(repeats)`
    gives the numbers of the places. Gradient: the sum over the repetitions.
    """
    x = array_arg("repeat_interleave", input)
    if repeats is None:
        if x.dtype.kind != "i" or x.ndim != 1:
            raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
        _check_repeats(x)
        return _v.wrap(np.repeat(np.arange(x.size), x))
    if dim is None:
        input, dim = reshape(input, (x.size,)), 0
        x = array_of(input)
    d = normalize_dim(dim, x.ndim)
    input, n = as_1d(input), x.shape[d] if x.ndim else 1
    r = array_of(repeats)
    if isinstance(r, np.ndarray):
        if r.dtype.kind != "i":
            raise RuntimeError("repeats has to be Long or Int tensor")
        if r.ndim > 1 or (r.size != 1 and r.size != n):
            raise RuntimeError(
                f"repeats must have the same size as input along dim, but got repeats.size(0) = "
                f"{r.shape[0] if r.ndim else 1} and input.size({d}) = {n}"
            )
        r = r.reshape(-1)
    else:
        r = np.asarray([operator.index(r)])
    _check_repeats(r)
    index = np.repeat(np.arange(n), r if r.size == n else int(r[0]))
    if output_size is not None and output_size != index.size:
        raise RuntimeError(
            f"repeat_interleave: output_size {output_size} given; the repeats sum up to "
            f"{index.size}"
        )
    return take_at(input, [index], (d,), IndexSelect)


def _check_repeats(r: Any) -> None:
    if (r < 0).any():
        raise RuntimeError("repeats can not be negative")
