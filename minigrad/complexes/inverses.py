"""Nodes of complex numbers, and with them the inverse functions, whose cuts are NumPy's.

A node's arrays hold pairs of real numbers. The gradient of f with respect to z is grad conj(f'(z)),
as PyTorch's: the derivative is written with complex tensors, so gradients of every order exist.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import attributes, ops
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..tensor import Tensor
from .tensor import RULES, as_complex, make


def numbers(parts: np.ndarray) -> np.ndarray:
    """Complex numbers of an array of pairs."""
    kind = np.dtype(f"c{2 * parts.itemsize}")
    return np.array(parts, order="C", copy=None).view(kind)[..., 0]


def pairs(values: Any, like: np.ndarray) -> np.ndarray:
    """An array of pairs of complex numbers, of the type of another one."""
    kind = np.dtype(f"c{2 * like.itemsize}")
    return np.array(values, kind, order="C", copy=None)[..., None].view(like.dtype)


def lifted(parts: Any) -> Any:
    """The complex tensor of what a backward is given: a tensor or an array of pairs."""
    return make(parts if isinstance(parts, Variable) else Tensor._from_array(parts))


def real(x: Any) -> Any:
    """The real tensor of what a backward is given."""
    return x if isinstance(x, Variable) else Tensor._from_array(x)


def lowered(z: Any, like: Any) -> Any:
    """What a backward returns: the pairs, a tensor or an array as the other one is."""
    parts = as_complex(z).parts
    return parts if isinstance(like, Variable) else parts._array


class Analytic(Node):
    """A function with a derivative, of each number."""

    saves = (0,)

    def forward(self, x: Any, function: Callable, derivative: Callable) -> Any:
        self.derivative = derivative
        with np.errstate(all="ignore"):
            return pairs(function(numbers(x)), x)

    def backward(self, grad: Any) -> Any:
        """grad conj(f'(z))."""
        slope = self.derivative(lifted(self.saved[0]))
        return lowered(ops.mul(lifted(grad), attributes.conj(slope)), grad)


def analytic(name: str, function: Callable, derivative: Callable) -> Callable:
    """The rule of a function with a derivative; `name` is that of its node."""
    node = type(name, (Analytic,), {})

    def rule(_: Callable, args: tuple, kwargs: dict) -> Any:
        return make(apply(node, (args[0].parts,), function, derivative))

    return rule


def _root_of(z: Any, sign: int) -> Any:
    """sqrt(1 + sign z^2), of two factors, so that nothing is lost near the poles."""
    turned = z if sign < 0 else ops.mul(z, 1j)
    return ops.mul(ops.sqrt(ops.add(turned, 1)), ops.sqrt(ops.rsub(turned, 1)))


def _slope(sign: int, negative: bool = False) -> Callable:
    def derivative(z: Any) -> Any:
        slope = ops.reciprocal(_root_of(z, sign))
        return ops.neg(slope) if negative else slope

    return derivative


def _acosh_slope(z: Any) -> Any:
    return ops.reciprocal(ops.mul(ops.sqrt(ops.sub(z, 1)), ops.sqrt(ops.add(z, 1))))


def _fraction(sign: int) -> Callable:
    return lambda z: ops.reciprocal(ops.add(ops.mul(ops.mul(z, z), sign), 1))


def _tanh_slope(z: Any) -> Any:
    t = ops.tanh(z)
    return ops.rsub(ops.mul(t, t), 1)


_INVERSES: dict[str, tuple[Callable, Callable]] = {
    "asin": (np.arcsin, _slope(-1)),
    "acos": (np.arccos, _slope(-1, negative=True)),
    "atan": (np.arctan, _fraction(1)),
    "asinh": (np.arcsinh, _slope(1)),
    "acosh": (np.arccosh, _acosh_slope),
    "atanh": (np.arctanh, _fraction(-1)),
}


def _sinc_slope(z: Any) -> Any:
    """cos(pi z) / z - sin(pi z) / (pi z^2); 0 at 0."""
    zero = ops.eq(z, 0)
    safe = ops.masked_fill(z, zero, 1)
    turn = ops.mul(safe, math.pi)
    slope = ops.sub(
        ops.div(ops.cos(turn), safe), ops.div(ops.sin(turn), ops.mul(ops.mul(safe, safe), math.pi))
    )
    return ops.masked_fill(slope, zero, 0)


def _enter() -> None:
    for name, (function, derivative) in _INVERSES.items():
        rule = analytic(name.capitalize(), function, derivative)
        for alias in (name, f"arc{name[1:]}"):
            RULES[getattr(ops, alias)] = RULES[getattr(Tensor, alias)] = rule
    RULES[ops.tanh] = RULES[Tensor.tanh] = analytic("Tanh", np.tanh, _tanh_slope)
    rule = analytic("Sinc", np.sinc, _sinc_slope)
    RULES[ops.sinc] = RULES[Tensor.sinc] = rule


_enter()
