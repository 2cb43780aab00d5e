"""Checks of matrix operands, in PyTorch's words, and the transposed view that gradients need."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply_view
from ..autograd.variable import Node, Variable
from ..dtypes import type_name
from ._shape import broadcast_error, shape_of

_CXX = {
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short int",
    "int32": "int",
    "int64": "long int",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
    "float64": "double",
}


class Transposed(Node):
    """The last two dimensions exchanged."""

    views_input = True

    def forward(self, x: Any) -> Any:
        return x.swapaxes(-1, -2)

    def backward(self, grad: Any) -> Any:
        """grad, with the last two dimensions exchanged."""
        return mt(grad)

    def name(self) -> str:
        return "TransposeBackward0"


def mt(value: Any) -> Any:
    """The matrices of `value` (tensor or array) transposed, as a view."""
    if not isinstance(value, Variable):
        return value.swapaxes(-1, -2)
    return apply_view(Transposed, value)


def check_tensors(name: str, **operands: Any) -> list:
    """The arrays of the operands. TypeError for one that is neither a tensor nor an array."""
    arrays = []
    for position, (argument, value) in enumerate(operands.items(), 1):
        if isinstance(value, Variable):
            arrays.append(value._array)
        elif isinstance(value, np.ndarray):
            arrays.append(value)
        else:
            raise TypeError(
                f"{name}(): argument '{argument}' (position {position}) must be Tensor, not "
                f"{value.__class__.__name__}"
            )
    return arrays


def cxx_name(x: Any) -> str:
    """The dtype of an array as C++ calls it."""
    return _CXX[dtypes.from_numpy(x.dtype).name]


def scalar_type(x: Any) -> str:
    """The dtype of an array as PyTorch's messages call it: Float, Long."""
    return type_name(dtypes.from_numpy(x.dtype))


def size_text(shape: tuple[int, ...]) -> str:
    """3x4."""
    return "x".join(map(str, shape))


def check_bool(x: Any, kernel: str, *others: Any) -> None:
    """NotImplementedError for bool, under the name of PyTorch's kernel.

    With `others` the kernel is one that PyTorch does not call if an operand has no elements.
    """
    if x.dtype.kind == "b" and not (others and 0 in [v.size for v in (x, *others)]):
        raise NotImplementedError(f"\"{kernel}\" not implemented for 'Bool'")


def check_same_type(a: Any, b: Any, message: str) -> None:
    """RuntimeError unless the dtypes are equal; the message names both."""
    if a.dtype != b.dtype:
        raise RuntimeError(message.format(scalar_type(a), scalar_type(b)))


def check_input_type(x: Any, a: Any, b: Any) -> None:
    """RuntimeError unless all three dtypes are equal."""
    check_same_type(x, b, "self and mat2 must have the same dtype, but got {0} and {1}")
    check_same_type(a, b, "mat1 and mat2 must have the same dtype, but got {0} and {1}")


def check_expands(shape: tuple[int, ...], target: tuple[int, ...]) -> None:
    """RuntimeError unless `shape` broadcasts to `target`."""
    if len(shape) > len(target):
        raise RuntimeError(
            f"expand: the input has {len(shape)} dimensions, {list(shape)}; the number of sizes "
            f"provided ({len(target)}) must be greater or equal to the number of dimensions in the "
            f"tensor ({len(shape)})"
        )
    lead = len(target) - len(shape)
    for i in reversed(range(len(shape))):
        if shape[i] not in (1, target[lead + i]):
            raise RuntimeError(
                f"The expanded size of the tensor ({target[lead + i]}) must match the existing "
                f"size ({shape[i]}) at non-singleton dimension {lead + i}.  Target sizes: "
                f"{list(target)}.  Tensor sizes: {list(shape)}"
            )


def _check_product(s: tuple[int, int], t: tuple[int, ...]) -> None:
    if s[1] != t[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({size_text(s)} and {size_text(t)})"
        )


def _check_m(a: Any, b: Any) -> None:
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {cxx_name(a)} != {cxx_name(b)}"
        )


def check_mm(a: Any, b: Any) -> None:
    """Two matrices that can be multiplied."""
    if a.ndim != 2:
        raise RuntimeError("self must be a matrix")
    if b.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    _check_product(a.shape, b.shape)
    _check_m(a, b)
    check_bool(a, "addmm_impl_cpu_", b)


def _check_batches(s: tuple[int, ...], t: tuple[int, ...]) -> None:
    if s[0] != t[0] or s[2] != t[1]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{s[0]}, {s[2]}] but got: [{t[0]}, {t[1]}]."
        )


def check_bmm(a: Any, b: Any, typed: bool = True) -> None:
    """Two batches of matrices that can be multiplied."""
    for name, m in (("batch1", a), ("batch2", b)):
        if m.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor")
    _check_batches(a.shape, b.shape)
    if typed:
        check_same_type(a, b, "expected scalar type {0} but found {1}")
        check_bool(a, "bmm", b)


def check_addmv(x: Any, a: Any, b: Any) -> None:
    """A matrix and a vector that can be multiplied, and what is added (None: nothing)."""
    if x is None and not a.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    dims = 1 if x is None else x.ndim
    if a.ndim != 2 or b.ndim != 1 or dims > 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {dims}, {a.ndim}, {b.ndim}")
    rows = a.shape[0] if x is None or x.size == 1 else x.shape[0]
    if a.shape[1] != b.shape[0] or rows != a.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({rows}), mat ({size_text(a.shape)}), vec ({b.shape[0]})"
        )
    if a.dtype != b.dtype or (x is not None and x.dtype != a.dtype):
        # PyTorch's mv adds to a new vector of the second operand's type.
        first = b if x is None else x
        raise RuntimeError(
            "addmv input tensors must have the same dtype, but got "
            f"{scalar_type(first)}, {scalar_type(a)}, and {scalar_type(b)}"
        )
    check_bool(a, "addmv_impl_cpu", b)


def check_dot(a: Any, b: Any) -> None:
    """Two vectors of one length and dtype."""
    if a.ndim != 1 or b.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    check_same_type(a, b, "dot : expected both vectors to have same dtype, but found {0} and {1}")
    if a.size != b.size:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{a.size}] and src [{b.size}] to have the "
            f"same number of elements, but got {a.size} and {b.size} elements respectively"
        )
    check_bool(a, "dot")


def check_matmul(a: Any, b: Any) -> None:
    """Operands that matmul takes, with the message of the product that PyTorch would run."""
    s, t = a.shape, b.shape
    if not s or not t:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {len(s)}D and {len(t)}D"
        )
    if len(t) == 1:
        if len(s) == 1:
            return check_dot(a, b)
        folded = (math.prod(s[:-1]), s[-1])
        if s[-1] != t[0]:
            raise RuntimeError(
                f"size mismatch, got input ({folded[0]}), mat ({size_text(folded)}), vec ({t[0]})"
            )
        return (
            check_addmv(None, a.reshape(folded), b)
            if a.dtype != b.dtype
            else check_bool(a, "addmv_impl_cpu", b)
        )
    if len(t) == 2:
        _check_product((math.prod(s[:-1]), s[-1]), t)
        _check_m(a, b)
        return check_bool(a, "addmm_impl_cpu_", b)
    rows = 1 if len(s) == 1 else s[-2]
    lead = s[:-2]
    try:
        batch = np.broadcast_shapes(lead, t[:-2])
    except ValueError:
        raise broadcast_error(np.empty(lead), np.empty(t[:-2])) from None
    count = math.prod(batch)
    _check_batches((count, rows, s[-1]), (count, *t[-2:]))
    check_same_type(a, b, "expected scalar type {0} but found {1}")
    return check_bool(a, "bmm", b)


def check_linear(x: Any, w: Any, b: Any) -> None:
    """Operands that linear takes."""
    if not x.ndim or not w.ndim:
        raise RuntimeError(
            f"both arguments to linear need to be at least 1D, but they are {x.ndim}D and {w.ndim}D"
        )
    if w.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {w.ndim}D")
    if w.ndim == 1:
        if b is not None:
            raise RuntimeError("mat2 must be a matrix, got 1-D tensor")
        return check_matmul(x, w)
    if b is not None:
        check_tensors("linear", input=x, weight=w, bias=b)
        check_input_type(b, x, w)
    rows = math.prod(x.shape[:-1])
    _check_product((rows, x.shape[-1]), w.shape[::-1])
    _check_m(x, w)
    check_bool(x, "addmm_impl_cpu_", w)
    if b is not None:
        target = (*x.shape[:-1], w.shape[0])
        check_expands(shape_of(b), target if b.ndim > 2 else (rows, w.shape[0]))
    return None
