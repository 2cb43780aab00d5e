"""Tensors of one value, or of none in particular."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.variable import Variable
from ..backend import CPU, move, namespace, on_gpu
from ..kernels.fast import fast_full, fast_full_like
from ..ops.assign import number_for
from ..size import Size
from ._common import (
    allocate,
    complex_filled,
    elsewhere,
    finish,
    formatted,
    in_order,
    is_complex,
    like_array,
    place,
    size_given,
    size_of,
    typed,
    zeroed,
)

__all__ = [
    "empty",
    "empty_like",
    "empty_permuted",
    "empty_strided",
    "full",
    "full_like",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]


def zeros(
    *size: Any,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    **named: Any,
) -> Any:
    """A tensor of zeros; the size is given as ints or as one tuple or list."""
    if out is None and not named:
        made = fast_full(size, 0.0, dtype, device, requires_grad)
        if made is not None:
            return made
    shape = size_given("zeros", size, named)
    if is_complex(dtype):
        return complex_filled(zeros, shape, dtype, requires_grad)
    wanted = typed("zeros", dtype, device, out)
    array = elsewhere(shape, wanted, device, 0)
    return place(
        "zeros", out, zeroed(shape, wanted) if array is None else array, requires_grad, device
    )


def ones(
    *size: Any,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    **named: Any,
) -> Any:
    """A tensor of ones; the size is given as ints or as one tuple or list."""
    if out is None and not named:
        made = fast_full(size, 1.0, dtype, device, requires_grad)
        if made is not None:
            return made
    shape = size_given("ones", size, named)
    if is_complex(dtype):
        return complex_filled(empty, shape, dtype, requires_grad, 1)
    wanted = typed("ones", dtype, device, out)
    array = elsewhere(shape, wanted, device, 1)
    if array is None:
        array = allocate(shape, wanted)
        array.fill(1)
    return place("ones", out, array, requires_grad, device)


def empty(
    *size: Any,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
    **named: Any,
) -> Any:
    """A tensor with arbitrary values; the size is given as ints or as one tuple or list."""
    if out is None and not named and memory_format is None:
        made = fast_full(size, None, dtype, device, requires_grad)
        if made is not None:
            return made
    shape = size_given("empty", size, named)
    if is_complex(dtype):
        return complex_filled(empty, shape, dtype, requires_grad)
    wanted = typed("empty", dtype, device, out)
    array = elsewhere(shape, wanted, device)
    if array is None:
        array = formatted(shape, wanted, memory_format)
    return place("empty", out, array, requires_grad, device)


def full(
    size: Any,
    fill_value: Any,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """A tensor of one value, typed as `tensor(fill_value)` unless `dtype` is given."""
    if out is None and fill_value is not None and size.__class__ in (tuple, list, Size):
        made = fast_full((size,), fill_value, dtype, device, requires_grad)
        if made is not None:
            return made
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            f"full(): argument 'size' (position 1) must be tuple of ints, not "
            f"{size.__class__.__name__}"
        )
    shape = size_of("full", (size,))
    if is_complex(dtype) or fill_value.__class__ is complex:
        if dtype is None:
            double = dtypes.get_default_dtype() is dtypes.float64
            dtype = dtypes.complex128 if double else dtypes.complex64
        return complex_filled(empty, shape, dtype, requires_grad, fill_value)
    value = _fill_value("full", fill_value)
    wanted = typed("full", dtype, device, out)
    if dtype is None and out is None:
        wanted = dtypes.of_scalar(value).numpy
    array = elsewhere(shape, wanted, device)
    if array is None or on_gpu(array):
        array = _filled(allocate(shape, wanted) if array is None else array, value)
    return place("full", out, array, requires_grad, device)


def _fill_value(name: str, value: Any) -> Any:
    """The number to fill with, given perhaps as a 0-d tensor. TypeError for other things."""
    if isinstance(value, Variable) and not value._array.ndim:
        value = move(value._array, CPU)[()]
    if not isinstance(value, (bool, int, float, np.number, np.bool_)):
        raise TypeError(
            f"{name}(): argument 'fill_value' (position 2) must be Number, not "
            f"{value.__class__.__name__}"
        )
    return value


def _filled(array: np.ndarray, value: Any) -> np.ndarray:
    array[...] = number_for(array.dtype, value)._array
    return array


def empty_like(
    input: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
    pin_memory: bool = False,
) -> Any:
    """A tensor of the input's shape, type and memory order, with arbitrary values."""
    if memory_format is None:
        made = fast_full_like(input, None, dtype, device, requires_grad)
        if made is not None:
            return made
    return finish(
        like_array("empty_like", input, dtype, device, memory_format), requires_grad, device
    )


def zeros_like(
    input: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
    pin_memory: bool = False,
) -> Any:
    """Zeros of the input's shape, type and memory order."""
    if memory_format is None:
        made = fast_full_like(input, 0.0, dtype, device, requires_grad)
        if made is not None:
            return made
    array = like_array("zeros_like", input, dtype, device, memory_format)
    array.fill(0)
    return finish(array, requires_grad, device)


def ones_like(
    input: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
    pin_memory: bool = False,
) -> Any:
    """Ones of the input's shape, type and memory order."""
    if memory_format is None:
        made = fast_full_like(input, 1.0, dtype, device, requires_grad)
        if made is not None:
            return made
    array = like_array("ones_like", input, dtype, device, memory_format)
    array.fill(1)
    return finish(array, requires_grad, device)


def full_like(
    input: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
    pin_memory: bool = False,
) -> Any:
    """One value in the input's shape, type and memory order."""
    if memory_format is None and fill_value is not None:
        made = fast_full_like(input, fill_value, dtype, device, requires_grad)
        if made is not None:
            return made
    array = like_array("full_like", input, dtype, device, memory_format)
    return finish(_filled(array, _fill_value("full_like", fill_value)), requires_grad, device)


def empty_strided(
    size: Any,
    stride: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Any:
    """A tensor with arbitrary values, of given size and strides (in elements)."""
    shape = size_of("empty_strided", (size,))
    steps = tuple(operator.index(s) for s in stride)
    if len(shape) != len(steps):
        raise RuntimeError(
            f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides "
            f"({len(steps)})"
        )
    if any(s < 0 for s in steps):
        raise RuntimeError(
            f"empty_strided: given strides {list(steps)}; needed: strides of 0 or more"
        )
    wanted = typed("empty_strided", dtype, device)
    last = sum((n - 1) * s for n, s in zip(shape, steps, strict=True)) if 0 not in shape else -1
    memory = elsewhere((last + 1,), wanted, device)
    memory = allocate((last + 1,), wanted) if memory is None else memory
    nbytes = tuple(s * wanted.itemsize for s in steps)
    as_strided = namespace(memory).lib.stride_tricks.as_strided
    return finish(as_strided(memory, shape, nbytes), requires_grad, device)


def empty_permuted(
    size: Any,
    physical_layout: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Any:
    """A tensor with arbitrary values whose dimensions lie in memory in the given order."""
    shape = size_of("empty_permuted", (size,))
    order = tuple(physical_layout)
    if sorted(order) != list(range(len(shape))):
        raise RuntimeError(
            f"empty_permuted: physical_layout {list(order)} was given for size {list(shape)}; "
            "needed: each dimension once"
        )
    array = in_order(shape, typed("empty_permuted", dtype, device), order)
    return finish(array, requires_grad, device)
