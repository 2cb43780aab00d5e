"""Smooth activation functions, shrinking and gating.

`inplace=True` writes the result to the input, as in PyTorch.
"""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels import cpu, fast
from ._elementwise import Unary, unary, with_numbers
from ._inplace import write
from ._operands import number, only_floats, write_out
from ._shape import array_of, normalize_dim
from .arith import add, div, mul, neg, sub
from .compare import ge, gt, le, logical_and, where
from .rounding import abs
from .slices import narrow
from .special import erf, sigmoid
from .splits import Cat
from .trigonometric import tanh
from .unary import exp

__all__ = [
    "gelu", "glu", "hardshrink", "logsigmoid", "mish", "silu", "softplus", "softshrink",
    "softsign", "tanhshrink",
]  # fmt: skip


class Gelu(Unary):
    """input * P(input), P the normal distribution."""

    __slots__ = ()
    kernel = "gelu"
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * (P(input) + input * p(input)), p the normal density."""
        x = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.gelu_backward(grad, x)
        below = mul(add(erf(mul(x, math.sqrt(0.5))), 1.0), 0.5)
        density = mul(exp(mul(mul(x, x), -0.5)), 1 / math.sqrt(2 * math.pi))
        return mul(grad, add(below, mul(x, density)))


class GeluTanh(Unary):
    """gelu by the tanh approximation."""

    __slots__ = ()
    kernel = "gelu_tanh"
    title = "gelu"
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * (1 + t + x (1 - t^2) k (1 + 3 c x^2)) / 2, t = tanh(k (x + c x^3))."""
        x = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.gelu_tanh_backward(grad, x)
        k, c = math.sqrt(2 / math.pi), 0.044715
        squared = mul(x, x)
        t = tanh(mul(mul(x, add(mul(squared, c), 1.0)), k))
        slope = mul(mul(add(mul(squared, 3 * c), 1.0), k), sub(1.0, mul(t, t)))
        return mul(grad, mul(add(add(t, 1.0), mul(x, slope)), 0.5))

    def name(self) -> str:
        return "GeluBackward0"


def gelu(input: Any, *, approximate: str = "none", out: Any = None) -> Any:
    """`input * P(input)`, P the normal distribution, exact or (`"tanh"`) approximated."""
    if approximate == "none":
        return unary(Gelu, input, out)
    if approximate == "tanh":
        return unary(GeluTanh, input, out)
    raise RuntimeError("approximate argument must be either none or tanh.")


class Silu(Unary):
    """input * sigmoid(input)."""

    __slots__ = ()
    kernel = "silu"
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * s * (1 + input * (1 - s)), s = sigmoid(input)."""
        x = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.silu_backward(grad, x)
        s = sigmoid(x)
        return mul(grad, mul(s, add(mul(x, sub(1.0, s)), 1.0)))


def silu(input: Any, inplace: bool = False) -> Any:
    """`input * sigmoid(input)`, elementwise. Floats only."""
    return write(input, silu) if inplace else unary(Silu, input)


class Mish(Unary):
    """input * tanh(softplus(input))."""

    __slots__ = ()
    kernel = "mish"
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * (t + input * sigmoid(input) * (1 - t^2)), t = tanh(softplus(input))."""
        x = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.mish_backward(grad, x)
        t = tanh(softplus(x))
        return mul(grad, add(t, mul(mul(x, sigmoid(x)), sub(1.0, mul(t, t)))))


def mish(input: Any, inplace: bool = False) -> Any:
    """`input * tanh(softplus(input))`, elementwise. Floats only."""
    return write(input, mish) if inplace else unary(Mish, input)


class Softplus(Node):
    """log(1 + e^(beta * input)) / beta."""

    saves = (0,)
    fresh = True

    def forward(self, x: Any, beta: float, threshold: float) -> Any:
        self.numbers = beta, threshold
        return cpu.softplus(x, beta, threshold)

    def backward(self, grad: Any) -> Any:
        """grad * sigmoid(beta * input); grad above the threshold."""
        beta, threshold = self.numbers
        if not isinstance(grad, Variable):
            return cpu.softplus_backward(grad, self.saved[0], beta, threshold)
        scaled = mul(self.saved[0], beta)
        return where(gt(scaled, threshold), grad, mul(grad, sigmoid(scaled)))


_SOFTPLUS = fast.spec("softplus", 1, Softplus.saves, (), False)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0, *, out: Any = None) -> Any:
    """`log(1 + e^(beta * input)) / beta`; `input` where `beta * input` is above `threshold`."""
    only_floats("softplus", "softplus_cpu", input)
    b = float(number("softplus", "beta", 2, beta))
    limit = float(number("softplus", "threshold", 3, threshold))
    result = with_numbers(Softplus, _SOFTPLUS, input, (b, limit))
    return result if out is None else write_out("softplus", out, result)


class LogSigmoid(Unary):
    """log(sigmoid(input))."""

    __slots__ = ()
    kernel = "logsigmoid"
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * sigmoid(-input)."""
        x = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.logsigmoid_backward(grad, x)
        return mul(grad, sigmoid(neg(x)))


def logsigmoid(input: Any, *, out: Any = None) -> Any:
    """`log(sigmoid(input))` without underflow, elementwise. Floats only."""
    return unary(LogSigmoid, input, out)


def softsign(input: Any) -> Any:
    """`input / (1 + |input|)`, elementwise."""
    return div(input, add(abs(input), 1))


def tanhshrink(input: Any) -> Any:
    """`input - tanh(input)`, elementwise."""
    return sub(input, tanh(input))


class _Shrink(Node):
    """A function that is 0 within [-lambd, lambd]."""

    saves = (0,)
    fresh = True
    lambd: float

    def backward(self, grad: Any) -> Any:
        """grad where |input| > lambd, else 0."""
        x = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.outside_backward(grad, x, -self.lambd, self.lambd)
        return where(logical_and(ge(x, -self.lambd), le(x, self.lambd)), 0, grad)


class Softshrink(_Shrink):
    """input moved towards 0 by lambd."""

    def forward(self, x: Any, lambd: float) -> Any:
        self.lambd = float(x.dtype.type(lambd))
        return cpu.softshrink(x, self.lambd)


def softshrink(input: Any, lambd: float = 0.5, *, out: Any = None) -> Any:
    """`input` moved towards 0 by `lambd`, 0 within it. RuntimeError for a negative `lambd`."""
    only_floats("softshrink", "softshrink_check", input)
    d = dtypes.from_numpy(array_of(input).dtype)
    lambd = float(number("softshrink", "lambd", 2, lambd))
    if not 0 <= lambd <= dtypes.finfo(d).max:
        raise RuntimeError(
            f"lambda must be in range [0, {dtypes.finfo(d).max:.6g}] for input dtype "
            f"{dtypes.type_name(d)}, but found {lambd:g}"
        )
    result = apply(Softshrink, (input,), lambd)
    return result if out is None else write_out("softshrink", out, result)


class Hardshrink(_Shrink):
    """input, 0 within [-lambd, lambd]."""

    def forward(self, x: Any, lambd: float) -> Any:
        self.lambd = float(x.dtype.type(lambd))
        return cpu.hardshrink(x, self.lambd)


def hardshrink(input: Any, lambd: float = 0.5, *, out: Any = None) -> Any:
    """`input`, but 0 where `|input| <= lambd`, elementwise. Floats only."""
    only_floats("hardshrink", "hardshrink_cpu", input)
    result = apply(Hardshrink, (input,), float(number("hardshrink", "lambd", 2, lambd)))
    return result if out is None else write_out("hardshrink", out, result)


class Glu(Node):
    """a * sigmoid(b) for the halves a, b along a dimension."""

    saves = (0,)
    fresh = True

    def forward(self, x: Any, dim: int) -> Any:
        self.dim = dim
        size = x.shape[dim] // 2
        return mul(narrow(x, dim, 0, size), sigmoid(narrow(x, dim, size, size)))

    def backward(self, grad: Any) -> Any:
        """d a = grad * s, d b = grad * a * s * (1 - s) with s = sigmoid(b), side by side."""
        x = self.saved[0]
        size = array_of(x).shape[self.dim] // 2
        gate = sigmoid(narrow(x, self.dim, size, size))
        d_a = mul(grad, gate)
        d_b = mul(mul(d_a, narrow(x, self.dim, 0, size)), sub(1, gate))
        return apply(Cat, (d_a, d_b), self.dim)


def glu(input: Any, dim: int = -1) -> Any:
    """`a * sigmoid(b)` for the halves a, b of `input` along `dim`. RuntimeError: an odd size."""
    only_floats("glu", "glu_cpu", input)
    shape = array_of(input).shape
    if not shape:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    d = normalize_dim(dim, len(shape))
    if shape[d] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {d} is size {shape[d]}")
    return apply(Glu, (input,), d)
