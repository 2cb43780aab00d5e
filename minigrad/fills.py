"""Filling arrays with random numbers, in the order and with the very numbers of PyTorch's CPU.

The functions ending in `_` are `Tensor` methods. A tensor that is not contiguous is filled in the
order of its memory, as PyTorch does.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes
from .autograd import inplace
from .autograd.variable import Variable, is_float
from .backend import CPU, device_of, move, on_gpu
from .dtypes import type_name
from .generator import Generator, chosen
from .kernels.fast import fast_normal, fast_uniform
from .kernels.streams import fused
from .ops._shape import memory_order
from .ops.assign import note_overwritten

_F64 = np.dtype(np.float64)


def in_memory_order(array: np.ndarray) -> np.ndarray:
    """The array with its dimensions permuted so that strides do not grow."""
    if array.flags.c_contiguous or array.ndim < 2:
        return array
    return array.transpose(sorted(range(array.ndim), key=lambda d: -array.strides[d]))


def unsupported(what: str, dtype: np.dtype) -> Exception:
    """The error for a dtype that a distribution is not made for."""
    name = type_name(dtypes.from_numpy(dtype))
    return NotImplementedError(f"\"{what}\" not implemented for '{name}'")


def fill_uniform(array: np.ndarray, lo: float, hi: float, generator: Generator) -> None:
    """Uniform numbers in [lo, hi)."""
    dtype = array.dtype
    if dtype.kind not in "fV":
        raise unsupported("check_uniform_bounds", dtype)
    target = in_memory_order(array)
    if dtype.itemsize >= 4:
        if target.flags.carray:
            generator.fill("uniform", target, lo, hi)
        else:
            values = np.empty(target.shape, dtype)
            generator.fill("uniform", values, lo, hi)
            target[...] = values
        return
    values = np.empty(target.shape, np.float32)
    generator.fill("uniform", values, lo, hi)
    values = values.astype(dtype)
    # Rounding may reach the open end: PyTorch gives the other one then.
    values[values == dtype.type(hi)] = dtype.type(lo)
    target[...] = values


def fill_normal(array: np.ndarray, mean: float, std: float, generator: Generator) -> None:
    """Normal numbers: in blocks of 16 where there are that many, else one by one."""
    dtype = array.dtype
    if dtype.kind not in "fV":
        raise unsupported("normal_kernel_cpu", dtype)
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    if array.size >= 16 and array.flags.c_contiguous:
        if dtype.itemsize >= 4:
            values = array if array.flags.carray else np.empty(array.shape, dtype)
            generator.fill("normal", values, mean, std)
            if values is not array:
                array[...] = values
            return
        # Of these nothing is drawn for a block that is not full but the last 16.
        values = np.empty(array.size, np.float32)
        full = array.size // 16 * 16
        generator.fill("normal", values[:full], mean, std)
        if full != array.size:
            generator.fill("normal", values[-16:], mean, std)
        array[...] = values.reshape(array.shape)
        return
    target = in_memory_order(array)
    values = generator.normals(array.size)
    target[...] = fused(values, std, mean).reshape(target.shape)


_LARGEST_EXACT = {"float16": 2**11, "bfloat16": 2**8, "float32": 2**24, "float64": 2**53}


def fill_integers(
    array: np.ndarray, low: int | None, high: int | None, generator: Generator
) -> None:
    """Integers in [low, high); without bounds, all non-negative ones that the type holds."""
    dtype = array.dtype
    target = in_memory_order(array)
    kind = dtypes.from_numpy(dtype).name
    if low is None and high is None:
        wide = kind in ("int64", "float64")
        raw = generator.raw64(target.shape) if wide else generator.raw32(target.shape)
        if kind == "bool":
            target[...] = raw & 1
            return
        top = _LARGEST_EXACT.get(kind) or int(np.iinfo(dtype).max)
        target[...] = raw % raw.dtype.type(top + 1) if top + 1 < 2**32 or wide else raw
        return
    low = 0 if low is None else low
    if high is not None and low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    _check_bounds(dtype, kind, low, high)
    if high is None:  # up to the largest number, included
        high = (_LARGEST_EXACT.get(kind) or (1 if kind == "bool" else int(np.iinfo(dtype).max))) + 1
    if kind in _LARGEST_EXACT:
        low, high = _held(dtype, kind, low, high)
    span = high - low
    if span < 2**28:
        whole = kind == "int64" and target.flags.carray
        values = target if whole else np.empty(target.shape, np.int64)
        generator.integers(values, low, span)
        if not whole:
            target[...] = values
        return
    raw = generator.raw64(target.shape)  # so that the remainder stays nearly uniform
    offset = (raw % np.uint64(span) if span < 2**64 else raw).view(np.int64)
    with np.errstate(over="ignore"):
        target[...] = offset + np.int64(low)


def _held(dtype: np.dtype, kind: str, low: int, high: int) -> tuple[int, int]:
    """The bounds, moved inwards by PyTorch's rule where rounding would reach beyond them."""
    digits = _LARGEST_EXACT[kind].bit_length() - 1
    first, last = int(dtype.type(low + 1)), int(dtype.type(high - 1))
    if first < low:
        low = first + (1 << (abs(low + 1).bit_length() - digits))
    if last >= high:
        high = last - (1 << (abs(high - 1).bit_length() - digits))
    return low, high


def _check_bounds(dtype: np.dtype, kind: str, low: int, high: int | None) -> None:
    last = low if high is None else high - 1
    if kind in _LARGEST_EXACT:
        most = _LARGEST_EXACT[kind]
        for name, value in (("from", low), ("to - 1", last)):
            if kind == "float16" and abs(value) > 65504:
                raise RuntimeError(f"{name} is out of bounds for c10::Half")
            if abs(value) > most:
                warnings.warn(
                    f"{name} is out of bounds [-{most}, {most}]. {kind} cannot hold every integer "
                    "beyond them.",
                    UserWarning,
                    stacklevel=4,
                )
        return
    least, most = (0, 1) if kind == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    cpp = {
        "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short",
        "int32": "int", "int64": "long",
    }[kind]  # fmt: skip
    for name, value in (("from", low), ("to - 1", last)):
        if not least <= value <= most:
            raise RuntimeError(f"{name} is out of bounds for {cpp}")


def fill_bernoulli(array: np.ndarray, p: Any, generator: Generator) -> None:
    """1 with probability `p`, a number or an array of the shape, else 0."""
    target = in_memory_order(array)
    if not isinstance(p, np.ndarray):
        if not 0 <= p <= 1:
            raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
        target[...] = generator.uniform64(target.shape) < p
        return
    p = move(p, CPU)
    if not is_float(p):
        raise unsupported("bernoulli_tensor_cpu_p_", p.dtype)
    if not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    p = np.broadcast_to(p, array.shape)
    if target is not array:
        p = p.transpose(sorted(range(array.ndim), key=lambda d: -array.strides[d]))
    if p.dtype == _F64:
        target[...] = generator.uniform64(target.shape) < p
    else:
        target[...] = generator.uniform32(target.shape) < p.astype(np.float32)


def fill_exponential(array: np.ndarray, rate: float, generator: Generator) -> None:
    """Exponential numbers of a rate."""
    if array.dtype.kind not in "fV":
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {type_name(dtypes.from_numpy(array.dtype))}"
        )
    if not rate > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={rate:g}")
    target = in_memory_order(array)
    target[...] = np.log1p(-generator.uniform64(target.shape)) * (-1.0 / rate)


def fill_there(fill: Callable, array: Any) -> None:
    """Runs `fill(array)`: for an array on a GPU on the CPU, from where the numbers are copied."""
    if not on_gpu(array):
        fill(array)
        return
    axes = memory_order(array)
    host = np.empty([array.shape[d] for d in axes], array.dtype).transpose(np.argsort(axes))
    fill(host)
    array[...] = move(host, array.place)


def _filling(name: str, fill: Callable, t: Any) -> None:
    """Runs `fill(array)` on the tensor of an in-place method, with its checks and versions."""
    if not isinstance(t, Variable):
        raise TypeError(f"{name}: expected a Tensor, got {t.__class__.__name__}")
    inplace.check_writable(t)
    with np.errstate(all="ignore"):
        fill_there(fill, t._array)
    note_overwritten(t, None, t._array.shape, t._array.dtype)


def uniform_(
    self: Any, from_: float = 0.0, to: float = 1.0, *, generator: Any = None, **named: Any
) -> Any:
    """Fills with uniform numbers in [from, to). RuntimeError if from > to."""
    if not named and fast_uniform(self, from_, to, generator):
        return self
    from_ = named.pop("from", from_)
    if named:
        raise TypeError(f"uniform_() got an unexpected keyword argument '{next(iter(named))}'")
    if from_ > to:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={from_:g} > to={to:g}"
        )
    g = chosen(generator, device_of(self._array))
    _filling("uniform_", lambda a: fill_uniform(a, float(from_), float(to), g), self)
    return self


def normal_(self: Any, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Any:
    """Fills with normal numbers of a mean and a standard deviation."""
    if fast_normal(self, mean, std, generator):
        return self
    g = chosen(generator, device_of(self._array))
    _filling("normal_", lambda a: fill_normal(a, float(mean), float(std), g), self)
    return self


def bernoulli_(self: Any, p: Any = 0.5, *, generator: Any = None) -> Any:
    """Fills with 1 with probability `p` (a number, or a tensor that broadcasts), else 0."""
    chance = p._array if isinstance(p, Variable) else float(p)
    g = chosen(generator, device_of(self._array))
    _filling("bernoulli_", lambda a: fill_bernoulli(a, chance, g), self)
    return self


def random_(self: Any, *bounds: Any, generator: Any = None, **named: Any) -> Any:
    """Fills with integers: `random_()`, `random_(to)` below `to`, or `random_(from, to)`."""
    if len(bounds) == 1 and not named:
        bounds = (0, bounds[0])
    low = bounds[0] if bounds else named.pop("from", None)
    high = bounds[1] if len(bounds) > 1 else named.pop("to", None)
    if named or len(bounds) > 2:
        raise TypeError("random_() received an invalid combination of arguments")
    try:
        low = None if low is None else operator.index(low)
        high = None if high is None else operator.index(high)
    except TypeError:
        raise TypeError(
            f"random_() received an invalid combination of arguments: given {bounds}; needed: ints"
        ) from None
    g = chosen(generator, device_of(self._array))
    _filling("random_", lambda a: fill_integers(a, low, high, g), self)
    return self


def exponential_(self: Any, lambd: float = 1.0, *, generator: Any = None) -> Any:
    """Fills with exponential numbers of rate `lambd`."""
    g = chosen(generator, device_of(self._array))
    _filling("exponential_", lambda a: fill_exponential(a, float(lambd), g), self)
    return self


def log_normal_(self: Any, mean: float = 1.0, std: float = 2.0, *, generator: Any = None) -> Any:
    """Fills with exp(x), x normal with `mean` and `std`."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    g = chosen(generator, device_of(self._array))

    def fill(array: np.ndarray) -> None:
        if not is_float(array):
            raise unsupported("log_normal_cpu", array.dtype)
        target = in_memory_order(array)
        target[...] = np.exp(fused(g.normals(array.size), std, mean)).reshape(target.shape)

    _filling("log_normal_", fill, self)
    return self


def geometric_(self: Any, p: float, *, generator: Any = None) -> Any:
    """Fills with the number of trials until the first success of probability `p`."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    g = chosen(generator, device_of(self._array))

    def fill(array: np.ndarray) -> None:
        if array.size and array.dtype.kind == "b":
            raise unsupported("geometric_cpu", array.dtype)
        target = in_memory_order(array)
        target[...] = np.ceil(np.log(g.uniform64(target.shape)) / math.log1p(-p))

    _filling("geometric_", fill, self)
    return self


def cauchy_(self: Any, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None) -> Any:
    """Fills with Cauchy numbers of a median and half-width `sigma`."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    g = chosen(generator, device_of(self._array))

    def fill(array: np.ndarray) -> None:
        if not is_float(array):
            raise unsupported("cauchy_cpu", array.dtype)
        target = in_memory_order(array)
        target[...] = median + sigma * np.tan(np.pi * (g.uniform64(target.shape) - 0.5))

    _filling("cauchy_", fill, self)
    return self
