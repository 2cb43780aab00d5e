"""Elements at numbered places and joined arrays against NumPy, for every instruction set."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import cpu, indexing, numpy_embedding
from minigrad.kernels.cpu import _C

DTYPES = ["u1", "i2", "i4", "i8", "f4", "f8"]
SIZES = [1, 3, 15, 16, 17, 100]

pytestmark = pytest.mark.usefixtures("isa")


def numbers(*shape, dtype="f4", seed=0):
    return np.asarray(np.random.default_rng(seed).normal(size=shape) * 50).astype(dtype)


def places(high, *shape, low=0, dtype=np.int64):
    return np.random.default_rng(7).integers(low, high, shape).astype(dtype)


def strided(array):
    """The same elements, every second one of a larger memory, dimensions in reverse order."""
    wide = np.zeros(array.shape[::-1] + (2,), array.dtype)
    view = wide[..., 0].T
    view[...] = array
    return view


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("layout", [np.ascontiguousarray, strided])
def test_take(dtype, width, layout):
    x = layout(numbers(5, 7, width, dtype=dtype))
    for dim in (0, 1, 2, -1):
        n = x.shape[dim]
        for index in (places(n, 4, low=-n), places(n, 3, 2, dtype=np.int32), places(n, 9)[::2]):
            got = _C.take(x, dim, index, True)
            want = np.take(x, index, axis=dim)
            assert got.dtype == x.dtype and got.flags.c_contiguous
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, strided])
def test_gather_and_scatter(dim, layout):
    x = layout(numbers(6, 5, 17))
    shape = [4, 3, 9]
    index = layout(places(x.shape[dim], *shape))
    values = layout(numbers(*shape, seed=1))
    np.testing.assert_array_equal(_C.gather(x, dim, index), indexing.gather(x, dim, index))
    put = _C.put(x, dim, index, values, True, False, False)
    np.testing.assert_array_equal(put, indexing.scatter(x, dim, index, values, False))
    added = _C.put(x, dim, index, values, True, False, True)
    np.testing.assert_allclose(added, indexing.scatter(x, dim, index, values, True), 1e-5, 1e-4)
    zeros = _C.put(x.shape, dim, index, values, True, False, True)
    want = indexing.scatter(x.shape, dim, index, values, True)
    np.testing.assert_allclose(zeros, want, 1e-5, 1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", SIZES)
def test_rows_are_added_in_the_order_of_the_index(dtype, width):
    x, index = numbers(9, width, dtype=dtype), places(9, 40, low=-9)
    values = numbers(40, width, dtype=dtype, seed=1)
    want, last = x.copy(), x.copy()
    for i, row in zip(index, values):
        want[i] += row
        last[i] = row
    np.testing.assert_array_equal(_C.put(x, 0, index, values, False, True, True), want)
    np.testing.assert_array_equal(_C.put(x, 0, index, values, False, True, False), last)
    assert _C.write_rows(x, 0, index, values)
    np.testing.assert_array_equal(x, last)


def test_values_broadcast():
    x, index = numbers(5, 6, 4), np.array([[1, 4, 1], [0, 2, 3]])
    for values in (numbers(), numbers(1), numbers(4), numbers(2, 3, 1), numbers(5, 2, 3, 4)):
        want = x.copy()
        want[:, index] = values
        got = _C.put(x, 1, index, values, False, True, False)
        np.testing.assert_array_equal(got, want)
    assert _C.put(x, 1, index, numbers(3, 4), False, True, False) is not None
    assert _C.put(x, 1, index, numbers(2, 4), False, True, False) is None


def test_embedding_and_its_gradient():
    weight, ids = numbers(11, 8), places(11, 3, 4)
    grad = numbers(3, 4, 8, seed=2)
    np.testing.assert_array_equal(cpu.embedding(weight, ids), weight[ids])
    for padding in (-1, 0, int(ids[1, 1])):
        for width in (8, 1):
            g = np.ascontiguousarray(grad[..., :width])
            got = cpu.embedding_backward(g, ids, 11, padding)
            want = numpy_embedding.embedding_backward(g, ids, 11, padding)
            np.testing.assert_allclose(got, want, 1e-5, 1e-4)


@pytest.mark.parametrize("bad", [-1, 5])
def test_numbers_out_of_range_are_refused_before_anything_is_written(bad):
    x, index = numbers(5, 3), np.array([0, bad, 1])
    assert _C.take(x, 0, index, False) is None
    assert _C.gather(x, 0, np.stack([index] * 3, 1)) is None
    assert _C.put(x, 0, index, numbers(3, 3), False, False, True) is None
    kept = x.copy()
    index[1] = 5 if bad > 0 else -6
    assert _C.take(x, 0, index, True) is None
    assert not _C.write_rows(x, 0, index, numbers(3, 3))
    np.testing.assert_array_equal(x, kept)


def test_what_is_left_to_numpy():
    x, index = numbers(5, 3), np.array([0, 1])
    assert _C.take(x.astype("M8[s]").astype(object), 0, index, True) is None
    assert _C.take(x, 2, index, True) is None
    assert _C.take(x, 0, index.astype(np.int16), True) is None
    assert _C.take(x, 0, index[:0], True) is None
    assert _C.take(x.astype(">f4"), 0, index, True) is None
    assert _C.put(x, 0, index, numbers(2, 3, dtype="f8"), False, True, False) is None
    assert _C.put(x > 0, 0, index, numbers(2, 3) > 0, False, True, True) is None
    assert not _C.write_rows(x, 0, index, x[:2])  # its own memory
    assert not _C.write_rows(np.broadcast_to(x[0], (5, 3)), 0, index, x[:2])


@pytest.mark.parametrize("dtype", ["u1", "f2", "f4", "f8"])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_join(dtype, dim):
    for width in SIZES:
        parts = [numbers(3, 5, width, dtype=dtype, seed=s) for s in range(4)]
        joined = _C.join(tuple(parts), dim, False)
        np.testing.assert_array_equal(joined, np.concatenate(parts, dim))
        for at in (dim, -1):
            stacked = _C.join(tuple(parts), at, True)
            np.testing.assert_array_equal(stacked, np.stack(parts, at))
        uneven = (*parts, np.ascontiguousarray(np.take(parts[0], [0, 0], dim)))
        joined = _C.join(uneven, dim, False)
        np.testing.assert_array_equal(joined, np.concatenate(uneven, dim))
    assert _C.join((parts[0], parts[0][:, :, :1]), 0, False) is None
    assert _C.join((parts[0].T,), 0, False) is None


def test_bitwise_the_same_for_any_number_of_threads(num_threads):
    x, index = numbers(1000, 300), places(1000, 5000)
    wide, values = places(1000, 700, 300), numbers(5000, 300, seed=1)
    results = []
    for count in (1, 2):
        num_threads(count)
        results.append(
            (
                _C.take(x, 0, index, False),
                _C.put(x, 0, index, values, False, False, True),
                _C.put(x.shape, 0, index, values, False, False, False),
                _C.gather(x, 0, wide),
                _C.put(x, 0, wide, values[:700], True, False, True),
                _C.join((x, x, values[:1000]), 1, False),
                _C.join((x, x), 2, True),
            )
        )
    for one, two in zip(*results):
        assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("bad", [-1, 9])
def test_numbers_out_of_range(reduce: str, bad: int) -> None:
    x, s = mg.ones(5, 9), mg.ones(5, 9)
    index = mg.zeros(5, 9, dtype=mg.int64)
    index[4, 8] = bad
    for include_self in (True, False):
        with pytest.raises(RuntimeError, match=f"index {bad} is out of bounds for dimension 1"):
            x.scatter_reduce(1, index, s, reduce, include_self=include_self)
    with pytest.raises(RuntimeError, match="out of bounds"):
        x.gather(1, index)
    with pytest.raises(RuntimeError, match="out of bounds"):
        x.scatter_add(1, index, s)
    with pytest.raises(RuntimeError, match="out of bounds"):
        x.scatter(1, index, s)
    assert mg.equal(x, mg.ones(5, 9))
