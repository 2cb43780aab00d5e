"""Integrals and derivatives of sampled functions: the trapezoidal rule and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.record import apply_view
from ..autograd.variable import Variable
from ._reduction import constant
from ._shape import array_arg, array_of, normalize_dim, whole
from .arith import add, div, mul, sub
from .join import cat
from .movement import reshape
from .reduce import sum
from .scan import cumsum
from .slices import Slice, at_dim, select

__all__ = ["cumulative_trapezoid", "gradient", "trapezoid", "trapz"]


def _part(x: Any, dim: int, start: int | None, end: int | None) -> Any:
    return apply_view(Slice, x, at_dim(dim, slice(start, end)))


# -- integrals -----------------------------------------------------------------------------------


def _widths(name: str, y: Any, x: Any, dx: Any, d: int) -> Any:
    """The distance of neighbouring samples: a number, or a tensor that broadcasts with them."""
    if x is None:
        if dx is not None and not isinstance(dx, (bool, int, float, np.number)):
            raise TypeError(f"{name}(): argument 'dx' must be Number, not {type(dx).__name__}")
        return 1 if dx is None else dx
    if dx is not None:
        raise TypeError(
            f"{name}() received an invalid combination of arguments: 'x' and 'dx' were both given; "
            "needed: one of them"
        )
    points, values = array_arg(name, x, 2, "x"), array_of(y)
    if points.dtype.kind == "b":
        raise RuntimeError(
            f"{name}: received a bool input for `x` or `y`, but bool is not supported"
        )
    if points.ndim == 1:
        if points.shape[0] != values.shape[d]:
            raise RuntimeError(
                f"{name}: There must be one `x` value for each sample point: given "
                f"{points.shape[0]} values, needed {values.shape[d]}"
            )
        x = reshape(x, (-1,) + (1,) * (values.ndim - d - 1))
        points, d = array_of(x), 0
    else:
        d -= values.ndim - points.ndim
    return sub(_part(x, d, 1, None), _part(x, d, None, -1))


def _samples(name: str, y: Any, x: Any, dx: Any, dim: int) -> tuple:
    """The dimension, the left and right neighbours and their distance."""
    values = array_arg(name, y, 1, "y")
    if not values.ndim:
        raise IndexError(f"{name}: Dimension specified as {dim} but tensor has no dimensions")
    d = normalize_dim(dim, values.ndim)
    if values.dtype.kind == "b":
        raise RuntimeError(f"{name}: received a bool input for `y`, but bool is not supported")
    return d, _part(y, d, None, -1), _part(y, d, 1, None), _widths(name, y, x, dx, d)


def trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The integral along `dim` of samples `y` by the trapezoidal rule.

    The samples lie at `x` (one vector, or a tensor that broadcasts), or `dx` (1) apart. 0 without
    samples. RuntimeError for bools and a vector `x` of another length.
    """
    values = array_arg("trapezoid", y, 1, "y")
    if values.ndim and not values.shape[normalize_dim(dim, values.ndim)]:
        d = normalize_dim(dim, values.ndim)
        return constant(y, np.zeros((*values.shape[:d], *values.shape[d + 1 :]), values.dtype))
    d, left, right, widths = _samples("trapezoid", y, x, dx, dim)
    if x is not None:
        return div(sum(mul(add(left, right), widths), d), 2)
    ends = add(select(y, d, 0), select(y, d, -1))
    return mul(sub(sum(y, d), mul(ends, 0.5)), widths)


def cumulative_trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The integrals from the first sample to each other one; arguments as of `trapezoid`."""
    if array_arg("cumulative_trapezoid", y, 1, "y").dtype.kind == "b":  # before all else
        raise RuntimeError(
            "cumulative_trapezoid: received a bool input for `y`, but bool is not supported"
        )
    d, left, right, widths = _samples("cumulative_trapezoid", y, x, dx, dim)
    if x is None:
        return cumsum(mul(add(left, right), widths / 2), d)
    return cumsum(div(mul(add(left, right), widths), 2), d)


trapz = trapezoid


# -- derivatives ---------------------------------------------------------------------------------


def gradient(input: Any, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple:
    """Finite differences of `input` along each dimension of `dim` (all): one tensor for each.

    Second-order accurate inside; at the ends first-order, or second-order with `edge_order=2`.
    `spacing`: a distance, one for each dimension, or a vector of coordinates for each. RuntimeError
    for dimensions with fewer than `edge_order` + 1 samples.
    """
    x = array_arg("gradient", input)
    one = dim is None or isinstance(dim, (tuple, list))
    dims = tuple(range(x.ndim)) if dim is None else tuple(dim) if one else (dim,)
    steps = _spacings(spacing, dims)
    order = whole("gradient(): edge_order", edge_order)
    if order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if not all(isinstance(s, (Variable, np.ndarray)) for s in steps) and any(
        isinstance(s, (Variable, np.ndarray)) for s in steps
    ):
        raise TypeError("gradient(): argument 'spacing' must be numbers or Tensors, not both")
    if dims and not x.ndim:
        raise IndexError(f"Dimension specified as {dims[0]} but tensor has no dimensions")
    wrapped = [normalize_dim(d, x.ndim) for d in dims]
    if len(set(wrapped)) != len(wrapped):
        raise RuntimeError("dim appears multiple times in the list of dims")
    for d in wrapped:
        if (x.shape[d] if x.ndim else 1) < order + 1:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least edge_order+1"
            )
    if x.dtype == np.uint8:
        raise RuntimeError("torch.gradient does not support uint8 input.")
    results = []
    for d, step in zip(wrapped, steps, strict=True):
        if isinstance(step, (Variable, np.ndarray)):
            results.append(_uneven(input, step, d, order))
        else:
            results.append(_even(input, step, d, order))
    return tuple(results)


def _spacings(spacing: Any, dims: tuple) -> list:
    """The distance or the coordinates for each dimension."""
    spacing = 1 if spacing is None else spacing
    if isinstance(spacing, (bool, int, float, np.number)):
        return [spacing] * len(dims)
    if isinstance(spacing, (Variable, np.ndarray)) and not array_of(spacing).ndim:
        return [array_of(spacing).item()] * len(dims)
    if not isinstance(spacing, (tuple, list)):
        raise TypeError(
            "gradient(): argument 'spacing' must be a number or a sequence of numbers or Tensors, "
            f"not {type(spacing).__name__}"
        )
    if len(spacing) != len(dims):
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar or a list of as many "
            f"elements as dimensions: got {len(spacing)}, needed {len(dims)}"
        )
    return list(spacing)


def _even(f: Any, h: Any, d: int, order: int) -> Any:
    """Differences of samples at one distance `h`."""
    inner = div(sub(_part(f, d, 2, None), _part(f, d, None, -2)), 2 * h)
    if order == 1:
        first = div(sub(_part(f, d, 1, 2), _part(f, d, 0, 1)), h)
        last = div(sub(_part(f, d, -1, None), _part(f, d, -2, -1)), h)
    else:
        first = _weighted(f, d, (0, 1, 2), (-1.5 / h, 2 / h, -0.5 / h))
        last = _weighted(f, d, (-1, -2, -3), (1.5 / h, -2 / h, 0.5 / h))
    return cat([first, inner, last], d)


def _weighted(f: Any, d: int, places: tuple, weights: tuple) -> Any:
    terms = [mul(_part(f, d, p, p + 1 or None), w) for p, w in zip(places, weights, strict=True)]
    return add(add(terms[0], terms[1]), terms[2])


def _uneven(f: Any, points: Any, d: int, order: int) -> Any:
    """Differences of samples at coordinates `points`, by the parabola through three of them."""
    x, at = array_arg("gradient", points, 2, "spacing"), array_of(f)
    if x.ndim != 1:
        raise RuntimeError(
            f"torch.gradient expected each element of spacing to have one dimension, but got an "
            f"element with {x.ndim} dimensions!"
        )
    if x.shape[0] != at.shape[d]:
        raise RuntimeError(
            f"torch.gradient expected each element of spacing to have as many coordinates as the "
            f"dimension: given {x.shape[0]}, needed {at.shape[d]}"
        )
    shape = (-1,) + (1,) * (at.ndim - d - 1)
    h = reshape(sub(_part(points, 0, 1, None), _part(points, 0, None, -1)), shape)
    left, right = _part(h, 0, None, -1), _part(h, 0, 1, None)
    both = add(left, right)
    a = div(mul(right, -1), mul(left, both))
    b = div(sub(right, left), mul(left, right))
    c = div(left, mul(right, both))
    inner = add(
        add(mul(_part(f, d, None, -2), a), mul(_part(f, d, 1, -1), b)), mul(_part(f, d, 2, None), c)
    )
    if order == 1:
        first = div(sub(_part(f, d, 1, 2), _part(f, d, 0, 1)), _part(h, 0, 0, 1))
        last = div(sub(_part(f, d, -1, None), _part(f, d, -2, -1)), _part(h, 0, -1, None))
        return cat([first, inner, last], d)
    h1, h2 = _part(h, 0, 0, 1), _part(h, 0, 1, 2)
    first = _weighted(f, d, (0, 1, 2), _end_weights(h1, h2))
    h1, h2 = _part(h, 0, -1, None), _part(h, 0, -2, -1)
    last = mul(_weighted(f, d, (-1, -2, -3), _end_weights(h1, h2)), -1)
    return cat([first, inner, last], d)


def _end_weights(h1: Any, h2: Any) -> tuple:
    """The weights of the first three samples, `h1` and `h2` apart, for the derivative there."""
    both = add(h1, h2)
    a = div(mul(add(both, h1), -1), mul(h1, both))
    return a, div(both, mul(h1, h2)), div(mul(h1, -1), mul(h2, both))
