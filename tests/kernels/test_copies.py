"""Copies between layouts, and tensors written over in place."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import _C

DTYPES = (np.float32, np.float64, np.int16, np.uint8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 31, 33, 64, 65, 200])
def test_copies_of_strided_rows(isa: str, n: int, dtype: type) -> None:
    base = np.arange(7 * 3 * n, dtype=np.int64).reshape(7, 3 * n).astype(dtype)
    for view in (
        base[:, :n],
        base[:, ::2],
        base[:, ::3],
        base[:, ::-1],
        base[::-1, ::-2],
        base[::2, 1 : n + 1],
        np.broadcast_to(base[:, :1], (7, n)),
        np.broadcast_to(base[0, :n], (5, n)),
        base.T,
        base.reshape(7, 3, n).transpose(1, 0, 2),
        base.reshape(7, 3, n).transpose(2, 1, 0),
    ):
        got = _C.copy(view)
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(got, view)


def test_nothing_is_read_past_the_last_element(isa: str) -> None:
    for n in range(1, 70):
        x = np.arange(2 * n - 1, dtype=np.float32)
        np.testing.assert_array_equal(_C.copy(x[::2]), x[::2])


def test_fills_and_assignments() -> None:
    x = mg.zeros(3, 4)
    assert _C.fast_fill(x, 2.5) and x._version == 1
    np.testing.assert_array_equal(x.numpy(), np.full((3, 4), 2.5, np.float32))
    assert _C.fast_fill(x, 0) and not x.numpy().any()
    y = mg.ones(3, 4)
    assert _C.fast_assign(x, y) and x.numpy().all() and x._version == 3
    for target, value in (
        (mg.ones(2, requires_grad=True), 1.0),  # a leaf
        (mg.ones(2), 1e300),  # too large for its type
        (mg.ones(2, dtype=mg.uint8), -1),  # numbers that Python looks after
        (mg.ones(2, dtype=mg.bfloat16), 3.0),
    ):
        assert not _C.fast_fill(target, value)
    whole = mg.zeros(4)
    part = whole[1:]
    assert _C.fast_fill(part, True) and whole.tolist() == [0, 1, 1, 1] and whole._version == 1
    assert not _C.fast_assign(mg.ones(3), mg.ones(1))
    assert not _C.fast_assign(mg.ones(3), mg.ones(3, dtype=mg.float64))
    for dtype in (mg.bool, mg.uint8, mg.int8, mg.int16, mg.int32, mg.int64, mg.bfloat16):
        assert _C.fast_fill(x := mg.zeros(2, dtype=dtype), 1) and x.tolist() == [1, 1]
    assert _C.fast_fill(x := mg.zeros(2, dtype=mg.int16), -2.5) and x.tolist() == [-2, -2]


def test_clone_and_contiguous_are_recorded() -> None:
    x = mg.arange(6.0).reshape(2, 3).requires_grad_()
    for made in (x.clone(), x.t().contiguous()):
        assert made.grad_fn.name() == "CloneBackward0"
        made.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.full((2, 3), 2, np.float32))
    assert x.contiguous() is x


def test_nll_kernel_beside_its_general_form() -> None:
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        x = rng.standard_normal((20, 5)).astype(dtype)
        t = rng.integers(0, 5, 20)
        t[3] = -100
        w = rng.uniform(0.5, 2, 5).astype(dtype)
        for weight in (None, w):
            each = np.where(t < 0, 0, 1.0 if weight is None else w[np.maximum(t, 0)])
            picked = -x[np.arange(20), np.maximum(t, 0)] * each
            for mean in (False, True):
                loss, total = _C.nll(x, t, weight, -100, mean)
                np.testing.assert_allclose(total, each.sum(), rtol=1e-6)
                wanted = picked.sum() / (each.sum() if mean else 1)
                np.testing.assert_allclose(loss, wanted, rtol=1e-5)
            d = _C.nll_backward(np.array(2, dtype), t, weight, -100, 0.5, 5)
            want = np.zeros_like(x)
            want[np.arange(20), np.maximum(t, 0)] = -each
            np.testing.assert_allclose(d, want, rtol=1e-6)
    assert _C.nll(x, np.full(20, 5), None, -100, True) is None
    assert _C.nll(x, t[:-1], None, -100, True) is None


SHORT = [(9, 3), (40, 1), (7, 15), (3, 5, 4), (60, 16), (33, 17), (2, 3, 11, 7), (5000, 3)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHORT)
def test_copies_of_short_rows(isa: str, num_threads, shape: tuple, dtype: type) -> None:  # type: ignore[no-untyped-def]
    wide = np.arange(np.prod(shape) * 2 + 2 * np.prod(shape[:-1]), dtype=np.int64).astype(dtype)
    wide = wide.reshape(*shape[:-1], -1)
    n = shape[-1]
    views = [
        wide[..., :n],
        wide[..., 2 : n + 2],
        wide[..., -n:],
        wide[::2, ..., -n:],
        wide[..., ::2][..., -n:],
        wide[::-1, ..., 1 : n + 1],
        np.broadcast_to(wide[..., 3:4], shape),
        np.broadcast_to(wide[(0,) * (len(shape) - 1)][:n], shape),
        np.moveaxis(wide, -1, 0),
    ]
    for view in views:
        for threads in (1, 2):
            num_threads(threads)
            np.testing.assert_array_equal(_C.copy(view), view)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("shape", SHORT)
def test_operands_of_short_rows(isa: str, num_threads, shape: tuple, dtype: str) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(len(shape))
    wide = rng.integers(-9, 9, (*shape[:-1], 2 * shape[-1] + 3)).astype(dtype)
    x = np.ascontiguousarray(wide[..., : shape[-1]])
    for other in (
        wide[..., 3 : shape[-1] + 3],
        wide[..., ::2][..., : shape[-1]],
        x[..., :1],
        x[(0,) * (len(shape) - 1)],
        x[0:1],
        x,
    ):
        for a, b in ((x, other), (other, x), (other, other)):
            want = np.asarray(np.broadcast_to(a, shape) - np.broadcast_to(b, shape))
            less = np.broadcast_to(a, shape) < np.broadcast_to(b, shape)
            for threads in (1, 2):
                num_threads(threads)
                got = mg.from_numpy(a) - mg.from_numpy(b)
                np.testing.assert_array_equal(np.broadcast_to(got.numpy(), shape), want)
                got = mg.from_numpy(a) < mg.from_numpy(b)
                np.testing.assert_array_equal(np.broadcast_to(got.numpy(), shape), less)
                picked = mg.where(mg.from_numpy(less), mg.from_numpy(a), mg.from_numpy(b))
                np.testing.assert_array_equal(picked.numpy(), np.where(less, a, b))


@pytest.mark.parametrize("dtype", DTYPES)
def test_transpositions_around_a_block(isa: str, dtype: type) -> None:
    for rows in (1, 7, 8, 9, 15, 16, 17, 33, 64, 70, 130):
        for columns in (8, 9, 16, 31, 65, 129):
            x = np.arange(rows * columns * 2).astype(dtype).reshape(2, rows, columns)
            np.testing.assert_array_equal(_C.copy(x.transpose(0, 2, 1)), x.transpose(0, 2, 1))
            np.testing.assert_array_equal(_C.copy(x[0, :, 1:].T), x[0, :, 1:].T)
