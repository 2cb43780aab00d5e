"""Products and convolutions where every sample has a copy of the same weight.

`grad` inside `vmap` differentiates each sample by its own copy of the parameters, a view that
repeats them along the batch (stride 0). Forward then needs the parameters once: one product for the
whole batch. Backward gives each sample's gradient, (batch, *weight shape).
"""

from __future__ import annotations

from typing import Any

from .. import ops
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..dispatch import LogicalArray
from ..kernels import cpu
from ..ops._matrices import mt
from ..ops._shape import array_of, shape_of
from ..ops.conv import (
    Convolution,
    ConvolutionInput,
    ConvolutionWeight,
    Geometry,
    convolution_geometry,
)


def is_shared(value: Any) -> bool:
    """Whether a batch (B, ...) holds B times the same memory (not asked of outer maps' samples)."""
    array = array_of(value)
    if isinstance(array, LogicalArray):
        return False
    return array.shape[0] > 1 and array.strides[0] == 0 and array.size > 0


class SharedLinear(Node):
    """x (B, n, i) times the transposes of w (B, o, i), all of which are the same: (B, n, o)."""

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, x: Any, w: Any) -> Any:
        batch, n, size = x.shape
        out = cpu.matmul(x.reshape(batch * n, size), w[0].T)
        return out.reshape(batch, n, w.shape[1])

    def backward(self, grad: Any) -> Any:
        """d x = grad @ w; d w = grad^T @ x for each sample."""
        x, w = self.saved
        f, g = self.next
        return (
            None if f is None else _times_weight(grad, w),
            None if g is None else outer_products(grad, x),
        )


def _times_weight(grad: Any, w: Any) -> Any:
    """grad (B, n, o) @ w (B, o, i)."""
    if isinstance(grad, Variable) or isinstance(w, Variable):
        return ops.matmul(grad, w)
    batch, n, size = grad.shape
    return cpu.matmul(grad.reshape(batch * n, size), w[0]).reshape(batch, n, w.shape[2])


def outer_products(grad: Any, x: Any) -> Any:
    """grad^T (B, o, n) @ x (B, n, i); elementwise where n is 1."""
    batch, n, size = shape_of(grad)
    if n == 1:
        return ops.mul(ops.reshape(grad, (batch, size, 1)), x)
    return ops.matmul(mt(grad), x)


def shared_linear(x: Any, w: Any) -> Any:
    """x (B, n, i) with w (B, o, i), where `is_shared(w)`."""
    return apply(SharedLinear, (x, w))


class SharedConvolution(Node):
    """Convolution of x (B, N, C, ...) with w (B, K, C / groups, ...), the same for all of B.

    `folded` is the geometry of the B * N images with one weight, `grouped` that of N images with
    B * C channels in B groups, where each sample has a weight of its own.
    """

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, x: Any, w: Any, folded: Geometry, grouped: Geometry) -> Any:
        self.folded, self.grouped = folded, grouped
        out = apply(Convolution, (x.reshape(folded.x_shape), w[0], None), folded)
        return out.reshape(*x.shape[:2], *folded.g_shape[1:])

    def backward(self, grad: Any) -> Any:
        """d x = transposed convolution with w; d w = correlation of each sample's x and grad."""
        x, w = self.saved
        f, g = self.next
        grads = None
        if f is not None and not isinstance(grad, Variable) and not isinstance(w, Variable):
            flat = grad.reshape(self.folded.g_shape)
            dx = apply(ConvolutionInput, (flat, w[0], None), self.folded).reshape(
                _input_shape(self)
            )
        elif f is not None:
            grads = channels_of_batch(grad)
            weights = ops.reshape(w, self.grouped.w_shape)
            dx = batch_of_channels(
                apply(ConvolutionInput, (grads, weights, None), self.grouped), shape_of(grad)[0]
            )
        else:
            dx = None
        if g is None:
            return dx, None
        grads = channels_of_batch(grad) if grads is None else grads
        dw = apply(ConvolutionWeight, (channels_of_batch(x), grads), self.grouped)
        batch = shape_of(grad)[0]
        return dx, ops.reshape(dw, (batch, *self.folded.w_shape))


def _input_shape(node: SharedConvolution) -> tuple[int, ...]:
    """The shape (B, N, C, ...) of a node's input."""
    n = node.grouped.x_shape[0]
    return (node.folded.x_shape[0] // n, n, *node.folded.x_shape[1:])


def channels_of_batch(value: Any) -> Any:
    """(B, N, C, ...) as (N, B * C, ...)."""
    b, n, c, *rest = shape_of(value)
    order = (1, 0, *range(2, 3 + len(rest)))
    return ops.reshape(ops.permute(value, order), (n, b * c, *rest))


def batch_of_channels(value: Any, batch: int) -> Any:
    """(N, B * C, ...) as (B, N, C, ...)."""
    n, c, *rest = shape_of(value)
    split = ops.reshape(value, (n, batch, c // batch, *rest))
    return ops.permute(split, (1, 0, *range(2, 3 + len(rest))))


def shared_convolution(
    x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """The convolution of x (B, N, C, ...) with w (B, K, ...), where `is_shared(w)`."""
    a, b = array_of(x), array_of(w)
    batch, n = a.shape[:2]
    steps = (stride, padding, dilation)
    dims = b.ndim - 3
    images = LogicalArray((batch * n, *a.shape[2:]), a.dtype)
    weight = LogicalArray(b.shape[1:], b.dtype)
    folded = convolution_geometry(dims, images, weight, None, *steps, groups)
    images = LogicalArray((n, batch * a.shape[2], *a.shape[3:]), a.dtype)
    weight = LogicalArray((batch * b.shape[1], *b.shape[2:]), b.dtype)
    grouped = convolution_geometry(dims, images, weight, None, *steps, groups * batch)
    return apply(SharedConvolution, (x, w), folded, grouped)
