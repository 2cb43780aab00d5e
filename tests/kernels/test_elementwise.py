"""Elementwise kernels: error of the elementary functions, special values, sizes and forms."""

from __future__ import annotations

import numpy as np
import pytest

from minigrad.kernels import fast

# name, exact function, stated bound in ulp (csrc/cpu/vmath.h), range
FUNCTIONS = [
    ("exp", np.exp, 1.0, (-87.0, 88.7)),
    ("log", np.log, 1.0, (1e-37, 3e38)),
    ("sqrt", np.sqrt, 0.5, (0.0, 3e38)),
    ("tanh", np.tanh, 2.0, (-12.0, 12.0)),
    ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), 3.0, (-80.0, 80.0)),
    ("reciprocal", lambda x: 1 / x, 0.5, (1e-30, 1e30)),
]
SIZES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 100)


def unary(name: str, x: np.ndarray) -> np.ndarray:
    result = fast.fast_unary(object, fast.spec(name, 1, (), (), False), x)
    assert result is not None
    return result


def binary(name: str, x: object, y: object) -> np.ndarray:
    result = fast.fast_binary(object, fast.spec(name, 2, (), (), False), x, y)
    assert result is not None
    return result


def samples(low: float, high: float) -> np.ndarray:
    """Values spread evenly and by magnitude over a range, both signs where it has them."""
    rng = np.random.default_rng(0)
    even = rng.uniform(low, high, 200_000)
    top = max(abs(low), abs(high))
    sizes = np.exp(rng.uniform(np.log(max(1e-30, low)), np.log(top), 200_000))
    both = np.concatenate([even, sizes, -sizes])
    both = both.astype(np.float32)
    return both[(both >= low) & (both <= high)]


@pytest.mark.parametrize(("name", "exact", "bound", "limits"), FUNCTIONS)
def test_error_in_ulp(isa: str, name: str, exact, bound: float, limits: tuple) -> None:  # type: ignore[no-untyped-def]
    x = samples(*limits)
    truth = exact(x.astype(np.float64))
    spacing = np.spacing(np.abs(truth).astype(np.float32)).astype(np.float64)
    normal = np.abs(truth) > 1.2e-38  # subnormal results are flushed
    error = np.abs(unary(name, x).astype(np.float64) - truth) / spacing
    assert error[normal].max() <= bound + 0.01


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "exact"), [f[:2] for f in FUNCTIONS])
def test_special_values(isa: str, name: str, exact, dtype: type) -> None:  # type: ignore[no-untyped-def]
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e5, -1e5, 100, -200], dtype)
    with np.errstate(all="ignore"):
        truth = exact(x.astype(np.float64)).astype(dtype)
        # Results below the smallest normal number are flushed to zero.
        truth[np.abs(truth) < np.finfo(dtype).tiny] = 0
    got = unary(name, x)
    np.testing.assert_allclose(got, truth, rtol=3e-7)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(truth))


def test_log_of_subnormals_when_they_are_kept(isa: str) -> None:
    x = np.array([1e-40, 1.4e-45, 1e-38], np.float32)
    np.testing.assert_allclose(unary("log", x), np.log(x.astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", SIZES)
def test_arithmetic(isa: str, n: int, dtype: type) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.standard_normal((2, n)).astype(dtype)
    rows = rng.standard_normal((3, n)).astype(dtype)
    with np.errstate(all="ignore"):
        for name, exact in (
            ("add", np.add),
            ("sub", np.subtract),
            ("mul", np.multiply),
            ("div", np.divide),
        ):
            np.testing.assert_array_equal(binary(name, x, y), exact(x, y))
            np.testing.assert_array_equal(binary(name, x, 2.5), exact(x, dtype(2.5)))
            np.testing.assert_array_equal(binary(name, 2.5, y), exact(dtype(2.5), y))
            np.testing.assert_array_equal(binary(name, rows, y), exact(rows, y))
    np.testing.assert_array_equal(unary("neg", x), -x)
    np.testing.assert_array_equal(unary("relu", x), np.maximum(x, 0))
    np.testing.assert_array_equal(binary("relu_backward", y, x), np.where(x > 0, y, 0))
    np.testing.assert_allclose(binary("tanh_backward", y, x), y * (1 - x * x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        binary("sigmoid_backward", y, x), y * x * (1 - x), rtol=1e-5, atol=1e-6
    )


def test_what_the_kernels_do_not_take_is_left_to_numpy() -> None:
    spec = fast.spec("add", 2, (), (), False)
    x = np.ones((4, 4), np.float32)
    for a, b in (
        (x, x.astype(np.float64)),
        (x.T[:, ::2], x.T[:, ::2]),
        (x, np.ones((4, 1), np.float32)),
        (x.astype(np.int32), x.astype(np.int32)),
        (x.astype(">f4"), x),
        (1.0, 2.0),
    ):
        assert fast.fast_binary(object, spec, a, b) is None


def test_threads_do_not_change_the_bits(isa: str, num_threads) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).standard_normal(200_003).astype(np.float32)
    results = []
    for count in (1, 2):
        num_threads(count)
        results.append([unary("tanh", x), binary("mul", x, x)])
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)
