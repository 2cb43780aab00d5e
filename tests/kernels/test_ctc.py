"""Connectionist temporal classification: the compiled form beside NumPy's in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad.kernels import ctc, numpy_ctc
from minigrad.kernels.cpu import _C

# steps, samples, classes, most labels
SHAPES = [(1, 1, 2, 0), (1, 2, 2, 1), (7, 3, 5, 3), (12, 4, 17, 7), (40, 2, 33, 16), (3, 2, 4, 6)]


def sample(shape: tuple, dtype: Any, seed: int = 0) -> tuple:
    steps, n, classes, longest = shape
    rng = np.random.default_rng(seed)
    x = 3 * rng.standard_normal((steps, n, classes))
    x -= np.log(np.exp(x).sum(2, keepdims=True))
    targets = rng.integers(1, classes, (n, longest))
    targets[:, 1::3] = targets[:, : targets[:, 1::3].shape[1]]
    if longest > 1:
        targets[:, 1] = targets[:, 0]  # a blank has to stand between
    inputs, lengths = rng.integers(0, steps + 1, n), rng.integers(0, longest + 1, n)
    inputs[0], lengths[0] = steps, longest
    return x.astype(dtype), targets, inputs, lengths


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_sum_over_alignments(isa: str, shape: tuple, dtype: type) -> None:
    for blank in (0, shape[2] - 1):
        x, targets, *lengths = sample(shape, dtype)
        targets[targets == blank] = 0 if blank else 1
        loss, kept = ctc.ctc_loss(x, targets, *lengths, blank)
        assert type(kept) is ctc.Kept
        wide = x.astype(np.float64)
        want, kept_wide = numpy_ctc.ctc_loss(wide, targets, *lengths, blank)
        bound = 64 * np.finfo(dtype).eps
        assert loss.dtype == dtype
        np.testing.assert_allclose(loss, want, rtol=bound, atol=bound * shape[0])
        grad = np.random.default_rng(1).standard_normal(shape[1]).astype(dtype)
        grad[np.isinf(loss)] = 0
        got = ctc.ctc_grad(grad, x, kept, *lengths, blank)
        want = numpy_ctc.ctc_grad(grad.astype(wide.dtype), wide, kept_wide, *lengths, blank)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=bound, atol=bound * 4 * shape[0])


def test_threads_do_not_change_a_bit(isa: str) -> None:
    x, targets, *lengths = sample((60, 9, 12, 20), np.float32)
    found = []
    before = _C.get_num_threads()
    for threads in (1, 2):
        _C.set_num_threads(threads)
        loss, kept = ctc.ctc_loss(x, targets, *lengths, 0)
        grad = np.where(np.isinf(loss), 0, 1).astype(np.float32)
        found.append((loss, ctc.ctc_grad(grad, x, kept, *lengths, 0)))
    _C.set_num_threads(before)
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_what_cannot_be_has_no_gradient_where_none_is_asked() -> None:
    x, targets, inputs, lengths = sample((3, 2, 4, 6), np.float32)
    loss, kept = ctc.ctc_loss(x, targets, inputs, lengths, 0)
    assert loss[0] == np.inf
    assert not ctc.ctc_grad(np.zeros(2, np.float32), x, kept, inputs, lengths, 0).any()


@pytest.mark.parametrize("wrong", ["blank", "inputs", "lengths", "targets", "dtype", "order"])
def test_what_it_does_not_take(wrong: str) -> None:
    x, targets, inputs, lengths = sample((7, 3, 5, 3), np.float32)
    arguments: dict[str, Any] = {
        "x": x, "targets": targets, "inputs": inputs, "lengths": lengths, "blank": 0,
    }  # fmt: skip
    assert ctc.fits(*arguments.values())
    changes: dict[str, Any] = {
        "blank": {"blank": 5},
        "inputs": {"inputs": np.array([7, 8, 1])},
        "lengths": {"lengths": np.array([3, -1, 1])},
        "targets": {"targets": np.full((3, 3), 5)},
        "dtype": {"targets": targets.astype(np.int32)},
        "order": {"x": x.transpose(0, 2, 1).copy().transpose(0, 2, 1)},
    }
    arguments.update(changes[wrong])
    assert not ctc.fits(*arguments.values())
    assert _C.ctc_loss(*arguments.values()) is None
