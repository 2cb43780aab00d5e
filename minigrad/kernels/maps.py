"""Compiled elementwise kernels, each with its NumPy form for what the compiled one does not take.

The compiled ones take float arrays of any strides (an operand of a binary one may be a float) and
broadcast; for other types, and shapes that do not fit, they return None and NumPy does it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from . import _C, activation, elementwise, fast
from .elementwise import clamp as _clamp

__all__ = [
    "clamp",
    "clamp_backward",
    "hardtanh_backward",
    "pow_scalar",
    "where",
    "copy",
    "try_where",
]


def _form(name: str) -> Callable:
    """The NumPy form of a kernel."""
    return getattr(elementwise, name, None) or getattr(activation, name)


def _mapped(compiled: Callable, index: int, form: Callable) -> Callable:
    """`compiled` operation number `index`, with a NumPy form."""

    def kernel(*args: Any) -> Any:
        result = compiled(index, *args)
        return form(*args) if result is None else result

    kernel.__name__ = kernel.__qualname__ = form.__name__
    kernel.__doc__ = form.__doc__
    return kernel


def _define() -> None:
    """Every name of the compiled tables becomes a function here."""
    tables = (
        (_C.unary, fast.UNARY),
        (_C.binary, fast.BINARY),
        (_C.compare, fast.COMPARE),
    )
    for compiled, names in tables:
        for index, name in enumerate(names):
            if name in ("copy", "clamp", "clamp_backward", "hardtanh_backward"):
                continue  # below
            globals()[name] = _mapped(compiled, index, _form(name))
            __all__.append(name)


_define()
_COPY, _SQUARE, _SQRT, _RSQRT, _RECIPROCAL, _CLAMP, _CUBE = (
    fast.UNARY.index(name)
    for name in ("copy", "square", "sqrt", "rsqrt", "reciprocal", "clamp", "cube")
)
_POW, _CLAMP_BACKWARD, _HARDTANH_BACKWARD = (
    fast.BINARY.index(name) for name in ("pow", "clamp_backward", "hardtanh_backward")
)
_POWERS = {2: _SQUARE, 3: _CUBE, 0.5: _SQRT, -0.5: _RSQRT, -1: _RECIPROCAL}


def _limits(low: Any, high: Any) -> tuple[float, float] | None:
    """Limits as floats, None for no limit; None where one is NaN or not a number."""
    low = -math.inf if low is None else low
    high = math.inf if high is None else high
    if low.__class__ not in (int, float) or high.__class__ not in (int, float):
        return None
    return None if low != low or high != high else (float(low), float(high))


def clamp(x: Any, low: Any, high: Any) -> Any:
    """x limited to [low, high]; None: no limit."""
    limits = _limits(low, high)
    result = _C.unary(_CLAMP, x, *limits) if limits else None
    return _clamp(x, low, high) if result is None else result


def clamp_backward(grad: Any, x: Any, low: Any, high: Any) -> Any:
    """grad where low <= x <= high, else 0; None: no limit."""
    limits = _limits(low, high)
    result = _C.binary(_CLAMP_BACKWARD, grad, x, *limits) if limits else None
    return activation.clamp_backward(grad, x, low, high) if result is None else result


def hardtanh_backward(grad: Any, x: Any, low: float, high: float) -> Any:
    """grad where low < x < high, else 0."""
    limits = _limits(low, high)
    result = _C.binary(_HARDTANH_BACKWARD, grad, x, *limits) if limits else None
    return activation.hardtanh_backward(grad, x, low, high) if result is None else result


def pow_scalar(x: Any, y: float) -> Any:
    """x^y for one number, by the shortcuts that PyTorch takes (sqrt(-inf) is NaN)."""
    index = _POWERS.get(y)
    if index is not None:
        result = _C.unary(index, x)
    else:
        result = None if y == -2 else _C.binary(_POW, x, float(y))
    return elementwise.pow_scalar(x, y) if result is None else result


def try_where(mask: Any, x: Any, y: Any) -> Any:
    """`where` of a bool array and arrays or numbers, compiled; None if that cannot be."""
    if x.__class__ is int:
        x = float(x)
    if y.__class__ is int:
        y = float(y)
    return _C.where(mask, x, y)


def where(mask: Any, x: Any, y: Any) -> Any:
    """x where the bool array is set, else y."""
    result = _C.where(mask, x, y)
    return elementwise.where(mask, x, y) if result is None else result


def copy(x: Any) -> Any:
    """A new array in C order with the elements of x."""
    result = _C.copy(x)
    return x.copy(order="C") if result is None else result
