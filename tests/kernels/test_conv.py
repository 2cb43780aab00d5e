"""Convolution kernels against their NumPy forms and float64, for every instruction set."""

import numpy as np
import pytest

from minigrad.kernels import cpu, numpy_conv
from minigrad.kernels.cpu import _C

pytestmark = pytest.mark.usefixtures("isa")

# n, c, [d,] h, w, k, ([t,] r, s), stride, padding, dilation, groups
CASES = [
    (1, 1, 1, 1, 1, (1, 1), 1, 0, 1, 1),
    (2, 3, 8, 9, 17, (3, 3), 1, 1, 1, 1),
    (2, 17, 7, 5, 3, (3, 2), 2, 1, 1, 1),
    (3, 1, 12, 11, 5, (5, 5), 1, 2, 1, 1),
    (2, 4, 9, 10, 6, (3, 3), 3, 4, 2, 2),
    (2, 6, 7, 7, 6, (3, 3), 1, 1, 1, 6),
    (2, 5, 8, 8, 10, (3, 3), 2, 1, 1, 5),
    (1, 20, 6, 6, 30, (1, 1), 1, 0, 1, 1),
    (2, 7, 9, 9, 15, (1, 1), 2, 0, 1, 1),
    (1, 2, 5, 40, 3, (2, 7), 1, 3, 3, 1),
    (2, 3, 1, 50, 29, (1, 9), 4, 0, 1, 1),
    (1, 8, 20, 20, 4, (2, 2), 3, 0, 1, 1),
    (0, 3, 8, 8, 4, (3, 3), 1, 1, 1, 1),
    (5, 3, 33, 31, 28, (4, 3), (2, 1), (3, 0), (1, 2), 1),
    (2, 6, 5, 13, 20, (3, 5), (7, 11), (5, 8), (6, 3), 2),  # stride > kernel, padding > kernel
    (1, 2, 19, 8, 7, (5, 3), (4, 6), (8, 2), (6, 4), 1),  # taps that share residues
    # a kernel for each channel
    (2, 3, 30, 37, 3, (3, 3), 1, 1, 1, 3),
    (2, 4, 9, 7, 4, (5, 5), 1, (4, 0), 1, 4),
    (1, 2, 19, 20, 2, (7, 7), 1, 3, 1, 2),
    (2, 3, 10, 21, 3, (3, 2), (1, 2), 3, (2, 1), 3),
    (1, 2, 200, 90, 2, (3, 3), 1, (0, 5), 1, 2),
    (1, 1, 40, 700, 1, (5, 5), 2, 2, 3, 1),
    (1, 2, 2, 3000, 2, (3, 3), 1, 1, 1, 2),
    # the same with strides: in bands, phases without taps, more padding than taps, strides apart
    (2, 3, 57, 43, 3, (3, 3), 2, 1, 1, 3),
    (1, 2, 150, 130, 2, (5, 4), 2, (2, 1), 1, 2),
    (2, 4, 11, 13, 4, (1, 1), (3, 2), 0, 1, 4),
    (1, 3, 17, 40, 3, (2, 7), (4, 3), (5, 2), 1, 3),
    (2, 2, 9, 50, 2, (3, 3), (2, 1), 1, 1, 2),
    (1, 2, 20, 9, 2, (3, 3), (1, 4), (1, 7), 1, 2),
    (1, 2, 16, 16, 2, (3, 3), 5, 1, 1, 2),
    (1, 1, 5, 3900, 1, (3, 3), 2, 1, 1, 1),
    # the same with many channels: small planes, also with strides, wide padding and many taps
    (3, 40, 7, 7, 40, (3, 3), 1, 1, 1, 40),
    (2, 16, 9, 5, 16, (5, 5), 1, (4, 0), 1, 16),
    (2, 31, 14, 13, 31, (5, 3), (2, 3), (2, 1), (1, 2), 31),
    (1, 16, 3, 2, 16, (2, 2), 1, 3, 2, 16),
    (2, 64, 1, 1, 64, (3, 3), 1, 1, 1, 64),
    (1, 16, 4, 20, 16, (7, 7), 1, 3, 1, 16),
    (1, 16, 28, 28, 16, (3, 3), 2, 1, 1, 16),
    (1, 16, 21, 28, 16, (3, 3), 1, 1, 1, 16),  # does not fit
    # many channels: vectors along them, tiles that go over rows and images
    (3, 12, 7, 5, 20, (3, 3), 1, 1, 1, 1),
    (2, 34, 6, 7, 100, (3, 3), 2, 1, 1, 2),
    (5, 100, 3, 3, 48, (1, 1), 1, 0, 1, 1),
    (3, 64, 5, 6, 90, (1, 1), 1, 0, 1, 2),
    (2, 33, 4, 9, 130, (1, 1), 1, 0, 1, 1),
    (2, 96, 5, 6, 97, (2, 1), (3, 2), (1, 0), 1, 1),
    (9, 16, 13, 11, 33, (3, 3), 1, 0, 2, 1),
    (2, 128, 12, 13, 140, (1, 1), 1, 0, 1, 1),  # the gradient to the weight as products
    (3, 256, 11, 12, 300, (1, 1), 1, 0, 1, 2),
    # three dimensions
    (2, 3, 5, 8, 9, 17, (3, 3, 3), 1, 1, 1, 1),
    (2, 17, 4, 7, 5, 3, (2, 3, 2), 2, 1, 1, 1),
    (3, 1, 7, 6, 11, 5, (3, 5, 5), (1, 2, 2), (1, 2, 2), 1, 1),
    (2, 4, 6, 9, 10, 6, (3, 3, 3), 3, 4, 2, 2),
    (2, 6, 3, 7, 7, 6, (3, 3, 3), 1, 1, 1, 6),
    (1, 20, 3, 6, 6, 32, (1, 1, 1), 1, 0, 1, 1),
    (2, 32, 3, 4, 5, 20, (1, 1, 1), (2, 1, 1), 0, 1, 1),
    (2, 12, 1, 8, 8, 10, (3, 3, 3), 1, 1, 1, 1),  # planes of padding around one
    (2, 16, 5, 8, 8, 32, (5, 3, 3), (1, 2, 2), (0, 1, 1), 1, 1),  # one plane of outputs
    (2, 34, 5, 6, 7, 64, (3, 3, 3), 2, 1, 1, 2),
    (1, 40, 9, 5, 5, 16, (2, 2, 2), (3, 2, 1), (4, 0, 1), (2, 1, 3), 1),
    (0, 3, 4, 8, 8, 4, (3, 3, 3), 1, 1, 1, 1),
]


def each(value, n):
    return value if isinstance(value, tuple) else (value,) * n


def make(case, dtype, extra=0):
    """x, w, g, biases, steps; `extra` rows of outputs read the padding behind x only."""
    n, c, *extent, k, kernel, stride, padding, dilation, groups = case
    stride, padding, dilation = (each(v, len(extent)) for v in (stride, padding, dilation))
    size = [
        (i + 2 * p - d * (t - 1) - 1) // st + 1 + extra
        for i, p, d, t, st in zip(extent, padding, dilation, kernel, stride, strict=True)
    ]
    rng = np.random.default_rng(0)

    def array(*shape):
        return rng.standard_normal(shape).astype(dtype)

    arrays = array(n, c, *extent), array(k, c // groups, *kernel), array(n, k, *size)
    return *arrays, array(k), array(c), (stride, padding, dilation, groups)


def results(case, dtype, extra=0):
    x, w, g, bias_k, bias_c, steps = make(case, dtype, extra)
    return [
        cpu.conv(x, w, bias_k, g.shape, *steps),
        cpu.conv(x, w, None, g.shape, *steps),
        cpu.conv_input(g, w, bias_c, x.shape, *steps),
        cpu.conv_input(g, w, None, x.shape, *steps),
        cpu.conv_weight(x, g, w.shape, *steps),
    ]


def expected(case, dtype, extra=0):
    x, w, g, bias_k, bias_c, steps = (
        a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in make(case, dtype, extra)
    )
    outs = [np.empty_like(a) for a in (g, g, x, x, w)]
    numpy_conv.conv(outs[0], x, w, bias_k, *steps)
    numpy_conv.conv(outs[1], x, w, None, *steps)
    numpy_conv.conv_input(outs[2], g, w, bias_c, *steps)
    numpy_conv.conv_input(outs[3], g, w, None, *steps)
    numpy_conv.conv_weight(outs[4], x, g, *steps)
    return outs


@pytest.mark.parametrize("extra", [0, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_float64(case, dtype, extra):
    tolerance = 2e-4 if dtype is np.float32 else 1e-11
    for got, want in zip(results(case, dtype, extra), expected(case, dtype, extra), strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", CASES + [(9, 8, 30, 30, 20, (3, 3), 1, 1, 1, 1)], ids=str)
def test_threads_do_not_matter(case, num_threads):
    runs = []
    for threads in (1, 2, 3):
        num_threads(threads)
        runs.append(results(case, np.float32))
    for other in runs[1:]:
        for a, b in zip(runs[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


# n, c, (h, w), k, padding: 3 x 3 with stride 1 and enough channels for Winograd's transforms
WINOGRAD = [
    (2, 32, (16, 16), 32, 1),
    (3, 41, (19, 23), 57, 1),  # channels and tiles that are not full
    (1, 64, (13, 131), 57, (2, 0)),  # rows in several segments
    (7, 96, (9, 15), 128, 0),
    (3, 60, (8, 12), 60, 3),  # padding beyond the kernel
    (4, 512, (8, 7), 100, 1),  # weights in several groups of panels
    (5, 160, (32, 31), 64, 1),  # tiles in several chunks
]


def winograd_arrays(case):
    """x, w, g, biases, steps."""
    n, c, extent, k, padding = case
    x, w, g, bias_k, bias_c, steps = make((n, c, *extent, k, (3, 3), 1, padding, 1, 1), np.float32)
    return x, w / np.float32(np.sqrt(9 * c)), g, bias_k, bias_c, steps


def winograd_results(x, w, g, bias_k, bias_c, steps):
    return [
        cpu.conv(x, w, bias_k, g.shape, *steps),
        cpu.conv(x, w, None, g.shape, *steps),
        cpu.conv_input(g, w, bias_c, x.shape, *steps),
        cpu.conv_weight(x, g, w.shape, *steps),
    ]


@pytest.mark.parametrize("case", WINOGRAD, ids=str)
def test_error_of_transformed_products(case):
    """At most 3e-6 of the results' size in the mean, 2e-5 anywhere."""
    arrays = winograd_arrays(case)
    x, w, g, bias_k, bias_c, steps = (
        a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in arrays
    )
    outs = [np.empty_like(a) for a in (g, g, x, w)]
    numpy_conv.conv(outs[0], x, w, bias_k, *steps)
    numpy_conv.conv(outs[1], x, w, None, *steps)
    numpy_conv.conv_input(outs[2], g, w, bias_c, *steps)
    numpy_conv.conv_weight(outs[3], x, g, *steps)
    for got, want in zip(winograd_results(*arrays), outs, strict=True):
        size = np.sqrt(np.mean(want**2))
        assert np.sqrt(np.mean((got - want) ** 2)) < 3e-6 * size
        assert np.abs(got - want).max() < 2e-5 * size


@pytest.mark.parametrize("case", WINOGRAD, ids=str)
def test_threads_do_not_matter_to_transformed_products(case, num_threads):
    arrays = winograd_arrays(case)
    num_threads(1)
    first = winograd_results(*arrays)
    num_threads(3)
    for a, b in zip(first, winograd_results(*arrays), strict=True):
        np.testing.assert_array_equal(a, b)


def test_transformed_products_keep_to_their_memory():
    """NaN in memory around or another image changes nothing; only the output is written."""
    x, w, g, bias, _, steps = winograd_arrays(WINOGRAD[1])
    first = winograd_results(x, w, g, bias, None, steps)
    for _ in range(3):
        for size in (1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 21):
            _C.empty((size,), np.dtype(np.float32)).fill(np.nan)
        for a, b in zip(winograd_results(x, w, g, bias, None, steps), first, strict=True):
            np.testing.assert_array_equal(a, b)
    x[1] = np.nan
    result = cpu.conv(x, w, bias, g.shape, *steps)
    assert np.isnan(result[1]).all()
    np.testing.assert_array_equal(result[0], first[0][0])
    np.testing.assert_array_equal(result[2], first[0][2])
    flat = np.full(g.size + 64, 7, np.float32)
    out = flat[32 : 32 + g.size].reshape(g.shape)
    _C.conv2d(out, x, w, bias, 1, 1, 1, 1, 1, 1, 1)
    assert (flat[:32] == 7).all()
    assert (flat[-32:] == 7).all()


def test_nan_in_memory_around_does_not_leak():
    """Workspace that held NaN before gives the same results."""
    case = (3, 4, 6, 6, 5, (1, 1), 2, 0, 1, 1)
    first = results(case, np.float32)
    for _ in range(3):
        for size in (1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18):
            _C.empty((size,), np.dtype(np.float32)).fill(np.nan)
        for a, b in zip(results(case, np.float32), first, strict=True):
            np.testing.assert_array_equal(a, b)


def test_outputs_only_are_written():
    """Nothing before or behind the output changes."""
    x, w, g, bias, _, steps = make(CASES[1], np.float32)
    flat = np.full(g.size + 64, 7, np.float32)
    out = flat[32 : 32 + g.size].reshape(g.shape)
    _C.conv2d(out, x, w, bias, 1, 1, 1, 1, 1, 1, 1)
    assert (flat[:32] == 7).all()
    assert (flat[-32:] == 7).all()
    np.testing.assert_array_equal(out, cpu.conv(x, w, bias, g.shape, *steps))


def test_bad_arguments_are_named():
    x, w, g, bias, _, _ = make(CASES[1], np.float32)
    steps = (1, 1, 1, 1, 1, 1, 1)
    with pytest.raises(TypeError, match="conv2d: 3 arguments were given; it needs 11"):
        _C.conv2d(g, x, w)
    with pytest.raises(TypeError, match=r"conv2d: x is float64 .*; it must be float32"):
        _C.conv2d(g, x.astype(np.float64), w, bias, *steps)
    with pytest.raises(ValueError, match="conv2d: x .* must fit together"):
        _C.conv2d(g, x, w[:, :2].copy(), bias, *steps)
    with pytest.raises(ValueError, match="conv2d: stride 0 was given; it must be from 1 to"):
        _C.conv2d(g, x, w, bias, 0, 1, 1, 1, 1, 1, 1)
    with pytest.raises(ValueError, match="one value for each channel"):
        _C.conv2d(g, x, w, bias[1:].copy(), *steps)
    with pytest.raises(ValueError, match="it must have 4 dimensions"):
        _C.conv2d_weight(w, x[0], g, *steps)
    with pytest.raises(ValueError, match="it must have 5 dimensions"):
        _C.conv3d(g, x, w, bias, *[1] * 10)
