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
def test_normal_blocks(dtype: str) -> None:
    for n in (0, 1, 2, 1000):
        state = states(n, 0)[0]
        u = np.empty((n, 16), dtype)
        (cpu.uniform32 if dtype == "float32" else cpu.uniform64)(state, u)
        expected = streams.normal_blocks(u)
        cpu.normal_blocks(u)
        np.testing.assert_array_equal(u, expected)
    ends = np.array([[0, 1 - 2.0**-24]], dtype).repeat(8, axis=1)
    expected = streams.normal_blocks(ends)
    cpu.normal_blocks(ends)
    np.testing.assert_array_equal(ends, expected)


def test_wrong_arguments() -> None:
    state = np.zeros(625, np.uint32)
    for bad in (np.zeros(624, np.uint32), np.zeros(625, np.int32), [0] * 625):
        with pytest.raises((TypeError, ValueError), match="uniform32: state"):
            cpu.uniform32(bad, np.empty(3, np.float32))
    for bad in (np.empty(3), np.empty(6, np.float32)[::2], 3):
        with pytest.raises((TypeError, ValueError), match="uniform32: out"):
            cpu.uniform32(state, bad)
    with pytest.raises(ValueError, match="multiple of 16"):
        cpu.normal_blocks(np.empty(17, np.float32))
