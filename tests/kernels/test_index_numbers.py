"""Several index arrays as one, writing and adding at them in place, and views of diagonals."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import fast, places

rng = np.random.default_rng(0)


@pytest.mark.parametrize(
    "indices",
    [
        ([1, 0, -1], [2, -4, 3]),
        ([[1], [0]], [2, -4, 3]),
        (2, [1, 1]),
        (1, 3),
        ([0, 1], [1, 2], [4, 0]),
    ],
    ids=str,
)
def test_numbers_are_those_of_ravelled_places(indices: tuple) -> None:
    shape = (3, 4, 5)[: len(indices)]
    arrays = [np.asarray(i) for i in indices]
    expected = np.arange(np.prod(shape)).reshape(shape)[tuple(arrays)]
    found = places.numbers((3, 4, 5), arrays)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)
    spread = [np.repeat(a, 2, -1)[..., ::2] if a.ndim else a for a in arrays]
    np.testing.assert_array_equal(places.numbers((3, 4, 5), spread), expected)


@pytest.mark.parametrize(
    "indices",
    [
        ([3], [0]),  # out of range
        ([-4], [0]),
        ([0, 1], [0, 1, 2]),  # do not broadcast
        (np.array([0], np.int32), [0]),
        ([True], [0]),
        (np.zeros(0, np.int64), np.zeros(0, np.int64)),
    ],
    ids=str,
)
def test_what_numbers_leave_alone(indices: tuple) -> None:
    assert places.numbers((3, 4), [np.asarray(i) for i in indices]) is None


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int16"])
@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_put_at_is_numpys(shape: tuple, add: bool, dtype: str) -> None:
    x = rng.integers(-9, 9, shape).astype(dtype)
    i, j = rng.integers(-4, 4, 40), rng.integers(0, 5, (2, 40))
    values = rng.integers(-9, 9, (2, 40, *shape[2:])).astype(dtype)
    for at, given in (((i, j), values), ((i,), values[0, 0]), ((i, j), values[:1])):
        expected, t = x.copy(), mg.tensor(x)
        indices = tuple(mg.tensor(a) for a in at)
        version = t._version
        if add:
            np.add.at(expected, at, given)
        else:
            expected[at] = given
        assert places.fast_put_at(t, indices, mg.tensor(given), add)
        np.testing.assert_array_equal(t.numpy(), expected)
        assert t._version > version
        u = mg.tensor(x)
        assert u.index_put_(indices, mg.tensor(given), add) is u
        np.testing.assert_array_equal(u.numpy(), expected)


def test_put_at_leaves_graphs_and_shared_memory_alone() -> None:
    x, at = mg.zeros(4, 4), (mg.tensor([1, 2]), mg.tensor([0, 3]))
    assert not places.fast_put_at(x.requires_grad_(), at, mg.ones(2), False)
    x = mg.zeros(4, 4)
    assert not places.fast_put_at(x, at, mg.ones(2).requires_grad_(), False)
    assert not places.fast_put_at(x, at, x[0, :2], False)
    assert not places.fast_put_at(x.expand(2, 4, 4)[0].t(), at, mg.ones(2), False)
    assert not places.fast_put_at(x, at, mg.ones(2, dtype=mg.float64), False)
    assert not places.fast_put_at(x, (mg.tensor([4, 0]), mg.tensor([0, 0])), mg.ones(2), False)
    assert not x.any()
    with pytest.raises(IndexError):
        x.index_put_((mg.tensor([4, 0]), mg.tensor([0, 0])), mg.ones(2))
    y = mg.ones(4, 4, requires_grad=True) * 2
    z = y.square()
    y.detach()[at] = mg.zeros(2)
    with pytest.raises(RuntimeError, match="modified"):
        z.sum().backward()


@pytest.mark.parametrize("offset", [-9, -4, -2, 0, 1, 3, 8])
def test_diagonals(offset: int) -> None:
    x = rng.standard_normal((3, 4, 5))
    for a, b in ((0, 1), (1, 0), (-1, 0), (1, 2)):
        np.testing.assert_array_equal(fast.diagonal(x, offset, a, b), np.diagonal(x, offset, a, b))
        t = mg.tensor(x).requires_grad_()
        d = t.diagonal(offset, a, b)
        np.testing.assert_array_equal(d.detach().numpy(), np.diagonal(x, offset, a, b))
        assert d.grad_fn.name() == "DiagonalBackward0"
        d.sum().backward()
        count = np.diagonal(x, offset, a, b).size
        assert t.grad.sum().item() == count
        np.testing.assert_array_equal(np.diagonal(t.grad.numpy(), offset, a, b), 1)
    t = mg.tensor(x[0])
    t.diagonal().fill_(0)
    assert t.trace().item() == 0
