"""Operands and results: their classes, the types they are promoted and converted to, `out=`."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import inplace, modes
from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import device, device_of, move, ndarray
from ..dtypes import type_name
from ..kernels import cpu
from ..kernels._quiet import unsupported
from ._overlap import check_overlap
from ._shape import array_of, broadcast_error, memory_order, shape_of

_TENSORS = (Variable, ndarray, np.generic)


def misfit(*operands: Any) -> Exception:
    """The error for several operands (None is left out) that cannot be broadcast together."""
    shapes = [shape_of(v) for v in operands if v is not None]
    for a, b in itertools.combinations(shapes, 2):
        if any(n != m and n != 1 and m != 1 for n, m in zip(a[::-1], b[::-1], strict=False)):
            return broadcast_error(np.empty(a, np.bool_), np.empty(b, np.bool_))
    return RuntimeError(f"shapes {shapes} do not fit together")


def is_scalar(value: Any) -> bool:
    """Whether a value is a number or a tensor without dimensions."""
    return not isinstance(value, (Variable, ndarray)) or not array_of(value).ndim


def not_a_tensor(name: str, argument: str, position: int, value: Any) -> TypeError:
    """The error for an argument of the wrong class, in PyTorch's words."""
    why = "; complex numbers are not in minigrad" if isinstance(value, complex) else ""
    return TypeError(
        f"{name}(): argument '{argument}' (position {position}) must be Tensor, not "
        f"{value.__class__.__name__}{why}"
    )


def need_tensors(name: str, **values: Any) -> None:
    """TypeError for an operand, given under its argument's name, that is not a tensor."""
    for position, (argument, value) in enumerate(values.items(), 1):
        if not isinstance(value, (Variable, ndarray)):
            raise not_a_tensor(name, argument, position, value)


def need_one_tensor(name: str, input: Any, other: Any) -> None:
    """TypeError if both operands are numbers."""
    if not isinstance(input, _TENSORS) and not isinstance(other, _TENSORS):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got "
            f"({type(input).__name__}, {type(other).__name__}); needed: at least one Tensor"
        )


def operand(name: str, value: Any, dtype: np.dtype) -> Any:
    """An operand (tensor, array or number) as a tensor of NumPy type `dtype`; integers wrap."""
    if isinstance(value, Variable):
        return value if value._array.dtype is dtype else to_dtype(value, dtype)
    return _v.wrap(operand_array(value, dtype))


def converted(name: str, value: Any, dtype: np.dtype) -> Any:
    """Like `operand`, but an array stays an array."""
    if isinstance(value, ndarray):
        return operand_array(value, dtype)
    return operand(name, value, dtype)


def operand_array(value: Any, dtype: np.dtype) -> Any:
    """An operand (tensor, array or number) as an array of NumPy type `dtype`; integers wrap."""
    if isinstance(value, (Variable, ndarray)):
        array = array_of(value)
        return array if array.dtype is dtype else cpu.astype(array, dtype)
    if isinstance(value, int) and dtype.kind != "b":
        if not -(2**63) <= value < 2**63:
            raise OverflowError("int too big to convert")
        value = np.int64(value)
    return cpu.astype(np.array(value), dtype)


def result_numpy(name: str, *values: Any) -> np.dtype:
    """The NumPy type of a result, by PyTorch's promotion of tensors, 0-d tensors and numbers."""
    dims = zero = scalars = None
    for position, value in enumerate(values, 1):
        if isinstance(value, (Variable, ndarray)):
            array = array_of(value)
            d = dtypes.from_numpy(array.dtype)
            if array.ndim:
                dims = d if dims is None else dtypes.promote_types(dims, d)
            else:
                zero = d if zero is None else dtypes.promote_types(zero, d)
        elif isinstance(value, (bool, int, float, np.number, np.bool_)):
            d = dtypes.of_scalar(value)
            scalars = d if scalars is None else dtypes.promote_types(scalars, d)
        else:
            argument = {1: "input", 2: "other"}.get(position, "value")
            raise not_a_tensor(name, argument, position, value)
    return dtypes.result_type_of(dims, zero, scalars).numpy


def floating(name: str, input: Any) -> Any:
    """`input` converted to the default dtype if it is not floating point. TypeError: no tensor."""
    if not isinstance(input, (Variable, ndarray)):
        raise not_a_tensor(name, "input", 1, input)
    if array_of(input).dtype.kind in "fV":
        return input
    return to_dtype(input, dtypes.default_numpy())


def only_floats(name: str, kernel: str, input: Any) -> None:
    """Refuses what is not a floating-point tensor, naming PyTorch's kernel."""
    if not isinstance(input, (Variable, ndarray)):
        raise not_a_tensor(name, "input", 1, input)
    if array_of(input).dtype.kind not in "fV":
        raise unsupported(kernel, array_of(input))


def number(name: str, argument: str, position: int, value: Any) -> Any:
    """A Python number, given perhaps as a NumPy number or a 0-d tensor. TypeError otherwise."""
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, np.generic) or (
        isinstance(value, (Variable, ndarray)) and not array_of(value).ndim
    ):
        return array_of(value).item()
    raise TypeError(
        f"{name}(): argument '{argument}' (position {position}) must be Number, not "
        f"{value.__class__.__name__}"
    )


def zeros_of(value: Any) -> Any:
    """Zeros outside the graph, in the shape and type of `value` (tensor or array)."""
    array = array_of(value)
    zeros = np.zeros_like(array, order="C")
    return _v.wrap(zeros) if isinstance(value, Variable) else zeros


class To(Node):
    """Conversion to another type."""

    fresh = True

    def forward(self, x: Any, dtype: np.dtype) -> Any:
        self.source = x.dtype
        if x.flags.c_contiguous:
            return cpu.astype(x, dtype)
        axes = memory_order(x)
        return cpu.astype(x.transpose(axes), dtype).transpose(np.argsort(axes))

    def backward(self, grad: Any) -> Any:
        """grad, in the input's type."""
        return to_dtype(grad, self.source)

    def name(self) -> str:
        return "ToCopyBackward0"


class ToPlace(Node):
    """A copy on another device."""

    fresh = True
    torch_name = "ToCopyBackward0"

    def forward(self, x: Any, where: device, non_blocking: bool = False) -> Any:
        self.source = device_of(x)
        return move(x, where, non_blocking)

    def backward(self, grad: Any) -> Any:
        """grad, on the input's device."""
        return to_place(grad, self.source)


def to_place(input: Any, where: device, non_blocking: bool = False) -> Any:
    """`input` (tensor or array) on a device: itself if it lies there, else a copy."""
    if device_of(array_of(input)) == where:
        return input
    return apply(ToPlace, (input,), where, non_blocking)


def to_dtype(input: Any, dtype: np.dtype) -> Any:
    """`input` (tensor or array) converted to a NumPy type; always a copy, in its memory order."""
    return apply(To, (input,), dtype)


def write_out(name: str, out: Any, result: Any, *operands: Any) -> Any:
    """Writes a result to the tensor given as `out=`, as PyTorch: resized if the shape differs.

    RuntimeError if that shares part of its memory with one of `operands`.
    """
    check_out(name, out, result)
    target, source = out._array, result._array
    if target.shape == source.shape:
        for value in operands:
            if isinstance(value, Variable) and value is not out:
                check_overlap(target, value._array)
    if target.shape != source.shape:
        if target.size:
            warnings.warn(
                f"An output with one or more elements was resized since it had shape "
                f"{list(target.shape)}, which does not match the required output shape "
                f"{list(source.shape)}. This behavior is deprecated; reuse an out tensor t after "
                "resizing it, inplace, to zero elements with t.resize_(0).",
                stacklevel=3,
            )
        out._array = source.astype(target.dtype)
    else:
        target[...] = source
    if out._cell is not None:
        inplace.bump(out)
    return out


def write_each(name: str, outs: Any, results: Any) -> list:
    """Several results written to as many tensors; nothing is written if one cannot be."""
    for out, result in zip(outs, results, strict=True):
        check_out(name, out, result)
    return [write_out(name, out, result) for out, result in zip(outs, results, strict=True)]


def check_out(name: str, out: Any, result: Any) -> None:
    """Refuses an `out=` that is no tensor or cannot take a result; TypeError or RuntimeError."""
    if not isinstance(out, Variable):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {out.__class__.__name__}")
    if modes.is_grad_enabled() and (result._fn is not None or out._fn is not None):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    target, source = out._array, result._array
    from_, to = dtypes.from_numpy(source.dtype), dtypes.from_numpy(target.dtype)
    if not dtypes.can_cast(from_, to):
        raise RuntimeError(
            f"result type {type_name(from_)} can't be cast to the desired output type "
            f"{type_name(to)}"
        )
    inplace.check_memory(out)
