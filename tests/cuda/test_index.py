"""Taking, writing and adding at numbered places against NumPy, bit for bit."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(t) for t in ("f4", "f8", "f2", "i8", "i4", "u1", "?")] + [BFLOAT16]


def draw(shape, dtype, seed=0):
    return np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)


def assert_same(got, want):
    np.testing.assert_array_equal(np.asarray(got, np.float64), np.asarray(want, np.float64))


TABLES = [((7, 16), 0, (5,)), ((7, 16), 0, (3, 4)), ((5, 9), 0, (33,)), ((5, 9), 1, (4,)),
          ((3, 6, 8), 1, (2, 5)), ((3, 6, 8), 2, (8,)), ((40,), 0, (100,)), ((4, 5), 0, (0,)),
          ((4, 1), 0, ())]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape, dim, many", TABLES)
def test_rows(cuda, shape, dim, many, dtype):
    table = draw(shape, dtype)
    index = np.random.default_rng(1).integers(-shape[dim], shape[dim], many)
    want = np.take(table, index, axis=dim)
    out, bad = filled(want.shape, dtype), np.zeros(1, np.int32)
    cuda.run("take", out, table, index, dim, True, bad)
    assert_same(out, want)
    turned = np.ascontiguousarray(table.T).T
    cuda.run("take", out, turned, index, dim, True, None)
    assert_same(out, want)
    cuda.run("take", filled((*want.shape, 2), dtype)[..., 0], table, index, dim, True, None)
    unique = np.random.default_rng(2).permutation(shape[dim])[:3]
    values = draw((*shape[:dim], len(unique), *shape[dim + 1 :]), dtype, 3)
    want = table.copy()
    want[(slice(None),) * dim + (unique,)] = values
    cuda.run("put_rows", table, values, unique, dim, True, bad, False)
    assert_same(table, want)
    assert bad[0] == 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_gather_and_scatter(cuda, dim, dtype):
    table = draw((5, 6, 7), dtype)
    rng = np.random.default_rng(1)
    for shape in [(5, 6, 7), (2, 3, 4), (5, 0, 7)]:
        index = rng.integers(0, table.shape[dim], shape)
        want = np.take_along_axis(
            table[tuple(slice(n) if d != dim else slice(None) for d, n in enumerate(shape))],
            index,
            dim,
        )
        out = filled(shape, dtype)
        cuda.run("gather", out, table, index, dim, False, None)
        assert_same(out, want)
    order = np.argsort(rng.random(table.shape), axis=dim)  # every place once
    values, want = draw(table.shape, dtype, 2), table.copy()
    np.put_along_axis(want, order, values, dim)
    cuda.run("scatter", table, values, order, dim, True, None, False)
    assert_same(table, want)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_adding(cuda, dtype):
    table, values = draw((6, 20), dtype), draw((50, 20), dtype, 1)
    index = np.random.default_rng(2).integers(0, 6, 50)
    want = table.copy()
    np.add.at(want, index, values)
    got = table.copy()
    cuda.run("put_rows", got, values, index, 0, True, None, True)
    assert_same(got, want)
    index = np.random.default_rng(2).integers(0, 6, (50, 20))
    want = table.copy()
    np.add.at(want, (index, np.arange(20)), values)
    cuda.run("scatter", table, values, index, 0, True, None, True)
    assert_same(table, want)


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", BFLOAT16], ids=str)
@pytest.mark.parametrize("width", [1, 8, 65, 300])
def test_embedding_gradient_in_a_fixed_order(cuda, width, dtype):
    rng = np.random.default_rng(0)
    index = rng.integers(0, 9, 40)
    rows = rng.normal(0, 1, (40, width)).astype(dtype)
    table, wide = np.zeros((10, width), dtype), np.float64 if dtype == "f8" else np.float32
    sums = np.zeros((10, width), wide)
    for number, row in zip(index, rows, strict=True):
        sums[number] += row.astype(wide)
    sums[3] = 0
    order = np.argsort(index, kind="stable")
    cuda.run("add_sorted_rows", table, rows, index, order, 3, None)
    assert_same(table, sums.astype(dtype))


@pytest.mark.parametrize("number", [7, -8, 2**40])
def test_numbers_out_of_range_are_told(cuda, number):
    table, index, bad = draw((7, 4), "f4"), np.array([1, number, 2]), np.zeros(1, np.int32)
    out, before = filled((3, 4), np.float32), table.copy()
    cuda.run("take", out, table, index, 0, True, bad)
    assert bad[0] == 1
    np.testing.assert_array_equal(np.isnan(out).all(1), [False, True, False])
    for name, more in (("put_rows", False), ("put_rows", True)):
        bad[0] = 0
        cuda.run(name, table, np.zeros((3, 4), np.float32), index, 0, True, bad, more)
        assert bad[0] == 1
        np.testing.assert_array_equal(table[[0, 3, 4, 5, 6]], before[[0, 3, 4, 5, 6]])
    bad[0] = 0
    cuda.run("take", out, table, np.array([1, -1, 2]), 0, False, bad)
    assert bad[0] == 1 and np.isnan(out[1]).all()
    bad[0] = 0
    order = np.argsort(index, kind="stable")
    cuda.run("add_sorted_rows", table, np.zeros((3, 4), np.float32), index, order, -1, bad)
    assert bad[0] == 1


def test_bad_arguments(cuda):
    device = cuda.device
    x, i = device.array(np.zeros((3, 4), np.float32)), device.array(np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="take: table is .* they must fit"):
        cuda.take(x, x, i, 0, True, None, 0)
    with pytest.raises(TypeError, match="take: index is float32 .* must be int64"):
        cuda.take(x, x, x, 0, True, None, 0)
