"""Tensors made from nothing: filled, ranges, identity, triangles of indices, like another."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from . import dtypes
from .autograd import variable as _v
from .autograd.record import alias
from .autograd.variable import Variable, next_seq
from .backend import as_device, channels_last, contiguous_format
from .from_data import array_from, check_dtype, fill_from, finish, number
from .size import Size

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


def size_of(name: str, size: tuple) -> tuple[int, ...]:
    """The shape given as `f(2, 3)`, `f((2, 3))` or `f([2, 3])`. TypeError unless ints >= 0."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
        nested = True
    else:
        nested = False
    result = []
    for i, n in enumerate(size):
        try:
            value = operator.index(n)
        except TypeError:
            if nested or i:
                raise TypeError(
                    f"{name}(): argument 'size' failed to unpack the object at pos {i + 1} with "
                    f'error "type must be tuple of ints,but got {n.__class__.__name__}"'
                ) from None
            raise TypeError(
                f"{name}(): argument 'size' (position 1) must be tuple of ints, not "
                f"{n.__class__.__name__}"
            ) from None
        if value < 0:
            raise RuntimeError(
                f"{name}: Dimension size must be non-negative: given {list(size)}; needed: sizes "
                "of 0 or more"
            )
        result.append(value)
    return tuple(result)


def allocate(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array with arbitrary values. RuntimeError if there is no memory for it."""
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError):
        raise RuntimeError(
            f"not enough memory: a tensor of shape {list(shape)} and type {dtype.name} was asked "
            "for"
        ) from None


def place(name: str, out: Any, array: np.ndarray, requires_grad: bool = False) -> Any:
    """A new tensor, or the one given as `out=`, which takes the shape and keeps its type."""
    if out is None:
        return finish(array, requires_grad)
    target = out_array(name, out, array.shape)
    target[...] = array
    return out


def out_array(name: str, out: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The array of an `out=` tensor to be written to, with a new shape if need be."""
    if not isinstance(out, Variable):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {out.__class__.__name__}")
    if out._array.shape != shape:
        out._array = np.empty(shape, out._array.dtype)
    if out._cell is not None:
        out._cell[0] = next_seq()
        out._cell[1] += 1
    return out._array


def typed(name: str, dtype: Any, device: Any, out: Any = None) -> np.dtype:
    if device is not None:
        as_device(device)
    wanted = check_dtype(name, dtype)
    if out is not None and isinstance(out, Variable):
        if wanted is not None and wanted != out._array.dtype:
            raise RuntimeError(
                f"dtype {dtype!r} does not match dtype of out parameter "
                f"({dtypes.from_numpy(out._array.dtype)!r})"
            )
        return out._array.dtype
    return dtypes.default_numpy() if wanted is None else wanted


def _sizes(name: str, size: tuple, named: Any) -> tuple[int, ...]:
    if named is not None:
        size = (named,)
    elif not size:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    return size_of(name, size)


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
    shape = _sizes("zeros", size, _only("zeros", named))
    array = zeroed(shape, typed("zeros", dtype, device, out))
    return place("zeros", out, array, requires_grad)


def zeroed(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    try:
        return np.zeros(shape, dtype)
    except (MemoryError, ValueError):
        return allocate(shape, dtype)  # which says what was asked for


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
    shape = _sizes("ones", size, _only("ones", named))
    array = allocate(shape, typed("ones", dtype, device, out))
    array.fill(1)
    return place("ones", out, array, requires_grad)


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
    shape = _sizes("empty", size, _only("empty", named))
    wanted = typed("empty", dtype, device, out)
    if memory_format is channels_last:
        return place("empty", out, _channels_last(shape, wanted), requires_grad)
    return place("empty", out, allocate(shape, wanted), requires_grad)


def _only(name: str, named: dict) -> Any:
    """The `size=` keyword, which a parameter after `*size` could not be called by both."""
    value = named.pop("size", None)
    named.pop("names", None)
    if named:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
    return value


def _channels_last(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if len(shape) != 4:
        raise RuntimeError(
            f"required rank 4 tensor to use channels_last format: given shape {list(shape)}"
        )
    n, c, h, w = shape
    return allocate((n, h, w, c), dtype).transpose(0, 3, 1, 2)


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
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            f"full(): argument 'size' (position 1) must be tuple of ints, not "
            f"{size.__class__.__name__}"
        )
    shape = size_of("full", (size,))
    value = number(fill_value)
    wanted = typed("full", dtype, device, out)
    if dtype is None and out is None:
        wanted = dtypes.of_scalar(value).numpy
    return place("full", out, _filled(allocate(shape, wanted), value), requires_grad)


def _filled(array: np.ndarray, value: Any) -> np.ndarray:
    array[...] = fill_from([value], array.dtype)[0]
    return array


def like_array(name: str, input: Any, dtype: Any, device: Any, memory_format: Any) -> np.ndarray:
    """An array of the input's shape, its type unless `dtype` is given, and its memory order."""
    if not isinstance(input, Variable):
        raise TypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not "
            f"{input.__class__.__name__}"
        )
    x = input._array
    as_device(device)
    wanted = check_dtype(name, dtype) or x.dtype
    if memory_format is channels_last:
        return _channels_last(x.shape, wanted)
    if x.flags.c_contiguous or memory_format is contiguous_format or 0 in x.strides:
        return allocate(x.shape, wanted)
    return np.empty_like(x, dtype=wanted, order="K", subok=False)


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
    return finish(like_array("empty_like", input, dtype, device, memory_format), requires_grad)


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
    array = like_array("zeros_like", input, dtype, device, memory_format)
    array.fill(0)
    return finish(array, requires_grad)


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
    array = like_array("ones_like", input, dtype, device, memory_format)
    array.fill(1)
    return finish(array, requires_grad)


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
    array = like_array("full_like", input, dtype, device, memory_format)
    return finish(_filled(array, number(fill_value)), requires_grad)


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
    memory = allocate((last + 1,), wanted)
    nbytes = tuple(s * wanted.itemsize for s in steps)
    return finish(np.lib.stride_tricks.as_strided(memory, shape, nbytes), requires_grad)


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
    memory = allocate(tuple(shape[d] for d in order), typed("empty_permuted", dtype, device))
    return finish(memory.transpose(np.argsort(order)), requires_grad)


def construct(args: tuple, device: Any, wanted: np.dtype, strict: bool) -> Any:
    """`T()`, `T(2, 3)`, `T(sequence)`, `T(array)` or `T(tensor)` for elements of one type."""
    as_device(device)
    if not args:
        return _v.wrap(np.empty((0,), wanted))
    first = args[0]
    if len(args) > 1 or isinstance(first, (int, Size)):
        return _v.wrap(allocate(size_of("new", args), wanted))
    if isinstance(first, Variable):
        if strict and first._array.dtype != wanted:
            raise TypeError(
                f"expected a tensor of type {wanted.name} (got {first._array.dtype.name})"
            )
        return alias(first)
    if isinstance(first, float):
        raise TypeError("new(): data must be a sequence (got float)")
    if isinstance(first, np.ndarray) and first.dtype == wanted:
        return _v.wrap(array_from(first, None))
    return _v.wrap(array_from(first, wanted))


def _type_of(name: str, self: Variable, dtype: Any) -> np.dtype:
    return check_dtype(name, dtype) or self._array.dtype


def new_tensor(
    self: Any,
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Any:
    """A new tensor with a copy of `data`, of self's type unless `dtype` is given."""
    as_device(device)
    wanted = _type_of("new_tensor", self, dtype)
    if isinstance(data, Variable):
        return finish(np.array(data._array, wanted, order="C"), requires_grad)
    return finish(array_from(data, wanted), requires_grad)


def new_empty(self: Any, *size: Any, dtype: Any = None, **options: Any) -> Any:
    """As `empty`, of self's type unless `dtype` is given."""
    return empty(*size, dtype=dtype or dtypes.from_numpy(self._array.dtype), **options)


def new_zeros(self: Any, *size: Any, dtype: Any = None, **options: Any) -> Any:
    """As `zeros`, of self's type unless `dtype` is given."""
    return zeros(*size, dtype=dtype or dtypes.from_numpy(self._array.dtype), **options)


def new_ones(self: Any, *size: Any, dtype: Any = None, **options: Any) -> Any:
    """As `ones`, of self's type unless `dtype` is given."""
    return ones(*size, dtype=dtype or dtypes.from_numpy(self._array.dtype), **options)


def new_full(self: Any, size: Any, fill_value: Any, *, dtype: Any = None, **options: Any) -> Any:
    """As `full`, of self's type unless `dtype` is given."""
    return full(size, fill_value, dtype=dtype or dtypes.from_numpy(self._array.dtype), **options)


def new_empty_strided(
    self: Any, size: Any, stride: Any, *, dtype: Any = None, **options: Any
) -> Any:
    """As `empty_strided`, of self's type unless `dtype` is given."""
    own = dtypes.from_numpy(self._array.dtype)
    return empty_strided(size, stride, dtype=dtype or own, **options)


def new(self: Any, *args: Any, device: Any = None) -> Any:
    """Old form of `new_empty(size)` and `new_tensor(data)`."""
    return construct(args, device, self._array.dtype, strict=True)
