"""Activation functions of straight pieces and exponentials: relu and its kin.

`inplace=True` writes the result to the input, as in PyTorch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import as_array
from ..kernels import cpu, fast
from ..kernels._quiet import quiet
from ._elementwise import Unary, unary, with_numbers
from ._inplace import write
from ._operands import not_a_tensor, number, only_floats
from ._shape import array_of, sum_to
from .arith import add, div, mul
from .compare import gt, le, logical_and, lt, where
from .movement import reshape
from .unary import exp

__all__ = [
    "celu", "elu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "prelu", "relu", "relu6",
    "rrelu", "selu", "threshold",
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
    if not inplace:
        return unary(Relu, input)
    return input if fast.fast_unary_in_place(_RELU, input) else write(input, relu)


_RELU = fast.UNARY.index("relu")


_less_equal = quiet(np.less_equal)  # 16-bit NaN raise flags


class Threshold(Node):
    """input where it is above a threshold, else a value."""

    saves = (0,)
    fresh = True

    def forward(self, x: Any, threshold: Any, value: Any) -> Any:
        self.threshold = threshold
        if x.dtype.kind == "f" and x.dtype.itemsize > 2:
            return cpu.threshold(x, float(threshold), float(value))
        low, other = (np.asarray(v).astype(x.dtype) for v in (threshold, value))
        return np.where(_less_equal(x, low), other, x)

    def backward(self, grad: Any) -> Any:
        """grad where the input is above the threshold, else 0."""
        x = self.saved[0]
        if not isinstance(grad, Variable) and self.threshold.__class__ in (int, float):
            return cpu.outside_backward(grad, x, -math.inf, float(x.dtype.type(self.threshold)))
        return where(le(x, self.threshold), 0, grad)


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
        if not isinstance(grad, Variable):
            return cpu.hardtanh_backward(grad, x, self.low, self.high)
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
        self.numbers = (slope,)
        return cpu.leaky_relu(x, slope)

    def backward(self, grad: Any) -> Any:
        """grad where input > 0, else grad * slope."""
        x, slope = self.saved[0], float(self.numbers[0])
        if not isinstance(grad, Variable):
            return cpu.leaky_relu_backward(grad, x, slope)
        return where(gt(x, 0), grad, mul(grad, slope))


_LEAKY = fast.spec("leaky_relu", 1, LeakyRelu.saves, (), False)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """`input`, times `negative_slope` where it is not positive, elementwise. Floats only."""
    if inplace:
        return write(input, leaky_relu, (negative_slope,))
    only_floats("leaky_relu", "leaky_relu_cpu", input)
    slope = number("leaky_relu", "negative_slope", 2, negative_slope)
    return with_numbers(LeakyRelu, _LEAKY, input, (float(slope),))


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
        return named("RreluWithNoiseBackward0", leaky_relu(input, (lower + upper) / 2))
    if noise is None:
        raise RuntimeError("rrelu: training=True was given without noise; needed: noise=")
    return named("RreluWithNoiseBackward0", where(le(input, 0), mul(input, noise), input))


class Prelu(Node):
    """input, below 0 times a weight for each channel."""

    torch_name = "PreluKernelBackward0"
    saves = (0, 1)

    def forward(self, x: Any, weight: Any) -> Any:
        self.shape = weight.shape
        return as_array(cpu.prelu(x, weight))

    def backward(self, grad: Any) -> Any:
        """d input = grad or grad * weight; d weight = the sum of grad * input where input <= 0."""
        x, weight = self.saved
        f, g = self.next
        positive = gt(x, 0)
        return (
            f and where(positive, grad, mul(grad, weight)),
            g and sum_to(where(positive, 0, mul(grad, x)), self.shape),
        )


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
    return apply(Prelu, (input, reshape(weight, shape)))


class Elu(Node):
    """scale * input, below 0 scale * alpha * (e^(input_scale * input) - 1)."""

    saves = (0,)
    fresh = True

    def forward(self, x: Any, alpha: float, scale: float, input_scale: float) -> Any:
        self.numbers = alpha, scale, input_scale
        return cpu.elu(x, alpha, scale, input_scale)

    def backward(self, grad: Any) -> Any:
        """grad * scale where input > 0, else grad * scale * alpha * input_scale * e^(...)."""
        x = self.saved[0]
        alpha, scale, input_scale = self.numbers
        if not isinstance(grad, Variable):
            return cpu.elu_backward(grad, x, alpha, scale, input_scale)
        slope = mul(exp(mul(x, input_scale)), alpha * scale * input_scale)
        return where(le(x, 0), mul(grad, slope), mul(grad, scale))


_ELU = fast.spec("elu", 1, Elu.saves, (), False)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input`, below 0 `alpha * (e^input - 1)`, elementwise. Floats only."""
    if inplace:
        return write(input, elu, (alpha,))
    only_floats("elu", "elu_cpu", input)
    return with_numbers(Elu, _ELU, input, (float(number("elu", "alpha", 2, alpha)), 1.0, 1.0))


def selu(input: Any, inplace: bool = False) -> Any:
    """`scale * elu(input, alpha)` with the constants of self-normalising networks."""
    if inplace:
        return write(input, selu)
    only_floats("selu", "elu_cpu", input)
    return with_numbers(Elu, _ELU, input, (1.6732632423543772, 1.0507009873554805, 1.0))


class Celu(Elu):
    """`Elu` with a scale inside."""


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input`, below 0 `alpha * (e^(input / alpha) - 1)`, elementwise. Floats only."""
    if inplace:
        return write(input, celu, (alpha,))
    alpha = float(number("celu", "alpha", 2, alpha))
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    only_floats("celu", "elu_cpu", input)
    return apply(Celu, (input,), alpha, 1.0, 1.0 / alpha)


class Hardswish(Unary):
    """input * relu6(input + 3) / 6."""

    __slots__ = ()
    kernel = "hardswish"
    saves = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """0 up to -3, grad * (input / 3 + 1 / 2) up to 3, grad beyond."""
        x = self.saved[0]
        if not isinstance(grad, Variable):
            return cpu.hardswish_backward(grad, x)
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
        if not isinstance(grad, Variable):
            return cpu.hardsigmoid_backward(grad, x)
        return where(logical_and(gt(x, -3), lt(x, 3)), mul(grad, 1 / 6), 0)


def hardsigmoid(input: Any, inplace: bool = False) -> Any:
    """`relu6(input + 3) / 6`, elementwise. Floats only."""
    return write(input, hardsigmoid) if inplace else unary(Hardsigmoid, input)
