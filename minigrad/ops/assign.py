"""Overwriting tensors: copy_, fill_, zero_ and the values of `x[i] = y`; recorded."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from .. import dtypes
from ..autograd import inplace, modes, record
from ..autograd import variable as _v
from ..autograd.naming import named
from ..autograd.variable import Node, Variable, next_seq
from ..backend import device_of
from ..dtypes import type_name
from ..kernels import cpu, fast
from ._operands import operand, to_dtype, to_place
from ._overlap import check_overlap
from ._shape import array_of, sum_to
from .movement import reshape
from .restride import as_strided


class CopyBackwards(Node):
    """Values written over a tensor."""

    __slots__ = ("dtype", "shape")

    def backward(self, grad: Any) -> Any:
        """d self = 0; d values = grad, summed over what they were repeated along, in their type."""
        zeros = values = None
        if self.next[0] is not None:
            zeros = np.zeros_like(array_of(grad))
            if isinstance(grad, Variable):
                zeros = _v.wrap(zeros)
        if self.next[1] is not None:
            values = sum_to(grad, self.shape)
            if array_of(values).dtype != self.dtype:
                values = to_dtype(values, self.dtype)
        return zeros, values

    def name(self) -> str:
        return "torch::autograd::CopyBackwards"


def write_values(target: Any, source: Any, non_blocking: bool = False) -> None:
    """Copies `source` (a tensor that broadcasts) over `target`, converted to its type; recorded.

    It may lie on another device.
    """
    source = to_place(source, device_of(target._array), non_blocking)
    array, values = target._array, source._array
    shape = values.shape
    lead = len(shape) - array.ndim
    for i, (n, m) in enumerate(zip(shape[max(lead, 0) :][::-1], array.shape[::-1])):
        if n not in (1, m) or lead > 0:
            raise RuntimeError(
                f"The expanded size of the tensor ({m}) must match the existing size ({n}) at "
                f"non-singleton dimension {array.ndim - 1 - i}.  Target sizes: "
                f"{list(array.shape)}.  Tensor sizes: {list(shape)}"
            )
    if lead > 0:
        raise RuntimeError(
            f"expand: the number of sizes provided ({array.ndim}) must be greater or equal to the "
            f"number of dimensions in the tensor ({len(shape)})"
        )
    array[...] = values if values.dtype == array.dtype else cpu.astype(values, array.dtype)
    note_overwritten(target, source._fn, shape, values.dtype)


def note_overwritten(target: Any, g: Node | None, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Tells the graph that values of a shape and type, made by the node `g`, replaced target's."""
    inplace.bump(target)
    f = target._fn
    if (f is None and g is None) or not modes.is_grad_enabled():
        return
    if target._array.dtype.kind not in "fV":
        return
    node = CopyBackwards()
    # Over a view, the parent's CopySlices is what takes the old values out of the graph.
    node.next = (f if target._view is None else None, g)
    node.shape, node.dtype = shape, dtype
    node.seq = next_seq()
    node.saved = node.cells = node.hooks = None
    if modes.watched:
        record.note(node)
    inplace.rebase(target, node)


_CPP_NAMES = {"int32": "int", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
              "float32": "float"}  # fmt: skip


def number_for(dtype: np.dtype, value: Any) -> Any:
    """A number as a 0-d tensor of a NumPy type. RuntimeError if the type cannot hold it."""
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise OverflowError("int too big to convert")
    if dtype.kind in "iu":
        info: Any = np.iinfo(dtype)
        # A negative integer wraps around in an unsigned type, as in PyTorch.
        wraps = dtype.kind == "u" and isinstance(value, (int, np.integer))
        fits = value == value and (-info.max if wraps else info.min) <= value <= info.max
        if fits:
            value = int(value)
            if value < info.min:
                value += info.max + 1
    else:
        fits = dtype.kind == "b" or abs(value) <= float(ml_dtypes.finfo(dtype).max)
        fits = fits or value != value or abs(value) == np.inf
    if not fits:
        name = _CPP_NAMES.get(dtype.name, f"{dtype.name}_t")
        raise RuntimeError(f"value cannot be converted to type {name} without overflow")
    return operand("fill_", value, dtype)


def as_values(target: Any, value: Any) -> Any:
    """What is assigned, as a tensor. TypeError for what is no tensor or number."""
    if isinstance(value, Variable):
        return value
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        return number_for(target._array.dtype, value)
    name = type_name(dtypes.from_numpy(target._array.dtype))
    raise TypeError(f"can't assign a {_class_name(value)} to a torch.{name}Tensor")


def _class_name(value: Any) -> str:
    cls = value.__class__
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def without_leading_ones(values: Any, ndim: int) -> Any:
    shape = values._array.shape
    extra = len(shape) - ndim
    if extra > 0 and shape[:extra] == (1,) * extra:
        return reshape(values, shape[extra:])
    return values


def copy_(self: Any, src: Any, non_blocking: bool = False) -> Any:
    """Copies `src` (a tensor or a number; broadcast, converted) over self and returns self.

    Gradient: of `src`, grad summed to its shape; of the old values, zero.
    """
    if not isinstance(src, Variable):
        if not isinstance(src, (bool, int, float, np.number, np.bool_)):
            raise TypeError(
                f"copy_(): argument 'other' (position 1) must be Tensor, not {_class_name(src)}"
            )
        src = _v.wrap(np.asarray(src))
    if (self._view or src._view) and src is not self:
        check_overlap(self._array, src._array)
    if fast.fast_assign(self, src):
        return self
    inplace.check_writable(self, recorded=src._fn is not None)
    if src is self:
        inplace.bump(self)
    else:
        write_values(self, src, non_blocking)
    return self


def fill_(self: Any, value: Any) -> Any:
    """Fills self with a number or a 0-d tensor and returns self.

    Gradient: of a tensor `value`, the sum of grad; of the old values, zero.
    """
    if fast.fast_fill(self, value):
        return self
    recorded = isinstance(value, Variable) and value._fn is not None
    inplace.check_writable(self, filled=True, recorded=recorded)
    given = isinstance(value, Variable)
    if given:
        if value._array.ndim:
            raise RuntimeError(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value._array.ndim} dimensions."
            )
    elif isinstance(value, (bool, int, float, np.number, np.bool_)):
        value = number_for(self._array.dtype, value)
    elif isinstance(value, complex):
        raise RuntimeError("value cannot be converted to a real type without overflow")
    else:
        raise TypeError(
            "fill_(): argument 'value' (position 1) must be a number or a 0-d Tensor, not "
            f"{value.__class__.__name__}"
        )
    write_values(self, value)
    return _filled(self, "FillBackward3" if given else "FillBackward2")


def zero_(self: Any) -> Any:
    """Fills self with zeros and returns self."""
    return _filled(fill_(self, 0), "ZeroBackward0")


def _filled(target: Any, name: str) -> Any:
    """The tensor, whose node, if what it was filled with is recorded, bears PyTorch's name."""
    if target._view is None and isinstance(target._fn, CopyBackwards) and modes.is_grad_enabled():
        named(name, target)
    return target


def fill_diagonal_(self: Any, fill_value: Any, wrap: bool = False) -> Any:
    """Fills the main diagonal (of more than 2 dimensions, all equal) and returns self.

    `wrap`: in a tall matrix the diagonal starts again below a row that is left out.
    """
    shape, steps = self._array.shape, self.stride()
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    length, start = min(shape), self.storage_offset()
    fill_(as_strided(self, (length,), (sum(steps),), start), fill_value)
    columns = shape[1]
    if wrap and len(shape) == 2 and shape[0] > columns + 1:
        more = -(-shape[0] * columns // (columns + 1)) - length
        start += steps[0] * (columns + 1)
        fill_(as_strided(self, (more,), (sum(steps),), start), fill_value)
    return self
