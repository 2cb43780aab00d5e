"""Copies in another order: each compiled form beside its NumPy form, and its adjoint."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from minigrad.kernels import _C, movement, numpy_movement

DTYPES = (np.float32, np.float64, np.int64, np.int16, np.uint8, np.bool_)
SHAPES = ((1,), (5,), (100,), (3, 4), (7, 33), (2, 1, 5), (4, 3, 17, 19), (2, 3, 1, 1, 70))
EMPTY = ((0,), (3, 0), (0, 4), (2, 0, 3))


def numbers(shape: tuple, dtype: type) -> np.ndarray:
    return (np.random.default_rng(0).integers(0, 200, shape)).astype(dtype)


def subsets(n: int) -> list[tuple[int, ...]]:
    return [c for k in range(n + 1) for c in itertools.combinations(range(n), k)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES + EMPTY)
def test_flip_and_roll(isa: str, shape: tuple, dtype: type) -> None:
    x = numbers(shape, dtype)
    for dims in subsets(len(shape)):
        np.testing.assert_array_equal(_C.flip(x, dims), np.flip(x, dims))
        for shift in (0, 1, -2, 3 * max(shape) + 1):
            shifts = tuple(shift + d for d in dims)
            got = _C.roll(x, shifts, dims)
            np.testing.assert_array_equal(got, np.roll(x, shifts, dims))
            assert got.dtype == x.dtype and got.flags.c_contiguous
    twice = _C.roll(x, (1, 2), (0, 0))
    np.testing.assert_array_equal(twice, np.roll(x, 3, 0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES + EMPTY)
def test_repeats(isa: str, shape: tuple, dtype: type) -> None:
    x = numbers(shape, dtype)
    for times in ((2,) * len(shape), (1, 3) + (1,) * len(shape), (3,) + (1,) * (len(shape) - 1)):
        np.testing.assert_array_equal(_C.repeat(x, times), np.tile(x, times))
    np.testing.assert_array_equal(_C.repeat(x, (0,) * len(shape)), np.tile(x, (0,) * len(shape)))
    for dim, times in itertools.product(range(len(shape)), (0, 1, 2, 3, 5, 40)):
        np.testing.assert_array_equal(_C.repeat_each(x, times, dim), np.repeat(x, times, dim))


def pads(shape: tuple, mode: str) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(0)
    widths = [(0,) * (2 * len(shape))]
    for _ in range(6):
        drawn = []
        for n in shape:
            most = n - 1 if mode == "reflect" else n // 2 if mode == "circular" else 3
            before, after = rng.integers(-(n // 3), max(most, 0) + 1, 2)
            drawn += [int(before), int(after)]
        widths.append(tuple(drawn))
    return widths


@pytest.mark.parametrize("mode", numpy_movement.MODES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_pads(isa: str, shape: tuple, dtype: type, mode: str) -> None:
    x, value = numbers(shape, dtype), np.array(3, dtype)
    for widths in pads(shape, mode):
        got = _C.pad(x, widths, numpy_movement.MODES.index(mode), value)
        if mode == "constant":
            assert got is not None
        if got is not None:
            np.testing.assert_array_equal(got, numpy_movement.pad(x, widths, mode, value))


@pytest.mark.parametrize("mode", numpy_movement.MODES[1:])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_the_adjoints(isa: str, shape: tuple, dtype: type, mode: str) -> None:
    number = numpy_movement.MODES.index(mode)
    for widths in pads(shape, mode):
        x = numpy_movement.pad(np.zeros(shape, dtype), widths, mode, 0)
        grad = np.random.default_rng(1).standard_normal(x.shape).astype(dtype)
        got = movement.pad_backward(grad, shape, widths, mode)
        wide = grad.astype(np.float64)
        want = numpy_movement.pad_backward(wide, shape, widths, number)
        assert got.dtype == dtype and got.shape == shape
        bound = {2: 1e-2, 4: 1e-5, 8: 1e-13}[got.itemsize]
        np.testing.assert_allclose(got, want, rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_of_repeat_each(isa: str, shape: tuple, dtype: type) -> None:
    for dim, times in itertools.product(range(len(shape)), (1, 2, 3, 20)):
        full = (*shape[:dim], shape[dim] * times, *shape[dim + 1 :])
        grad = np.random.default_rng(1).standard_normal(full).astype(dtype)
        got = movement.repeat_each_backward(grad, shape, times, dim)
        want = numpy_movement.repeat_each_backward(grad.astype(np.float64), shape, times, dim)
        bound = {2: 2e-2, 4: 1e-5, 8: 1e-13}[got.itemsize]
        np.testing.assert_allclose(got, want, rtol=bound, atol=bound)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (5, 3), (2, 4, 33), (20, 20), (0, 3), (3, 0)])
def test_triangles(isa: str, shape: tuple, dtype: type, upper: bool) -> None:
    x = numbers(shape, dtype) + np.array(1, dtype)
    for diagonal in (0, 1, -1, 2, -4, 50, -50):
        want = numpy_movement.triangle(x, diagonal, upper)
        np.testing.assert_array_equal(_C.triangle(x, diagonal, upper), want)


def test_many_dimensions_strides_and_objects_are_left_to_numpy() -> None:
    x = numbers((2,) * 12, np.float32)
    np.testing.assert_array_equal(movement.flip(x, tuple(range(12))), np.flip(x))
    assert _C.flip(x, tuple(range(12))) is None
    turned = numbers((30, 20), np.float32).T
    assert _C.flip(turned, (0,)) is None
    np.testing.assert_array_equal(movement.flip(turned, (0,)), np.flip(turned, 0))
    np.testing.assert_array_equal(movement.triangle(turned, 0, True), np.triu(turned))
    assert _C.flip(np.array([None, 1], object), (0,)) is None


def test_threads_do_not_change_the_bits(isa: str, num_threads) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).standard_normal((64, 40, 130)).astype(np.float32)
    widths = (0, 0, 2, 3, 1, 4)
    grad = np.random.default_rng(1).standard_normal((64, 45, 135)).astype(np.float32)
    results = []
    for count in (1, 2):
        num_threads(count)
        results.append(
            [
                _C.flip(x, (0, 2)),
                _C.roll(x, (3, 5), (1, 2)),
                _C.repeat(x, (2, 1, 3)),
                _C.repeat_each(x, 3, 2),
                _C.pad(x, widths, 1, np.float32(0).reshape(())),
                _C.pad_backward(grad, x.shape, widths, 1),
                _C.triangle(x, 3, False),
            ]
        )
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_large_results_are_written_past_the_caches(isa: str) -> None:
    x = np.random.default_rng(0).standard_normal((1025, 1031)).astype(np.float32)
    np.testing.assert_array_equal(_C.repeat(x, (2, 3)), np.tile(x, (2, 3)))
    large = _C.repeat(x, (2, 2))
    np.testing.assert_array_equal(_C.triangle(large, 0, False), np.tril(large))


def test_bad_arguments() -> None:
    x = np.zeros((3, 4), np.float32)
    for call in (
        lambda: _C.flip(x, (2,)),
        lambda: _C.roll(x, (1,), (0, 1)),
        lambda: _C.repeat(x, (1,)),
        lambda: _C.repeat_each(x, -1, 0),
        lambda: _C.pad(x, (1, 1), 0, np.zeros((), np.float32)),
        lambda: _C.pad_backward(x, (2, 2), (1, 1, 1, 1), 1),
    ):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(TypeError):
        _C.flip(x, [0])
