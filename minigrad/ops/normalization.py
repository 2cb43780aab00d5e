"""Normalisations of trailing dimensions, of vectors and of neighbouring channels."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels import cpu, fast
from ._nn import composed_grads, like, need_float, need_same_params, need_tensor, torch_name
from ._operands import to_dtype, write_out
from ._shape import normalize_dim, shape_of, sum_to
from .arith import add, div, mul, sub
from .extrema import clamp_min
from .movement import reshape
from .norms import norm
from .padding import pad
from .pool import avg_pool2d
from .power import pow
from .reduce import mean, sum
from .unary import rsqrt

__all__ = ["layer_norm", "local_response_norm", "normalize", "rms_norm"]


def standardize(x: Any, dims: tuple[int, ...], eps: float) -> Any:
    """(x - mean) / sqrt(variance + eps) over dimensions, in differentiable ops."""
    centred = sub(x, mean(x, dims, True))
    return mul(centred, rsqrt(add(mean(mul(centred, centred), dims, True), eps)))


def _as_rows(x: Any, rows: int, dims: int) -> Any:
    shape = x._array.shape
    return reshape(x, (rows, math.prod(shape[len(shape) - dims :])))


class Param:
    """Shape and dtype of a parameter whose values backward does not read."""

    __slots__ = ("dtype", "shape")

    def __init__(self, array: Any):
        self.shape, self.dtype = array.shape, array.dtype

    def grad_of(self, total: Any) -> Any:
        """A gradient (tensor) of the parameter's shape in its dtype."""
        return total if total._array.dtype == self.dtype else to_dtype(total, self.dtype)


class Affine(Node):
    """A normalisation, scaled by a weight and shifted by a bias (which backward does not read).

    Subclasses give `gradients` (arrays), `formula` (without the bias) and `bias_total`. What their
    backward needs besides input and weight is the tuple `kept`, whose last entry is the bias'
    `Param`; None where compiled code has recorded: gradients then have their parameters' types.
    """

    saves = (0, 1)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """The subclass's gradients; the bias gets the sum of grad."""
        x, w = self.saved
        bias = self.kept[-1]
        if isinstance(grad, Variable):
            gx, gw = composed_grads(self.formula, (x, w), grad)
            gb = self.bias_total(grad, x) if self.next[2] is not None else None
            return gx, gw, gb if bias is None or gb is None else bias.grad_of(gb)
        grads = self.gradients(grad, x, w)
        return grads if bias is None else (grads[0], like(grads[1], w), like(grads[2], bias))

    def bias_total(self, grad: Any, x: Any) -> Any:
        """grad, summed over all but the channels."""
        return sum(grad, tuple([d for d in range(grad._array.ndim) if d != 1]))


class LayerNorm(Affine):
    """Rows of n elements normalised, then scaled and shifted elementwise."""

    def forward(self, x: Any, w: Any, b: Any, dims: int, eps: float) -> Any:
        y, mean, rstd = cpu.layer_norm(x, w, b, math.prod(x.shape[x.ndim - dims :]), eps)
        self.kept = (mean, rstd, dims, eps, Param(x if b is None else b))
        return y

    def gradients(self, grad: Any, x: Any, w: Any) -> Any:
        """With h = (x - mean) rstd and u = grad w: rstd (u - mean(u) - h mean(u h)).

        The weight gets the sum over rows of grad h.
        """
        mean, rstd, dims, *_ = self.kept
        return cpu.layer_norm_backward(grad, x, mean, rstd, w, dims, self.next)

    def bias_total(self, grad: Any, x: Any) -> Any:
        """grad, summed over the rows."""
        shape = x._array.shape
        return sum_to(grad, shape[len(shape) - self.kept[2] :])

    def formula(self, x: Any, w: Any) -> Any:
        """The normalised and scaled rows, in differentiable ops."""
        mean, _, dims, eps, _ = self.kept
        y = standardize(_as_rows(x, len(mean), dims), (1,), eps)
        y = reshape(y, x._array.shape)
        return y if w is None else mul(y, w)

    def name(self) -> str:
        return "NativeLayerNormBackward0"


class RMSNorm(Node):
    """Rows of n elements divided by their root mean square, then scaled."""

    torch_name = "MulBackward0"
    saves = (0, 1)
    fresh = True

    def forward(self, x: Any, w: Any, dims: int, eps: float) -> Any:
        y, rstd = cpu.rms_norm(x, w, math.prod(x.shape[x.ndim - dims :]), eps)
        self.kept = (rstd, dims, eps)
        return y

    def backward(self, grad: Any) -> Any:
        """With h = x rstd and u = grad w: rstd (u - h mean(u h)); sum(grad h) for the weight."""
        x, w = self.saved
        if isinstance(grad, Variable):
            return composed_grads(self.formula, (x, w), grad)
        rstd, dims, _ = self.kept
        dx, dw = cpu.rms_norm_backward(grad, x, rstd, w, dims, self.next)
        return dx, like(dw, w)

    def formula(self, x: Any, w: Any) -> Any:
        """The scaled rows, in differentiable ops."""
        rstd, dims, eps = self.kept
        rows = _as_rows(x, len(rstd), dims)
        y = mul(rows, rsqrt(add(mean(mul(rows, rows), (1,), True), eps)))
        y = reshape(y, x._array.shape)
        return y if w is None else mul(y, w)


def _norm_shape(name: str, normalized_shape: Any) -> tuple[int, ...]:
    if isinstance(normalized_shape, (str, int)) or not isinstance(normalized_shape, Sequence):
        raise TypeError(
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not "
            f"{normalized_shape.__class__.__name__}"
        )
    shape = tuple([operator.index(n) for n in normalized_shape])
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    return shape


def _check_trailing(name: str, x: Any, shape: tuple[int, ...], **params: Any) -> None:
    """Checks the shapes of a normalisation of trailing dimensions."""
    for which, p in params.items():
        if p is not None and need_tensor(name, which, p).shape != shape:
            raise RuntimeError(
                f"Expected {which} to be of same shape as normalized_shape, but got {which} of "
                f"shape {list(p._array.shape)} and normalized_shape = {list(shape)}"
            )
    if x.ndim < len(shape) or x.shape[x.ndim - len(shape) :] != shape:
        needed = ", ".join(["*", *map(str, shape)])
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [{needed}], "
            f"but got input of size{list(x.shape)}"
        )


def layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """`(input - mean) / sqrt(variance + eps) * weight + bias` over the trailing dimensions.

    `normalized_shape`, the shape of those dimensions, is also that of weight and bias.
    RuntimeError for shapes or dtypes that do not fit. (Ba, Kiros, Hinton 2016.)
    """
    t = fast.fast_layer_norm(LayerNorm, input, normalized_shape, weight, bias, eps)
    if t is not None:
        return t
    x = need_tensor("layer_norm", "input", input)
    shape = _norm_shape("layer_norm", normalized_shape)
    _check_trailing("layer_norm", x, shape, weight=weight, bias=bias)
    need_float("LayerNormKernelImpl", x)
    need_same_params(x, weight, bias)
    return apply(LayerNorm, (input, weight, bias), len(shape), eps)


def rms_norm(
    input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None
) -> Any:
    """`input / sqrt(mean(input^2) + eps) * weight` over the trailing dimensions.

    `eps` None is the machine epsilon of the type computed in. RuntimeError for shapes that do not
    fit. (Zhang, Sennrich 2019.)
    """
    t = fast.fast_rms_norm(RMSNorm, input, normalized_shape, weight, eps)
    if t is not None:
        return t
    x = need_tensor("rms_norm", "input", input)
    shape = _norm_shape("rms_norm", normalized_shape)
    _check_trailing("rms_norm", x, shape, weight=weight)
    need_float("rms_norm", x)
    if eps is None:
        eps = float(np.finfo(np.float64 if x.dtype.itemsize == 8 else np.float32).eps)
    if weight is not None and weight._array.dtype != x.dtype:
        weight = to_dtype(weight, x.dtype)
    return apply(RMSNorm, (input, weight), len(shape), eps)


def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Any:
    """`input / max(norm(input, p), eps)`: vectors along `dim` (one or several) of p-norm 1.

    IndexError for a dimension out of range; RuntimeError for integers.
    """
    x = need_tensor("normalize", "input", input)
    if x.dtype.kind not in "fV":
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{torch_name(x)}"
        )
    if dim is not None and not isinstance(dim, (tuple, list)):
        normalize_dim(dim, x.ndim)
    if not x.ndim:
        result = reshape(normalize(reshape(input, (1,)), p, 0, eps), ())
        return result if out is None else write_out("normalize", out, result)
    return div(input, clamp_min(norm(input, p, dim, True), eps), out=out)


def local_response_norm(
    input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    """`input / (k + alpha * mean of input^2 over size channels around it)^beta`.

    `input` (N, C, ...); beyond the first and last channel stand zeros. ValueError for fewer than
    three dimensions, RuntimeError for a size of 0. (Krizhevsky, Sutskever, Hinton 2012.)
    """
    x = need_tensor("local_response_norm", "input", input)
    if x.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {x.ndim} dimensions)")
    if not x.size:
        return input
    squares = pad(mul(input, input), [0, 0] * (x.ndim - 2) + [size // 2, (size - 1) // 2])
    planes = reshape(squares, (x.shape[0], 1, shape_of(squares)[1], -1))
    around = reshape(avg_pool2d(planes, (size, 1), 1), x.shape)
    return div(input, pow(add(mul(around, alpha), k), beta))
