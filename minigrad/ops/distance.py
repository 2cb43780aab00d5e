"""Distances and similarities of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ._elementwise import result_numpy, to_dtype
from ._nn import need_tensor, torch_name
from ._shape import broadcast_error, expand, normalize_dim
from .arith import add, div, mul, sub
from .extrema import clamp
from .movement import reshape
from .norms import norm
from .reduce import sum

__all__ = ["cosine_similarity", "pairwise_distance"]


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """`sum(x1 * x2) / (max(|x1|, eps) max(|x2|, eps))` along `dim` of the broadcast shape.

    IndexError for a dimension out of range; RuntimeError for integers and shapes that do not fit.
    """
    a, b = need_tensor("cosine_similarity", "x1", x1), need_tensor("cosine_similarity", "x2", x2)
    dtype = result_numpy("cosine_similarity", x1, x2)
    if dtype.kind not in "fV":
        raise RuntimeError(
            "expected common dtype to be floating point, yet common dtype is "
            f"{torch_name(np.empty(0, dtype))}"
        )
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise broadcast_error(a, b) from None
    axis = normalize_dim(dim, len(shape))
    units = []
    for x in (x1, x2):
        if x._array.dtype != dtype:
            x = to_dtype(x, dtype)
        if x._array.shape != shape:
            x = expand(x, shape)
        if not shape:
            x = reshape(x, (1,))
        units.append(div(x, clamp(norm(x, 2, axis, True), min=eps)))
    return sum(mul(*units), axis)


def pairwise_distance(
    x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Any:
    """The p-norm of `x1 - x2 + eps` along the last dimension; the shapes broadcast.

    RuntimeError for shapes that do not fit.
    """
    need_tensor("pairwise_distance", "x1", x1)
    need_tensor("pairwise_distance", "x2", x2)
    difference = sub(x1, x2)
    if difference._array.dtype.kind not in "fV":
        difference = to_dtype(difference, dtypes.default_numpy())
    difference = add(difference, eps)
    ndim = difference._array.ndim
    if not ndim:
        return reshape(norm(reshape(difference, (1,)), p, 0), ())
    return norm(difference, p, ndim - 1, keepdim)
