"""What the functions that make tensors share: their arguments, allocation, numbers, results."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import inplace, modes
from ..autograd import variable as _v
from ..autograd.variable import Variable, is_float, set_requires_grad
from ..backend import (
    CPU,
    as_place,
    contiguous_format,
    device_of,
    is_meta,
    made,
    move,
    preserve_format,
    without_memory,
)
from ..deferred import deferred
from ..dispatch import LogicalArray
from ..kernels import cpu
from ..ops._format import check_format, order_of
from ..ops._shape import memory_order, need_tensor

# -- arguments -----------------------------------------------------------------------------------


complex_array, complex_data = deferred("complex_array"), deferred("complex_data")
complex_filled, to_complex = deferred("complex_filled"), deferred("to_complex")


def is_complex(dtype: Any) -> bool:
    """Whether a `dtype=` argument is a complex one, which functions here hand on."""
    return dtype.__class__ is dtypes.AbsentDtype and dtype in (dtypes.complex64, dtypes.complex128)


def check_dtype(name: str, dtype: Any) -> np.dtype | None:
    """The NumPy type of a `dtype=` argument, None for None. TypeError unless it is a dtype."""
    if dtype is None:
        return None
    if isinstance(dtype, dtypes.dtype) or dtype in (float, int, bool):
        return dtypes.numpy_type(dtype)
    raise TypeError(
        f"{name}(): argument 'dtype' must be torch.dtype, not {dtype.__class__.__name__}"
    )


def typed(name: str, dtype: Any, device: Any, out: Any = None) -> np.dtype:
    """The NumPy type of a result: of `dtype`, of `out`, or the default one. Checks `device`.

    Who calls it hands the device on to `finish` or `place`: it may be 'meta'.
    """
    if device is not None:
        as_place(device)
    wanted = check_dtype(name, dtype)
    if out is not None:
        need_out(name, out)
        if wanted is not None and wanted != out._array.dtype:
            raise RuntimeError(
                f"dtype {dtype!r} does not match dtype of out parameter "
                f"({dtypes.from_numpy(out._array.dtype)!r})"
            )
        return out._array.dtype
    return dtypes.default_numpy() if wanted is None else wanted


def size_given(name: str, size: tuple, named: dict) -> tuple[int, ...]:
    """The shape given as positional arguments, or as the keyword `size` in `named`."""
    keyword = named.pop("size", None)
    if named:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
    if keyword is not None:
        size = (keyword,)
    elif not size:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    return size_of(name, size)


def size_of(name: str, size: tuple) -> tuple[int, ...]:
    """The shape given as `f(2, 3)`, `f((2, 3))` or `f([2, 3])`. TypeError unless ints >= 0."""
    nested = len(size) == 1 and isinstance(size[0], (tuple, list))
    if nested:
        size = tuple(size[0])
    result = []
    for i, n in enumerate(size):
        try:
            if n.__class__ is bool and not nested:
                raise TypeError
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


# -- memory --------------------------------------------------------------------------------------


def allocate(shape: tuple[int, ...], dtype: np.dtype, where: Any = CPU) -> np.ndarray:
    """An array with arbitrary values. RuntimeError if there is no memory for it."""
    if where.type == "cuda":
        return made(shape, dtype, where)
    try:
        return cpu.empty(shape, dtype)
    except (MemoryError, ValueError):
        raise RuntimeError(
            f"not enough memory: a tensor of shape {list(shape)} and type {dtype.name} was asked "
            "for"
        ) from None


def zeroed(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of zeros. RuntimeError if there is no memory for it."""
    try:
        return np.zeros(shape, dtype)
    except (MemoryError, ValueError):
        return allocate(shape, dtype)  # which says what was asked for


def in_order(
    shape: tuple[int, ...], dtype: np.dtype, axes: tuple[int, ...], where: Any = CPU
) -> np.ndarray:
    """An array with arbitrary values whose dimensions lie in memory in the order `axes`."""
    memory = allocate(tuple([shape[d] for d in axes]), dtype, where)
    return memory.transpose(sorted(range(len(axes)), key=axes.__getitem__))


def formatted(
    shape: tuple[int, ...], dtype: np.dtype, memory_format: Any, where: Any = CPU
) -> np.ndarray:
    """An array with arbitrary values in a memory format (None: in order)."""
    if memory_format is None or memory_format is contiguous_format:
        return allocate(shape, dtype, where)
    check_format("empty", memory_format)
    if memory_format is preserve_format:
        raise RuntimeError("unsupported memory format Preserve")
    return in_order(shape, dtype, order_of(len(shape), memory_format), where)


def elsewhere(shape: tuple[int, ...], dtype: np.dtype, device: Any, value: Any = None) -> Any:
    """An array of one value (None: any) on another device than the CPU, for which it is None.

    On 'meta' it stands for one, which is what `finish` needs.
    """
    if device is None:
        return None
    where = as_place(device)
    if where.type == "cuda":
        return made(shape, dtype, where, value)
    return LogicalArray(shape, dtype) if where.type == "meta" else None


def like_array(name: str, input: Any, dtype: Any, device: Any, memory_format: Any) -> np.ndarray:
    """An array of the input's shape, its type unless `dtype` is given, and its memory order."""
    x = need_tensor(name, input)._array
    where = device_of(x) if device is None else as_place(device)
    wanted = check_dtype(name, dtype) or x.dtype
    check_format(name, memory_format)
    if memory_format is not None and memory_format is not preserve_format:
        return formatted(x.shape, wanted, memory_format, where)
    if x.flags.c_contiguous:
        return allocate(x.shape, wanted, where)
    return in_order(x.shape, wanted, memory_order(x), where)


# -- results -------------------------------------------------------------------------------------


def finish(array: np.ndarray, requires_grad: bool = False, device: Any = None) -> Any:
    """A tensor over a new array, which may be asked to require grad; on 'meta', one without it."""
    if requires_grad and not is_float(array):
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    if device is None:
        t = _v.wrap(array)
    elif is_meta(device):
        t = without_memory(array)
    else:
        t = _v.wrap(move(array, as_place(device)))
    if requires_grad:
        set_requires_grad(t, requires_grad)
    return t


def place(
    name: str, out: Any, array: np.ndarray, requires_grad: bool = False, device: Any = None
) -> Any:
    """A new tensor, or the one given as `out=`, which takes the shape and keeps its type."""
    if out is None:
        return finish(array, requires_grad, device)
    target = out_array(name, out, array.shape, name in _SAME_EVERYWHERE)
    target[...] = move(array, device_of(target))
    return out


# What writes one value, so that memory that several elements share does no harm.
_SAME_EVERYWHERE = frozenset(("empty", "full", "ones", "zeros"))


def out_array(name: str, out: Any, shape: tuple[int, ...], filled: bool = False) -> np.ndarray:
    """The array of an `out=` tensor to be written to, with a new shape if need be.

    RuntimeError for a tensor that requires grad, and for memory that is read-only or, unless it is
    `filled` with one value, shared by several elements.
    """
    need_out(name, out)
    if modes.is_grad_enabled() and out._fn is not None:
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    if out._array.shape != shape:
        out._array = allocate(shape, out._array.dtype, device_of(out._array))
    else:
        inplace.check_memory(out, filled)
    inplace.bump(out)
    return out._array


def need_out(name: str, out: Any) -> None:
    """TypeError unless `out` is a tensor."""
    if not isinstance(out, Variable):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {out.__class__.__name__}")


# -- numbers -------------------------------------------------------------------------------------


def number(value: Any, inferred: bool = True) -> Any:
    """A leaf of a nest as a Python or NumPy number; `inferred`: which says the result's type."""
    if isinstance(value, (bool, int, float, np.generic)):
        return value
    if isinstance(value, Variable):
        if value._array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return move(value._array, CPU).reshape(())[()]
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value[()]
    if isinstance(value, (list, tuple)):
        raise TypeError(f"'{value.__class__.__name__}' object cannot be interpreted as an integer")
    if isinstance(value, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{value.__class__.__name__}'")
    if isinstance(value, complex):
        raise TypeError(
            "tensor: complex numbers were given; needed: real ones (minigrad has no complex dtype)"
        )
    if hasattr(value, "__index__"):
        return value.__index__()
    if not inferred:
        raise TypeError(f"must be real number, not {value.__class__.__name__}")
    raise RuntimeError(f"Could not infer dtype of {value.__class__.__name__}")


def fill_from(leaves: list, wanted: np.dtype) -> np.ndarray:
    """Numbers as an array of a type. RuntimeError for one that an integer type cannot hold."""
    if wanted.kind in "fV":
        try:
            with np.errstate(over="ignore"):
                return np.array(leaves, np.float64).astype(wanted)
        except OverflowError:
            raise RuntimeError("int too large to convert to float") from None
    if wanted.kind == "b":
        return np.array([bool(leaf) for leaf in leaves], wanted)
    try:
        return np.array([leaf if leaf.__class__ is int else int(leaf) for leaf in leaves], wanted)
    except (OverflowError, ValueError):
        pass
    info = np.iinfo(wanted)
    return np.array([_wrapped(leaf, info) for leaf in leaves], wanted)


def _wrapped(leaf: Any, info: np.iinfo) -> int:
    """An out-of-range number: PyTorch lets unsigned types take negative ints of their width."""
    if leaf == leaf and abs(leaf) != float("inf"):
        value = int(leaf)
        if info.min <= value <= info.max:
            return value
        if info.kind == "u" and -info.max <= value < 0 and isinstance(leaf, (int, np.integer)):
            return value + info.max + 1
        if info.bits == 64:
            if isinstance(leaf, (float, np.floating)):
                raise RuntimeError("value cannot be converted to type int64 without overflow")
            raise ValueError("Overflow when unpacking long long")
    name = np.dtype(info.dtype).name
    raise RuntimeError(f"value cannot be converted to type {name} without overflow")
