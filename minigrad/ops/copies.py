"""Views as copies (`view_copy`, `slice_copy`, …), and splits whose pieces autograd takes apart."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..autograd.record import apply, apply_view
from ._operands import write_each, write_out
from ._shape import array_arg, broadcast_error, normalize_dim
from .movement import expand, reshape, squeeze, unsqueeze, view
from .permutation import permute, t, transpose
from .rearrange import Clone
from .restride import as_strided
from .sets import Underived
from .slices import Slice, at_dim, diagonal, narrow, select, unfold
from .splits import Split, chunk, split, split_with_sizes, unbind

__all__ = [
    "alias_copy", "as_strided_copy", "detach_copy", "diagonal_copy", "expand_copy", "narrow_copy",
    "permute_copy", "select_copy", "slice_copy", "split_copy", "split_with_sizes_copy",
    "squeeze_copy", "t_copy", "transpose_copy", "unbind_copy", "unfold_copy", "unsafe_chunk",
    "unsafe_split", "unsafe_split_with_sizes", "unsqueeze_copy", "view_copy",
]  # fmt: skip


def _copy(value: Any) -> Any:
    """A contiguous copy, recorded."""
    x = array_arg("clone", value)
    return apply(Clone, (value,), tuple(range(x.ndim)))


def _copying(name: str, function: Callable) -> Callable:
    """`function`, which gives a view or a tuple of views, with copies for results."""

    def op(input: Any, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        array_arg(name, input)
        result = function(input, *args, **kwargs)
        if result.__class__ is tuple:
            return _several(name, result, out)
        result = _copy(result)
        return result if out is None else write_out(name, out, result)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = (
        f"`{function.__name__.removeprefix('_')}` with memory of its own. Gradient: as of the "
        "view. Errors as there."
    )
    return op


def _several(name: str, pieces: tuple, out: Any) -> Any:
    """Copies of the pieces; with `out=`, a list of tensors of their shapes, None as in PyTorch.

    PyTorch resizes what it writes to for `split_with_sizes_copy` alone.
    """
    if out is None:
        return tuple([_copy(p) for p in pieces])
    if not isinstance(out, (tuple, list)) or len(out) != len(pieces):
        got = len(out) if isinstance(out, (tuple, list)) else out.__class__.__name__
        raise RuntimeError(
            f"{name}_out expected an out= argument of size {len(pieces)}, got size {got}"
        )
    for target, piece in zip(out, pieces, strict=True):
        same = array_arg(name, target).shape == array_arg(name, piece).shape
        if not same and name != "split_with_sizes_copy":
            raise broadcast_error(target, piece)
    write_each(name, out, pieces)


def alias_copy(input: Any, *, out: Any = None) -> Any:
    """`clone`. Gradient: grad."""
    array_arg("alias_copy", input)
    result = _copy(input)
    return result if out is None else write_out("alias_copy", out, result)


def detach_copy(input: Any, *, out: Any = None) -> Any:
    """`clone`, through which PyTorch has no gradient: asking for one is a RuntimeError."""
    x = array_arg("detach_copy", input)
    result = apply(Underived, (input,), x.copy(), "detach_copy")
    return result if out is None else write_out("detach_copy", out, result)


def _slice(input: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """start:end:step of dimension `dim`, as Python's slices."""
    x = array_arg("slice", input)
    if not x.ndim:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    d = normalize_dim(dim, x.ndim)
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    return apply_view(Slice, input, at_dim(d, slice(start, end, step)))


def _view(input: Any, size: Any = None, dtype: Any = None) -> Any:
    """The elements in another shape, whatever their strides, or the memory as another dtype."""
    shape = dtype if size is None else size
    if shape is None:
        raise TypeError("view_copy() given no arguments; needed: a shape or a dtype")
    return view(input, shape) if isinstance(shape, dtypes.dtype) else reshape(input, shape)


as_strided_copy = _copying("as_strided_copy", as_strided)
diagonal_copy = _copying("diagonal_copy", diagonal)
expand_copy = _copying("expand_copy", expand)
narrow_copy = _copying("narrow_copy", narrow)
permute_copy = _copying("permute_copy", permute)
select_copy = _copying("select_copy", select)
slice_copy = _copying("slice_copy", _slice)
split_copy = _copying("split_copy", split)
split_with_sizes_copy = _copying("split_with_sizes_copy", split_with_sizes)
squeeze_copy = _copying("squeeze_copy", squeeze)
t_copy = _copying("t_copy", t)
transpose_copy = _copying("transpose_copy", transpose)
unbind_copy = _copying("unbind_copy", unbind)
unfold_copy = _copying("unfold_copy", unfold)
unsqueeze_copy = _copying("unsqueeze_copy", unsqueeze)
view_copy = _copying("view_copy", _view)


class UnsafeSplit(Split):
    """Neighbouring pieces that autograd does not know as views."""


def _unsafe(input: Any, dim: int, pieces: tuple) -> tuple:
    """The pieces of a safe split, cut again as outputs of one operation."""
    d = normalize_dim(dim, array_arg("unsafe_split", input).ndim)
    ends = itertools.accumulate([array_arg("unsafe_split", p).shape[d] for p in pieces])
    starts = [0, *ends]
    return apply(UnsafeSplit, (input,), d, tuple(itertools.pairwise(starts)))


def unsafe_split(tensor: Any, split_size: int, dim: int = 0) -> tuple:
    """`split`, whose pieces may be written to where autograd would refuse it for views.

    Nothing then checks that the values other operations kept are still the same.
    """
    operator.index(split_size)
    return _unsafe(tensor, dim, split(tensor, split_size, dim))


def unsafe_split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> tuple:
    """`split_with_sizes` in the manner of `unsafe_split`."""
    return _unsafe(input, dim, split_with_sizes(input, split_sizes, dim))


def unsafe_chunk(input: Any, chunks: int, dim: int = 0) -> tuple:
    """`chunk` in the manner of `unsafe_split`."""
    return _unsafe(input, dim, chunk(input, chunks, dim))
