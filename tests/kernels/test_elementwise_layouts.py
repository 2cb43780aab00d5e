"""Elementwise kernels and copies on operands of every layout: strides, repetition, order."""

from __future__ import annotations

import numpy as np
import pytest
from elementwise_calls import binary, unary

from minigrad.kernels import _C, maps


def layouts(rng: np.random.Generator, dtype: type) -> list[tuple]:
    """Pairs of operands in every pattern of strides and repetition."""

    def make(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    big = make(70, 90)
    return [
        (make(5, 7), make(7)),
        (make(5, 7), make(5, 1)),
        (make(5, 1), make(1, 7)),
        (make(7), make(5, 7)),
        (make(1), make(5, 7)),
        (make(5, 7), make(1, 1)),
        (make(70, 90), big[:, ::-1]),
        (make(90, 70), big.T),
        (big.T, big.T),
        (big[::2, 3:80:3], big[1::2, 10:87:3]),
        (make(2, 3, 4, 5, 6), make(3, 1, 5, 1)),
        (make(3, 90, 2, 70).transpose(0, 2, 3, 1), make(3, 2, 70, 90)),
        (make(3, 2, 70, 90).transpose(3, 1, 0, 2), make(2, 1, 70)),
        (np.broadcast_to(make(1, 9), (8, 9)), np.broadcast_to(make(8, 1), (8, 9))),
        (make(300, 3), make(300, 1)),
        (make(0, 4), make(4)),
        (make(3, 0, 4), make(3, 1, 1)),
        (make(2, 3)[None, :, None], make(4, 1, 5, 1)),
        (make(1000)[1::2], make(1000)[::2]),
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_strides_and_broadcasting(isa: str, dtype: type) -> None:
    rng = np.random.default_rng(1)
    for x, y in layouts(rng, dtype):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(binary("add", x, y), x + y)
            np.testing.assert_array_equal(maps.lt(x, y), x < y)
            mask = rng.standard_normal(x.shape) > 0
            np.testing.assert_array_equal(maps.where(mask, x, y), np.where(mask, x, y))
            np.testing.assert_array_equal(maps.where(mask, 1.5, y), np.where(mask, dtype(1.5), y))
            np.testing.assert_array_equal(binary("mul", x, 0.5), x * dtype(0.5))
        for one in (x, y):
            np.testing.assert_array_equal(unary("neg", one), -one)
            np.testing.assert_array_equal(maps.copy(one), one)
            assert maps.copy(one).flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.bool_])
def test_copies_of_every_item_size(isa: str, dtype: type) -> None:
    x = np.random.default_rng(0).integers(0, 2**31, (3, 75, 83)).astype(dtype)
    for view in (x, x.T, x.transpose(1, 0, 2), x[:, ::-2], x[..., 5], x[:0], x[0, 0, 0]):
        np.testing.assert_array_equal(maps.copy(view), view)


def test_large_transposition(isa: str, num_threads) -> None:  # type: ignore[no-untyped-def]
    x = np.arange(2100 * 2060, dtype=np.float32).reshape(2100, 2060)
    for count in (1, 2):
        num_threads(count)
        np.testing.assert_array_equal(maps.copy(x.T), x.T)
        square = x[:2060]
        np.testing.assert_array_equal(binary("add", square, square.T), square + square.T)


def test_results_are_dense_in_the_operands_order() -> None:
    x = np.ones((3, 4, 5), np.float32)
    turned = x.transpose(2, 0, 1)
    assert unary("exp", turned).strides == np.exp(turned).strides
    assert binary("add", turned, turned).strides == np.exp(turned).strides
    assert binary("add", x, x.copy()).flags.c_contiguous


def test_operands_without_a_kernel() -> None:
    x = np.ones(4, np.int32)
    assert _C.unary(0, x) is None
    assert _C.binary(0, x, x) is None
    assert _C.where(x, x, x) is None
    with pytest.raises(ValueError, match="operation 99"):
        _C.unary(99, x.astype(np.float32))
    with pytest.raises(TypeError, match="1 operands"):
        _C.unary(0)
