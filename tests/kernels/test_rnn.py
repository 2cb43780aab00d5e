"""Recurrent layers: compiled against NumPy in float64, instruction sets, sizes, threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad.kernels import numpy_recurrent
from minigrad.kernels.cpu import _C
from minigrad.kernels.numpy_recurrent import GRU, LSTM, RELU, TANH

MODES = [TANH, RELU, LSTM, GRU]
NAMES = ["out", "h_n", "c_n", "gates", "cells", "inner"]
# steps, batch, inputs, hidden, width of a projection or 0
SIZES = [
    (1, 1, 1, 1, 0), (3, 2, 5, 7, 0), (5, 17, 16, 16, 0), (4, 33, 3, 15, 0), (70, 3, 9, 17, 0),
    (2, 40, 8, 33, 0), (20, 48, 24, 64, 0), (6, 64, 40, 136, 0), (5, 5, 4, 9, 1),
    (9, 32, 20, 96, 64),
]  # fmt: skip


def sample(mode: int, size: tuple, states: bool, bias: bool, packed: bool, dtype: Any) -> tuple:
    steps, batch, inputs, hidden, width = size
    rng = np.random.default_rng(0)
    sizes = np.full(steps, batch, np.int64)
    if packed:
        sizes = np.sort(rng.integers(1, batch + 1, steps))[::-1].astype(np.int64)
        sizes[0] = batch
    rows = int(sizes.sum())
    gates = (1, 1, 4, 3)[mode] * hidden

    def array(*shape: int, scale: float = 1.0) -> Any:
        return (rng.standard_normal(shape) * scale).astype(dtype)

    out = width or hidden
    scale = 1 / np.sqrt(hidden)
    h0 = array(batch, out) if states else None
    c0 = array(batch, hidden) if states and mode == LSTM else None
    operands = (
        array(rows, inputs), h0, c0, array(gates, inputs, scale=scale),
        array(gates, out, scale=scale), array(gates) if bias else None,
        array(gates) if bias else None, array(width, hidden, scale=scale) if width else None,
    )  # fmt: skip
    grads = (array(rows, out), array(batch, out), array(batch, hidden) if mode == LSTM else None)
    return sizes, operands, grads


def wide(values: Any) -> Any:
    return tuple(None if v is None else v.astype(np.float64) for v in values)


def both(module: Any, mode: int, reverse: bool, sizes: Any, operands: Any, grads: Any) -> list:
    """Outputs and gradients of one of the two forms."""
    found = module.recurrent(mode, reverse, sizes, *operands)
    x, h0, c0, w_ih, w_hh, b_ih, _, w_hr = operands
    want = (True, True, mode == LSTM, True, True, True, b_ih is not None, w_hr is not None)
    given = (x, h0, c0, w_ih, w_hh, w_hr, found[0], *found[3:])
    back = module.recurrent_backward(mode, reverse, sizes, grads, *given, want)
    return [*found, *back]


def close(ours: list, exact: list, dtype: Any) -> None:
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    for i, (a, b) in enumerate(zip(ours, exact, strict=True)):
        assert (a is None) == (b is None), i
        if a is not None:
            assert a.dtype == dtype
            scale = max(1.0, float(np.abs(b).max()))
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale, err_msg=str(i))


def check(mode: int, size: tuple, reverse: bool, packed: bool, states: bool, dtype: Any) -> None:
    sizes, operands, grads = sample(mode, size, states, states or packed, packed, dtype)
    ours = both(_C, mode, reverse, sizes, operands, grads)
    exact = both(numpy_recurrent, mode, reverse, sizes, wide(operands), wide(grads))
    if mode < LSTM:
        exact[3] = None
    close(ours, exact, dtype)


def fitting(mode: int) -> list:
    return [size for size in SIZES if mode == LSTM or not size[4]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", MODES)
def test_against_numpy(mode: int, dtype: Any, isa: str) -> None:
    for i, size in enumerate(fitting(mode)):
        for packed in (False, True):
            check(mode, size, bool(i % 2), packed, bool(i % 3), dtype)
            check(mode, size, not i % 2, packed, not i % 3, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_same_bits_for_any_number_of_threads(
    mode: int, packed: bool, dtype: Any, num_threads: Any, isa: str
) -> None:
    for size in [*fitting(mode)[-2:], (12, 16, 64, 160, 0), (3, 4, 64, 320, 0)]:
        sizes, operands, grads = sample(mode, size, True, True, packed, dtype)
        found = []
        for threads in (1, 2, 3):
            num_threads(threads)
            found.append(both(_C, mode, False, sizes, operands, grads))
        for other in found[1:]:
            for a, b in zip(found[0], other, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("mode", [LSTM, GRU])
def test_weights_beyond_the_caches(mode: int, num_threads: Any, isa: str) -> None:
    size = (4, 40, 8, 384, 0) if mode == LSTM else (4, 34, 8, 448, 0)
    check(mode, size, False, True, True, np.float32)
    sizes, operands, grads = sample(mode, size, True, True, False, np.float32)
    found = []
    for threads in (1, 3):
        num_threads(threads)
        found.append(both(_C, mode, True, sizes, operands, grads))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_that_nobody_wants_or_gives(mode: int) -> None:
    sizes, operands, grads = sample(mode, (4, 6, 5, 9, 0), True, True, True, np.float64)
    x, h0, c0, w_ih, w_hh, _, _, w_hr = operands
    found = _C.recurrent(mode, False, sizes, *operands)
    given = (x, h0, c0, w_ih, w_hh, w_hr, found[0], *found[3:])
    for missing in range(3):
        some = tuple(None if i == missing else g for i, g in enumerate(grads))
        full = _C.recurrent_backward(
            mode, False, sizes, some, *given, (True, True, mode == LSTM, *[True] * 4, False)
        )
        exact = numpy_recurrent.recurrent_backward(
            mode, False, sizes, some, *given, (True, True, mode == LSTM, *[True] * 4, False)
        )
        close(list(full), list(exact), np.float64)
        for i in range(7):
            want = tuple(j == i and full[i] is not None for j in range(8))
            one = _C.recurrent_backward(mode, False, sizes, some, *given, want)
            for j, g in enumerate(one):
                assert (g is None) == (not want[j])
                if g is not None:
                    np.testing.assert_array_equal(g, full[j])


@pytest.mark.parametrize("mode", MODES)
def test_extreme_values(mode: int, isa: str) -> None:
    """Gates that saturate stay finite; NaN reaches what depends on it and nothing else."""
    sizes, operands, grads = sample(mode, (3, 4, 5, 19, 0), True, True, False, np.float32)
    x = operands[0] * np.float32(1e4)
    if mode != RELU:
        found = both(_C, mode, False, sizes, (x, *operands[1:]), grads)
        assert all(np.isfinite(a).all() for a in found if a is not None)
    x = operands[0].copy()
    x[5, 2] = np.nan  # the second row of the second step
    out = _C.recurrent(mode, False, sizes, x, *operands[1:])[0].reshape(3, 4, 19)
    assert np.isnan(out[1:, 1]).all()
    assert not np.isnan(out[0]).any()
    assert not np.isnan(out[:, [0, 2, 3]]).any()


def test_operands_that_numpy_takes() -> None:
    sizes, operands, _ = sample(LSTM, (3, 4, 5, 8, 0), True, True, False, np.float32)
    for i in range(7):
        turned = [
            np.asfortranarray(a) if j == i and a.ndim > 1 else a for j, a in enumerate(operands[:7])
        ]
        done = _C.recurrent(LSTM, False, sizes, *turned, None)
        assert (done is None) == (operands[i].ndim > 1)
        narrow = [a.astype(np.float16) if j == i else a for j, a in enumerate(operands[:7])]
        assert _C.recurrent(LSTM, False, sizes, *narrow, None) is None
    missing = [None if j == 5 else a for j, a in enumerate(operands)]
    assert _C.recurrent(LSTM, False, sizes, *missing) is None


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([4, 4, 5], "not increasing"), ([4, 4], "add up"), ([4, 4, 4, 4], "add up"),
        ([12, 0], "positive"), ([13, -1], "positive"), ([], "int64"),
    ],
)  # fmt: skip
def test_bad_sizes(sizes: list, message: str) -> None:
    _, operands, _ = sample(GRU, (3, 4, 5, 8, 0), False, True, False, np.float32)
    with pytest.raises(ValueError, match=message):
        _C.recurrent(GRU, False, np.array(sizes, np.int64), *operands)
    with pytest.raises(ValueError, match="int64"):
        _C.recurrent(GRU, False, np.array([4.0, 4, 4]), *operands)
    with pytest.raises(ValueError, match="mode"):
        _C.recurrent(4, False, np.array([4, 4, 4]), *operands)
