"""Any argument of the wrong kind is a Python error for every compiled kernel: nothing crashes."""

import random

import ml_dtypes
import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import cpu
from minigrad.kernels.cpu import _C

F32 = np.float32
ALLOWED = (TypeError, ValueError, IndexError, RuntimeError, OverflowError, MemoryError)


def zeros(*shape, dtype=F32):
    return np.zeros(shape, dtype)


def one():
    return [zeros(3)]


WINDOW = [2, 2, 2, 2, 0, 0]
VOLUME_STEPS = (1,) * 10
STEPS = [1, 1, 1, 1, 1, 1, 1]
CALLS = {
    "gemm": lambda: [zeros(3, 4), zeros(3, 5), zeros(5, 4), 1.0, 0.0, None, False],
    "matmul": lambda: [zeros(3, 4), zeros(4, 5)],
    "linear": lambda: [zeros(3, 4), zeros(5, 4), zeros(5)],
    "cast": lambda: [zeros(5, dtype=np.float16), zeros(5)],
    "softmax": lambda: [zeros(3, 4), 1],
    "log_softmax_backward": lambda: [zeros(3, 4), zeros(3, 4), 1],
    "cross_entropy": lambda: [
        zeros(3, 4), zeros(3, dtype=np.int64), zeros(4), -100, "mean", 0.1,
    ],
    "cross_entropy_backward": lambda: [
        zeros(), zeros(3, 4), zeros(3, dtype=np.int64), zeros(4), zeros(3), 3.0, -100, "mean", 0.1,
    ],
    "pair_loss": lambda: [0, zeros(3), zeros(3), "mean", 0.0],
    "pair_loss_backward": lambda: [0, zeros(), zeros(3), zeros(3), "mean", 0.0, False],
    "reduce": lambda: [None, 0, zeros(3, 4), (0,), False, 0.0],
    "var_mean": lambda: [zeros(3, 4), (0,), False, 1.0, True],
    "arg_extremum": lambda: [True, zeros(3, 4), 1, False],
    "extremum": lambda: [type, True, mg.ones(3, 4, requires_grad=True), 1, False],
    "sort": lambda: [type, mg.ones(3, 4, requires_grad=True), 1, True, 2],
    "argsort": lambda: [zeros(3, 4), 1, False],
    "select": lambda: [type, mg.ones(3, 4, requires_grad=True), 1, False, 1, 0],
    "search": lambda: [zeros(5), zeros(3, 4), True, False],
    "scan": lambda: [zeros(3, 4), 1, False, True],
    "conv2d": lambda: [zeros(2, 4, 5, 5), zeros(2, 3, 5, 5), zeros(4, 3, 3, 3), zeros(4), *STEPS],
    "conv2d_input": lambda: [
        zeros(2, 3, 5, 5), zeros(2, 4, 5, 5), zeros(4, 3, 3, 3), zeros(3), *STEPS,
    ],
    "conv2d_weight": lambda: [zeros(4, 3, 3, 3), zeros(2, 3, 5, 5), zeros(2, 4, 5, 5), *STEPS],
    "conv3d": lambda: [
        zeros(2, 4, 2, 5, 5), zeros(2, 3, 2, 5, 5), zeros(4, 3, 3, 3, 3), zeros(4), *VOLUME_STEPS,
    ],
    "conv3d_input": lambda: [
        zeros(2, 3, 2, 5, 5), zeros(2, 4, 2, 5, 5), zeros(4, 3, 3, 3, 3), zeros(3), *VOLUME_STEPS,
    ],
    "conv3d_weight": lambda: [
        zeros(4, 3, 3, 3, 3), zeros(2, 3, 2, 5, 5), zeros(2, 4, 2, 5, 5), *VOLUME_STEPS,
    ],
    "max_pool2d": lambda: [
        zeros(2, 3, 2, 2), zeros(2, 3, 2, 2, dtype=np.int32), zeros(2, 3, 4, 4), *WINDOW, 1, 1,
    ],
    "resample": lambda: [
        zeros(2, 3, 4), zeros(2, 5, 4), zeros(2, 3, dtype=np.int32), zeros(2, 3),
    ],
    "scatter_planes": lambda: [
        zeros(2, 3, 4, 4), zeros(2, 3, 2, 2), zeros(2, 3, 2, 2, dtype=np.int32),
    ],
    "avg_pool2d": lambda: [zeros(2, 3, 2, 2), zeros(2, 3, 4, 4), *WINDOW, True, 0],
    "avg_pool2d_backward": lambda: [zeros(2, 3, 4, 4), zeros(2, 3, 2, 2), *WINDOW, True, 0],
    "adaptive_avg_pool2d": lambda: [zeros(2, 3, 2, 2), zeros(2, 3, 4, 4)],
    "adaptive_avg_pool2d_backward": lambda: [zeros(2, 3, 4, 4), zeros(2, 3, 2, 2)],
    "adaptive_max_pool2d": lambda: [
        zeros(2, 3, 2, 2), zeros(2, 3, 2, 2, dtype=np.int32), zeros(2, 3, 4, 4),
    ],
    "mt_seed": lambda: [zeros(625, dtype=np.uint32), 5],
    "draw32": lambda: [zeros(625, dtype=np.uint32), zeros(700, dtype=np.uint32)],
    "uniform64": lambda: [zeros(625, dtype=np.uint32), zeros(700, dtype=np.float64)],
    "shuffle": lambda: [zeros(625, dtype=np.uint32), np.arange(9)],
    "uniform_fill": lambda: [zeros(625, dtype=np.uint32), zeros(32), -1.0, 1.0],
    "integers": lambda: [
        zeros(625, dtype=np.uint32), zeros(700, dtype=np.int64), 5, 7,
    ],
    "normal_fill": lambda: [zeros(625, dtype=np.uint32), zeros(32), 0.0, 1.0],
    "expand": lambda: [zeros(3, 1), (2, 3, 4)],
    "sgd_step": lambda: [one(), one(), one(), 0.1, 0.9, 0.0, 0.0, False, False, False],
    "adam_step": lambda: [
        one(), one(), one(), one(), None, [zeros()], 0.1, 0.9, 0.99, 1e-8, 0.0, True, False,
    ],
    "rmsprop_step": lambda: [
        one(), one(), one(), None, one(), [zeros()], 0.1, 0.9, 1e-8, 0.0, 0.9, False,
    ],
    "adagrad_step": lambda: [one(), one(), one(), [zeros()], 0.1, 0.0, 1e-8, 0.0, False],
    "empty": lambda: [(3, 4), np.dtype(F32)],
    "empty_like": lambda: [zeros(3, 4)],
    "fast_binary": lambda: [type, 2, mg.ones(3), mg.ones(3, requires_grad=True)],
    "fast_unary": lambda: [type, 2, mg.ones(3, requires_grad=True)],
    "fast_matmul": lambda: [type, mg.ones(3, 4, requires_grad=True), mg.ones(4, 5)],
    "fast_linear": lambda: [type, mg.ones(3, 4, requires_grad=True), mg.ones(5, 4), None],
    "run_backward": lambda: [[], False],
    "_test_parallel_for": lambda: [10, 3, False],
    "_test_denormals": lambda: [4],
}  # fmt: skip


class Hostile:
    """A number that raises when it is asked which."""

    def __index__(self):
        raise ValueError("no index")

    def __float__(self):
        raise ValueError("no float")


def any_array(rng):
    dtypes = [F32, np.float64, np.float16, ml_dtypes.bfloat16, np.int64, np.int32, np.uint32, bool]
    dtype = np.dtype(rng.choice([*dtypes, ">f4", "U3", object, [("\ud800", "f4")]]))
    shape = [rng.choice([0, 1, 2, 3, 4, 5]) for _ in range(rng.choice([0, 1, 2, 3, 4, 4]))]
    array = np.zeros([2 * n for n in shape], dtype)
    form = rng.randrange(6)
    if form == 0:  # misaligned
        flat = np.zeros(4 * array.size + 1, np.uint8)[1:]
        return flat.view(F32).reshape(array.shape)
    if form == 1:
        return np.broadcast_to(array, (2, *array.shape))
    if form == 2:
        return array[tuple(slice(None, None, -2) for _ in shape)]
    if form == 3:
        return array.T
    return np.zeros(shape, dtype)


def any_value(rng):
    if rng.random() < 0.5:
        return any_array(rng)
    values = [0, 1, -1, 2**31, 2**62, 2**63 - 1, -(2**63), 2**64, 1.5, float("nan"), None, True]
    others = ["x", Hostile(), (), [], {}, (1, "a"), (2**62, 2), [1], [zeros(3), 2], [(1, 2)]]
    return rng.choice([*values, *others, mg.ones(3), np.float32])


@pytest.mark.parametrize("name", CALLS)
def test_wrong_arguments_raise(name):
    rng = random.Random(name)
    kernel = getattr(_C, name)
    kernel_error = 0
    for _ in range(150):
        args = CALLS[name]()
        for _ in range(rng.choice([1, 1, 2, 3])):
            args[rng.randrange(len(args))] = any_value(rng)
        if rng.random() < 0.1:
            args = args[:-1]
        if name.startswith("_test") and any(type(a) is int and a > 2**20 for a in args):
            continue  # works as long as it is told to
        try:
            kernel(*args)
        except ALLOWED:
            kernel_error += 1
    assert kernel_error


def test_sizes_that_overflow_are_refused():
    x, w, g = zeros(1, 1, 5, 5), zeros(1, 1, 3, 3), zeros(1, 1, 1, 1)
    for steps in ([2**40] * 2 + [1] * 5, [1, 1, 2**40, 1, 1, 1, 1], [1] * 4 + [2**62, 1, 1]):
        with pytest.raises(ValueError, match="was given; it must be from"):
            _C.conv2d(g, x, w, None, *steps)
    with pytest.raises(MemoryError, match="conv2d: a workspace of"):
        _C.conv2d(g, x, w, None, 1, 1, 1, 1, 2**31 - 1, 2**31 - 1, 1)
    with pytest.raises(ValueError, match="was given; it must be from"):
        _C.max_pool2d(g, None, x, 2**32, 2**32, 1, 1, 0, 0, 2**32, 2**32)


def test_strides_larger_than_the_input():
    """A stride costs no memory for places that no tap reads."""
    x, w = (
        np.random.default_rng(0).standard_normal((2, 2, 3, 5, 5)).astype(F32)[0],
        zeros(4, 3, 3, 3),
    )
    w += 1
    got = cpu.conv(x, w, None, (2, 4, 1, 1), (10**6, 10**6), (0, 0), (1, 1), 1)
    np.testing.assert_allclose(got[:, 0, 0, 0], x[:, :, :3, :3].sum((1, 2, 3)), rtol=1e-5)
    back = cpu.conv_input(got, w, None, x.shape, (2**30, 2**30), (0, 0), (1, 1), 1)
    np.testing.assert_allclose(back[:, 0, 0, 0], got.sum((1, 2, 3)), rtol=1e-5)
    assert (back[:, :, 3:] == 0).all()


def test_misaligned_arrays_are_copied_first():
    def misaligned(*shape):
        array = np.zeros(4 * int(np.prod(shape)) + 1, np.uint8)[1:].view(F32).reshape(shape)
        array[...] = np.random.default_rng(0).standard_normal(shape)
        return array

    x, w, bias = misaligned(2, 3, 8, 8), misaligned(4, 3, 3, 3), misaligned(4)
    steps = ((1, 1), (0, 0), (1, 1), 1)
    want = cpu.conv(x.copy(), w.copy(), bias.copy(), (2, 4, 6, 6), *steps)
    np.testing.assert_array_equal(cpu.conv(x, w, bias, (2, 4, 6, 6), *steps), want)
    np.testing.assert_array_equal(cpu.astype(x, np.dtype(np.float16)), x.astype(np.float16))
    pooled, _ = cpu.max_pool2d(x, (2, 3, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1), False)
    np.testing.assert_array_equal(pooled[0, 0, 0, 0], x[0, 0, :2, :2].max())


def test_log_sums_of_another_batch_are_not_read():
    x, target = zeros(3, 4), zeros(3, dtype=np.int64)
    rest = (3.0, -100, "mean", 0.0)
    assert _C.cross_entropy_backward(zeros(), x, target, None, zeros(1), *rest) is None
