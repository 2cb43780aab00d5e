"""The compiled random stream against its NumPy form, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from minigrad.kernels import cpu, streams

SIZES = (0, 1, 2, 7, 311, 312, 313, 623, 624, 625, 1248, 5000)


def states(seed: int, used: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.empty(625, np.uint32), np.empty(625, np.uint32)
    cpu.mt_seed(a, seed)
    streams.mt_seed(b, seed)
    np.testing.assert_array_equal(a, b)
    for state, module in ((a, cpu), (b, streams)):
        module.draw32(state, np.empty(used, np.uint32))
    return a, b


@pytest.mark.parametrize("used", [0, 1, 623, 624])
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("draw32", "uint32"), ("draw64", "uint64"), ("uniform32", "float32"),
     ("uniform64", "float64"), ("shuffle", "int64")],
)  # fmt: skip
def test_fills(name: str, dtype: str, used: int) -> None:
    for n in SIZES:
        a, b = states(2**31 + 5, used)
        x, y = (np.arange(n).astype(dtype) for _ in range(2))
        for _ in range(2):
            getattr(cpu, name)(a, x)
            getattr(streams, name)(b, y)
            np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(a[:624], b[:624])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("used", [0, 624])
@pytest.mark.parametrize(
    ("name", "numbers"),
    [("uniform_fill", (0, 1)), ("uniform_fill", (-0.3, 0.7)), ("uniform_fill", (2.0, 2.0)),
     ("normal_fill", (0, 1)), ("normal_fill", (-3.3, 0.01)), ("normal_fill", (0, 0))],
)  # fmt: skip
def test_distributions(name: str, numbers: tuple, used: int, dtype: str) -> None:
    for n in SIZES + (1023, 1024, 1025, 1040, 5000):
        if name == "normal_fill" and n < 16:
            continue
        a, b = states(n, used)
        x, y = np.empty(n, dtype), np.empty(n, dtype)
        getattr(cpu, name)(a, x, *numbers)
        getattr(streams, name)(b, y, *numbers)
        np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("span", [1, 2, 3, 10, 1000, 2**16, 2**28 - 1, 2**31 + 11, 2**32 - 1])
def test_integers(span: int) -> None:
    for n in SIZES:
        a, b = states(n, 600)
        x, y = np.empty(n, np.int64), np.empty(n, np.int64)
        cpu.integers(a, x, -5, span)
        streams.integers(b, y, -5, span)
        np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(a, b)


def test_denormal_numbers_are_kept() -> None:
    state = states(3, 0)[0]
    x = np.empty(100_000, np.float32)
    cpu.uniform_fill(state, x, 0, 1e-40)
    assert np.count_nonzero(x) > 90_000
    cpu.normal_fill(state, x, 0, 1e-40)
    assert np.count_nonzero(x) > 90_000


def test_wrong_arguments() -> None:
    state = np.zeros(625, np.uint32)
    for bad in (np.zeros(624, np.uint32), np.zeros(625, np.int32), [0] * 625):
        with pytest.raises((TypeError, ValueError), match="uniform32: state"):
            cpu.uniform32(bad, np.empty(3, np.float32))
    for bad in (np.empty(3), np.empty(6, np.float32)[::2], 3):
        with pytest.raises((TypeError, ValueError), match="uniform32: out"):
            cpu.uniform32(state, bad)
    with pytest.raises(ValueError, match="at least 16"):
        cpu.normal_fill(state, np.empty(15, np.float32), 0, 1)
    for span in (0, -1, 2**32):
        with pytest.raises(ValueError, match="span"):
            cpu.integers(state, np.empty(3, np.int64), 0, span)
    with pytest.raises(TypeError, match="float32 or float64"):
        cpu.uniform_fill(state, np.empty(15, np.int32), 0, 1)
