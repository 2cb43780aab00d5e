"""Distances and similarities of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node
from ..dtypes import type_name
from ..kernels import distance as kernels
from ._nn import need_tensor, torch_name
from ._operands import result_numpy, to_dtype
from ._reduction import constant, fill
from ._shape import array_of, broadcast_error, expand, normalize_dim, shape_of
from .arith import add, div, mul, neg, sub
from .extrema import clamp
from .index import take_at
from .linalg import matmul
from .movement import reshape
from .norms import norm
from .permutation import transpose
from .power import pow
from .reduce import sum

__all__ = ["cdist", "cosine_similarity", "dist", "pairwise_distance", "pdist"]


def cosine_similarity(
    x1: Any, x2: Any, dim: int = 1, eps: float = 1e-08, *, axis: int | None = None
) -> Any:
    """`sum(x1 * x2) / (max(|x1|, eps) max(|x2|, eps))` along `dim` of the broadcast shape.

    IndexError for a dimension out of range; RuntimeError for integers and shapes that do not fit.
    """
    if axis is not None:
        dim = axis
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


def dist(input: Any, other: Any, p: float = 2) -> Any:
    """The p-norm of `input - other`, which broadcast: a number. RuntimeError for integers."""
    need_tensor("dist", "input", input)
    need_tensor("dist", "other", other)
    difference = sub(input, other)
    return named("DistBackward0", norm(difference, p), difference)


# -- between all pairs of rows -------------------------------------------------------------------


def _need_floats(name: str, x: Any, label: str = "") -> None:
    if x.dtype.kind not in "fV":
        got = f", {label} got: {type_name(dtypes.from_numpy(x.dtype))}" if label else ""
        raise RuntimeError(f"{name} only supports floating-point dtypes{got}")


class Cdist(Node):
    """Distances of all rows of the first input to all rows of the second, in each batch."""

    saves = (0, 1)
    saves_output = (0,)

    def forward(self, a: Any, b: Any, p: float) -> Any:
        self.p = p
        return kernels.distances(a, b, p)

    def backward(self, grad: Any) -> Any:
        """Each pair's grad * sign(d) * (|d| / distance)^(p - 1), summed over the pairs; 0 at 0.

        For p = inf every coordinate that reaches the maximum gets all of grad.
        """
        a, b, out = self.saved
        f, g = self.next
        d_a = d_b = None
        if _all_arrays(a, b, out, grad):
            if f is not None:
                d_a = kernels.distances_backward(a, b, grad, out, self.p)
            if g is not None:
                d_b = kernels.distances_backward(b, a, grad, out, self.p, True)
            return d_a, d_b
        weights = _pair_gradients(
            _unsqueeze(a, -2), _unsqueeze(b, -3), _unsqueeze(out, -1), _unsqueeze(grad, -1), self.p
        )
        if f is not None:
            d_a = sum(weights, -2)
        if g is not None:
            d_b = neg(sum(weights, -3))
        return d_a, d_b


class EuclideanDist(Cdist):
    """Euclidean distances of all rows by a product: |a|^2 + |b|^2 - 2 a b."""

    def forward(self, a: Any, b: Any, p: float = 2.0) -> Any:
        return kernels.euclidean(a, b)

    def backward(self, grad: Any) -> Any:
        """With w = grad / distance (0 at 0): d a = a * (sum of w) - w b, d b as that."""
        a, b, out = self.saved
        if _all_arrays(a, b, out, grad) and a.dtype.itemsize > 2:
            w = kernels.euclidean_weights(grad, out)
        else:
            zero = array_of(out) == 0
            w = fill(div(grad, fill(out, zero, 1)), zero, 0)
        d_a = d_b = None
        if self.next[0] is not None:
            d_a = sub(mul(a, sum(w, -1, True)), matmul(w, b))
        if self.next[1] is not None:
            w = transpose(w, -1, -2)
            d_b = sub(mul(b, sum(w, -1, True)), matmul(w, a))
        return d_a, d_b


def _all_arrays(*values: Any) -> bool:
    """Whether these are bare arrays: a backward pass that is not recorded itself."""
    return all(v.__class__ is np.ndarray for v in values)


def _unsqueeze(x: Any, dim: int) -> Any:
    shape = list(shape_of(x))
    shape.insert(dim % (len(shape) + 1), 1)
    return reshape(x, tuple(shape))


def _pair_gradients(a: Any, b: Any, out: Any, grad: Any, p: float) -> Any:
    """grad times the derivative of each pair's distance by the difference of each coordinate."""
    difference = sub(a, b)
    d, distance = array_of(difference), array_of(out)
    sign = np.sign(d)
    if p == 0:
        return mul(mul(difference, grad), 0.0)
    if p == 1:
        return mul(grad, constant(grad, sign))
    if np.isinf(p):
        return mul(grad, constant(grad, np.where(np.abs(d) == distance, sign, 0).astype(d.dtype)))
    zero = distance == 0
    safe = fill(out, zero, 1)
    if p == 2:
        return mul(difference, fill(div(grad, safe), zero, 0))
    none = np.logical_or(d == 0, zero)
    size = fill(mul(difference, constant(difference, sign)), none, 1)
    slope = pow(div(size, safe), p - 1)
    return mul(grad, mul(fill(slope, none, 0), constant(grad, sign)))


_MODES = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)


def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str = _MODES[0]) -> Any:
    """The p-norm distance of each row of `x1` (..., P, M) to each of `x2` (..., R, M): (..., P, R).

    The leading dimensions broadcast. Where p = 2 and there are more than 25 rows, a product is
    computed instead of all differences, fast but less precise for rows that are close; the
    `compute_mode` says otherwise. Gradient: see `Cdist.backward`.
    """
    a, b = need_tensor("cdist", "x1", x1), need_tensor("cdist", "x2", x2)
    for x, label in ((a, "X1"), (b, "X2")):
        if x.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {label} got: {x.ndim}D")
    if a.shape[-1] != b.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {a.shape[-1]} X2: {b.shape[-1]}"
        )
    if compute_mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    _need_floats("cdist", a, "X1")
    _need_floats("cdist", b, "X2")
    if not p >= 0:
        raise RuntimeError("cdist only supports non-negative p values")
    if a.dtype != b.dtype:
        names = [type_name(dtypes.from_numpy(x.dtype)) for x in (a, b)]
        raise RuntimeError(f"expected scalar type {names[0]} but found {names[1]}")
    large = max(a.shape[-2], b.shape[-2]) > 25
    multiplied = p == 2 and (compute_mode == _MODES[1] or (compute_mode == _MODES[0] and large))
    if a.dtype.itemsize == 2 and a.size and b.size and not multiplied:
        raise NotImplementedError(
            f"\"cdist\" not implemented for '{type_name(dtypes.from_numpy(a.dtype))}'"
        )
    try:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise broadcast_error(np.empty(a.shape[:-2]), np.empty(b.shape[:-2])) from None
    x1, x2 = (
        x if shape_of(x)[:-2] == lead else expand(x, (*lead, *shape_of(x)[-2:])) for x in (x1, x2)
    )
    if multiplied and a.size and b.size:
        return apply(EuclideanDist, (x1, x2))
    return apply(Cdist, (x1, x2), float(p))


def pdist(input: Any, p: float = 2) -> Any:
    """The p-norm distances of all pairs of rows i < j of a matrix, in the order of (i, j).

    RuntimeError for other shapes, integers and a negative p.
    """
    x = need_tensor("pdist", "input", input)
    if x.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {x.ndim}D")
    _need_floats("pdist", x)
    if not p >= 0:
        raise RuntimeError("pdist only supports non-negative p values")
    if x.shape[0] < 2:  # no pairs, of any type
        return take_at(reshape(input, (x.size,)), [np.empty(0, np.int64)], (0,))
    if x.dtype.itemsize == 2:
        raise NotImplementedError(
            f"\"pdist\" not implemented for '{type_name(dtypes.from_numpy(x.dtype))}'"
        )
    n = x.shape[0]
    distances = reshape(cdist(input, input, p, _MODES[2]), (n * n,))
    return named("PdistBackward0", take_at(distances, [_upper(n)], (0,)))


def _upper(n: int) -> np.ndarray:
    """The numbers, in a flattened n × n matrix, of the entries above the diagonal."""
    i, j = np.triu_indices(n, 1)
    return i * n + j
