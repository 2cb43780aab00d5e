"""Operations with masks: fill, select and scatter where a mask is True; where a tensor is not 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels import cpu, fast
from ._operands import operand
from ._out import write_exact
from ._shape import array_arg, array_of, broadcast_error, expand, sum_to
from .assign import number_for
from .index import Index, take_at
from .join import combination_indices
from .movement import reshape

__all__ = [
    "argwhere", "combinations", "masked_fill", "masked_scatter", "masked_select", "nonzero",
]  # fmt: skip


def _mask_arg(name: str, mask: Any) -> Any:
    m = array_arg(name, mask, 2, "mask")
    if m.dtype != np.bool_:
        raise RuntimeError(
            f"{name}_ only supports boolean masks, but got mask with dtype "
            f"{dtypes.from_numpy(m.dtype)}; expected BoolTensor"
        )
    return m


def _common_shape(x: Any, m: Any) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(x.shape, m.shape)
    except ValueError:
        raise broadcast_error(x, m) from None


_WIDE = (np.dtype(np.float32), np.dtype(np.float64))
_LARGE = 3e38  # what float32 holds without a closer look


class MaskedFill(Node):
    """A value where the mask is True, the input elsewhere."""

    saves = (1,)
    fresh = True

    def forward(self, x: Any, mask: Any, value: Any) -> Any:
        self.shape = x.shape
        if x.dtype.kind in "fV":
            return cpu.where(mask, float(value), x)
        out = np.array(np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape)), order="C")
        np.copyto(out, value, where=mask)
        return out

    def backward(self, grad: Any) -> Any:
        """d input = grad where the mask is False; d value = the sum of grad where it is True."""
        mask = self.saved[0]
        zero = np.zeros((), array_of(grad).dtype)
        kept = value = None
        if self.next[0] is not None:
            kept = sum_to(apply(MaskedFill, (grad, mask, zero)), self.shape)
        if self.next[2] is not None:
            value = sum_to(apply(MaskedFill, (grad, ~array_of(mask), zero)), ())
        return kept, None, value


def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """`input` with `value` (a number or 0-d tensor) where `mask` is True; both are broadcast.

    Gradient: grad where the mask is False; of a tensor `value`, the sum of grad where it is True.
    """
    x, m = array_arg("masked_fill", input), _mask_arg("masked_fill", mask)
    plain = value.__class__ in (int, float) and x.shape == m.shape and x.dtype in _WIDE
    if plain and (abs(value) < _LARGE or abs(value) == math.inf):
        return apply(MaskedFill, (input, mask, value))
    _common_shape(x, m)
    if isinstance(value, Variable) and value._array.ndim:
        raise RuntimeError(
            "masked_fill only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._array.ndim} dimension(s)."
        )
    if isinstance(value, complex):
        raise RuntimeError("value cannot be converted to a real type without overflow")
    if isinstance(value, Variable) and value._fn is not None:
        value = operand("masked_fill", value, x.dtype)
    else:
        value = number_for(x.dtype, array_of(value).item() if hasattr(value, "item") else value)
    if value._fn is None:
        value = value._array
    return apply(MaskedFill, (input, mask, value))


class MaskedSelect(Index):
    """The elements where a mask is True."""


def masked_select(input: Any, mask: Any, *, out: Any = None) -> Any:
    """The elements of `input` where `mask` is True, as a vector; both are broadcast.

    Gradient: grad at the places that were selected.
    """
    given = input
    x, m = array_arg("masked_select", input), _mask_arg("masked_select", mask)
    shape = _common_shape(x, m)
    if x.shape != shape:
        input = expand(input, shape)
    elif len(shape) > 1 and m.shape == shape and x.flags.c_contiguous and m.flags.c_contiguous:
        # As a vector: the places are single numbers then.
        input, m, shape = reshape(input, (x.size,)), m.reshape(-1), (x.size,)
    found = np.broadcast_to(m, shape)
    if shape:
        indices = list(found.nonzero())
    else:
        input, indices = expand(input, (1,)), [np.zeros(int(found), np.int64)]
    result = take_at(input, indices, tuple(range(max(len(shape), 1))), MaskedSelect)
    return result if out is None else write_exact("masked_select", out, result, given, mask)


class MaskedScatter(Node):
    """The first elements of a source at the places where a mask is True."""

    saves = (1,)

    def forward(self, x: Any, mask: Any, source: Any) -> Any:
        shape = np.broadcast_shapes(x.shape, mask.shape)
        out = np.array(np.broadcast_to(x, shape), order="C")
        full = np.broadcast_to(mask, shape)
        out[full] = source.reshape(-1)[: np.count_nonzero(full)]
        self.shapes_in = (x.shape, source.shape)
        return out

    def backward(self, grad: Any) -> Any:
        """d input = grad where the mask is False; d source = its first elements' places of grad."""
        mask = self.saved[0]
        kept = source = None
        if self.next[0] is not None:
            zero = np.zeros((), array_of(grad).dtype)
            kept = sum_to(apply(MaskedFill, (grad, mask, zero)), self.shapes_in[0])
        if self.next[2] is not None:
            source = apply(Leading, (masked_select(grad, mask),), self.shapes_in[1])
        return kept, None, source


class Leading(Node):
    """A vector at the front of zeros of a shape."""

    def forward(self, x: Any, shape: tuple[int, ...]) -> Any:
        self.count = x.size
        out = np.zeros(shape, x.dtype, like=x)
        out.reshape(-1)[: x.size] = x
        return out

    def backward(self, grad: Any) -> Any:
        """The first elements of grad."""
        index = np.unravel_index(np.arange(self.count), array_of(grad).shape)
        return take_at(grad, list(index), tuple(range(len(index))))


def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """`input` with the elements of `source`, in order, where `mask` is True.

    Gradient: of `input`, grad where the mask is False; of `source`, grad where it is True.
    RuntimeError if `source` has too few elements.
    """
    x, m = array_arg("masked_scatter", input), _mask_arg("masked_scatter", mask)
    s = array_arg("masked_scatter", source, 3, "source")
    if s.dtype != x.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got "
            f"{dtypes.from_numpy(x.dtype)} and {dtypes.from_numpy(s.dtype)}"
        )
    count = np.count_nonzero(np.broadcast_to(m, _common_shape(x, m)))
    if s.size < count:
        raise RuntimeError(
            f"Number of elements of source < number of ones in mask: given {s.size}, needed {count}"
        )
    return apply(MaskedScatter, (input, mask, source))


def nonzero(input: Any, *, as_tuple: bool = False, out: Any = None) -> Any:
    """The places (count, ndim) of the elements that are not 0; `as_tuple`: one vector each dim."""
    if out is None and (as_tuple is False or as_tuple is True):
        result = fast.fast_nonzero(input)
        if result is not None and (not as_tuple or array_of(input).ndim):
            found = array_of(result)
            return tuple([_v.wrap(f) for f in found.T]) if as_tuple else result
    x = array_arg("nonzero", input)
    found = np.atleast_1d(x).nonzero()
    if as_tuple:
        if out is not None:
            raise RuntimeError("nonzero does not support the out kwarg when as_tuple is True")
        return tuple([_v.wrap(np.ascontiguousarray(f)) for f in found])
    places = np.stack(found, 1) if x.ndim else np.zeros((found[0].size, 0), np.int64, like=x)
    result = _v.wrap(places)
    return result if out is None else write_exact("nonzero", out, result, input)


def argwhere(input: Any) -> Any:
    """The places (count, ndim) of the elements that are not 0."""
    return nonzero(input)


def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All combinations of `r` elements of a vector, as rows (count, r), in order."""
    x = array_arg("combinations", input)
    if x.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return _v.wrap(np.zeros(0, x.dtype, like=x))
    return take_at(input, [combination_indices(x.size, r, with_replacement)], (0,))
