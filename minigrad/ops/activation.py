"""Activation functions. `inplace=True` writes the result to the input, as in PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import as_array
from ..kernels import cpu
from ._elementwise import Unary, not_a_tensor, number, only_floats, unary, zeros_of
from ._inplace import write
from ._shape import array_of, normalize_dim, sum_to
from .arith import add, div, mul, neg, sub
from .compare import gt, le, logical_and, logical_or, lt, where
from .rounding import abs
from .special import erf, sigmoid
from .trigonometric import tanh
from .unary import exp

__all__ = [
    "celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh",
    "leaky_relu", "logsigmoid", "mish", "prelu", "relu", "relu6", "rrelu", "selu", "silu",
    "softplus", "softshrink", "softsign", "tanhshrink", "threshold",
]  # fmt: skip


class Relu(Unary):
    """max(input, 0)."""

    __slots__ = ()
    kernel = "relu"
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad where the result is positive, else 0."""
        y = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.relu_backward(grad, y)
        return where(le(y, 0), 0, grad)


def relu(input: Any, inplace: bool = False) -> Any:
    """`max(input, 0)`, elementwise; NaN stays NaN."""
    return write(input, relu) if inplace else unary(Relu, input)


class Threshold(Node):
    """input where it is above a threshold, else a value."""

    saves = (0,)
    fresh = True

    def forward(self, x: Any, threshold: Any, value: Any) -> Any:
        self.threshold = threshold
        low, other = (np.asarray(v).astype(x.dtype) for v in (threshold, value))
        return np.where(x <= low, other, x)

    def backward(self, grad: Any) -> Any:
        """grad where the input is above the threshold, else 0."""
        return where(le(self.saved[0], self.threshold), 0, grad)


def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    """`input` where it is above `threshold`, else `value`, elementwise."""
    if inplace:
        return write(input, _threshold, (threshold, value))
    return _threshold(input, threshold, value)


def _threshold(input: Any, threshold: Any, value: Any) -> Any:
    limit = number("threshold", "threshold", 2, threshold)
    other = number("threshold", "value", 3, value)
    if not isinstance(input, (Variable, np.ndarray)):
        raise not_a_tensor("threshold", "input", 1, input)
    if array_of(input).dtype.kind == "b":
        only_floats("threshold", "threshold_cpu", input)
    return apply(Threshold, (input,), limit, other)


class Hardtanh(Node):
    """input limited to [low, high]."""

    saves = (0,)
    fresh = True

    def forward(self, x: Any, low: Any, high: Any) -> Any:
        self.low, self.high = low, high
        return as_array(cpu.clamp(x, low, high))

    def backward(self, grad: Any) -> Any:
        """grad where low < input < high, else 0."""
        x = self.saved[0]
        return where(logical_and(gt(x, self.low), lt(x, self.high)), grad, 0)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """`input` limited to [min_val, max_val], elementwise. ValueError: min_val > max_val."""
    if inplace:
        return write(input, hardtanh, (min_val, max_val))
    low = number("hardtanh", "min_val", 2, min_val)
    high = number("hardtanh", "max_val", 3, max_val)
    if low > high:
        raise ValueError("min_val cannot be greater than max_val")
    if not isinstance(input, (Variable, np.ndarray)):
        raise not_a_tensor("hardtanh", "input", 1, input)
    dtype = array_of(input).dtype
    if dtype.kind == "b":
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if dtype.kind in "iu":
        low, high = int(low), int(high)
        if dtype.kind == "u" and low < 0:
            raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    return apply(Hardtanh, (input,), low, high)


def relu6(input: Any, inplace: bool = False) -> Any:
    """`min(max(input, 0), 6)`, elementwise."""
    return hardtanh(input, 0.0, 6.0, inplace)


class LeakyRelu(Node):
    """input, scaled below 0."""

    saves = (0,)
    fresh = True

    def forward(self, x: Any, slope: float) -> Any:
        self.slope = slope
        return cpu.leaky_relu(x, slope)

    def backward(self, grad: Any) -> Any:
        """grad where input > 0, else grad * slope."""
        return where(gt(self.saved[0], 0), grad, mul(grad, float(self.slope)))


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """`input`, times `negative_slope` where it is not positive, elementwise. Floats only."""
    if inplace:
        return write(input, leaky_relu, (negative_slope,))
    only_floats("leaky_relu", "leaky_relu_cpu", input)
    slope = number("leaky_relu", "negative_slope", 2, negative_slope)
    return apply(LeakyRelu, (input,), slope)


def rrelu(
    input: Any,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
    *,
    noise: Any = None,
) -> Any:
    """`leaky_relu` with the mean slope; in training with the slopes `noise`, one an element.

    `noise` is drawn uniformly from [lower, upper) by the caller: this module has no generator.
    """
    if inplace:
        return write(input, rrelu, (lower, upper, training), {"noise": noise})
    only_floats("rrelu", "leaky_relu_cpu", input)
    if lower > upper:
        raise RuntimeError(
            f"Lower bound should be less than or equal to the upper bound, but got {lower} and "
            f"{upper}"
        )
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    if noise is None:
        raise RuntimeError("rrelu: training=True was given without noise; needed: noise=")
    return where(le(input, 0), mul(input, noise), input)


class Prelu(Node):
    """input, below 0 times a weight for each channel."""

    saves = (0, 1)

    def forward(self, x: Any, weight: Any) -> Any:
        self.shape = weight.shape
        return np.where(x > 0, x, cpu.mul(x, weight))

    def backward(self, grad: Any) -> Any:
        """d input = grad or grad * weight; d weight = the sum of grad * input where input <= 0."""
        x, weight = self.saved
        f, g = self.next
        positive = gt(x, 0)
        return (
            f and where(positive, grad, mul(grad, weight)),
            g and sum_to(where(positive, 0, mul(grad, x)), self.shape),
        )


class _Channels(Node):
    """A vector seen along dimension 1 of n dimensions."""

    views_input = True

    def forward(self, w: Any, shape: tuple[int, ...]) -> Any:
        self.shape = w.shape
        return w.reshape(shape)

    def backward(self, grad: Any) -> Any:
        """grad, in the vector's shape."""
        return apply(_Channels, (grad,), self.shape)


def prelu(input: Any, weight: Any) -> Any:
    """`input`, below 0 times `weight`: one number, or one for each channel (dimension 1)."""
    only_floats("prelu", "prelu_cpu", input)
    if not isinstance(weight, (Variable, np.ndarray)):
        raise not_a_tensor("prelu", "weight", 2, weight)
    x, w = array_of(input), array_of(weight)
    if x.dtype != w.dtype:
        a, b = (dtypes.type_name(dtypes.from_numpy(v.dtype)).lower() for v in (x, w))
        raise RuntimeError(f"prelu: Type promoting not supported. Got {a} and {b}")
    if w.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {w.ndim}"
        )
    if w.size != 1:
        if x.ndim == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = x.shape[1] if x.ndim > 1 else 1
        if channels != w.size:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{w.size} and channel size = {channels}."
            )
    shape = tuple(w.size if d == 1 else 1 for d in range(x.ndim)) if w.size != 1 else (1,) * x.ndim
    return apply(Prelu, (input, apply(_Channels, (weight,), shape)))


class Elu(Node):
    """scale * input, below 0 scale * alpha * (e^(input_scale * input) - 1)."""

    saves = (0,)
    fresh = True

    def forward(self, x: Any, alpha: float, scale: float, input_scale: float) -> Any:
        self.constants = alpha, scale, input_scale
        return cpu.elu(x, alpha, scale, input_scale)

    def backward(self, grad: Any) -> Any:
        """grad * scale where input > 0, else grad * scale * alpha * input_scale * e^(...)."""
        x = self.saved[0]
        alpha, scale, input_scale = self.constants
        slope = mul(exp(mul(x, input_scale)), alpha * scale * input_scale)
        return where(le(x, 0), mul(grad, slope), mul(grad, scale))


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input`, below 0 `alpha * (e^input - 1)`, elementwise. Floats only."""
    if inplace:
        return write(input, elu, (alpha,))
    only_floats("elu", "elu_cpu", input)
    return apply(Elu, (input,), float(number("elu", "alpha", 2, alpha)), 1.0, 1.0)


def selu(input: Any, inplace: bool = False) -> Any:
    """`scale * elu(input, alpha)` with the constants of self-normalising networks."""
    if inplace:
        return write(input, selu)
    only_floats("selu", "elu_cpu", input)
    return apply(Elu, (input,), 1.6732632423543772, 1.0507009873554805, 1.0)


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input`, below 0 `alpha * (e^(input / alpha) - 1)`, elementwise. Floats only."""
    if inplace:
        return write(input, celu, (alpha,))
    alpha = float(number("celu", "alpha", 2, alpha))
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    only_floats("celu", "elu_cpu", input)
    return apply(Elu, (input,), alpha, 1.0, 1.0 / alpha)


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


def gelu(input: Any, approximate: str = "none") -> Any:
    """`input * P(input)`, P the normal distribution, exact or (`"tanh"`) approximated."""
    if approximate == "none":
        return unary(Gelu, input)
    if approximate == "tanh":
        return unary(GeluTanh, input)
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
        self.constants = beta, threshold
        return cpu.softplus(x, beta, threshold)

    def backward(self, grad: Any) -> Any:
        """grad * sigmoid(beta * input); grad above the threshold."""
        beta, threshold = self.constants
        scaled = mul(self.saved[0], beta)
        return where(gt(scaled, threshold), grad, mul(grad, sigmoid(scaled)))


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """`log(1 + e^(beta * input)) / beta`; `input` where `beta * input` is above `threshold`."""
    only_floats("softplus", "softplus_cpu", input)
    b = float(number("softplus", "beta", 2, beta))
    return apply(Softplus, (input,), b, float(number("softplus", "threshold", 3, threshold)))


class LogSigmoid(Unary):
    """log(sigmoid(input))."""

    __slots__ = ()
    kernel = "logsigmoid"
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * sigmoid(-input)."""
        return mul(grad, sigmoid(neg(self.saved[0])))


def logsigmoid(input: Any) -> Any:
    """`log(sigmoid(input))` without underflow, elementwise. Floats only."""
    return unary(LogSigmoid, input)


class Hardswish(Unary):
    """input * relu6(input + 3) / 6."""

    __slots__ = ()
    kernel = "hardswish"
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """0 up to -3, grad * (input / 3 + 1 / 2) up to 3, grad beyond."""
        x = self.saved[0]
        inner = mul(grad, add(div(x, 3.0), 0.5))
        return where(le(x, -3), 0, where(lt(x, 3), inner, grad))


def hardswish(input: Any, inplace: bool = False) -> Any:
    """`input * relu6(input + 3) / 6`, elementwise. Floats only."""
    return write(input, hardswish) if inplace else unary(Hardswish, input)


class Hardsigmoid(Unary):
    """relu6(input + 3) / 6."""

    __slots__ = ()
    kernel = "hardsigmoid"
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad / 6 where -3 < input < 3, else 0."""
        x = self.saved[0]
        return where(logical_and(gt(x, -3), lt(x, 3)), mul(grad, 1 / 6), 0)


def hardsigmoid(input: Any, inplace: bool = False) -> Any:
    """`relu6(input + 3) / 6`, elementwise. Floats only."""
    return write(input, hardsigmoid) if inplace else unary(Hardsigmoid, input)


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
        return where(logical_or(lt(x, -self.lambd), gt(x, self.lambd)), grad, 0)


class Softshrink(_Shrink):
    """input moved towards 0 by lambd."""

    def forward(self, x: Any, lambd: float) -> Any:
        self.lambd = lambd
        return cpu.softshrink(x, lambd)


def softshrink(input: Any, lambd: float = 0.5) -> Any:
    """`input` moved towards 0 by `lambd`, 0 within it. RuntimeError for a negative `lambd`."""
    only_floats("softshrink", "softshrink_check", input)
    d = dtypes.from_numpy(array_of(input).dtype)
    lambd = float(number("softshrink", "lambd", 2, lambd))
    if not 0 <= lambd <= dtypes.finfo(d).max:
        raise RuntimeError(
            f"lambda must be in range [0, {dtypes.finfo(d).max:.6g}] for input dtype "
            f"{dtypes.type_name(d)}, but found {lambd:g}"
        )
    return apply(Softshrink, (input,), lambd)


class Hardshrink(_Shrink):
    """input, 0 within [-lambd, lambd]."""

    def forward(self, x: Any, lambd: float) -> Any:
        self.lambd = lambd
        limit = x.dtype.type(lambd)
        return np.where((x >= -limit) & (x <= limit), x.dtype.type(0), x)


def hardshrink(input: Any, lambd: float = 0.5) -> Any:
    """`input`, but 0 where `|input| <= lambd`, elementwise. Floats only."""
    only_floats("hardshrink", "hardshrink_cpu", input)
    return apply(Hardshrink, (input,), float(number("hardshrink", "lambd", 2, lambd)))


class _Half(Node):
    """The first or second half along a dimension."""

    def forward(self, x: Any, dim: int, which: int) -> Any:
        self.dim, self.which = dim, which
        return np.split(x, 2, axis=dim)[which].copy()

    def backward(self, grad: Any) -> Any:
        """grad, and zeros for the other half."""
        pair = (grad, zeros_of(grad))
        return apply(_Joined, pair if self.which == 0 else pair[::-1], self.dim)


class _Joined(Node):
    """Two tensors one after the other along a dimension."""

    def forward(self, x: Any, y: Any, dim: int) -> Any:
        self.dim = dim
        return np.concatenate((x, y), axis=dim)

    def backward(self, grad: Any) -> Any:
        """The halves of grad."""
        return apply(_Half, (grad,), self.dim, 0), apply(_Half, (grad,), self.dim, 1)


def glu(input: Any, dim: int = -1) -> Any:
    """`a * sigmoid(b)` for the halves a, b of `input` along `dim`. RuntimeError: an odd size."""
    only_floats("glu", "glu_cpu", input)
    shape = array_of(input).shape
    if not shape:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    d = normalize_dim(dim, len(shape))
    if shape[d] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {d} is size {shape[d]}")
    a, b = (apply(_Half, (input,), d, which) for which in (0, 1))
    return mul(a, sigmoid(b))
