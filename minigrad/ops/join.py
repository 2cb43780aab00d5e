"""Putting tensors together: cat, stack and what is made of them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Variable
from ..dtypes import type_name
from ..kernels import places
from ._operands import to_dtype, write_out
from ._out import check_apart
from ._shape import array_arg, normalize_dim
from .grids import atleast_1d, atleast_2d, atleast_3d, meshgrid, several
from .movement import reshape
from .splits import Cat, Stack

__all__ = [
    "block_diag", "cartesian_prod", "cat", "column_stack", "concat", "concatenate", "dstack",
    "hstack", "row_stack", "stack", "vstack",
]  # fmt: skip


def _sequence(name: str, tensors: Any) -> list:
    """The list of tensors that a joining function was given, of one common type."""
    if not isinstance(tensors, (tuple, list)):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            f"{tensors.__class__.__name__}"
        )
    arrays = []
    for i, value in enumerate(tensors):
        if not isinstance(value, (Variable, np.ndarray)):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {value.__class__.__name__}"
            )
        arrays.append(array_arg(name, value))
    first = arrays[0].dtype if arrays else None
    if all(x.dtype == first for x in arrays):
        return list(tensors)
    common = _common(arrays)
    return [v if x.dtype == common else to_dtype(v, common) for v, x in zip(tensors, arrays)]


def _common(arrays: list) -> np.dtype:
    """The promoted type; a 0-d tensor counts only if it raises the category."""
    dims = zero = None
    for x in arrays:
        d = dtypes.from_numpy(x.dtype)
        if x.ndim:
            dims = d if dims is None else dtypes.promote_types(dims, d)
        else:
            zero = d if zero is None else dtypes.promote_types(zero, d)
    return dtypes.result_type_of(dims, zero, None).numpy


def cat(tensors: Any, dim: int = 0, *, out: Any = None, axis: int | None = None) -> Any:
    """The tensors one after the other along `dim`; the other sizes must agree.

    Gradient: each tensor gets its part. A vector without elements fits anything (PyTorch's rule).
    """
    if axis is not None:
        dim = axis
    if out is None:
        result = places.fast_join(Cat, tensors, dim, False)
        if result is not None:
            return result
    given = _sequence("cat", tensors)
    if not given:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    arrays = [array_arg("cat", x) for x in given]
    for i, x in enumerate(arrays):
        if not x.ndim:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    lead = next((x for x in arrays if x.shape != (0,)), arrays[0])
    d = normalize_dim(dim, lead.ndim)
    for i, x in enumerate(arrays):
        if x.shape == (0,) and lead.ndim > 1:
            given[i] = reshape(given[i], (*lead.shape[:d], 0, *lead.shape[d + 1 :]))
        else:
            _check_fits(x, lead, d, i)
    result = apply(Cat, tuple(given), d)
    if out is None:
        return result
    check_apart(out, *tensors)
    _check_type(out, result)
    return write_out("cat", out, result)


def _check_type(out: Any, result: Any) -> None:
    """PyTorch's error for an `out=` of a narrower kind is here a TypeError."""
    if not isinstance(out, Variable):
        return
    kind, needed = (dtypes.from_numpy(t._array.dtype) for t in (out, result))
    if not dtypes.can_cast(needed, kind):
        raise TypeError(
            f"torch.cat(): input types can't be cast to the desired output type {type_name(kind)}"
        )


def _check_fits(x: Any, lead: Any, dim: int, position: int) -> None:
    if x.ndim != lead.ndim:
        raise RuntimeError(
            f"Tensors must have same number of dimensions: got {lead.ndim} and {x.ndim}"
        )
    for i, (n, m) in enumerate(zip(lead.shape, x.shape)):
        if n != m and i != dim:
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {dim}. Expected size {n} but "
                f"got size {m} for tensor number {position} in the list."
            )


def stack(tensors: Any, dim: int = 0, *, out: Any = None, axis: int | None = None) -> Any:
    """Tensors of one shape along a new dimension. Gradient: each gets its place."""
    if axis is not None:
        dim = axis
    if out is None:
        result = places.fast_join(Stack, tensors, dim, True)
        if result is not None:
            return result
    given = _sequence("stack", tensors)
    if not given:
        raise RuntimeError("stack expects a non-empty TensorList")
    shape = array_arg("stack", given[0]).shape
    d = normalize_dim(dim, len(shape) + 1)
    for i, x in enumerate(given):
        if array_arg("stack", x).shape != shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 "
                f"and {list(array_arg('stack', x).shape)} at entry {i}"
            )
    result = apply(Stack, tuple(given), d)
    if out is None:
        return result
    _check_type(out, result)
    return write_out("stack", out, result)


def hstack(tensors: Any, *, out: Any = None) -> Any:
    """The tensors side by side: along dimension 1, or 0 for vectors."""
    given = list(_non_empty("hstack", tensors))
    given = [atleast_1d(x) for x in given]
    return cat(given, 0 if array_arg("hstack", given[0]).ndim == 1 else 1, out=out)


def vstack(tensors: Any, *, out: Any = None) -> Any:
    """The tensors one below the other; vectors are rows."""
    return cat([atleast_2d(x) for x in _non_empty("vstack", tensors)], 0, out=out)


def dstack(tensors: Any, *, out: Any = None) -> Any:
    """The tensors one behind the other: along dimension 2."""
    return cat([atleast_3d(x) for x in _non_empty("dstack", tensors)], 2, out=out)


def column_stack(tensors: Any, *, out: Any = None) -> Any:
    """The tensors side by side; vectors are columns."""
    given = [
        x if array_arg("column_stack", x).ndim > 1 else reshape(x, (array_arg("", x).size, 1))
        for x in _non_empty("column_stack", tensors)
    ]
    return hstack(given, out=out)


def _non_empty(name: str, tensors: Any) -> list:
    if isinstance(tensors, (tuple, list)) and not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return _sequence(name, tensors)


def block_diag(*tensors: Any) -> Any:
    """A matrix with the given matrices on its diagonal and zeros elsewhere."""
    given = []
    for i, x in enumerate(_sequence("block_diag", several(tensors))):
        if array_arg("block_diag", x).ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{i} has {x.ndim} dimensions"
            )
        given.append(atleast_2d(x))
    if not given:
        return _v.wrap(np.zeros((1, 0), dtypes.default_numpy()))
    widths = [array_arg("block_diag", x).shape[1] for x in given]
    rows = []
    for i, x in enumerate(given):
        height, dtype = array_arg("block_diag", x).shape[0], array_arg("block_diag", x).dtype
        left = _v.wrap(np.zeros((height, sum(widths[:i])), dtype, like=x._array))
        right = _v.wrap(np.zeros((height, sum(widths[i + 1 :])), dtype, like=x._array))
        rows.append(cat([left, x, right], 1))
    return cat(rows, 0)


def cartesian_prod(*tensors: Any) -> Any:
    """All combinations of the elements of the given vectors, as rows (one vector: as it is)."""
    given = several(tensors)
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for x in given:
        if array_arg("cartesian_prod", x).ndim != 1:
            raise RuntimeError(
                "Expect a 1D vector, but got shape " + str(list(array_arg("", x).shape))
            )
    if len(given) == 1:
        return given[0]
    grids = meshgrid(*given)
    return stack([reshape(g, (-1,)) for g in grids], 1)


def combination_indices(n: int, r: int, with_replacement: bool) -> Any:
    """The index rows (count, r) of all combinations of r from n."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return np.array(list(choose(range(n), r)), np.int64).reshape(-1, r)


concat = concatenate = cat
row_stack = vstack
