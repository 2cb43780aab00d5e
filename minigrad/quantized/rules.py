"""What public functions do with quantized tensors.

Movements move the integers; relu, clamp and max pooling compare them; averages are theirs.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import attributes, dispatch, in_place, ops
from ..kernels import cpu
from ..nn import functional as F
from ..ops._shape import normalize_dim
from ..tensor import Tensor
from . import tensor as _t
from .functional import pair
from .tensor import INTEGERS, RULES, QuantizedTensor, absent, dequantize, make, quantize_per_tensor


def _plain(func: Callable, args: tuple, kwargs: dict) -> Any:
    """Functions that look at shapes alone, or do nothing here."""
    return dispatch.plain(func)(*args, **kwargs)


def _itself(func: Callable, args: tuple, kwargs: dict) -> Any:
    return args[0]


@functools.cache
def _parameters(func: Callable) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Names and defaults of a function's parameters."""
    found = inspect.signature(dispatch.plain(func)).parameters
    return tuple(found), {k: p.default for k, p in found.items() if p.default is not p.empty}


def _named(func: Callable, args: tuple, kwargs: dict) -> dict[str, Any]:
    """A call's arguments by name."""
    names, defaults = _parameters(func)
    call = {**defaults, **dict(zip(names, args)), **kwargs}
    if call.get("out") is not None:
        raise absent(f"{func.__name__} with out=")
    return call


def _into(call: dict[str, Any], y: Any) -> Any:
    """The result, written into the input of a call with `inplace`."""
    if not call.get("inplace"):
        return y
    call["input"].integers = y.integers
    return call["input"]


def _shared(func: Callable, *tensors: Any) -> None:
    for t in tensors:
        if len(t.grid) != 2:
            raise absent(f"{func.__name__} of a tensor with a grid for each channel")


def _moved(func: Callable, args: tuple, kwargs: dict) -> Any:
    """The integers move, the grid stays."""
    x = args[0]
    if not isinstance(x, QuantizedTensor):
        raise absent(func.__name__)
    if func not in _KEEP:
        _shared(func, x)
    out = func(Tensor._from_array(x.integers), *args[1:], **kwargs)
    if isinstance(out, (tuple, list)):
        return type(out)([make(t._array, x.grid) for t in out])
    return make(out._array, x.grid)


def _level(x: Any, value: float) -> int:
    """The integer of a real number on the grid of x."""
    _, low, high = INTEGERS[x.dtype]
    return int(np.clip(np.rint(np.float32(value) / np.float32(x.grid[0])) + x.grid[1], low, high))


def _held(low: float | None, high: float | None) -> Callable:
    def rule(func: Callable, args: tuple, kwargs: dict) -> Any:
        return _into(_named(func, args, kwargs), _clamped(func, args[0], low, high))

    return rule


def _clamped(func: Callable, x: Any, low: Any, high: Any) -> Any:
    _shared(func, x)
    q = x.integers
    if low is not None:
        q = np.maximum(q, q.dtype.type(_level(x, low)))
    if high is not None:
        q = np.minimum(q, q.dtype.type(_level(x, high)))
    return make(q, x.grid)


def _relu(func: Callable, args: tuple, kwargs: dict) -> Any:
    x = args[0]
    _shared(func, x)
    y = make(np.maximum(x.integers, x.integers.dtype.type(x.grid[1])), x.grid)
    return _into(_named(func, args, kwargs), y)


def _clamp(func: Callable, args: tuple, kwargs: dict) -> Any:
    call = _named(func, args, kwargs)
    low, high = (call.get(short, call.get(f"{short}_val")) for short in ("min", "max"))
    return _into(call, _clamped(func, args[0], low, high))


def _in_place(rule: Callable) -> Callable:
    def written(func: Callable, args: tuple, kwargs: dict) -> Any:
        args[0].integers = rule(func, args, kwargs).integers
        return args[0]

    return written


def _max_pool(n: int) -> Callable:
    def rule(func: Callable, args: tuple, kwargs: dict) -> Any:
        call = _named(func, args, kwargs)
        x = call["input"]
        _shared(func, x)
        if call.get("ceil_mode") or call.get("return_indices"):
            raise absent(f"{func.__name__} with ceil_mode or return_indices")
        if x.integers.dtype != np.uint8 or x.ndim not in (n + 1, n + 2):
            raise absent(f"{func.__name__} of {x.dtype!r} with {x.ndim} dimensions")
        size = pair(call["kernel_size"], n)
        stride = size if call["stride"] in (None, ()) else pair(call["stride"], n)
        padding, dilation = pair(call["padding"], n), pair(call["dilation"], n)
        if any(2 * p > k for p, k in zip(padding, size)):
            raise RuntimeError("pad should be at most half of effective kernel size")
        q = x.integers if x.ndim == n + 2 else x.integers[None]
        if n == 1:
            q = q[:, :, None]
            size, stride, padding, dilation = (
                (1, *size),
                (1, *stride),
                (0, *padding),
                (1, *dilation),
            )
        out = cpu.int8_max_pool(q.transpose(0, 2, 3, 1), size, stride, padding, dilation)
        out = out.transpose(0, 3, 1, 2)
        out = out[:, :, 0] if n == 1 else out
        return make(out if x.ndim == n + 2 else out[0], x.grid)

    return rule


def _averaged(func: Callable, args: tuple, kwargs: dict) -> Any:
    """Computed on the integers, and rounded to the nearest even one: the grid stays."""
    x = args[0]
    _shared(func, x)
    integers, zero = x.integers, x.grid[1]
    steps = Tensor._from_array((integers.astype(np.int64) - zero).astype(np.float32))
    y = np.rint(func(steps, *args[1:], **kwargs)._array + np.float32(zero))
    _, low, high = INTEGERS[x.dtype]
    return make(np.clip(y, low, high).astype(integers.dtype), x.grid)


def _cat(func: Callable, args: tuple, kwargs: dict) -> Any:
    """On the first one's grid, which the others are brought to."""
    call = _named(func, args, kwargs)
    tensors, axis = call["tensors"], call.get("axis")
    dim = call.get("dim", 0) if axis is None else axis
    if not all(isinstance(t, QuantizedTensor) for t in tensors):
        raise absent(f"{func.__name__} of quantized and real tensors")
    first = tensors[0]
    _shared(func, *tensors)
    scale, zero = first.grid
    parts = [
        t.integers
        if t.grid == first.grid and t.dtype is first.dtype
        else quantize_per_tensor(dequantize(t), scale, zero, first.dtype).integers
        for t in tensors
    ]
    return make(np.concatenate(parts, normalize_dim(dim, first.ndim)), first.grid)


def _equal(func: Callable, args: tuple, kwargs: dict) -> bool:
    a, b = args
    if not (isinstance(a, QuantizedTensor) and isinstance(b, QuantizedTensor)):
        return False
    same = len(a.grid) == len(b.grid) and all(np.array_equal(p, q) for p, q in zip(a.grid, b.grid))
    return same and a.dtype is b.dtype and np.array_equal(a.integers, b.integers)


def _copied(func: Callable, args: tuple, kwargs: dict) -> Any:
    return make(args[0].integers.copy(), args[0].grid)


def _dropout(func: Callable, args: tuple, kwargs: dict) -> Any:
    if _named(func, args, kwargs)["training"]:
        raise absent("dropout while training")
    return args[0]


def _to(func: Callable, args: tuple, kwargs: dict) -> Any:
    """To the CPU, where it is; not to another dtype."""
    wanted = [*args[1:], *kwargs.values()]
    if any(v is not None and v is not False and str(v) not in ("cpu", "cpu:0") for v in wanted):
        raise absent("to another device or dtype")
    return args[0]


_KEEP: set[Any] = set()  # movements that leave channels where they are


def _functions(*names: str) -> list[Any]:
    """The functions of these names in `minigrad.ops`, `nn.functional` and the class of tensors."""
    found = []
    for name in names:
        for place in (ops, F, attributes, in_place, Tensor):
            value = getattr(place, name, None)
            if callable(value) and value not in found:
                found.append(value)
    return found


def _fill() -> None:
    for func in _functions("dim", "size", "numel", "ndimension", "nelement", "__len__"):
        RULES[func] = _plain
    for func in _functions("detach", "cpu"):
        RULES[func] = _itself
    for func in _functions(
        "reshape", "view", "flatten", "permute", "transpose", "squeeze", "unsqueeze", "__getitem__",
        "select", "narrow", "chunk", "split", "unbind", "expand", "flip", "t", "swapaxes",
        "movedim", "pixel_shuffle", "repeat", "index_select", "unflatten", "contiguous",
    ):  # fmt: skip
        RULES[func] = _moved
    _KEEP.update(_functions("contiguous"))
    for func in _functions("clone"):
        RULES[func] = _copied
    for func in _functions("relu"):
        RULES[func] = _relu
    for func in _functions("relu_"):
        RULES[func] = _in_place(_relu)
    for func in _functions("relu6"):
        RULES[func] = _held(0.0, 6.0)
    for func in _functions("clamp", "hardtanh"):
        RULES[func] = _clamp
    for func in _functions("max_pool1d"):
        RULES[func] = _max_pool(1)
    for func in _functions("max_pool2d"):
        RULES[func] = _max_pool(2)
    for func in _functions(
        "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "avg_pool1d",
        "avg_pool2d", "avg_pool3d", "interpolate", "mean",
    ):  # fmt: skip
        RULES[func] = _averaged
    for func in _functions("cat", "concat", "concatenate"):
        RULES[func] = _cat
    for func in _functions("equal"):
        RULES[func] = _equal
    for func in _functions("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"):
        RULES[func] = _dropout
    for func in _functions("to"):
        RULES[func] = _to
    for name in ("dequantize", "int_repr", "q_scale", "q_zero_point", "q_per_channel_scales",
                 "q_per_channel_zero_points", "q_per_channel_axis", "qscheme"):  # fmt: skip
        function = _t.scheme_of if name == "qscheme" else getattr(_t, name)
        for func in [function, getattr(Tensor, name)]:
            RULES[func] = lambda _, args, kwargs, function=function: function(*args, **kwargs)


_fill()
