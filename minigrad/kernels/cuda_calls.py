"""NumPy's functions of arrays on a GPU, by CuPy's of the same names.

Importing it gives `CudaArray` NumPy's protocols and the methods that stand for functions.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import numpy as np

from .cuda_array import (
    BFLOAT16,
    F32,
    U16,
    CudaArray,
    index_for,
    mixed,
    on_own_device,
    same_place,
    set_calls,
    to_bfloat16,
    to_float,
)
from .cuda_library import library

# Functions that move elements and compute nothing: bfloat16's bits will do.
_MOVES = frozenset((
    "broadcast_to", "concatenate", "copy", "expand_dims", "flip", "moveaxis", "ravel", "repeat",
    "reshape", "roll", "squeeze", "stack", "swapaxes", "take", "take_along_axis", "tile",
    "transpose", "diagonal", "split", "array_split", "rot90", "broadcast_arrays",
))  # fmt: skip


class _Call:
    """The arguments of one call of CuPy's, and what its results are."""

    def __init__(self, moves: bool = False):
        self.first: CudaArray | None = None
        self.halves = self.others = False  # whether there are bfloat16 arrays, other float ones
        self.moves = moves
        self.parents: list[CudaArray] = []

    def argument(self, value: Any) -> Any:
        """An argument for CuPy: ours unwrapped, NumPy's of one element as a number."""
        if type(value) is CudaArray:
            if self.first is None:
                self.first = value
            else:
                same_place(self.first, value)
            self.parents.append(value)
            if value.dtype is BFLOAT16:
                self.halves = True
                return value.store if self.moves else to_float(value.store)
            self.others |= value.dtype.kind == "f"
            return value.store
        kind = value.__class__
        if kind is tuple or kind is list:
            return kind([self.argument(v) for v in value])
        if isinstance(value, np.ndarray):
            if value.ndim:
                raise _foreign(self.first)
            value = value[()]
        if isinstance(value, np.generic):
            if value.dtype == BFLOAT16:
                self.halves = True
                return np.float32(value)
            self.others |= value.dtype.kind == "f"
        return value

    def result(self, value: Any) -> Any:
        """What CuPy returned, as ours."""
        kind = value.__class__
        if kind is tuple or kind is list:
            return kind([self.result(v) for v in value])
        if not hasattr(value, "data") or not hasattr(value, "strides"):
            return value
        base = None
        if value.base is not None:
            for parent in self.parents:
                if value.base is parent.store or value.base is parent.store.base:
                    base = parent if parent._base is None else parent._base
        if self.halves and not self.others:
            if self.moves and value.dtype == U16:
                return CudaArray(value, BFLOAT16, base)
            if value.dtype == F32:
                return CudaArray(to_bfloat16(value), BFLOAT16)
        return CudaArray(value, None, base)


def _foreign(first: CudaArray | None) -> RuntimeError:
    if first is not None:
        return mixed(first)
    return RuntimeError(
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 "
        "and cpu!"
    )


_REDUCTIONS = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min",
    "logical_and": "all", "logical_or": "any",
}  # fmt: skip
_RUNNING = {"add": "cumsum", "multiply": "cumprod"}


def ufunc_call(ufunc: Any, method: str, inputs: tuple, out: Any, options: dict) -> Any:
    """A NumPy ufunc of ours, by CuPy."""
    name, cupy = ufunc.__name__, library().cupy
    if method == "reduce" and name in _REDUCTIONS:
        options = {k: v for k, v in options.items() if k != "initial" or name != "add" or v}
        options.setdefault("axis", 0)
        function = getattr(np, _REDUCTIONS[name])
        return function_call(function, inputs, {**options, "out": out and out[0]})
    if method == "accumulate":
        if name in _RUNNING:
            return function_call(getattr(np, _RUNNING[name]), inputs, options)
        return running(ufunc, *inputs, **options)
    if method == "reduceat":
        return _reduced_at(ufunc, *inputs, **options)
    where = options.pop("where", True)
    if where is not True:
        result = np.where(where, ufunc(*inputs, **options), out[0])
        out[0][...] = result.astype(out[0].dtype, copy=False)
        return out[0]
    call = _Call()
    if method == "at":
        if inputs[0].dtype is BFLOAT16:
            return _written(ufunc.at, *inputs)
        target = call.argument(inputs[0])
        values = [call.argument(v) for v in inputs[2:]]
        if not hasattr(getattr(cupy, name), "at"):
            raise missing(f"{name}.at")
        getattr(cupy, name).at(target, index_for(inputs[1]), *values)
        return None
    given = [call.argument(v) for v in inputs]
    function = getattr(cupy, name, None)
    if method != "__call__" or function is None:
        raise missing(f"{name}.{method}" if method != "__call__" else name)
    target = out[0] if out is not None and len(out) == 1 else None
    if target is None:
        results = call.result(function(*given, **options))
        if out is None:
            return results
        for to, value in zip(out, results, strict=True):
            if to is not None:
                to[...] = value
        return out
    if type(target) is not CudaArray:
        raise _foreign(call.first)
    if call.halves or target.dtype is BFLOAT16:
        target[...] = call.result(function(*given, **options))
    else:
        function(*given, out=target.store, **options)
    return target


def function_call(function: Any, args: tuple, kwargs: dict) -> Any:
    """A NumPy function of ours, by CuPy's of the same name."""
    form = FORMS.get(function.__name__)
    return by_name(function, args, kwargs) if form is None else form(*args, **kwargs)


def by_name(function: Any, args: tuple, kwargs: dict) -> Any:
    """CuPy's function of the same name."""
    name = function.__name__
    owner: Any = library().cupy
    home = getattr(function, "__module__", None) or "numpy"
    for part in home.split(".")[1:]:
        owner = getattr(owner, part, None)
    target = getattr(owner, name, None)
    if target is None:
        raise missing(name)
    call = _Call(name in _MOVES)
    kwargs = dict(kwargs)
    out = kwargs.pop("out", None)
    given = [call.argument(v) for v in args]
    named = {k: call.argument(v) for k, v in kwargs.items()}
    with _told(home):
        result = call.result(target(*given, **named))
    if out is None:
        return result
    out[...] = result
    return out


def _told(home: str) -> Any:
    """A context in which CuPy's factorizations raise where they fail, as NumPy's."""
    if home != "numpy.linalg":
        return contextlib.nullcontext()
    return importlib.import_module("cupyx").errstate(linalg="raise")


def missing(name: str) -> NotImplementedError:
    """The error for what has no form on the GPU: never a silent copy to the CPU."""
    return NotImplementedError(f"{name}: no GPU form yet; needed: tensors on the CPU (t.cpu())")


# -- what CuPy lacks -------------------------------------------------------------------------------


def running(ufunc: Any, x: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    """A running maximum (or the like) along a dimension, in log2(n) passes over the array."""
    y = x.copy()
    step, n = 1, x.shape[axis]
    while step < n:
        before, after = [slice(None)] * x.ndim, [slice(None)] * x.ndim
        before[axis], after[axis] = slice(None, n - step), slice(step, None)
        y[tuple(after)] = ufunc(y[tuple(after)], y[tuple(before)].copy())
        step *= 2
    return y


def _reduced_at(ufunc: Any, x: Any, starts: Any, axis: int = 0, dtype: Any = None) -> Any:
    """`ufunc.reduceat` for starts that rise: each run's elements meet at the run's place."""
    if not hasattr(getattr(library().cupy, ufunc.__name__), "at"):
        raise missing(f"{ufunc.__name__}.reduceat")
    n = x.shape[axis]
    run = np.searchsorted(starts, np.arange(n, like=starts), side="right") - 1
    rows = np.moveaxis(x, axis, 0)
    first = rows[starts].astype(x.dtype if dtype is None else dtype)
    result = first if ufunc is not np.add else np.zeros_like(first)
    ufunc.at(result, run, rows)
    return np.moveaxis(result, 0, axis)


def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """`numpy.copyto`."""
    if where is True:
        dst[...] = src
        return
    dst[...] = function_call(np.where, (where, src, dst), {}).astype(dst.dtype, copy=False)


def _written(function: Any, target: Any, *args: Any) -> None:
    """A function that writes into its first argument; bfloat16 is written in float32 and back."""
    wide = target.astype(F32)
    function(wide, *args)
    target[...] = wide


def _writing(function: Any) -> Any:
    """CuPy's function of that name, which writes into its first argument."""

    def form(target: Any, *args: Any, **kwargs: Any) -> None:
        def run(to: Any, *rest: Any) -> None:
            by_name(function, (to, *rest), kwargs)

        if target.dtype is BFLOAT16:
            _written(run, target, *args)
        else:
            run(target, *args)

    return form


def _like(value: Any) -> Any:
    """`numpy.zeros_like` and its kind (None: arbitrary values)."""

    def form(a: Any, dtype: Any = None, order: str = "K", subok: Any = True, shape: Any = None):
        wanted = np.dtype(a.dtype if dtype is None else dtype)
        held = U16 if wanted == BFLOAT16 else wanted
        cupy = library().cupy
        with cupy.cuda.Device(a.store.device.id):
            store = cupy.empty_like(a.store, dtype=held, order=order, shape=shape)
        result = CudaArray(store, wanted)
        if value is not None:
            result.fill(value)
        return result

    return form


def _full_like(a: Any, fill_value: Any, *args: Any, **kwargs: Any) -> CudaArray:
    result = np.empty_like(a, *args, **kwargs)
    result.fill(fill_value)
    return result


def _count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """`numpy.count_nonzero`, whose CuPy form keeps no dimensions."""
    return (a != 0).sum(axis=axis, keepdims=keepdims)


def _repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    """`numpy.repeat`, which CuPy has for one number alone: by the place that each element is of."""
    if type(repeats) is not CudaArray:
        return by_name(np.repeat, (a, repeats), {"axis": axis})
    ends = np.cumsum(repeats)
    numbers = np.arange(int(ends[-1]) if ends.size else 0, like=repeats)
    places = np.searchsorted(ends, numbers, side="right")
    if type(a) is not CudaArray:
        a = np.asarray(a, like=repeats)
    return np.take(a.reshape(-1) if axis is None else a, places, axis=axis or 0)


def _extreme(name: str, pair: Any) -> Any:
    """`numpy.max` or `min` with `initial`."""
    plain = getattr(np, name)

    def form(
        a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None
    ):
        axes = tuple(range(a.ndim)) if axis is None else axis
        sizes = [a.shape[d] for d in (axes if isinstance(axes, tuple) else (axes,))]
        if initial is not None and 0 in sizes:
            kept = np.sum(a, axis=axes, keepdims=keepdims, dtype=np.int8).shape
            result = np.full(kept, initial, a.dtype, like=a)
        else:
            result = by_name(plain, (a,), {"axis": axis, "keepdims": keepdims})
            result = result if initial is None else pair(result, initial)
        if out is None:
            return result
        out[...] = result
        return out

    return form


_WRITE = (np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask)
FORMS: dict[str, Any] = {
    "amax": _extreme("max", np.maximum),
    "amin": _extreme("min", np.minimum),
    "copyto": _copyto,
    "count_nonzero": _count_nonzero,
    "max": _extreme("max", np.maximum),
    "min": _extreme("min", np.minimum),
    "repeat": _repeat,
    "empty_like": _like(None),
    "full_like": _full_like,
    "ones_like": _like(1),
    "zeros_like": _like(0),
    "shape": lambda x: x.shape,
    "ndim": lambda x: x.ndim,
    "size": lambda x, axis=None: x.size if axis is None else x.shape[axis],
    "shares_memory": lambda a, b, max_work=None: overlaps(a, b),
    "may_share_memory": lambda a, b, max_work=None: overlaps(a, b),
    **{f.__name__: _writing(f) for f in _WRITE},
}


def overlaps(a: Any, b: Any) -> bool:
    """Whether the memory ranges of two arrays meet."""
    if type(a) is not CudaArray or type(b) is not CudaArray or not a.size or not b.size:
        return False
    (first, last), (start, end) = _range(a), _range(b)
    return first < end and start < last


def _range(x: CudaArray) -> tuple[int, int]:
    low = high = x.data.ptr
    for n, step in zip(x.shape, x.strides):
        reach = (n - 1) * step
        low, high = low + min(reach, 0), high + max(reach, 0)
    return low, high + x.itemsize


# -- the class -------------------------------------------------------------------------------------


def _method(name: str) -> Any:
    function = getattr(np, name)

    @on_own_device
    def method(self: CudaArray, *args: Any, **kwargs: Any) -> Any:
        return function_call(function, (self, *args), kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"`numpy.{name}` of the array."
    return method


for _name in (
    "all", "any", "argmax", "argmin", "argsort", "clip", "cumprod", "cumsum", "dot", "max", "mean",
    "min", "nonzero", "prod", "repeat", "round", "searchsorted", "std", "sum", "take", "var",
):  # fmt: skip
    setattr(CudaArray, _name, _method(_name))
set_calls(ufunc_call, function_call)
