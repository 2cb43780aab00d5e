"""What distributions share: broadcasting of parameters, probabilities and logits, lazy values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from numbers import Number
from typing import Any

from .. import ops
from ..autograd import enable_grad
from ..autograd.variable import Variable
from ..creation import arange, empty, tensor
from ..dtypes import finfo, get_default_dtype

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "euler_constant",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]

euler_constant = 0.5772156649015329  # Euler and Mascheroni's


def is_number(value: Any) -> bool:
    """Whether a parameter was given as a Python number, so that it adds no batch dimension."""
    return isinstance(value, Number) and not isinstance(value, Variable)


def broadcast_all(*values: Any) -> tuple:
    """Tensors of one shape; numbers become tensors like the first tensor given.

    ValueError for anything else.
    """
    numbers = False
    first = None
    for value in values:
        if isinstance(value, Variable):
            first = value if first is None else first
        elif isinstance(value, Number):
            numbers = True
        else:
            raise ValueError(
                "Input arguments must all be instances of Number, torch.Tensor or objects "
                "implementing __torch_function__."
            )
    if numbers:
        dtype = get_default_dtype() if first is None else first.dtype
        values = tuple(v if isinstance(v, Variable) else tensor(v, dtype=dtype) for v in values)
    return tuple(ops.broadcast_tensors(*values))


def standard_normal(shape: Any, dtype: Any) -> Any:
    """Normal numbers of mean 0 and deviation 1."""
    return empty(shape, dtype=dtype).normal_()


def sum_rightmost(value: Any, dim: int) -> Any:
    """The sum over the last `dim` dimensions."""
    if dim == 0:
        return value
    return value.reshape((*value.shape[:-dim], -1)).sum(-1)


def logits_to_probs(logits: Any, is_binary: bool = False) -> Any:
    """Probabilities from log odds (binary) or from log probabilities of the last dimension."""
    return ops.sigmoid(logits) if is_binary else ops.softmax(logits, -1)


def clamp_probs(probs: Any) -> Any:
    """Probabilities kept `eps` of their type away from 0 and 1."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Any, is_binary: bool = False) -> Any:
    """The inverse of `logits_to_probs`, of clamped probabilities."""
    inside = clamp_probs(probs)
    return inside.log() - ops.log1p(-inside) if is_binary else inside.log()


def either(probs: Any, logits: Any) -> None:
    """ValueError unless exactly one of both is given."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


class lazy_property:
    """A property that is computed once, with gradients, when it is first read.

    It has no `__set__`: the value is kept under its name in the instance.
    """

    def __init__(self, wrapped: Callable):
        self.wrapped = wrapped
        functools.update_wrapper(self, wrapped)  # type: ignore[arg-type]

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def _lower(n: int, diag: int) -> Any:
    """A mask (n, n) of the elements on and below a diagonal."""
    column = arange(n)
    return column < column.view(-1, 1) + (diag + 1)


def tril_matrix_to_vec(mat: Any, diag: int = 0) -> Any:
    """The lower triangle of matrices (..., n, n), row by row, as vectors."""
    n = mat.shape[-1]
    if diag < -n or diag >= n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    return mat[..., _lower(n, diag)]


def vec_to_tril_matrix(vec: Any, diag: int = 0) -> Any:
    """Lower triangular matrices from vectors of their elements, row by row.

    The size n solves n (n + 1) / 2 + diag n - |diag| (|diag| - 1) / 2 = len. ValueError if no
    whole n does.
    """
    b = 1 + 2 * diag
    n = (-b + (b * b + 8 * vec.shape[-1] + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    if round(n) - n > finfo(vec.dtype).eps:
        raise ValueError(
            f"The size of last dimension is {vec.shape[-1]} which cannot be expressed as the "
            "lower triangular part of a square D x D matrix."
        )
    size = round(n)
    mat = vec.new_zeros((*vec.shape[:-1], size, size))
    mat[..., _lower(size, diag)] = vec
    return mat
