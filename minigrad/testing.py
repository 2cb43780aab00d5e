"""`assert_close` compares nests of tensors, with PyTorch's tolerances; `make_tensor` makes one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import deferred, dtypes
from .autograd.variable import Variable
from .creation import empty
from .dispatch import LogicalArray
from .random import randint
from .size import Size

__all__ = ["assert_close", "make_tensor"]

# (rtol, atol) by dtype; integers and bool must be equal.
_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Takes tensors, arrays, numbers, None, and sequences and mappings of them. The tolerances
    default to those of the dtype. `msg` replaces the message, or is a function of it.
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(
            f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}."
        )
    check = _Check(rtol, atol, equal_nan, allow_subclasses, check_device, check_dtype, check_stride)
    try:
        check.compare(actual, expected, ())
    except _Mismatch as error:
        text = str(error)
        if error.where:
            at = "".join(f"[{key!r}]" for key in error.where)
            text += f"\n\nThe failure occurred for item {at}"
        if msg is not None:
            text = msg(text) if callable(msg) else msg
        raise AssertionError(text) from None


class _Mismatch(Exception):
    def __init__(self, text: str, where: tuple):
        super().__init__(text)
        self.where = where


class _Check:
    """The settings of one comparison."""

    def __init__(
        self,
        rtol: float | None,
        atol: float | None,
        equal_nan: bool,
        allow_subclasses: bool,
        check_device: bool,
        check_dtype: bool,
        check_stride: bool,
    ):
        self.rtol, self.atol, self.equal_nan = rtol, atol, equal_nan
        self.allow_subclasses = allow_subclasses
        self.check_device, self.check_dtype = check_device, check_dtype
        self.check_stride = check_stride

    def compare(self, a: Any, b: Any, where: tuple) -> None:
        if _is_list(a) and _is_list(b):
            if len(a) != len(b):
                raise _Mismatch(
                    f"The length of the sequences mismatch: {len(a)} != {len(b)}", where
                )
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                self.compare(x, y, (*where, i))
            return
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            self._mappings(a, b, where)
            return
        if a is None or b is None:
            if a is not b:
                raise _Mismatch(f"None mismatch: {a} is not {b}", where)
            return
        if isinstance(a, (bool, np.bool_)) and isinstance(b, (bool, np.bool_)):
            if bool(a) != bool(b):
                raise _Mismatch(f"Booleans mismatch: {a} is not {b}", where)
            return
        if _is_number(a) and _is_number(b):
            self._numbers(a, b, where)
            return
        both = isinstance(a, Variable) and isinstance(b, Variable)
        arrays = isinstance(a, (np.ndarray, np.generic)) and isinstance(b, (np.ndarray, np.generic))
        related = isinstance(a, type(b)) or isinstance(b, type(a))
        if (both and (self.allow_subclasses or type(a) is type(b)) and related) or arrays:
            x, y = (_array(a), _array(b)) if both else (np.asarray(a), np.asarray(b))
            self._tensors(x, y, where)
            return
        raise TypeError(
            f"No comparison pair was able to handle inputs of type {type(a)} and {type(b)}."
        )

    def _mappings(self, a: Mapping, b: Mapping, where: tuple) -> None:
        missing, extra = [k for k in b if k not in a], [k for k in a if k not in b]
        if missing or extra:
            text = "The keys of the mappings do not match:"
            if missing:
                text += f"\nMissing keys in the actual mapping: {_sorted(missing)}"
            if extra:
                text += f"\nAdditional keys in the actual mapping: {_sorted(extra)}"
            raise _Mismatch(text, where)
        for key in _sorted(list(a)):
            self.compare(a[key], b[key], (*where, key))

    def _limits(self, *names: str) -> tuple[float, float]:
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        pairs = [_TOLERANCES.get(name, (0.0, 0.0)) for name in names]
        return max(p[0] for p in pairs), max(p[1] for p in pairs)

    def _numbers(self, a: Any, b: Any, where: tuple) -> None:
        if self.check_dtype and type(a) is not type(b):
            raise _Mismatch(f"The (d)types do not match: {type(a)} != {type(b)}.", where)
        exact = not isinstance(a, float) and not isinstance(b, float)
        rtol, atol = self._limits("int64" if exact else "float64")
        self._scalars(a, b, rtol, atol, where)

    def _scalars(self, a: Any, b: Any, rtol: float, atol: float, where: tuple) -> None:
        if a == b or (self.equal_nan and a != a and b != b):
            return
        difference = abs(a - b)
        if difference <= atol + rtol * abs(b) and abs(b) != float("inf"):
            return
        equal = rtol == atol == 0
        relative = difference / abs(b) if b else float("inf")
        text = f"Scalars are not {'equal' if equal else 'close'}!\n\nExpected {b} but got {a}.\n"
        text += f"Absolute difference: {difference}{'' if equal else f' (up to {atol} allowed)'}\n"
        text += f"Relative difference: {relative}{'' if equal else f' (up to {rtol} allowed)'}"
        raise _Mismatch(text, where)

    def _tensors(self, a: np.ndarray, b: np.ndarray, where: tuple) -> None:
        def differ(name: str, x: object, y: object) -> None:
            raise _Mismatch(f"The values for attribute '{name}' do not match: {x} != {y}.", where)

        if a.shape != b.shape:
            differ("shape", Size(a.shape), Size(b.shape))
        kinds = [_kind(x.dtype) for x in (a, b)]
        if self.check_dtype and kinds[0] is not kinds[1]:
            differ("dtype", *kinds)
        if self.check_stride and a.strides != b.strides:
            steps = [tuple(s // x.itemsize for s in x.strides) for x in (a, b)]
            differ("stride()", *steps)
        rtol, atol = self._limits(kinds[0].name, kinds[1].name)
        common = max(kinds, key=lambda kind: kind.itemsize)
        if not common.is_complex:
            common = dtypes.promote_types(*kinds)
        wide: np.dtype = np.dtype(np.float32)
        if common.is_complex:
            wide = np.dtype(common.name)
        elif common.itemsize >= 4:
            wide = common.numpy
        if common.category < 2:
            wide = np.dtype(np.int64)
        x, y = a.astype(wide), b.astype(wide)
        with np.errstate(all="ignore"):
            difference = np.abs(x - y)
            close = (x == y) | ((difference <= atol + rtol * np.abs(y)) & np.isfinite(y))
            if self.equal_nan:
                close |= (x != x) & (y != y)
        if close.all():
            return
        if not a.ndim:
            self._scalars(x.item(), y.item(), rtol, atol, where)
        ratio = common.numpy if common.category == 2 else np.dtype(np.float32)
        raise _Mismatch(_describe(x, y, difference, close, rtol, atol, ratio), where)


def _describe(
    x: np.ndarray,
    y: np.ndarray,
    difference: np.ndarray,
    close: np.ndarray,
    rtol: float,
    atol: float,
    ratio: np.dtype,
) -> str:
    equal = rtol == atol == 0
    real = ratio if ratio.itemsize >= 4 else np.dtype(np.float32)
    count = int((~close).sum())
    text = f"Tensor-likes are not {'equal' if equal else 'close'}!\n\n"
    text += f"Mismatched elements: {count} / {x.size} ({count / x.size:.1%})\n"
    with np.errstate(all="ignore"):
        relative = (difference.astype(real) / np.abs(y).astype(real)).astype(ratio)
    lines = []
    for name, values, limit in (("absolute", difference, atol), ("relative", relative, rtol)):
        masked = np.where(close, values.dtype.type(0), values)
        index = np.unravel_index(int(masked.argmax()), x.shape)
        at = tuple(int(i) for i in index)
        allowed = "" if equal else f" (up to {limit} allowed)"
        lines.append(f"Greatest {name} difference: {masked[index].item()} at index {at}{allowed}")
    return text + "\n".join(lines)


def _array(t: Any) -> Any:
    """A tensor's array, of complex numbers too. RuntimeError for tensors without memory."""
    if t._array.__class__ is not LogicalArray:
        return t._array
    if t.is_meta:
        raise NotImplementedError("assert_close: a tensor on device 'meta' was given; it has no "
                                  "values")  # fmt: skip
    return t.complex_array()


def _kind(dtype: np.dtype) -> Any:
    return getattr(dtypes, dtype.name) if dtype.kind == "c" else dtypes.from_numpy(dtype)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, Variable))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, (bool, np.generic))


def _sorted(keys: list) -> list:
    try:
        return sorted(keys)
    except TypeError:
        return keys


def make_tensor(
    *shape: Any,
    dtype: dtypes.dtype,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Any:
    """Random numbers from `low` (-9) up to `high` (9 for floats, 10 for integers), as PyTorch's.

    Bounds beyond the dtype's are moved to them. `exclude_zero` puts 1, or the smallest normal
    float, where a 0 was drawn. ValueError for bounds that leave no number.
    """
    if len(shape) == 1 and isinstance(shape[0], Sequence):
        shape = tuple(shape[0])
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got "
            f"{noncontiguous=} and {memory_format=}"
        )
    real = dtype.is_floating_point or dtype.is_complex
    if requires_grad and not real:
        raise ValueError(
            "`requires_grad=True` is not supported for boolean and integral dtypes, but got "
            f"{dtype=}"
        )
    noncontiguous = noncontiguous and math.prod(shape) > 1
    if noncontiguous:
        shape = (*shape[:-1], 2 * shape[-1])
    first, last = _interval(dtype, real, low, high)
    if real:
        part = getattr(dtypes, dtypes.finfo(dtype).dtype)
        result = empty((*shape, 2) if dtype.is_complex else shape, dtype=part, device=device)
        halves = 1 if last - first < dtypes.finfo(dtype).max else 2  # the width must be finite
        result.uniform_(first / halves, last / halves).mul_(halves)
        if dtype.is_complex:
            result = deferred.resolve("view_as_complex")(result)
    else:
        result = randint(math.ceil(first), math.ceil(last), shape, dtype=dtype, device=device)
    if noncontiguous:
        result = result[..., 1::2]
    elif memory_format is not None:
        result = result.clone(memory_format=memory_format)
    if exclude_zero:
        result[result == 0] = dtypes.finfo(dtype).tiny if real else 1
    return result.requires_grad_(requires_grad) if real else result


def _interval(dtype: Any, real: bool, low: Any, high: Any) -> tuple[float, float]:
    """The bounds of `make_tensor`'s numbers. ValueError for an empty interval."""
    least: float
    most: float
    if dtype is dtypes.bool_:
        default, least, most = (0, 2), 0, 2
    elif real:
        default, least, most = (-9, 9), dtypes.finfo(dtype).min, dtypes.finfo(dtype).max
    else:
        limits = dtypes.iinfo(dtype)
        default, least = (-9, 10), limits.min
        most = limits.max + (dtype is not dtypes.int64)
    low, high = (d if v is None else v for v, d in zip((low, high), default, strict=True))
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    if low > high or low == high and not real:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    if high < least or low >= most:
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{low}, {high}), but {dtype} "
            f"only supports [{least}, {most})"
        )
    return min(max(low, least), most), min(max(high, least), most)
