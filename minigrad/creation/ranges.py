"""Tensors of evenly spaced numbers, the identity, and indices of triangles."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.variable import Variable
from ..backend import as_array, as_place
from ..kernels import cpu, fast
from ..kernels._quiet import quiet
from ..ops.assign import number_for
from ._common import check_dtype, finish, is_complex, place, to_complex, typed, zeroed

__all__ = [
    "arange",
    "eye",
    "linspace",
    "logspace",
    "range",
    "tril_indices",
    "triu_indices",
]


def arange(
    *args: Any,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    **named: Any,
) -> Any:
    """`arange(end)`, `arange(start, end)`, `arange(start, end, step)`: start, start + step, ….

    `end` is not included. int64 if all are ints, else the default dtype. RuntimeError where the
    step is zero or points away from `end`.
    """
    if out is None and not named:
        made = fast.fast_arange(args, dtype, device, requires_grad)
        if made is not None:
            return made
    usual = out is dtype is layout is device is None and not (pin_memory or requires_grad or named)
    if usual and len(args) == 1 and args[0].__class__ is int and 0 <= args[0] < 2**40:
        return _v.wrap(_numbers(args[0]))
    start, end, step = _arange_arguments(args, named)
    floats = any(isinstance(v, (float, np.floating)) for v in (start, end, step))
    wanted = typed("arange", dtype, device, out)
    if dtype is None and out is None:
        wanted = dtypes.default_numpy() if floats else np.dtype(np.int64)
    _numeric("arange", wanted)
    if not math.isfinite(start) or not math.isfinite(end):
        raise RuntimeError(f"unsupported range: {start:g} -> {end:g}")
    if wanted == np.int64:
        given = step
        start, end, step = int(start), int(end), int(step)
        if step == 0 and given != 0:
            raise ValueError("step must be nonzero")
    _check_step(start, end, step)
    return place("arange", out, _steps(start, end, step, wanted), requires_grad, device)


_BLOCK = np.arange(4096)


def _numbers(n: int) -> np.ndarray:
    """0 .. n - 1: a long one in recycled memory, which NumPy's own would have to ask for anew."""
    if n < 1 << 17:
        return np.arange(n)
    out = cpu.empty((n,), _BLOCK.dtype)
    rows = n // _BLOCK.size
    whole = rows * _BLOCK.size
    starts = np.arange(0, whole, _BLOCK.size)
    np.add(starts[:, None], _BLOCK, out=out[:whole].reshape(rows, _BLOCK.size))
    out[whole:] = np.arange(whole, n)
    return out


@quiet
def _steps(start: Any, end: Any, step: Any, wanted: np.dtype) -> np.ndarray:
    if isinstance(start, int) and isinstance(end, int) and isinstance(step, int):
        n = max(0, -((start - end) // step))
    else:
        n = max(0, math.ceil((end - start) / step))
    if n > 2**60:
        raise RuntimeError(f"arange: {n} elements were asked for, which no memory holds")
    if wanted.kind in "iu":
        first, by = int(start), int(step)
        if first == 0 and by == 1:
            return _numbers(n).astype(wanted, copy=False)
        return (np.arange(n, dtype=np.int64) * by + first).astype(wanted, copy=False)
    return (np.arange(n, dtype=np.float64) * step + start).astype(wanted)


def _arange_arguments(args: tuple, named: dict) -> tuple:
    names = (
        ("end",) if len(args) == 1 and not (named.keys() - {"end"}) else ("start", "end", "step")
    )
    if len(args) == 1 and "end" in named:
        names = ("start",)
    values = dict(zip(names, args, strict=False))
    for key, value in named.items():
        if key not in ("start", "end", "step") or key in values:
            raise TypeError(f"arange() got an unexpected keyword argument '{key}'")
        values[key] = value
    if len(args) > 3 or "end" not in values:
        raise TypeError(
            f"arange() received an invalid combination of arguments: {len(args)} positional; "
            "needed: (end), (start, end) or (start, end, step)"
        )
    result = []
    for key, default in (("start", 0), ("end", None), ("step", 1)):
        value = values.get(key, default)
        if not isinstance(value, (int, float, np.number, Variable)):
            raise TypeError(
                f"arange(): argument '{key}' must be Number, not {value.__class__.__name__}"
            )
        result.append(value.item() if isinstance(value, (Variable, np.number)) else value)
    return tuple(result)


def _check_step(start: Any, end: Any, step: Any) -> None:
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start > 0) != (step > 0) and end != start:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")


def range(
    start: Any,
    end: Any,
    step: Any = 1,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """`start, start + step, …` with `end` included, in the default dtype. Prefer `arange`."""
    warnings.warn(
        "torch.range is deprecated because its behavior is inconsistent with Python's range "
        "builtin. Instead, use torch.arange, which produces values in [start, end).",
        UserWarning,
        stacklevel=2,
    )
    wanted = _numeric("range", typed("range", dtype, device, out))
    _check_step(start, end, step)
    n = int((end - start) / step + 1)
    values = (np.arange(n, dtype=np.float64) * step + start).astype(wanted)
    return place("range", out, values, requires_grad, device)


def _numeric(name: str, wanted: np.dtype) -> np.dtype:
    """Refuses bool, which these functions are not made for."""
    if wanted.kind == "b":
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'")
    return wanted


def _ends(name: str, start: Any, end: Any) -> tuple[Any, Any]:
    values = []
    for which, value in (("start", start), ("end", end)):
        if isinstance(value, Variable):
            if value._array.ndim:
                other = end if which == "start" else start
                dims = [v._array.ndim if isinstance(v, Variable) else 0 for v in (value, other)]
                a, b = dims if which == "start" else reversed(dims)
                raise RuntimeError(
                    f"{name} only supports 0-dimensional start and end tensors, but got start "
                    f"with {a} dimension(s) and end with {b} dimension(s)."
                )
            value = value._array.item()
        elif not isinstance(value, (int, float, np.number)):
            raise TypeError(
                f"{name}(): argument '{which}' must be Number, not {value.__class__.__name__}"
            )
        values.append(value)
    return values[0], values[1]


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """`steps` values from `start` to `end`, both included, evenly spaced.

    Both halves are counted from their own end, so that the values are symmetric.
    """
    if is_complex(dtype):
        made = to_complex(linspace(start, end, steps, dtype=dtypes.float64, device=device), dtype)
        return made.requires_grad_(requires_grad)
    if out is None:
        made = fast.fast_linspace(start, end, steps, dtype, device, requires_grad)
        if made is not None:
            return made
    start, end = _ends("linspace", start, end)
    wanted, n = typed("linspace", dtype, device, out), _count(steps)
    if n > 1:
        _numeric("linspace", wanted)
    array = _line(start, end, n, wanted)
    return place("linspace", out, array.astype(wanted, copy=False), requires_grad, device)


def _count(steps: Any) -> int:
    n = operator.index(steps)
    if n < 0:
        raise RuntimeError("number of steps must be non-negative")
    return n


@quiet
def _line(start: Any, end: Any, n: int, wanted: np.dtype) -> np.ndarray:
    """The points in the result's own precision; each product is added in one rounding."""
    if wanted.kind in "iu":
        start, end = (int(number_for(wanted, v)._array) for v in (start, end))
        if n <= 1:
            return np.full((n,), start, wanted)
        step = np.longdouble(float(end - start) / (n - 1))
        index = np.arange(n)
        points = np.where(index < n // 2, start + step * index, end - step * (n - 1 - index))
        return np.trunc(points.astype(np.float64)).astype(wanted)
    real = wanted.type
    lo, hi = real(start), real(end)
    if n <= 1:
        return np.full((n,), lo, wanted)
    wide: Any = {2: np.float32, 4: np.float64, 8: np.longdouble}[wanted.itemsize]
    stride: Any = wide(real((hi - lo) / real(n - 1)))
    index = np.arange(n)
    if wanted.itemsize == 2:  # 16-bit types round the product, too
        up = wide(lo) + (stride * index.astype(wanted)).astype(wanted).astype(wide)
        down = wide(hi) - (stride * (n - 1 - index).astype(wanted)).astype(wanted).astype(wide)
    else:
        up = wide(lo) + stride * index
        down = wide(hi) - stride * (n - 1 - index)
    return np.where(index < n // 2, up, down).astype(wanted)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """`base ** x` for the `steps` values x of `linspace(start, end, steps)`."""
    start, end = _ends("logspace", start, end)
    wanted, n = typed("logspace", dtype, device, out), _count(steps)
    if n > 1:
        _numeric("logspace", wanted)
    exponents = _exponents(start, end, n, wanted)
    with np.errstate(all="ignore"):
        # NumPy's float64 power may be an ulp off; rounded from long double it is exact.
        values = np.power(np.longdouble(base), exponents.astype(np.longdouble))
        values = as_array(values).astype(np.float64)
        if wanted.kind in "iu":
            values = np.trunc(values)
        if wanted.itemsize == 2:
            values = values.astype(np.float32)
        array = values.astype(wanted, copy=False)
    return place("logspace", out, array, requires_grad, device)


def _exponents(start: Any, end: Any, n: int, wanted: np.dtype) -> np.ndarray:
    """The points in float64; only the ends and their distance are rounded to the result's type."""
    if n <= 1:
        return np.full((n,), float(start))
    if wanted.kind in "iu":
        lo, hi = (float(number_for(wanted, v)._array) for v in (start, end))
        distance = hi - lo
    else:
        real = wanted.type
        lo, hi, distance = (float(v) for v in (real(start), real(end), real(end) - real(start)))
    step = distance / (n - 1)
    index = np.arange(n)
    return np.where(index < n // 2, lo + step * index, hi - step * (n - 1 - index))


def eye(
    n: Any,
    m: Any = None,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """An n × m matrix (n × n by default) with ones on the diagonal."""
    if is_complex(dtype):
        return to_complex(eye(n, m, device=device), dtype).requires_grad_(requires_grad)
    if out is None:
        made = fast.fast_eye(n, m, dtype, device, requires_grad)
        if made is not None:
            return made
    sizes = []
    for name, value in (("n", n), ("m", n if m is None else m)):
        try:
            sizes.append(operator.index(value))
        except TypeError:
            raise TypeError(
                f"eye(): argument '{name}' must be int, not {value.__class__.__name__}"
            ) from None
        if sizes[-1] < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {sizes[-1]}")
    array = zeroed((sizes[0], sizes[1]), typed("eye", dtype, device, out))
    np.fill_diagonal(array[: sizes[1]], 1)
    return place("eye", out, array, requires_grad, device)


def _triangle(
    name: str, make: Callable, row: Any, col: Any, offset: int, dtype: Any, device: Any
) -> Any:
    as_place(device)
    rows, cols = operator.index(row), operator.index(col)
    for what, value in (("row", rows), ("col", cols)):
        if value < 0:
            raise RuntimeError(f"{what} must be non-negative, got{value}")
    wanted = check_dtype(name, dtype) or np.dtype(np.int64)
    if wanted.kind != "i" or wanted.itemsize < 4:
        cpp = dtypes.type_name(dtypes.from_numpy(wanted))
        raise NotImplementedError(f"\"{name}\" not implemented for '{cpp}'")
    # The index arrays are read-only views in some NumPy versions: stacking copies.
    values = np.stack(make(rows, offset, cols)).astype(wanted, copy=False)
    return finish(values, False, device)


def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = None,
    device: Any = None,
    layout: Any = None,
    pin_memory: bool = False,
) -> Any:
    """Rows and columns, shape (2, N), of the entries on or below diagonal `offset`."""
    made = fast.fast_triangle(False, row, col, offset, dtype, device)
    if made is not None:
        return made
    return _triangle("tril_indices", np.tril_indices, row, col, offset, dtype, device)


def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = None,
    device: Any = None,
    layout: Any = None,
    pin_memory: bool = False,
) -> Any:
    """Rows and columns, shape (2, N), of the entries on or above diagonal `offset`."""
    made = fast.fast_triangle(True, row, col, offset, dtype, device)
    if made is not None:
        return made
    return _triangle("triu_indices", np.triu_indices, row, col, offset, dtype, device)
