"""The memory pool, through empty() and empty_like()."""

import gc
import os
import threading

import ml_dtypes
import numpy as np
import pytest

from minigrad.kernels import cpu
from minigrad.kernels.cpu import _C

F32 = np.dtype(np.float32)
LARGE = (1024, 1024)  # 4 MiB
recycling = pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""), reason="a sanitized build keeps no blocks"
)


@pytest.fixture(autouse=True)
def clean_pool():
    gc.collect()
    before = _C.pool_stats()
    _C.empty_cache()
    yield
    gc.collect()
    assert _C.pool_stats()["allocated"] == before["allocated"], "a block was not given back"
    _C.set_pool_limit(before["limit"])


@pytest.mark.parametrize(
    "dtype",
    ["?", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "c16", "O", "U3", ml_dtypes.bfloat16],
    ids=str,
)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (4, 4), (300, 300), (2,) * 20])
def test_shapes_and_dtypes(shape, dtype):
    array = cpu.empty(shape, np.dtype(dtype))
    assert type(array) is np.ndarray
    assert array.shape == shape and array.dtype == np.dtype(dtype)
    assert array.flags.c_contiguous and array.flags.writeable and array.flags.aligned
    array[...] = 1
    like = cpu.empty_like(array)
    assert like.shape == shape and like.dtype == array.dtype
    assert not np.shares_memory(like, array)


def test_dtype_may_be_a_type():
    assert cpu.empty((2,), np.float32).dtype == F32
    assert cpu.empty((2,), ml_dtypes.bfloat16).dtype == ml_dtypes.bfloat16


def test_empty_like_of_a_transposed_array_is_contiguous():
    array = np.empty((300, 200), np.float32).T
    assert cpu.empty_like(array).flags.c_contiguous


@recycling
def test_large_arrays_are_aligned_and_recycled():
    first = cpu.empty(LARGE, F32)
    address = first.ctypes.data
    assert address % 64 == 0
    hits = _C.pool_stats()["hits"]
    del first
    assert _C.pool_stats()["reserved"] - _C.pool_stats()["allocated"] >= 4 << 20
    assert cpu.empty((2048, 512), F32).ctypes.data == address
    assert _C.pool_stats()["hits"] == hits + 1


def test_a_view_keeps_the_block():
    array = cpu.empty(LARGE, F32)
    array[:] = 3
    view = array[10:20, ::2]
    in_use = _C.pool_stats()["allocated"]
    del array
    assert _C.pool_stats()["allocated"] == in_use
    other = cpu.empty(LARGE, F32)
    other[:] = 4
    assert (view == 3).all()
    del view, other
    assert _C.pool_stats()["allocated"] < in_use


def test_many_sizes_do_not_overlap():
    rng = np.random.default_rng(0)
    alive = {}
    for i in range(2000):
        array = cpu.empty((int(rng.integers(1, 300_000)),), F32)
        array[:] = i
        alive[i % 37] = (i, array)
        number, kept = alive[int(rng.integers(0, len(alive)))]
        assert kept[0] == number and kept[-1] == number and (kept[:: max(1, kept.size // 9)] == number).all()  # fmt: skip  # noqa: E501
    for number, array in alive.values():
        assert (array == number).all()


@recycling
def test_limit_evicts_and_zero_keeps_nothing():
    _C.set_pool_limit(8 << 20)
    arrays = [cpu.empty(LARGE, F32) for _ in range(5)]
    del arrays
    stats = _C.pool_stats()
    assert 0 < stats["reserved"] - stats["allocated"] <= 8 << 20
    _C.set_pool_limit(0)
    stats = _C.pool_stats()
    assert stats["reserved"] == stats["allocated"]
    cpu.empty(LARGE, F32)
    stats = _C.pool_stats()
    assert stats["reserved"] == stats["allocated"]


def test_peak():
    _C.reset_pool_peak()
    base = _C.pool_stats()["peak"]
    arrays = [cpu.empty(LARGE, F32) for _ in range(3)]
    del arrays
    assert _C.pool_stats()["peak"] == base + (12 << 20)


def test_threads_allocate_at_the_same_time():
    errors = []

    def work(number):
        for _ in range(300):
            array = cpu.empty((200, 200), F32)
            array[:] = number
            if not (array == number).all():
                errors.append(number)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not errors


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork():
    kept = cpu.empty(LARGE, F32)
    kept[:] = 1
    child = os.fork()
    if child == 0:
        other = cpu.empty(LARGE, F32)
        other[:] = 2
        kept[:] = 3
        os._exit(0 if (other == 2).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (kept == 1).all()


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match="empty: 1 arguments were given; it needs 2"):
        cpu.empty((2,))
    with pytest.raises(TypeError, match="empty: shape is a list; it must be a tuple"):
        cpu.empty([2], F32)
    with pytest.raises(ValueError, match="empty: dimension 1 is -3; it must be 0 or more"):
        cpu.empty((2, -3), F32)
    with pytest.raises(TypeError):
        cpu.empty((2.5,), F32)
    with pytest.raises(TypeError, match="dtype is None"):
        cpu.empty((2,), None)
    with pytest.raises(TypeError, match="empty_like: array is a int; it must be a numpy.ndarray"):
        cpu.empty_like(3)
    with pytest.raises(MemoryError, match="bytes were asked for"):
        cpu.empty((1 << 60,), F32)
    with pytest.raises(ValueError):
        cpu.empty((1 << 40, 1 << 40), F32)
    with pytest.raises(ValueError, match="set_pool_limit: -1 bytes were given"):
        _C.set_pool_limit(-1)
