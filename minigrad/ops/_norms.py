"""The p-norm of vectors along a dimension, as several families need it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Node
from ..backend import as_array
from ..kernels.elementwise import quiet
from ..kernels.numpy_softmax import widen
from ._shape import array_of, expand
from .arith import div, mul
from .compare import where
from .movement import reshape
from .power import pow
from .rounding import abs as abs_
from .rounding import sgn


class VectorNorm(Node):
    """(sum |x|^p)^(1/p) along a dimension, kept with size 1."""

    saves = (0,)
    saves_output = (0,)
    fresh = True

    def forward(self, x: Any, p: float, dim: int) -> Any:
        self.p, self.dim = p, dim
        return _vector_norm(x, p, dim)

    def backward(self, grad: Any) -> Any:
        """grad * sgn(x) (|x| / norm)^(p - 1), and 0 where the norm is 0.

        For p = inf and -inf the elements that attain the norm share grad.
        """
        x, length = self.saved
        p, shape = self.p, array_of(x).shape
        if p == 0:
            return mul(x, constant(grad, np.zeros((), array_of(x).dtype)))
        if p == 1:
            return mul(sgn(x), expand(grad, shape))
        size = array_of(length)
        safe = where(constant(grad, size == 0), constant(grad, np.ones((), size.dtype)), length)
        grad = where(constant(grad, size == 0), constant(grad, np.zeros((), size.dtype)), grad)
        if p == 2:
            return mul(x, div(grad, safe))
        if p in (np.inf, -np.inf):
            hit = np.abs(array_of(x)) == size
            share = hit / np.maximum(hit.sum(self.dim, keepdims=True), 1)
            return mul(mul(sgn(x), constant(grad, share.astype(size.dtype))), grad)
        ratio = div(abs_(x), safe)
        return mul(mul(sgn(x), pow(ratio, p - 1)), grad)

    def name(self) -> str:
        return "LinalgVectorNormBackward0"


def constant(like: Any, array: Any) -> Any:
    """An array as a constant beside `like`: a tensor if that is one."""
    return array if isinstance(like, np.ndarray) else like._from_array(array)


@quiet
def _vector_norm(x: Any, p: float, dim: int) -> Any:
    w = np.abs(widen(x))
    if p == np.inf:
        n = w.max(dim, keepdims=True)
    elif p == -np.inf:
        n = w.min(dim, keepdims=True)
    elif p == 0:
        n = (w != 0).sum(dim, keepdims=True)
    elif p == 1:
        n = w.sum(dim, keepdims=True)
    elif p == 2:
        n = np.sqrt((w * w).sum(dim, keepdims=True))
    else:
        n = (w**p).sum(dim, keepdims=True) ** (1 / p)
    return as_array(n).astype(x.dtype, copy=False)


def vector_norm(x: Any, p: float, dim: int, keepdim: bool = False) -> Any:
    """The p-norm of a floating-point tensor along a (non-negative) dimension."""
    length = apply(VectorNorm, (x,), float(p), dim)
    if keepdim:
        return length
    shape = array_of(length).shape
    return reshape(length, shape[:dim] + shape[dim + 1 :])
