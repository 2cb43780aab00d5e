"""Normalisations of rows and channels: values, gradients, extremes, layouts, threads."""

from __future__ import annotations

import numpy as np
import pytest

from minigrad.kernels import cpu, numpy_norm
from minigrad.kernels.cpu import _C

TOLERANCE = {np.float32: 3e-5, np.float64: 1e-12}
ROWS = [(1, 2), (3, 5), (4, 16), (9, 17), (130, 33), (2, 9001), (300, 300), (1000, 40)]
GROUPS = [
    ((3, 4, 5, 1), 2), ((8, 16, 8, 8), 8), ((2, 6), 2), ((3, 6), 1), ((2, 3, 7, 7), 3),
    ((1, 2, 100, 100), 1), ((5, 32, 3), 4), ((2, 64, 33), 64),
]  # fmt: skip
CHANNELS = [
    (2, 1), (3, 5), (64, 17), (600, 50), (4096, 33), (3000, 3), (40, 100, 33), (8, 16, 8, 8),
    (1, 3, 70, 70), (700, 7, 30), (2, 3, 4, 5, 6),
    (7, 512), (70, 1041),
]  # fmt: skip


def some(*shapes: tuple, dtype: type = np.float32) -> list:
    rng = np.random.default_rng(len(shapes))
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def assert_same(got: tuple, expected: tuple, tolerance: float) -> None:
    assert len(got) == len(expected)
    for a, b in zip(got, expected):
        assert (a is None) == (b is None)
        if b is None:
            continue
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        scale = max(1.0, float(np.abs(b).max()))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


def parameters(w: np.ndarray, b: np.ndarray) -> list:
    return [(w, b), (None, b), (w, None), (None, None)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", ROWS)
def test_rows(isa: str, shape: tuple, dtype: type) -> None:
    rows, n = shape
    x, g, w, b = some(shape, shape, (n,), (n,), dtype=dtype)
    tolerance = TOLERANCE[dtype]
    for weight, bias in parameters(w, b):
        got = _C.layer_norm(x, weight, bias, n, 1e-5)
        expected = numpy_norm.layer_norm(x, weight, bias, n, 1e-5)
        assert_same(got, expected, tolerance)
        args = (g, x, *expected[1:], weight, 1, (True, weight is not None, bias is not None))
        assert_same(_C.layer_norm_backward(*args), numpy_norm.layer_norm_backward(*args), tolerance)
    for weight in (w, None):
        got = _C.rms_norm(x, weight, n, 1e-5)
        expected = numpy_norm.rms_norm(x, weight, n, 1e-5)
        assert_same(got, expected, tolerance)
        args = (g, x, expected[1], weight, 1, (True, weight is not None))
        assert_same(_C.rms_norm_backward(*args), numpy_norm.rms_norm_backward(*args), tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "groups"), GROUPS)
def test_groups(isa: str, shape: tuple, groups: int, dtype: type) -> None:
    x, g, w, b = some(shape, shape, shape[1:2], shape[1:2], dtype=dtype)
    for weight, bias in parameters(w, b):
        got = _C.group_norm(x, weight, bias, groups, 1e-5)
        expected = numpy_norm.group_norm(x, weight, bias, groups, 1e-5)
        assert_same(got, expected, TOLERANCE[dtype])
        want = (True, weight is not None, bias is not None)
        args = (g, x, *expected[1:], weight, groups, want)
        assert_same(
            _C.group_norm_backward(*args), numpy_norm.group_norm_backward(*args), TOLERANCE[dtype]
        )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", CHANNELS)
def test_channels(isa: str, shape: tuple, dtype: type, training: bool) -> None:
    x, g, w, b, mean = some(shape, shape, *[shape[1:2]] * 3, dtype=dtype)
    var = np.random.default_rng(0).uniform(0.5, 2, shape[1]).astype(dtype)
    tolerance = 4 * TOLERANCE[dtype]
    for weight, bias in parameters(w, b):
        ours, theirs = [mean.copy(), var.copy()], [mean.copy(), var.copy()]
        got = _C.batch_norm(x, weight, bias, *ours, training, 0.3, 1e-5)
        expected = numpy_norm.batch_norm(x, weight, bias, *theirs, training, 0.3, 1e-5)
        assert_same((*got, *ours), (*expected, *theirs), tolerance)
        want = (True, weight is not None, bias is not None)
        args = (g, x, weight, *expected[1:], training, want)
        assert_same(_C.batch_norm_backward(*args), numpy_norm.batch_norm_backward(*args), tolerance)


def test_variance_beside_a_large_mean(isa: str) -> None:
    """No cancellation, and nothing lost over many blocks."""
    rng = np.random.default_rng(0)
    x = (1000 + rng.standard_normal((4, 200_000))).astype(np.float32)
    exact = 1 / np.sqrt(x.astype(np.float64).var(1) + 1e-5)
    rows = _C.layer_norm(x, None, None, x.shape[1], 1e-5)
    np.testing.assert_allclose(rows[2][:, 0], exact, rtol=1e-5)
    for view in (x[None], np.ascontiguousarray(x.T)):
        channels = _C.batch_norm(view, None, None, None, None, True, 0.1, 1e-5)
        np.testing.assert_allclose(channels[2], exact, rtol=1e-5)
        assert abs(channels[0].astype(np.float64).std() - 1) < 1e-4


def test_squares_that_overflow(isa: str) -> None:
    """Channels are normalised all the same; rows become 0, as PyTorch's."""
    x = np.random.default_rng(0).standard_normal((40, 3, 20)).astype(np.float32)
    huge = x * np.float32(1e25)
    for shape in ((40, 3, 20), (800, 3)):
        expected = _C.batch_norm(x.reshape(shape), None, None, None, None, True, 0.1, 1e-30)[0]
        got = _C.batch_norm(huge.reshape(shape), None, None, None, None, True, 0.1, 1e-30)[0]
        np.testing.assert_allclose(got, expected, atol=1e-4)
    y, mean, rstd = _C.layer_norm(np.full((1, 40), 3e38, np.float32), None, None, 40, 1e-5)
    np.testing.assert_allclose(mean, 3e38, rtol=1e-6)
    assert np.isfinite(y).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_stay_in_their_row(isa: str, bad: float) -> None:
    x, w, b = some((6, 40), (40,), (40,))
    x[2, 38] = bad
    y = _C.layer_norm(x, w, b, 40, 1e-5)[0]
    assert np.isnan(y[2]).all()
    assert np.isfinite(np.delete(y, 2, 0)).all()
    y = _C.batch_norm(x, None, None, None, None, True, 0.1, 1e-5)[0]
    assert np.isnan(y[:, 38]).all()
    assert np.isfinite(np.delete(y, 38, 1)).all()
    y = _C.group_norm(x, None, None, 8, 1e-5)[0]
    assert np.isnan(y[2, 35:]).all()
    assert np.isfinite(y[2, :35]).all()


def test_threads_do_not_change_the_bits(isa: str, num_threads) -> None:  # type: ignore[no-untyped-def]
    x, g, w, b = some((700, 96), (700, 96), (96,), (96,))
    planes, down, cw, cb = some((9, 40, 21, 21), (9, 40, 21, 21), (40,), (40,))
    want = (True, True, True)
    results = []
    for count in (1, 2):
        num_threads(count)
        y, mean, rstd = _C.layer_norm(x, w, b, 96, 1e-5)
        found = [y, *_C.layer_norm_backward(g, x, mean, rstd, w, 1, want)]
        y, mean, rstd = _C.group_norm(planes, cw, cb, 4, 1e-5)
        found += [y, *_C.group_norm_backward(down, planes, mean, rstd, cw, 4, want)]
        for a, d, weight, bias in ((x, g, w, b), (planes, down, cw, cb)):
            y, mean, rstd = _C.batch_norm(a, weight, bias, None, None, True, 0.1, 1e-5)
            found += [y, mean, rstd]
            found += _C.batch_norm_backward(d, a, weight, mean, rstd, True, want)
        results.append(found)
    for one, two in zip(*results):
        np.testing.assert_array_equal(one, two)


def test_large_outputs_past_the_caches(isa: str) -> None:
    x, g, w, b = some((4200, 1024), (4200, 1024), (1024,), (1024,))
    got = _C.layer_norm(x, w, b, 1024, 1e-5)
    assert_same(got, numpy_norm.layer_norm(x, w, b, 1024, 1e-5), 3e-5)
    args = (g, x, got[1], got[2], w, 1, (True, True, True))
    got, expected = _C.layer_norm_backward(*args), numpy_norm.layer_norm_backward(*args)
    assert_same(got[:1], expected[:1], 3e-5)
    assert_same(got[1:], expected[1:], 2e-4)
    planes = x.reshape(42, 100, 32, 32)
    gamma, beta = w[:100].copy(), b[:100].copy()
    got = _C.batch_norm(planes, gamma, beta, None, None, True, 0.1, 1e-5)
    expected = numpy_norm.batch_norm(planes, gamma, beta, None, None, True, 0.1, 1e-5)
    assert_same(got, expected, 3e-5)
    args = (g.reshape(planes.shape), planes, gamma, *expected[1:], True, (True, True, True))
    assert_same(_C.batch_norm_backward(*args), numpy_norm.batch_norm_backward(*args), 2e-4)


@pytest.mark.parametrize("layout", ["transposed", "strided", "misaligned", "half"])
def test_other_layouts_and_types(layout: str) -> None:
    x, g, w, b = some((12, 8), (12, 8), (8,), (8,))
    tolerance = 1e-5
    if layout == "transposed":
        x, g = (np.ascontiguousarray(a.T).T for a in (x, g))
    elif layout == "strided":
        x, g = (np.repeat(a, 2, 1)[:, ::2] for a in (x, g))
    elif layout == "misaligned":
        block = np.empty(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
        block[...] = x
        x = block
    else:
        x, g, tolerance = x.astype(np.float16), g.astype(np.float16), 2e-3
    want = (True, True, True)
    expected = numpy_norm.layer_norm(x, w, b, 8, 1e-5)
    assert_same(cpu.layer_norm(x, w, b, 8, 1e-5), expected, tolerance)
    args = (g, x, *expected[1:], w, 1, want)
    assert_same(cpu.layer_norm_backward(*args), numpy_norm.layer_norm_backward(*args), tolerance)
    expected = numpy_norm.group_norm(x, w, b, 2, 1e-5)
    assert_same(cpu.group_norm(x, w, b, 2, 1e-5), expected, tolerance)
    args = (g, x, *expected[1:], w, 2, want)
    assert_same(cpu.group_norm_backward(*args), numpy_norm.group_norm_backward(*args), tolerance)
    expected = numpy_norm.batch_norm(x, w, b, None, None, True, 0.1, 1e-5)
    assert_same(cpu.batch_norm(x, w, b, None, None, True, 0.1, 1e-5), expected, tolerance)
    args = (g, x, w, *expected[1:], True, want)
    assert_same(cpu.batch_norm_backward(*args), numpy_norm.batch_norm_backward(*args), tolerance)


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 4, 2), (2, 4, 0)])
def test_nothing_goes_to_numpy(shape: tuple) -> None:
    x = np.zeros(shape, np.float32)
    assert _C.layer_norm(x, None, None, shape[-1], 1e-5) is None
    assert _C.batch_norm(x, None, None, None, None, True, 0.1, 1e-5) is None
    assert cpu.layer_norm(x, None, None, shape[-1], 1e-5)[0].shape == shape
    assert cpu.batch_norm(x, None, None, None, None, True, 0.1, 1e-5)[0].shape == shape
    if shape[1]:
        assert cpu.group_norm(x, None, None, 2, 1e-5)[0].shape == shape


def test_bad_arguments_are_refused() -> None:
    x = np.ones((4, 6), np.float32)
    wide = np.ones(6)
    assert _C.layer_norm(x, wide, None, 6, 1e-5) is None
    assert _C.layer_norm(x, None, np.ones(5, np.float32), 6, 1e-5) is None
    assert _C.layer_norm(x, None, None, 5, 1e-5) is None
    assert _C.group_norm(x, None, None, 4, 1e-5) is None
    assert _C.group_norm(x, None, None, 0, 1e-5) is None
    assert _C.layer_norm_backward(x, x, x, x, None, 1, (True, False, False)) is None
    assert _C.layer_norm_backward(x, x, x[:, :1], x[:, :1], None, 3, (True,)) is None
    assert _C.batch_norm(x, None, None, None, None, False, 0.1, 1e-5) is None
    frozen = np.ones(6, np.float32)
    frozen.flags.writeable = False
    assert _C.batch_norm(x, None, None, frozen, frozen, True, 0.1, 1e-5) is None
    with pytest.raises(TypeError):
        _C.layer_norm(x, None, None, 6)
    with pytest.raises(TypeError):
        _C.group_norm(x, None, None, "2", 1e-5)
