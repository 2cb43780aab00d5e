"""Bessel functions and Airy's, elementwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from ..kernels import bessel
from ..ops._elementwise import Unary, unary
from ..ops._reduction import constant
from ..ops._shape import array_of
from ..ops.arith import add, div, mul, neg, sub
from ..ops.compare import where
from ..ops.rounding import sgn
from ..ops.trigonometric import cos
from ..ops.unary import reciprocal

__all__ = [
    "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "i0", "i0e", "i1", "i1e",
    "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1",
    "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "spherical_bessel_j0",
]  # fmt: skip


class _Special(Unary):
    """A function with a NumPy kernel, whose gradient is grad times `slope` of input and output."""

    __slots__ = ()
    to_float = True
    saves = (0,)
    fresh = True
    slope: Callable

    def backward(self, grad: Any) -> Any:
        """grad * slope(input)."""
        return mul(grad, self.__class__.slope(self.saved[0]))


def _define(name: str, slope: Callable | None, what: str) -> Callable:
    """The op of the kernel `name`; `slope`, of tensors or arrays, is its derivative."""

    def refuse(x: Any) -> Any:
        raise NotImplementedError(f"the derivative for 'special_{name}' is not implemented.")

    body = {
        "__slots__": (),
        "__doc__": what,
        "cpu": staticmethod(getattr(bessel, name)),
        "slope": staticmethod(slope or refuse),
        "title": name,
    }
    cls = type("".join(part.title() for part in name.split("_")), (_Special,), body)

    def op(input: Any, *, out: Any = None) -> Any:
        return unary(cls, input, out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = what
    return op


def _at_zero(x: Any, value: float, formula: Callable) -> Any:
    """formula(x), but `value` where x is so small that the formula divides by 0, and for NaN."""
    array = array_of(x)
    zero = ~(abs(array) > ml_dtypes.finfo(array.dtype).eps)
    safe = where(constant(x, zero), constant(x, np.ones((), array_of(x).dtype)), x)
    fixed = constant(x, np.asarray(value, array_of(x).dtype))
    return where(constant(x, zero), fixed, formula(safe))


i0: Callable = _define("i0", lambda x: i1(x), "The modified Bessel function I_0.")
i1: Callable = _define(
    "i1",
    lambda x: _at_zero(x, 0.5, lambda y: sub(i0(y), div(i1(y), y))),
    "The modified Bessel function I_1.",
)
i0e: Callable = _define("i0e", lambda x: sub(i1e(x), mul(sgn(x), i0e(x))), "e^-|input| I_0(input).")
i1e: Callable = _define(
    "i1e",
    lambda x: _at_zero(x, 0.5, lambda y: sub(i0e(y), mul(i1e(y), add(sgn(y), reciprocal(y))))),
    "e^-|input| I_1(input).",
)
modified_bessel_i0, modified_bessel_i1 = i0, i1
modified_bessel_k0: Callable = _define(
    "modified_bessel_k0",
    lambda x: neg(modified_bessel_k1(x)),
    "The modified Bessel function K_0: infinite at 0, NaN below.",
)
modified_bessel_k1: Callable = _define(
    "modified_bessel_k1",
    lambda x: neg(add(modified_bessel_k0(x), div(modified_bessel_k1(x), x))),
    "The modified Bessel function K_1: infinite at 0, NaN below.",
)
scaled_modified_bessel_k0: Callable = _define(
    "scaled_modified_bessel_k0",
    lambda x: sub(scaled_modified_bessel_k0(x), scaled_modified_bessel_k1(x)),
    "e^input K_0(input).",
)
scaled_modified_bessel_k1: Callable = _define(
    "scaled_modified_bessel_k1",
    lambda x: sub(
        mul(scaled_modified_bessel_k1(x), sub(1.0, reciprocal(x))), scaled_modified_bessel_k0(x)
    ),
    "e^input K_1(input).",
)
bessel_j0: Callable = _define("bessel_j0", lambda x: neg(bessel_j1(x)), "The Bessel function J_0.")
bessel_j1: Callable = _define(
    "bessel_j1",
    lambda x: _at_zero(x, 0.5, lambda y: sub(bessel_j0(y), div(bessel_j1(y), y))),
    "The Bessel function J_1.",
)
bessel_y0: Callable = _define(
    "bessel_y0",
    lambda x: neg(bessel_y1(x)),
    "The Bessel function Y_0: -infinity at 0, NaN below.",
)
bessel_y1: Callable = _define(
    "bessel_y1",
    lambda x: sub(bessel_y0(x), div(bessel_y1(x), x)),
    "The Bessel function Y_1: -infinity at 0, NaN below.",
)
spherical_bessel_j0: Callable = _define(
    "spherical_bessel_j0",
    lambda x: _at_zero(x, 0.0, lambda y: div(sub(cos(y), spherical_bessel_j0(y)), y)),
    "sin(input) / input, 1 at 0.",
)
airy_ai: Callable = _define("airy_ai", None, "Airy's function Ai; no gradient, as in PyTorch.")
