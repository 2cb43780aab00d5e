"""Reductions against NumPy in float64, over any axes of any layout."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled

from minigrad.kernels.reduction import KINDS

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16]
BOUND = {"float32": 3e-7, "float64": 1e-13, "float16": 1e-3, "bfloat16": 8e-3}


def reduce(cuda, x, name, axes, number=0.0, second=None, out_dtype=None):
    kind = KINDS.index(name)
    shape = [n for d, n in enumerate(x.shape) if d not in axes]
    out = filled(shape, out_dtype or x.dtype)
    work = cuda.reduce_workspace(cuda.strided(x), kind, axes) if x.size else 0
    work = filled(work, np.uint8) if work else None
    cuda.run("reduce", out, second, x, work, kind, axes, number)
    return out


def expected(x, name, axes, number):
    x = np.asarray(x, np.float64)
    plain = {
        "sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "prod": np.prod,
        "norm1": lambda x, axis: np.abs(x).sum(axis=axis),
        "norm2": lambda x, axis: np.sqrt((x * x).sum(axis=axis)),
        "norminf": lambda x, axis: np.abs(x).max(axis=axis),
        "normleast": lambda x, axis: np.abs(x).min(axis=axis),
        "nansum": np.nansum,
        "norm0": lambda x, axis: (x != 0).sum(axis=axis),
        "var": lambda x, axis: np.var(x, axis=axis, ddof=number),
        "std": lambda x, axis: np.std(x, axis=axis, ddof=number),
        "logsumexp": lambda x, axis: np.logaddexp.reduce(x, axis=axis) if len(axis) == 1
        else np.log(np.exp(x).sum(axis=axis)),
    }  # fmt: skip
    with np.errstate(all="ignore"):
        return plain[name](x, axis=axes)


def assert_near(got, want, dtype, scale=1.0):
    bound = BOUND[np.dtype(dtype).name] * scale
    np.testing.assert_allclose(np.asarray(got, np.float64), want, rtol=bound, atol=bound)


FLOAT_KINDS = [k for k in KINDS if k not in ("count_nonzero", "any", "all")]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FLOAT_KINDS)
def test_kinds_along_every_axis(cuda, name, dtype):
    rng = np.random.default_rng(0)
    x = rng.uniform(0.75, 1.25, (6, 40, 24)) if name == "prod" else rng.normal(1, 2, (6, 40, 24))
    x = x.astype(dtype)
    x[0, 0, :3] = 0 if name == "norm0" else x[0, 0, :3]
    for axes in [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]:
        if name == "prod" and len(axes) > 1:
            continue
        got = reduce(cuda, x, name, axes, 1.0)
        assert_near(got, expected(x, name, axes, 1.0), dtype, 4)


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 255, 1025, 20011])
@pytest.mark.parametrize("name", ["sum", "max", "var", "logsumexp"])
def test_every_length(cuda, name, n):
    x = np.random.default_rng(n).normal(3, 1, (n, 3)).astype(np.float32)
    for axes in [(0,), (1,), (0, 1)]:
        assert_near(reduce(cuda, x, name, axes), expected(x, name, axes, 0), x.dtype, 4)
        turned = np.ascontiguousarray(x.T).T
        assert_near(reduce(cuda, turned, name, axes), expected(x, name, axes, 0), x.dtype, 4)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_layouts(cuda, dtype):
    x = np.random.default_rng(0).normal(1, 1, (8, 9, 16, 6)).astype(dtype)
    views = [x[:, ::2], x[..., 1:], x.T, x[:, :, ::-1], x.transpose(0, 2, 1, 3), x[:1, :1]]
    for view in views:
        for axes in [(1,), (3,), (0, 2), (1, 3), (0, 2, 3)]:
            got = reduce(cuda, view, "sum", axes)
            assert_near(got, expected(view, "sum", axes, 0), dtype, 16)


def test_the_same_bits_as_rows_are_moved(cuda):
    x = np.random.default_rng(0).normal(0, 1, (3, 70000)).astype(np.float32)
    first = reduce(cuda, x, "sum", (1,))
    again = reduce(cuda, x[::-1].copy(), "sum", (1,))
    np.testing.assert_array_equal(first, again[::-1])


def test_precision_does_not_suffer_from_length_or_offset(cuda):
    x = (np.random.default_rng(0).normal(0, 1, 300000) + 1e4).astype(np.float32)
    mean = filled((), np.float32)
    got = reduce(cuda, x, "var", (0,), 1.0, second=mean)
    np.testing.assert_allclose(got, x.astype(np.float64).var(ddof=1), rtol=1e-7)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(), rtol=1e-7)
    got = reduce(cuda, x, "sum", (0,))
    np.testing.assert_allclose(got, x.astype(np.float64).sum(), rtol=1e-7)


@pytest.mark.parametrize("dtype", [*DTYPES, np.dtype(bool)], ids=str)
def test_counting(cuda, dtype):
    x = np.random.default_rng(0).integers(0, 2, (37, 70)).astype(dtype)
    x[3] = 1
    x[5] = 0
    for axes in [(0,), (1,), (0, 1)]:
        logical = x.astype(bool)
        got = reduce(cuda, x, "count_nonzero", axes, out_dtype=np.int64)
        np.testing.assert_array_equal(got, logical.sum(axis=axes))
        got = reduce(cuda, x, "any", axes, out_dtype=np.bool_)
        np.testing.assert_array_equal(got, logical.any(axis=axes))
        got = reduce(cuda, x, "all", axes, out_dtype=np.bool_)
        np.testing.assert_array_equal(got, logical.all(axis=axes))


def test_nan_and_infinity(cuda):
    x = np.random.default_rng(0).normal(0, 1, (5, 300)).astype(np.float32)
    x[0, 7], x[1, 11], x[2, 13], x[3] = np.nan, np.inf, -np.inf, -np.inf
    for name in ("max", "min", "sum", "logsumexp"):
        want = expected(x, name, (1,), 0)
        np.testing.assert_allclose(reduce(cuda, x, name, (1,)), want, rtol=1e-6)
        np.testing.assert_allclose(reduce(cuda, x.T.copy(), name, (0,)), want, rtol=1e-6)


def extrema(cuda, x, name, axis):
    axes = tuple(range(x.ndim)) if axis is None else (axis,)
    kind = len(KINDS) + (name == "argmin")
    shape = [n for d, n in enumerate(x.shape) if d not in axes]
    value, index = filled(shape, x.dtype), filled(shape, np.int64)
    work = cuda.reduce_workspace(cuda.strided(x), kind, axes)
    work = filled(work, np.uint8) if work else None
    cuda.run("reduce", value, index, x, work, kind, axes, 0.0)
    alone = filled(shape, np.int64)
    cuda.run("reduce", None, alone, x, work, kind, axes, 0.0)
    np.testing.assert_array_equal(alone, index)
    return value, index


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_first_extrema(cuda, name, dtype):
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 10, (37, 260)).astype(dtype)  # many are equal: the first one counts
    x[2, 50] = x[2, 90] = np.nan
    x[4] = -np.inf
    wide = x.astype(np.float64)
    for axis in (0, 1, None):
        value, index = extrema(cuda, x, name, axis)
        np.testing.assert_array_equal(index, getattr(np, name)(wide, axis=axis))
        want = {"argmax": np.max, "argmin": np.min}[name](wide, axis=axis)
        np.testing.assert_array_equal(value.astype(np.float64), want)
    long = rng.integers(-9, 10, 70001).astype(dtype)
    assert extrema(cuda, long, name, 0)[1] == getattr(np, name)(long.astype(np.float64))


def test_empty(cuda):
    x = np.zeros((0, 5), np.float32)
    np.testing.assert_array_equal(reduce(cuda, x, "sum", (0,)), np.zeros(5))
    np.testing.assert_array_equal(reduce(cuda, x, "prod", (0,)), np.ones(5))
    assert np.isnan(reduce(cuda, x, "mean", (0,))).all()
    assert reduce(cuda, x, "sum", (1,)).shape == (0,)
    with pytest.raises(ValueError, match="reduce: x is .* must have elements"):
        reduce(cuda, x, "max", (0,))


def test_bad_arguments(cuda):
    device = cuda.device
    x, out = device.array(np.zeros((3, 4), np.float32)), device.array(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="reduce: axis 2 was given"):
        cuda.reduce(out, None, x, None, 0, (2,), 0.0, 0)
    with pytest.raises(ValueError, match="reduce: out is .* must have 4 elements"):
        cuda.reduce(out, None, x, None, 0, (0,), 0.0, 0)
    with pytest.raises(TypeError, match="reduce: x is int32 .* floating-point type"):
        cuda.reduce(out, None, device.array(np.zeros(3, np.int32)), None, 0, (), 0.0, 0)
    long = device.array(np.zeros(70000, np.float32))
    with pytest.raises(ValueError, match="reduce: the workspace is None"):
        cuda.reduce(device.array(np.zeros((), np.float32)), None, long, None, 0, (0,), 0.0, 0)
