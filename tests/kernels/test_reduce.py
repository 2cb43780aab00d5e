"""Reductions over any dimensions: sizes, precision, NaN, layouts, threads."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels.cpu import _C
from minigrad.kernels.reduction import KINDS, numpy_total, numpy_variance, total

SHAPES = [
    ((0,), (0,)), ((1,), (0,)), ((17,), (0,)), ((515,), (0,)), ((200_003,), (0,)),
    ((3, 0), (0,)), ((0, 3), (0,)), ((7, 33), (0,)), ((7, 33), (1,)), ((7, 33), (0, 1)),
    ((300, 5), (0,)), ((5, 300), (1,)), ((129, 257), (0,)), ((4, 65, 9), (1,)),
    ((4, 65, 9), (0, 1)), ((4, 65, 9), (1, 2)), ((2, 3, 4, 5), (1, 2)), ((3, 1000, 200), (1,)),
    ((6, 5, 70), (0, 2)), ((3, 4, 5, 6), (0, 2, 3)), ((5, 3, 4, 33), (0, 2)),
    ((2, 3, 200, 70), (0, 2, 3)), ((900, 1100), (0,)), ((3, 300_000), (1,)),
    ((0, 3, 2), (0, 2)), ((2, 3, 0), (0, 2)), ((0, 3, 2, 5), (0, 2)),
]  # fmt: skip


def reduce(name: str, x: Any, dim: Any, keepdim: bool = False, number: float = 0.0) -> Any:
    return _C.reduce(None, KINDS.index(name), x, dim, keepdim, number)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("shape", "axes"), SHAPES)
def test_against_float64(isa: str, shape: tuple, axes: tuple, keepdims: bool, dtype: type) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, shape).astype(dtype)
    got = reduce("sum", x, axes, keepdims)
    exact = x.astype(np.longdouble).sum(axes, keepdims=keepdims)
    assert got.dtype == dtype
    assert got.shape == exact.shape
    count = x.size / max(exact.size, 1)
    # Blocks of at most 512 values are added in T: the bound does not grow with the count.
    bound = np.finfo(dtype).eps * min(count, 512) * 4
    np.testing.assert_allclose(got, exact.astype(np.float64), rtol=0, atol=bound)


def test_precision_of_a_long_sum(isa: str) -> None:
    x = np.full(5_000_000, 0.1, np.float32)
    exact = float(x[0].astype(np.float64) * len(x))
    assert abs(float(reduce("sum", x, (0,))) - exact) / exact < 2e-7


REFERENCES: dict[str, Any] = {
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
    "norm1": lambda x, **k: np.sum(np.abs(x), **k),
    "norm2": lambda x, **k: np.sqrt(np.sum(np.square(x), **k)),
    "norminf": lambda x, **k: np.max(np.abs(x), **k),
    "normleast": lambda x, **k: np.min(np.abs(x), **k),
    "norm0": lambda x, **k: np.sum(x != 0, **k),
    "count_nonzero": lambda x, **k: np.sum(x != 0, **k),
    "any": lambda x, **k: np.any(x != 0, **k),
    "all": lambda x, **k: np.all(x != 0, **k),
    "logsumexp": lambda x, **k: np.log(np.sum(np.exp(x), **k)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("special", [(), (np.nan,), (np.inf,), (-np.inf,), (np.inf, -np.inf)])
@pytest.mark.parametrize(("shape", "axes"), [s for s in SHAPES if 0 not in s[0]])
def test_kinds(isa: str, shape: tuple, axes: tuple, special: tuple, dtype: type) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.2, 1.2, shape).astype(dtype)
    x[rng.uniform(size=shape) < 0.01] = 0
    for value in special:
        x.reshape(-1)[rng.integers(x.size)] = value
    tolerance = np.finfo(dtype).eps * 64
    for name, reference in REFERENCES.items():
        with np.errstate(all="ignore"):
            expected = reference(x.astype(np.float64), axis=axes)
        if name == "prod" and special:
            continue  # an underflow to 0 times infinity
        got = reduce(name, x, axes)
        np.testing.assert_allclose(got, expected, tolerance, tolerance * 4, err_msg=name)
    for name, correction in itertools.product(("var", "std"), (0.0, 1.0)):
        with np.errstate(all="ignore"):
            expected = numpy_variance(x, axes, correction, True)
        expected = np.sqrt(expected) if name == "std" else expected
        got = reduce(name, x, axes, True, correction)
        np.testing.assert_allclose(got, expected.astype(dtype), tolerance, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_variance_far_from_zero(isa: str, dtype: type) -> None:
    x = (np.random.default_rng(0).standard_normal((300, 700)) + 1e4).astype(dtype)
    for axes in ((0,), (1,), (0, 1)):
        value, mean = _C.var_mean(x, axes, False, 1.0, False)
        np.testing.assert_allclose(value, x.astype(np.longdouble).var(axes, ddof=1), 1e-6)
        np.testing.assert_allclose(mean, x.astype(np.longdouble).mean(axes), 1e-7)
    outlier = np.array([1e10] + [0.0, 1.0] * 600, dtype)
    value = reduce("var", outlier, None, False, 1.0)
    np.testing.assert_allclose(value, outlier.astype(np.longdouble).var(ddof=1), 1e-6)


def test_large_values(isa: str) -> None:
    x = np.full(1000, 1e30, np.float32)
    np.testing.assert_allclose(reduce("norm2", x, None), 1e30 * np.sqrt(1000.0), 1e-6)
    x = np.full(1000, 1e3, np.float32)
    np.testing.assert_allclose(reduce("logsumexp", x, None), 1e3 + np.log(1e3), 1e-6)
    x = np.full((300_000,), -1e3, np.float32)
    x[:200_000] = -np.inf
    np.testing.assert_allclose(reduce("logsumexp", x, None), -1e3 + np.log(1e5), 1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("smallest", [False, True])
@pytest.mark.parametrize("shape", [(1,), (15,), (17,), (70_001,), (7, 33), (33, 7), (4, 65, 300)])
def test_extrema(isa: str, shape: tuple, smallest: bool, dtype: type) -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(-9, 9, shape).astype(dtype)  # many equal ones: the first counts
    broken = rng.standard_normal(shape).astype(dtype)
    broken.reshape(-1)[rng.integers(0, broken.size, 3)] = np.nan
    find = np.argmin if smallest else np.argmax
    for x in (whole, broken, -np.abs(whole)):
        assert _C.arg_extremum(smallest, x, None, False) == find(x)
        for dim in range(x.ndim):
            values, indices = _C.extremum(None, smallest, x, dim, False)
            np.testing.assert_array_equal(indices, find(x, dim))
            expected = np.take_along_axis(x, np.expand_dims(indices, dim), dim)
            np.testing.assert_array_equal(values, expected.squeeze(dim))
            kept = _C.arg_extremum(smallest, x, dim, True)
            np.testing.assert_array_equal(kept, find(x, dim, keepdims=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", [(0,), (1,), (9,), (1003,), (7, 33), (33, 7), (3, 5, 300)])
def test_scans(isa: str, shape: tuple, reverse: bool, dtype: type) -> None:
    x = np.random.default_rng(0).uniform(-1.5, 1.5, shape).astype(dtype)
    for dim in range(x.ndim):
        for product in (False, True):
            wide = x.astype(np.float64)
            wide = np.flip(wide, dim) if reverse else wide
            expected = (np.cumprod if product else np.cumsum)(wide, dim)
            expected = np.flip(expected, dim) if reverse else expected
            got = _C.scan(x, dim, product, reverse)
            tolerance = np.finfo(dtype).eps * (1 if dtype is np.float32 else 1000)
            np.testing.assert_allclose(got, expected, tolerance, 1e-11)


def test_bytes(isa: str) -> None:
    x = np.random.default_rng(0).uniform(size=(4, 70, 33)) < 0.05
    for dim in (None, 0, 1, 2, (0, 1), (1, 2)):
        np.testing.assert_array_equal(reduce("count_nonzero", x, dim), np.count_nonzero(x, dim))
        np.testing.assert_array_equal(reduce("any", x, dim), x.any(dim))
        np.testing.assert_array_equal(reduce("all", ~x, dim), (~x).all(dim))
    assert reduce("any", x, (0, 2)) is None


def test_threads_do_not_change_the_bits(isa: str, num_threads: Any) -> None:
    x = np.random.default_rng(0).standard_normal((700, 1001)).astype(np.float32)
    kinds = ("sum", "max", "prod", "norm2", "var", "logsumexp")
    results = []
    for count in (1, 2):
        num_threads(count)
        results.append(
            [reduce(name, x, axes, False, 1.0) for name in kinds for axes in ((0,), (1,), (0, 1))]
            + [_C.arg_extremum(False, x, dim, False) for dim in (None, 0, 1)]
            + [_C.scan(x, dim, False, False) for dim in (0, 1)]
        )
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_it_does_not_take_goes_to_numpy() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    six = np.arange(64.0).reshape(2, 2, 2, 2, 2, 2)
    for array, axes in ((x.astype(np.int16), (0,)), (six, (0, 2, 4))):
        assert reduce("sum", array, axes) is None
        np.testing.assert_allclose(total(array, axes), numpy_total(array, axes))
    for dim in (3, -4, (0, 0), 1.0, True):
        assert reduce("sum", x, dim) is None
    assert reduce("sum", x, 0, 1) is None
    assert reduce("max", np.zeros((3, 0)), 1) is None


LAYOUTS = {
    "turned": lambda x: x.transpose(2, 1, 0),
    "swapped": lambda x: x.transpose(1, 0, 2),
    "part": lambda x: x[:, 1:-1, 2:],
    "every other": lambda x: x[::2, ::3],
    "odd steps": lambda x: x[:, :, ::2],
    "backwards": lambda x: x[:, ::-1],
    "expanded": lambda x: np.broadcast_to(x[:, :1], x.shape),
}
AXES = [None, 0, 1, 2, (0, 1), (1, 2), (0, 2)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(5, 6, 7), (40, 33, 18), (3, 300, 70)])
def test_layouts(isa: str, num_threads: Any, shape: tuple, layout: str, dtype: type) -> None:
    x = np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(dtype)
    view = LAYOUTS[layout](x)
    dense = np.ascontiguousarray(view)
    for axes in AXES:
        for name in ("sum", "mean", "max", "min", "prod", "norm2", "var", "logsumexp", "nansum"):
            for threads in (1, 2):
                num_threads(threads)
                got = reduce(name, view, axes, False, 1.0)
                want = reduce(name, dense, axes, False, 1.0)
                np.testing.assert_allclose(got, want, 1e-5 if dtype is np.float32 else 1e-12)
        if axes is None or isinstance(axes, int):
            got = _C.arg_extremum(True, view, axes, False)
            np.testing.assert_array_equal(got, dense.argmin(axes))


@pytest.mark.parametrize("n", range(1, 70))
def test_short_rows_with_nan(isa: str, n: int) -> None:
    for dtype in (np.float32, np.float64):
        x = np.random.default_rng(n).standard_normal((n + 2, n)).astype(dtype)
        for row in range(n):
            x[row, row] = np.nan
        x[-1] = -np.inf
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(reduce("max", x, 1), x.max(1))
            np.testing.assert_array_equal(reduce("min", x, 1), x.min(1))
            np.testing.assert_array_equal(reduce("norminf", x, 1), np.abs(x).max(1))
        np.testing.assert_allclose(reduce("nansum", x[:-1], 1), np.nansum(x[:-1], 1), 1e-4, 1e-5)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize(
    "shape", [(7,), (200_003,), (7, 33), (300, 5), (9, 65, 1100), (5, 3, 4, 9)]
)
def test_integers(isa: str, num_threads: Any, shape: tuple, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-(2**62), 2**62, shape).astype(dtype)
    views = [x, x.T, x[::2], x[..., 1:], x[..., ::-1]]
    dims: list[Any] = [None, *range(x.ndim), *itertools.combinations(range(x.ndim), 2)]
    for view, dim in itertools.product(views, dims):
        for threads in (1, 2):
            num_threads(threads)
            t = mg.from_numpy(view) if min(view.strides) > 0 else mg.from_numpy(view.copy())
            axes = tuple(range(x.ndim)) if dim is None else dim
            got = t.sum(dim) if dim is not None else t.sum()
            np.testing.assert_array_equal(got.numpy(), view.sum(axes, dtype=np.int64))
            assert got.dtype is mg.int64
            if dim is None or isinstance(dim, int):
                got = t.prod() if dim is None else t.prod(dim)
                np.testing.assert_array_equal(got.numpy(), view.prod(axes, dtype=np.int64))
            for name, of in (("amax", np.max), ("amin", np.min)):
                got = getattr(mg, name)(t, axes)
                np.testing.assert_array_equal(got.numpy(), of(view, axes))
                assert got.dtype is t.dtype


@pytest.mark.parametrize("shape", [(9,), (1003,), (7, 33), (33, 700), (3, 5, 300)])
def test_running_sums_of_integers(isa: str, shape: tuple) -> None:
    x = np.random.default_rng(0).integers(-(2**62), 2**62, shape)
    for dim in range(x.ndim):
        np.testing.assert_array_equal(_C.scan(x, dim, False, False), np.cumsum(x, dim))
        np.testing.assert_array_equal(_C.scan(x, dim, True, False), np.cumprod(x, dim))
        back = np.flip(np.cumsum(np.flip(x, dim), dim), dim)
        np.testing.assert_array_equal(_C.scan(x, dim, False, True), back)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("shape", [(1,), (9,), (1003,), (7, 33), (33, 700), (3, 5, 300)])
def test_running_extrema(isa: str, num_threads: Any, shape: tuple, dtype: type) -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(-9, 9, shape).astype(dtype)
    broken = whole.copy()
    if dtype is not np.int64:
        broken.reshape(-1)[rng.integers(0, broken.size, 3)] = np.nan
    for x, dim, smallest in itertools.product((whole, broken), range(len(shape)), (False, True)):
        best = (np.minimum if smallest else np.maximum).accumulate(x, dim)
        place = np.expand_dims(np.arange(shape[dim]), tuple(range(1, len(shape) - dim)))
        latest = np.maximum.accumulate(np.where((x == best) | (x != x), place, 0), dim)
        for threads in (1, 2):
            num_threads(threads)
            values, indices = _C.record(x, dim, smallest)
            np.testing.assert_array_equal(values, best)
            np.testing.assert_array_equal(indices, latest)
