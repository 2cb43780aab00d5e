"""Functions of torch on shapes, dimensions and types that hypothesis draws, beside PyTorch's.

Values, dtypes, shapes, the first gradient, or else the class of error.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg

torch = pytest.importorskip("torch")

DTYPES = ("float32", "float64", "int64", "uint8", "bool")
shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
dims = st.integers(-4, 4)
seeds = st.integers(0, 1000)
orders = st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf")])


def drawn(*strategies: Any) -> Callable:
    """`given` without a deadline: the first call of either library may be slow."""
    return lambda test: settings(deadline=None, max_examples=60)(given(*strategies)(test))


def array(shape: tuple, seed: int) -> np.ndarray:
    """Values between -3 and 3, some of them equal and some 0."""
    return np.round(np.random.default_rng(seed).uniform(-3, 3, shape) * 4) / 4


def outcome(m: Any, call: Callable, arrays: list, dtype: str) -> Any:
    """The results and gradients of a call as arrays, or the class of its error."""
    kind = getattr(m, dtype)
    floats = dtype.startswith("float")
    given = [m.tensor(a).to(kind).requires_grad_(floats) for a in arrays]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = call(m, *given)
    except Exception as error:  # noqa: BLE001
        return type(error)
    several = list(result) if isinstance(result, (tuple, list)) else [result]
    ends = [r for r in several if r.requires_grad]
    found = [(str(r.dtype), tuple(r.shape), r.detach().double().numpy()) for r in several]
    if ends and floats:
        total = sum((r.double() * (i + 1.5)).sum() for i, r in enumerate(ends))
        grads = m.autograd.grad(total, given, allow_unused=True)
        found += [None if g is None else ("grad", g.detach().double().numpy()) for g in grads]
    return found


def check(call: Callable, *arrays: np.ndarray, dtype: str = "float64") -> None:
    theirs = outcome(torch, call, list(arrays), dtype)
    ours = outcome(mg, call, list(arrays), dtype)
    if isinstance(theirs, type):
        assert isinstance(ours, type) and issubclass(ours, theirs), (ours, theirs)
        return
    assert not isinstance(ours, type), ours
    # Integers are averaged in float32.
    single = any(b is not None and b[0] == "torch.float32" for b in theirs)
    tolerance = 1e-4 if single else 1e-9
    for a, b in zip(ours, theirs, strict=True):
        if b is None or a is None:
            for one in (a, b):
                assert one is None or not one[1].any()
            continue
        assert a[:-1] == b[:-1]
        np.testing.assert_allclose(a[-1], b[-1], tolerance, tolerance)


@drawn(shapes, dims, seeds, st.sampled_from(DTYPES), st.sampled_from(["trapezoid", "cumulative"]))
def test_integrals(shape, dim, seed, dtype, name):
    function = "trapezoid" if name == "trapezoid" else "cumulative_trapezoid"
    check(lambda m, y: getattr(m, function)(y, dim=dim), array(shape, seed), dtype=dtype)
    check(
        lambda m, y, x: getattr(m, function)(y, x, dim=dim), array(shape, seed), array((3,), seed)
    )


@drawn(shapes, dims, seeds, st.sampled_from([1, 2]), st.sampled_from([1, 0.5, None]))
def test_gradient(shape, dim, seed, order, spacing):
    options = {"edge_order": order, "spacing": spacing}
    check(lambda m, x: m.gradient(x, dim=dim, **options), array(shape, seed))
    check(lambda m, x: m.gradient(x, edge_order=order), array(shape, seed))


@drawn(shapes, seeds, st.integers(0, 2), st.sampled_from(DTYPES))
def test_covariances(shape, seed, correction, dtype):
    check(lambda m, x: m.cov(x, correction=correction), array(shape, seed), dtype=dtype)


@drawn(shapes, shapes, seeds, orders)
def test_distances(left, right, seed, p):
    a, b = array(left, seed), array(right, seed + 1)
    check(lambda m, x, y: m.cdist(x, y, p), a, b)
    check(lambda m, x: m.cdist(x, x + 1, p), a)
    if a.size:  # PyTorch's gradient crashes
        check(lambda m, x: m.pdist(x, p), a)
    if p >= 1:  # below, the gradient at equal numbers is not defined
        check(lambda m, x, y: m.dist(x, y, p), a, b)


@drawn(shapes, dims, seeds, orders, st.sampled_from([0.5, 2.0, 100.0]))
def test_renorm(shape, dim, seed, p, most):
    x = array(shape, seed) + 0.125  # not 0, where some norms have no gradient
    check(lambda m, t: m.renorm(t, p, dim, most), x)
    check(lambda m, t: m.norm_except_dim(t, 2, dim), x if x.size else np.ones((2, 3)))


@drawn(shapes, dims, st.integers(0, 4), seeds, st.sampled_from(["prod", "mean", "amax", "amin"]),
       st.booleans(), st.sampled_from(["float64", "int64"]))  # fmt: skip
def test_index_reduce(shape, dim, count, seed, how, included, dtype):
    rng = np.random.default_rng(seed)
    size = shape[dim] if shape and -len(shape) <= dim < len(shape) else 1
    if not size:
        count = 0  # no place exists; which error PyTorch raises depends on the gradient
    index = rng.integers(0, max(size, 1), count)
    place = list(shape)
    if place:
        place[dim if -len(place) <= dim < len(place) else 0] = count
    x, source = array(shape, seed) + 5.0625, array(tuple(place), seed + 1) + 5

    def call(m, t, s):
        return m.index_reduce(t, dim, m.tensor(index), s, how, include_self=included)

    check(call, x, source, dtype=dtype)


@drawn(shapes, dims, dims, st.integers(-3, 3), seeds, st.sampled_from(DTYPES))
def test_diagonals(shape, first, second, offset, seed, dtype):
    x = array(shape, seed)
    check(lambda m, t: m.diagonal_copy(t, offset, first, second), x, dtype=dtype)
    check(lambda m, t: m.diagflat(t, offset), x, dtype=dtype)
    try:
        part = np.diagonal(x, offset, first, second).shape
    except ValueError:
        part = (2,)
    source = array(part, seed + 1)
    check(lambda m, t, s: m.diagonal_scatter(t, s, offset, first, second), x, source, dtype=dtype)


@drawn(shapes, shapes, seeds, st.booleans(), st.sampled_from(DTYPES))
def test_membership(left, right, seed, invert, dtype):
    a, b = array(left, seed), array(right, seed + 1)
    check(lambda m, x, y: m.isin(x, y, invert=invert), a, b, dtype=dtype)
    check(lambda m, x: m.nonzero_static(x, size=5, fill_value=9), a, dtype=dtype)


@drawn(st.lists(st.integers(0, 5), max_size=3), st.lists(st.integers(0, 5), max_size=3), seeds)
def test_unravel_index(shape, places, seed):
    index = np.random.default_rng(seed).integers(0, 20, tuple(places))
    if 0 in shape and index.size:
        return  # PyTorch divides by zero
    check(lambda m, i: m.unravel_index(i, tuple(shape)), index, dtype="int64")


@drawn(shapes, st.integers(1, 5), seeds, st.booleans(), st.sampled_from(["float32", "float64"]))
def test_histograms(shape, bins, seed, density, dtype):
    x = array(shape, seed)
    with np.errstate(all="ignore"):
        check(lambda m, t: m.histogram(t.detach(), bins, density=density), x, dtype=dtype)
        edges = {"range": (-2.0, 2.0), "density": density}
        check(lambda m, t: m.histogram(t.detach(), bins, **edges), x, dtype=dtype)


@drawn(shapes, dims, st.integers(-5, 5), st.integers(-5, 5), st.integers(0, 3), seeds)
def test_copies(shape, dim, start, end, step, seed):
    x = array(shape, seed)
    check(lambda m, t: m.slice_copy(t, dim, start, end, step), x)
    check(lambda m, t: m.select_copy(t, dim, start), x)
    check(lambda m, t: m.narrow(t, dim, start, step), x)
    check(lambda m, t: m.unsqueeze_copy(t, dim), x)
    check(lambda m, t: m.squeeze_copy(t, dim), x)
    check(lambda m, t: m.transpose_copy(t, dim, start), x)
    check(lambda m, t: m.unbind_copy(t, dim), x)
    check(lambda m, t: m.unsafe_split(t, step, dim), x)
    check(lambda m, t: m.unsafe_chunk(t, end, dim), x)


@drawn(
    st.lists(st.integers(0, 3), min_size=1, max_size=4),
    st.integers(1, 3),
    seeds,
    st.sampled_from(["sum", "mean", "max", "min", "prod"]),
    st.sampled_from([None, 0.5]),
)
def test_segment_reduce(lengths, columns, seed, how, initial):
    # Distinct and not 0: PyTorch's gradients at ties and zeros are its own.
    count = sum(lengths)
    values = np.random.default_rng(seed).permutation(count * columns).reshape(count, columns)
    values = values / 4 + 1.125

    def call(m, t):
        return m.segment_reduce(t, how, lengths=m.tensor(lengths), initial=initial)

    if count:
        check(call, values)
