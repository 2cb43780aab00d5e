"""Softmax and log-softmax along any dimension: values, layouts, types, threads."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from minigrad.kernels import cpu, numpy_softmax
from minigrad.kernels.cpu import _C

SHAPES = [
    (1,), (16,), (65,), (1, 1), (3, 17), (17, 3), (33, 64), (64, 33), (5, 200), (300, 129),
    (2, 7, 16), (2, 7, 15), (3, 4, 5, 6), (1, 1000, 1), (4, 1, 70),
]  # fmt: skip
NAMES = ["softmax", "log_softmax"]


def sample(shape: tuple, dtype: Any = np.float32, seed: int = 0) -> Any:
    return (3 * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_against_wider_types(isa: str, shape: tuple, dtype: type, name: str) -> None:
    x, g = sample(shape, dtype), sample(shape, dtype, 1)
    bound = 64 * np.finfo(dtype).eps
    forward, backward = getattr(_C, name), getattr(_C, name + "_backward")
    exact = getattr(numpy_softmax, name), getattr(numpy_softmax, name + "_backward")
    for axis in range(len(shape)):
        y, want = forward(x, axis), exact[0](x.astype(np.longdouble), axis)
        assert y.dtype == dtype
        np.testing.assert_allclose(y, want, rtol=bound, atol=bound)
        got = backward(g, y, axis)
        want = exact[1](g.astype(np.longdouble), y.astype(np.longdouble), axis)
        np.testing.assert_allclose(got, want, rtol=bound, atol=bound * 16)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("axis", [0, 1])
def test_special_values_and_large_ones(isa: str, name: str, axis: int) -> None:
    x = sample((40, 50))
    x[1, :] = -np.inf
    x[:, 1] = -np.inf
    x[2, 3] = np.inf
    x[5, 6] = np.nan
    x[7, 8] = 3e38
    x[9, 10] = -3e38
    got, want = getattr(_C, name)(x, axis), getattr(numpy_softmax, name)(x, axis)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1000, 300), (40, 100, 33)])
def test_threads_do_not_change_the_bits(isa: str, shape: tuple, name: str, num_threads) -> None:  # type: ignore[no-untyped-def]
    x, results = sample(shape), []
    for count in (1, 2):
        num_threads(count)
        forward = [getattr(_C, name)(x, axis) for axis in range(len(shape))]
        backward = [getattr(_C, name + "_backward")(x, y, axis) for axis, y in enumerate(forward)]
        results.append(forward + backward)
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32])
@pytest.mark.parametrize("axis", [0, 1])
def test_halves_and_layouts(axis: int, dtype: type, name: str) -> None:
    bound = 4 * float(ml_dtypes.finfo(dtype).eps)
    for x in (sample((30, 40), dtype), sample((40, 30), dtype).T, sample((60, 40), dtype)[::2]):
        y = getattr(cpu, name)(x, axis)
        assert y.dtype == dtype
        want = getattr(numpy_softmax, name)(x.astype(np.float64), axis)
        np.testing.assert_allclose(y.astype(np.float64), want, rtol=bound, atol=bound)
        d = getattr(cpu, name + "_backward")(x, y, axis)
        assert d.dtype == dtype
        want = getattr(numpy_softmax, name + "_backward")(
            x.astype(np.float64), y.astype(np.float64), axis
        )
        np.testing.assert_allclose(d.astype(np.float64), want, rtol=bound, atol=bound * 8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(4100, 1024), (700, 6016), (4100, 1023)])
def test_large_results(isa: str, shape: tuple, name: str) -> None:
    x, g = sample(shape), sample(shape, seed=1)
    y, want = getattr(_C, name)(x, 1), getattr(numpy_softmax, name)(x.astype(np.float64), 1)
    np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-6)
    d = getattr(_C, name + "_backward")(g, y, 1)
    wide = g.astype(np.float64), y.astype(np.float64)
    want = getattr(numpy_softmax, name + "_backward")(*wide, 1)
    sums = np.finfo(np.float32).eps * np.abs(g).sum(1).max()  # where they cancel
    np.testing.assert_allclose(d, want, rtol=1e-5, atol=sums)


def test_empty() -> None:
    for shape in ((0, 3), (3, 0)):
        for axis in (0, 1):
            assert _C.softmax(np.zeros(shape, np.float32), axis) is None
            assert cpu.softmax(np.zeros(shape, np.float32), axis).shape == shape
