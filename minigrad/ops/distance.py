"""Distances and similarities of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply, apply_view
from ..autograd.variable import Node
from ..kernels import cpu
from ._elementwise import result_numpy, to_dtype, type_name, zeros_of
from ._nn import need_tensor, torch_name
from ._reduction import constant, fill
from ._shape import array_of, broadcast_error, expand, normalize_dim, shape_of
from .arith import add, div, mul, neg, sub
from .extrema import clamp
from .index import take_at
from .join import cat
from .linalg import matmul
from .movement import reshape, transpose
from .norms import norm, p_norm
from .power import pow
from .reduce import sum
from .slices import Slice

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
    return norm(difference, p)


# -- between all pairs of rows -------------------------------------------------------------------

# Differences of all pairs are made for so many elements at a time.
_BLOCK = 1 << 22


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
        rows, others, columns = a.shape[-2], b.shape[-2], a.shape[-1]
        out = np.empty((*a.shape[:-1], others), a.dtype)
        a, b = cpu.widened(a), cpu.widened(b)
        lead = a.size // max(rows * columns, 1)
        step = max(_BLOCK // max(lead * others * columns, 1), 1)
        for k in range(0, rows, step):
            part = a[..., k : k + step, None, :] - b[..., None, :, :]
            out[..., k : k + step, :] = p_norm(part, p, (part.ndim - 1,), False)
        return out

    def backward(self, grad: Any) -> Any:
        """Each pair's grad * sign(d) * (|d| / distance)^(p - 1), summed over the pairs; 0 at 0.

        For p = inf every coordinate that reaches the maximum gets all of grad.
        """
        a, b, out = self.saved
        d_a = d_b = None
        rows, columns = shape_of(a)[-2:]
        lead = array_of(a).size // max(rows * columns, 1)
        step = max(_BLOCK // max(lead * shape_of(b)[-2] * columns, 1), 1)
        pieces = []
        for k in range(0, rows, step):
            at = (..., slice(k, k + step), slice(None))
            weights = _pair_gradients(
                _unsqueeze(apply_view(Slice, a, at), -2),
                _unsqueeze(b, -3),
                _unsqueeze(apply_view(Slice, out, at), -1),
                _unsqueeze(apply_view(Slice, grad, at), -1),
                self.p,
            )
            if self.next[0] is not None:
                pieces.append(sum(weights, -2))
            if self.next[1] is not None:
                part = neg(sum(weights, -3))
                d_b = part if d_b is None else add(d_b, part)
        if self.next[0] is not None:
            d_a = cat(pieces, -2) if pieces else a
        if self.next[1] is not None and d_b is None:
            d_b = zeros_of(b)
        return d_a, d_b


class EuclideanDist(Cdist):
    """Euclidean distances of all rows by a product: |a|^2 + |b|^2 - 2 a b."""

    def forward(self, a: Any, b: Any, p: float = 2.0) -> Any:
        x, y = cpu.widened(a), cpu.widened(b)
        products = matmul(x, transpose(y, -1, -2))
        squares = sum(x * x, -1, True) + transpose(sum(y * y, -1, True), -1, -2)
        squares -= products + products
        return np.sqrt(np.maximum(squares, 0)).astype(a.dtype, copy=False)

    def backward(self, grad: Any) -> Any:
        """With w = grad / distance (0 at 0): d a = a * (sum of w) - w b, d b as that."""
        a, b, out = self.saved
        zero = array_of(out) == 0
        w = fill(div(grad, fill(out, zero, 1)), zero, 0)
        d_a = d_b = None
        if self.next[0] is not None:
            d_a = sub(mul(a, sum(w, -1, True)), matmul(w, b))
        if self.next[1] is not None:
            w = transpose(w, -1, -2)
            d_b = sub(mul(b, sum(w, -1, True)), matmul(w, a))
        return d_a, d_b


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
    return take_at(reshape(cdist(input, input, p, _MODES[2]), (n * n,)), [_upper(n)], (0,))


def _upper(n: int) -> np.ndarray:
    """The numbers, in a flattened n × n matrix, of the entries above the diagonal."""
    i, j = np.triu_indices(n, 1)
    return i * n + j
