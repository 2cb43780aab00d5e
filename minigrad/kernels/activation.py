"""Kernels of the activation functions in NumPy, forward and, where one is hot, backward."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._quiet import is_half, quiet, unsupported, wide
from .special import erf

__all__ = [
    "abs_backward", "clamp_backward", "elu", "elu_backward", "gelu", "gelu_backward", "gelu_tanh",
    "gelu_tanh_backward", "hardshrink", "hardsigmoid", "hardsigmoid_backward", "hardswish",
    "hardswish_backward", "hardtanh_backward", "leaky_relu", "leaky_relu_backward", "logsigmoid",
    "logsigmoid_backward", "mish", "mish_backward", "outside_backward", "prelu", "relu",
    "relu_backward", "sigmoid_backward", "silu", "silu_backward", "softplus", "softplus_backward",
    "softshrink", "sqrt_backward", "tanh_backward", "threshold",
]  # fmt: skip

_ROOT_HALF = math.sqrt(0.5)
_GELU_K = math.sqrt(2 / math.pi)
_GELU_C = 0.044715


def _floats(name: str, x: Any) -> None:
    if x.dtype.kind not in "fV":
        raise unsupported(name, x)


def relu(x: Any) -> Any:
    """max(x, 0); NaN stays NaN."""
    if x.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    return np.maximum(x, x.dtype.type(0))


def threshold(x: Any, limit: float, value: float) -> Any:
    """x where it is above the limit (or NaN), else the value."""
    return np.where(x <= x.dtype.type(limit), x.dtype.type(value), x)


@wide
def prelu(x: Any, weight: Any) -> Any:
    """x, or x * weight where x is not positive."""
    return np.where(x > 0, x, np.multiply(x, weight))


def relu_backward(grad: Any, y: Any) -> Any:
    """grad where the output is positive (or NaN), else 0."""
    return np.where(y <= 0, grad.dtype.type(0), grad)


@wide
def sigmoid_backward(grad: Any, out: Any) -> Any:
    """grad * (1 - out) * out."""
    t = np.subtract(1, out, out=np.empty(out.shape, out.dtype))
    t *= out
    t *= grad
    return t


@wide
def tanh_backward(grad: Any, out: Any) -> Any:
    """grad * (1 - out^2)."""
    t = np.multiply(out, out, out=np.empty(out.shape, out.dtype))
    np.subtract(1, t, out=t)
    t *= grad
    return t


@wide
def sqrt_backward(grad: Any, y: Any) -> Any:
    """grad / (2 y)."""
    return np.divide(grad, y + y)


@wide
def abs_backward(grad: Any, x: Any) -> Any:
    """grad times the sign of x."""
    return grad * np.sign(x)


@wide
def leaky_relu_backward(grad: Any, x: Any, slope: float) -> Any:
    """grad where x > 0, else slope * grad."""
    return np.where(x > 0, grad, grad * grad.dtype.type(slope))


@wide
def elu_backward(grad: Any, x: Any, alpha: float, scale: float, input_scale: float) -> Any:
    """scale * grad, for x <= 0 scale * alpha * input_scale * e^(input_scale x) * grad."""
    kind = x.dtype.type
    slope = np.exp(x * kind(input_scale)) * kind(alpha * scale * input_scale)
    return np.where(x <= 0, grad * slope, grad * kind(scale))


@wide
def softplus_backward(grad: Any, x: Any, beta: float, threshold: float) -> Any:
    """grad / (1 + e^(-beta x)); grad where beta x is above the threshold."""
    scaled = x * x.dtype.type(beta)
    return np.where(scaled > threshold, grad, grad / (1 + np.exp(-scaled)))


@wide
def clamp_backward(grad: Any, x: Any, low: Any, high: Any) -> Any:
    """grad where low <= x <= high, else 0; None: no limit."""
    inside = np.ones(x.shape, np.bool_)
    if low is not None:
        inside = inside & (x >= low)
    if high is not None:
        inside = inside & (x <= high)
    return np.where(inside, grad, grad.dtype.type(0))


@wide
def outside_backward(grad: Any, x: Any, low: float, high: float) -> Any:
    """grad but where low <= x <= high, there 0."""
    return np.where((x >= x.dtype.type(low)) & (x <= x.dtype.type(high)), grad.dtype.type(0), grad)


def hardtanh_backward(grad: Any, x: Any, low: float, high: float) -> Any:
    """grad where low < x < high, else 0."""
    return np.where((x > low) & (x < high), grad, grad.dtype.type(0))


@wide
def logsigmoid_backward(grad: Any, x: Any) -> Any:
    """grad / (1 + e^x)."""
    return grad / (1 + np.exp(x))


@wide
def mish_backward(grad: Any, x: Any) -> Any:
    """grad * (t + x s (1 - t^2)), t = tanh(log(1 + e^x)), s the sigmoid of x."""
    t = np.tanh(np.log1p(np.exp(x)))
    return grad * (t + x / (1 + np.exp(-x)) * (1 - t * t))


@wide
def hardswish_backward(grad: Any, x: Any) -> Any:
    """0 up to -3, grad * (x / 3 + 1 / 2) up to 3, grad beyond."""
    kind = grad.dtype.type
    inner = grad * (x / kind(3) + kind(0.5))
    return np.where(x <= -3, kind(0), np.where(x < 3, inner, grad))


@wide
def hardsigmoid_backward(grad: Any, x: Any) -> Any:
    """grad / 6 where -3 < x < 3, else 0."""
    kind = grad.dtype.type
    return np.where((x > -3) & (x < 3), grad / kind(6), kind(0))


def gelu(x: Any) -> Any:
    """x * (1 + erf(x / sqrt 2)) / 2."""
    _floats("GeluKernelImpl", x)
    if is_half(x):
        return gelu(x.astype(np.float32)).astype(x.dtype)
    return _gelu(x, erf(_times(x, _ROOT_HALF)))


@quiet
def _times(x: Any, factor: float) -> Any:
    return np.multiply(x, factor)


@quiet
def _gelu(x: Any, e: Any) -> Any:
    t = np.add(e, 1, out=np.empty(x.shape, x.dtype))
    t *= x
    t *= 0.5
    return t


def gelu_backward(grad: Any, x: Any) -> Any:
    """grad * (P(x) + x p(x)), P and p the normal distribution and its density."""
    if is_half(x):
        wide_grad, wide_x = grad.astype(np.float32), x.astype(np.float32)
        return gelu_backward(wide_grad, wide_x).astype(x.dtype)
    return _gelu_backward(grad, x, erf(_times(x, _ROOT_HALF)))


@quiet
def _gelu_backward(grad: Any, x: Any, e: Any) -> Any:
    t = np.multiply(x, x, out=np.empty(x.shape, x.dtype))
    t *= -0.5
    np.exp(t, out=t)
    t *= x
    t *= 1 / math.sqrt(2 * math.pi)
    t += 0.5 * (1 + e)
    t *= grad
    return t


def _gelu_inner(x: Any) -> Any:
    t = np.multiply(x, x, out=np.empty(x.shape, x.dtype))
    t *= _GELU_K * _GELU_C
    t += _GELU_K
    t *= x
    return np.tanh(t, out=t)


@wide
def gelu_tanh(x: Any) -> Any:
    """x * (1 + tanh(k (x + c x^3))) / 2, k = sqrt(2 / pi), c = 0.044715."""
    _floats("GeluKernelImpl", x)
    t = _gelu_inner(x)
    t += 1
    t *= x
    t *= 0.5
    return t


@wide
def gelu_tanh_backward(grad: Any, x: Any) -> Any:
    """grad * (1 + t + x (1 - t^2) k (1 + 3 c x^2)) / 2."""
    t = _gelu_inner(x)
    slope = np.multiply(x, x, out=np.empty(x.shape, x.dtype))
    slope *= 3 * _GELU_C * _GELU_K
    slope += _GELU_K
    slope *= x
    slope *= 1 - t * t
    slope += t
    slope += 1
    slope *= 0.5
    slope *= grad
    return slope


@wide
def silu(x: Any) -> Any:
    """x / (1 + e^-x)."""
    _floats("silu_cpu", x)
    t = np.negative(x, out=np.empty(x.shape, x.dtype))
    np.exp(t, out=t)
    t += 1
    return np.divide(x, t, out=t)


@wide
def silu_backward(grad: Any, x: Any) -> Any:
    """grad * s * (1 + x (1 - s)), s the sigmoid of x."""
    s = np.negative(x, out=np.empty(x.shape, x.dtype))
    np.exp(s, out=s)
    s += 1
    np.reciprocal(s, out=s)
    t = np.subtract(1, s)
    t *= x
    t += 1
    t *= s
    t *= grad
    return t


@wide
def mish(x: Any) -> Any:
    """x * tanh(log(1 + e^x))."""
    _floats("mish_cpu", x)
    return x * np.tanh(np.log1p(np.exp(x)))


@wide
def softplus(x: Any, beta: float, threshold: float) -> Any:
    """log(1 + e^(beta x)) / beta; x itself where beta x is above the threshold."""
    _floats("softplus_cpu", x)
    scaled = x * x.dtype.type(beta)
    soft = np.log1p(np.exp(scaled)) / x.dtype.type(beta)
    return np.where(scaled > threshold, x, soft)


@wide
def logsigmoid(x: Any) -> Any:
    """min(x, 0) - log(1 + e^-|x|)."""
    _floats("log_sigmoid_cpu", x)
    return np.minimum(x, x.dtype.type(0)) - np.log1p(np.exp(-np.abs(x)))


@wide
def elu(x: Any, alpha: float, scale: float, input_scale: float) -> Any:
    """scale * x, below 0 scale * alpha * (e^(input_scale x) - 1)."""
    _floats("elu_cpu", x)
    kind = x.dtype.type
    return np.where(x < 0, np.expm1(x * kind(input_scale)) * kind(alpha * scale), x * kind(scale))


@wide
def leaky_relu(x: Any, slope: float) -> Any:
    """x, below 0 slope * x."""
    _floats("leaky_relu_cpu", x)
    return np.where(x > 0, x, x * x.dtype.type(slope))


@wide
def hardswish(x: Any) -> Any:
    """x * min(max(x + 3, 0), 6) / 6."""
    _floats("hardswish_cpu", x)
    return x * np.minimum(np.maximum(x + 3, x.dtype.type(0)), x.dtype.type(6)) / 6


@wide
def hardsigmoid(x: Any) -> Any:
    """min(max(x + 3, 0), 6) / 6."""
    _floats("hardsigmoid_cpu", x)
    return np.minimum(np.maximum(x + 3, x.dtype.type(0)), x.dtype.type(6)) / 6


@wide
def hardshrink(x: Any, lambd: float) -> Any:
    """x, 0 within [-lambd, lambd]; NaN stays NaN."""
    limit = x.dtype.type(lambd)
    return np.where((x >= -limit) & (x <= limit), x.dtype.type(0), x)


def softshrink(x: Any, lambd: float) -> Any:
    """x moved towards 0 by lambd, 0 within it; NaN stays NaN."""
    shift = x.dtype.type(lambd)
    return np.where(x > shift, x - shift, np.where(x < -shift, x + shift, x * 0))
