"""Reductions of many short rows, narrow columns and short pieces, and the range of products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels.cpu import _C
from minigrad.kernels.reduction import KINDS

FORMS: dict[str, Any] = {
    "sum": np.sum,
    "prod": np.prod,
    "max": np.max,
    "min": np.min,
    "norminf": lambda x, **k: np.max(np.abs(x), **k),
    "norm1": lambda x, **k: np.sum(np.abs(x), **k),
}


def reduce(name: str, x: Any, dim: Any) -> Any:
    return _C.reduce(None, KINDS.index(name), x, dim, False, 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FORMS)
def test_rows_and_columns(isa: str, name: str, dtype: type) -> None:
    rng = np.random.default_rng(0)
    for n in (1, 3, 8, 9, 31, 64, 96, 129, 200, 511):
        for rows in (3, 5, 16, 37):
            x = rng.uniform(0.5, 1.5, (rows, n)).astype(dtype) * np.where(
                rng.random(n) < 0.3, -1, 1
            )
            x = x.astype(dtype)
            for axis in (0, 1):
                y = np.ascontiguousarray(x.T) if axis == 0 else x
                exact = FORMS[name](y.astype(np.float64), axis=axis)
                got = reduce(name, y, axis)
                np.testing.assert_allclose(got, exact, rtol=4e-6, atol=1e-5)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 0.0])
@pytest.mark.parametrize("n", [3, 40, 96, 300, 1200])
def test_special_values(isa: str, n: int, special: float) -> None:
    x = np.random.default_rng(1).uniform(0.5, 1.5, (40, n)).astype(np.float32)
    x[3, n - 1] = x[17, 0] = x[39, n // 2] = special
    for name, form in FORMS.items():
        with np.errstate(all="ignore"):
            exact = form(x.astype(np.float64), axis=1).astype(np.float32)
            np.testing.assert_allclose(reduce(name, x, 1), exact, rtol=1e-5)
            columns = form(x.astype(np.float64), axis=0).astype(np.float32)
            np.testing.assert_allclose(reduce(name, x, 0), columns, rtol=1e-5)


@pytest.mark.parametrize("n", [40, 96, 600, 3000])
def test_products_leave_the_range_of_floats(isa: str, num_threads: Any, n: int) -> None:
    """Partial products are too large or too small for a float, the whole is not."""
    row = np.repeat(np.array([1e15, 1e-15, 1.0], np.float32), (8, 8, n - 16))
    x = np.random.default_rng(5).permuted(np.tile(row, (40, 1)), axis=1)
    for threads in (1, 2):
        num_threads(threads)
        np.testing.assert_allclose(reduce("prod", x, 1), 1, rtol=1e-5)
    denormal = np.array([[1e-20, 1e-20, 1e30, 1.0]] * 20, np.float32)
    np.testing.assert_allclose(reduce("prod", denormal, 1), 1e-10, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_short_pieces(isa: str, dtype: type) -> None:
    x = np.random.default_rng(2).standard_normal((5, 33, 7, 50)).astype(dtype)
    for name in ("sum", "max", "norm1"):
        exact = FORMS[name](x.astype(np.float64), axis=(1, 3))
        np.testing.assert_allclose(reduce(name, x, (1, 3)), exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integer_rows(isa: str, dtype: str) -> None:
    rng = np.random.default_rng(3)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    for n in (1, 2, 7, 8, 33, 96, 1100):
        x = rng.integers(low, high, (21, n), dtype=dtype)
        t = mg.from_numpy(x)
        for name in ("sum", "amax", "amin"):
            form = getattr(np, name.lstrip("a"))
            exact = form(x, 1, dtype="int64") if name == "sum" else form(x, 1)
            np.testing.assert_array_equal(getattr(t, name)(1).numpy(), exact)
        np.testing.assert_array_equal(t.cumsum(1).numpy(), np.cumsum(x, 1, dtype="int64"))
        np.testing.assert_array_equal(t.cumprod(1).numpy(), np.cumprod(x, 1, dtype="int64"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reverse", [False, True])
def test_running_log_sum_exp(isa: str, num_threads: Any, reverse: bool, dtype: type) -> None:
    x = np.random.default_rng(4).normal(0, 300, (6, 41, 5)).astype(dtype)
    x[0, 3] = x[1, :4] = -np.inf
    x[2, 7], x[3, 5], x[4, 2:6] = np.inf, np.nan, np.inf
    for axis in (0, 1, 2):
        with np.errstate(all="ignore"):
            y = np.flip(x, axis) if reverse else x
            exact = np.logaddexp.accumulate(y.astype(np.float64), axis=axis)
        exact = np.flip(exact, axis) if reverse else exact
        results = []
        for threads in (1, 2):
            num_threads(threads)
            results.append(_C.scan(x, axis, None, reverse))
        np.testing.assert_array_equal(*results)
        np.testing.assert_allclose(results[0], exact, rtol=1e-6, atol=1e-6)


def test_all_between() -> None:
    i = np.arange(-3, 12).reshape(3, 5)
    assert _C.all_between(i, -3, 12) is True
    assert _C.all_between(i, -2, 12) is False
    assert _C.all_between(i, -3, 11) is False
    assert _C.all_between(i[:, 1:3], -2, 10) is True
    assert _C.all_between(np.broadcast_to(i[0], (4, 5)), -3, 2) is True
    assert _C.all_between(np.broadcast_to(i[0], (4, 5)), -3, 1) is False
    assert _C.all_between(i[:0], 0, 1) is True
    assert _C.all_between(i.astype(np.int32), -3, 12) is None
