"""Int8 products, quantizing and pooling against NumPy, for every instruction set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad.kernels import cpu, numpy_int8
from minigrad.kernels.cpu import _C

pytestmark = pytest.mark.usefixtures("isa")
SIZES = [(1, 1, 1), (1, 10, 3), (2, 16, 64), (3, 17, 65), (5, 63, 4), (7, 65, 33), (49, 130, 259)]


def numbers(n: int, k: int, zeros: bool, seed: int = 0) -> tuple:
    """Weights with the extremes among them, scales, zero points and bias."""
    rng = np.random.default_rng(seed)
    w = rng.integers(-128, 128, (n, k)).astype(np.int8)
    w[: n // 2 + 1, : k // 2] = -128  # all of one sign: sums are as large as they get
    zero = rng.integers(-128, 128, n).astype(np.int32) if zeros else np.zeros(n, np.int32)
    scale = rng.uniform(0.001, 0.02, n).astype(np.float32)
    return w, scale, zero, rng.standard_normal(n).astype(np.float32)


def inputs(*shape: int) -> Any:
    x = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    x[: len(x) // 2 + 1] = np.where(x[: len(x) // 2 + 1] > 20, 255, 0)
    return x


def close(ours: Any, want: Any) -> None:
    assert ours.dtype == want.dtype and ours.shape == want.shape
    if want.dtype == np.uint8:
        np.testing.assert_array_equal(ours, want)
    else:
        np.testing.assert_allclose(ours, want, rtol=2e-7, atol=2e-7 * abs(want).max())


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("zeros", [False, True])
def test_linear(size: tuple, zeros: bool, relu: bool) -> None:
    m, n, k = size
    w, scale, zero, bias = numbers(n, k, zeros)
    x = inputs(m, k)
    for b in (bias, None):
        packed = cpu.Int8Weight(w, scale, zero, b)
        for out_grid in (None, (0.3 * k**0.5, 121)):
            ours = cpu.int8_linear(x, packed, (0.037, 113), out_grid, relu)
            want = numpy_int8.int8_linear(x, w, scale, zero, b, (0.037, 113), out_grid, relu)
            close(ours, want)


CONVS = [
    # N, C, H, W, K, R, S, stride, padding, dilation, groups
    (1, 1, 1, 1, 1, 1, 1, (1, 1), (0, 0), (1, 1), 1),
    (2, 3, 9, 8, 5, 3, 3, (1, 1), (1, 1), (1, 1), 1),
    (2, 4, 7, 9, 17, 1, 1, (1, 1), (0, 0), (1, 1), 1),
    (1, 5, 9, 9, 6, 1, 1, (2, 1), (1, 0), (1, 1), 1),
    (1, 8, 10, 11, 20, 3, 2, (2, 3), (2, 1), (2, 3), 1),
    (3, 6, 6, 5, 9, 3, 3, (1, 2), (1, 1), (1, 1), 3),
    (2, 70, 5, 6, 70, 3, 3, (1, 1), (1, 1), (1, 1), 70),
    (2, 7, 5, 6, 14, 3, 3, (2, 2), (1, 1), (1, 1), 7),
    (9, 16, 14, 14, 33, 5, 5, (1, 1), (2, 2), (1, 1), 1),
]


@pytest.mark.parametrize("case", CONVS, ids=str)
@pytest.mark.parametrize("zeros", [False, True])
def test_conv(case: tuple, zeros: bool) -> None:
    n, c, h, v, k, r, s, stride, padding, dilation, groups = case
    w, scale, zero, bias = numbers(k, c // groups * r * s, zeros)
    w = w.reshape(k, c // groups, r, s)
    x = inputs(n, h, v, c)
    packed = cpu.Int8Weight(w, scale, zero, bias, groups)
    assert packed.depthwise == (groups == k == c and groups > 1 and not zeros)
    for out_grid in (None, (0.9, 20)):
        for relu in (False, True):
            grids = ((0.037, 113), out_grid, relu)
            ours = cpu.int8_conv(x, packed, *grids, stride, padding, dilation)
            want = numpy_int8.int8_conv(
                x, w, scale, zero, bias, *grids, stride, padding, dilation, groups
            )
            close(ours, want)


@pytest.mark.parametrize("rows", [1, 3, 50])
@pytest.mark.parametrize("k", [1, 15, 16, 17, 130])
@pytest.mark.parametrize("levels", [127, 255])
def test_linear_of_real_numbers(rows: int, k: int, levels: int) -> None:
    w, scale, zero, bias = numbers(19, k, True)
    packed = cpu.Int8Weight(w, scale, zero, bias)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((rows, k)).astype(np.float32) * 10 ** rng.uniform(-3, 2, (rows, 1))
    x = x.astype(np.float32)
    x[-1] = abs(x[-1])
    each = cpu.int8_linear_real(x, packed, True, levels)
    for i in range(rows):  # a row by its own range is a whole tensor by its range
        alone = cpu.int8_linear_real(x[i : i + 1], packed, False, levels)
        np.testing.assert_array_equal(each[i : i + 1], alone)
    exact = x.astype(np.float64) @ ((w.astype(np.int32) - zero[:, None]) * scale[:, None]).T + bias
    step = (np.maximum(x.max(1), 0) - np.minimum(x.min(1), 0)) / levels
    steps = abs((w.astype(np.int32) - zero[:, None]) * scale[:, None]).sum(1)
    # Each input is off by half a step at most, and by as much as 0 was moved to lie on the grid.
    bound = step[:, None] * steps * 1.01 + 1e-4
    assert (abs(each - exact) <= bound).all()


def test_what_is_not_finite_shows() -> None:
    w, scale, zero, bias = numbers(5, 20, False)
    packed = cpu.Int8Weight(w, scale, zero, bias)
    for bad in (np.nan, np.inf, -np.inf):
        x = np.ones((3, 20), np.float32)
        x[1, 19] = bad
        rows = cpu.int8_linear_real(x, packed, True)
        assert np.isnan(rows[1]).all() and np.isfinite(rows[[0, 2]]).all()
        assert np.isnan(cpu.int8_linear_real(x, packed, True, relu=True)[1]).all()
        assert np.isnan(cpu.int8_linear_real(x, packed, False)).all()
        assert np.isnan(cpu.value_range(x)).all()


@pytest.mark.parametrize("size", [0, 1, 15, 17, 33, 100003])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_quantize_and_dequantize(size: int, dtype: Any) -> None:
    low = np.iinfo(dtype).min
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32) * 4
    x[: min(size, 7)] = [np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, -0.0][: min(size, 7)]
    args = (0.037, low + 77, low + 3, low + 240, np.dtype(dtype))
    q = cpu.quantize(x, *args)
    want = numpy_int8.quantize(x, *args)
    wrong = q != want  # without fused products a tie may fall to the other side
    assert not wrong.any() if _C.isa() != "baseline" else (wrong.mean() < 1e-3 or not size)
    np.testing.assert_array_equal(cpu.dequantize(q, 0.037, low + 77),
                                  numpy_int8.dequantize(q, 0.037, low + 77))  # fmt: skip
    least, largest = cpu.value_range(x[7:])
    assert (least, largest) == numpy_int8.value_range(x[7:])


@pytest.mark.parametrize("size", [1, 17, 70001])
def test_fake_quantize(size: int) -> None:
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32) * 4
    x[: min(size, 5)] = [np.nan, np.inf, -np.inf, 3e9, 0.5 * 0.037][: min(size, 5)]
    y, inside = cpu.fake_quantize(x, 0.037, 5, -100, 90)
    with np.errstate(invalid="ignore"):
        q = np.rint(x * (np.float32(1) / np.float32(0.037))) + 5
        np.testing.assert_array_equal(inside, (q >= -100) & (q <= 90))
    held = np.fmin(np.fmax(q, -100), 90).astype(np.float32)
    np.testing.assert_array_equal(y, (held - 5) * np.float32(0.037))


@pytest.mark.parametrize("channels", [1, 5, 64])
def test_max_pool(channels: int) -> None:
    x = inputs(2, 9, 7, channels)
    for window in (((2, 2), (2, 2), (0, 0), (1, 1)), ((3, 2), (1, 2), (1, 1), (2, 1))):
        want = numpy_int8.int8_max_pool(x, *window)
        np.testing.assert_array_equal(cpu.int8_max_pool(x, *window), want)


def test_threads_do_not_matter(num_threads: Any) -> None:
    w, scale, zero, bias = numbers(300, 1152, True)
    flat = cpu.Int8Weight(w, scale, zero, bias)
    planes = cpu.Int8Weight(w.reshape(300, 128, 3, 3), scale, zero, bias)
    real = np.random.default_rng(3).standard_normal((200, 1152)).astype(np.float32)
    x = inputs(4, 20, 20, 128)
    found = []
    for threads in (1, 2, 3):
        num_threads(threads)
        found.append(
            (
                cpu.int8_linear_real(real, flat, True),
                cpu.int8_linear_real(real, flat, False),
                cpu.int8_conv(x, planes, (0.1, 7), (30.0, 100), False, (1, 1), (1, 1), (1, 1)),
                cpu.quantize(real, 0.02, 100, 0, 255, np.dtype(np.uint8)),
            )
        )
    for other in found[1:]:
        for a, b in zip(found[0], other):
            np.testing.assert_array_equal(a, b)


def test_bad_arguments() -> None:
    w, scale, zero, bias = numbers(5, 20, False)
    packed = cpu.Int8Weight(w, scale, zero, bias)
    x = inputs(3, 20)
    out = np.empty((3, 5), np.float32)
    good = (*packed.arguments, 0.1, 3, 1.0, 0, False)
    _C.int8_linear(out, x, *good)
    for wrong in (
        (out, x[:, :19].copy(), *good),
        (out[:2], x, *good),
        (out.astype(np.float64), x, *good),
        (out, x.astype(np.int8), *good),
        (out, x, packed.arguments[0][:-1], *good[1:]),
        (out, x, *good[:2], scale, *good[3:]),
        (out, x, *good[:9], 0.0, *good[10:]),
        (out, x, *good[:10], 300, *good[11:]),
    ):
        with pytest.raises((ValueError, TypeError)):
            _C.int8_linear(*wrong)
    with pytest.raises(ValueError):
        cpu.Int8Weight(np.zeros((1, 70000), np.int8), [1], [0], None)
    planes = cpu.Int8Weight(w[:, :9].reshape(5, 1, 3, 3), scale, zero, bias)
    with pytest.raises(ValueError, match="windows"):
        _C.int8_conv(np.empty((1, 4, 3, 5), np.float32), np.zeros((1, 5, 5, 1), np.uint8),
                     *planes.arguments, 0.1, 0, 1.0, 0, False, 3, 3, 1, 1, 0, 0, 1, 1)  # fmt: skip
