"""The compiled optimizer steps against their NumPy forms, for every instruction set."""

import ml_dtypes
import numpy as np
import pytest

from minigrad.kernels import cpu, numpy_optim, numpy_optim_more
from minigrad.kernels.cpu import _C

pytestmark = pytest.mark.usefixtures("isa")

SIZES = [0, 1, 3, 7, 8, 9, 15, 16, 17, 33, 1000]
BF16 = np.dtype(ml_dtypes.bfloat16)
PLAIN = {**vars(numpy_optim), **vars(numpy_optim_more)}
DTYPES = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BF16]
TOLERANCE = {"float32": 3e-6, "float64": 1e-14, "float16": 4e-3, "bfloat16": 3e-2}

# kernel, number of states, how many scalars a tensor has (the first is its step), positions of
# absent states, the other options
CALLS = [
    ("sgd_step", 1, 0, (0,), (0.1, 0.0, 0.0, 0.1, False, False, False)),
    ("sgd_step", 1, 0, (), (0.1, 0.9, 0.5, 0.0, False, True, False)),
    ("sgd_step", 1, 0, (), (0.1, 0.9, 0.0, 0.1, True, False, True)),
    ("adam_step", 3, 1, (2,), (0.01, 0.9, 0.999, 1e-8, 0.0, False, False)),
    ("adam_step", 3, 1, (), (0.01, 0.3, 0.8, 1e-3, 0.1, True, True)),
    ("adam_step", 3, 1, (), (0.01, 0.9, 0.999, 1e-8, 0.1, False, False)),
    ("rmsprop_step", 3, 1, (1, 2), (0.01, 0.99, 1e-8, 0.0, 0.0, False)),
    ("rmsprop_step", 3, 1, (2,), (0.01, 0.99, 1e-8, 0.1, 0.9, False)),
    ("rmsprop_step", 3, 1, (1,), (0.01, 0.9, 1e-8, 0.0, 0.0, True)),
    ("rmsprop_step", 3, 1, (), (0.01, 0.4, 1e-8, 0.1, 0.9, False)),
    ("adagrad_step", 1, 1, (), (0.1, 0.1, 1e-10, 0.1, False)),
    ("nadam_step", 2, 2, (), (0.01, 0.9, 0.999, 1e-8, 0.1, 4e-3, False, False)),
    ("nadam_step", 2, 2, (), (0.01, 0.4, 0.9, 1e-3, 0.1, 0.5, True, True)),
    ("radam_step", 2, 1, (), (0.01, 0.9, 0.999, 1e-8, 0.1, False, True)),
    ("radam_step", 2, 1, (), (0.01, 0.3, 0.99, 1e-3, 0.1, True, False)),
    ("adamax_step", 2, 1, (), (0.01, 0.9, 0.999, 1e-8, 0.1, True)),
    ("adadelta_step", 2, 1, (), (0.5, 0.9, 1e-6, 0.1, False)),
    ("asgd_step", 1, 3, (), (0.01, 1e-2, 0.75, 2.0, 0.1, True)),
    ("rprop_step", 2, 1, (), (0.4, 1.3, 0.7, 1.5, False)),
    ("lion_step", 1, 0, (), (0.01, 0.9, 0.99, 0.1, True)),
    ("lamb_step", 2, 1, (), (0.01, 0.9, 0.999, 1e-6, 0.1, False)),
    ("lerp_tensors", 0, 0, (), (0.3,)),
    ("lerp_tensors", 0, 0, (), (0.8,)),
]


def arguments(call, dtype, sizes, seed=0):
    name, states, scalars, absent, options = call
    rng = np.random.default_rng(seed)

    def arrays(low=None):
        made = [rng.standard_normal(n) if low is None else rng.uniform(low, 2, n) for n in sizes]
        return [a.astype(dtype) for a in made]

    args = [arrays(), arrays()]
    # Averages of squares are positive, and large enough for the centered root.
    args += [None if i in absent else arrays(1.5) for i in range(states)]
    if name == "rmsprop_step" and 2 not in absent:
        args[4] = [(a * 0.5).astype(dtype) for a in args[4]]
    for k in range(scalars):
        args.append([np.array(i % 3 + 4 if k == 0 else 0.5, np.float32) for i in range(len(sizes))])
    return [*args, *options]


def flat(args):
    return [a for arg in args if isinstance(arg, list) for a in arg]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("call", CALLS)
def test_equals_the_numpy_form(call, dtype):
    got, want = arguments(call, dtype, SIZES), arguments(call, dtype, SIZES)
    assert getattr(_C, call[0])(*got) is True
    PLAIN[call[0]](*want)
    tolerance = TOLERANCE[dtype.name]
    for a, b in zip(flat(got), flat(want), strict=True):
        np.testing.assert_allclose(
            a.astype(np.float64), b.astype(np.float64), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("call", CALLS)
def test_threads_and_the_list_do_not_matter(call, num_threads):
    sizes = [5, 100_003, 0, 40_000, 3]
    results = []
    for threads in (1, 2, 3):
        num_threads(threads)
        args = arguments(call, np.float32, sizes)
        assert getattr(_C, call[0])(*args)
        results.append(flat(args))
    args = arguments(call, np.float32, sizes)
    for i in range(len(sizes)):  # one tensor a call, misaligned
        single = [[_misaligned(a[i])] if isinstance(a, list) else a for a in args]
        getattr(_C, call[0])(*single)
        for whole, part in zip(args, single, strict=True):
            if isinstance(whole, list):
                whole[i] = part[0]
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    # LAMB's norms are summed in the chunks of the whole list.
    tolerance = 1e-5 if call[0] == "lamb_step" else 0.0
    for a, b in zip(results[0], flat(args), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance)


def _misaligned(array):
    if array.ndim == 0:
        return array
    room = np.empty(array.size + 1, array.dtype)
    room[1:] = array
    return room[1:]


@pytest.mark.parametrize("call", CALLS)
def test_nan_and_infinity_go_where_numpy_has_them(call):
    for value in (np.nan, np.inf, -np.inf):
        got, want = (arguments(call, np.float32, [40, 2]) for _ in range(2))
        for args in (got, want):
            args[1][0][17] = value
            args[0][1][0] = value
        getattr(_C, call[0])(*got)
        PLAIN[call[0]](*want)
        for a, b in zip(flat(got), flat(want), strict=True):
            np.testing.assert_allclose(a, b, rtol=3e-6, atol=3e-6)


def laid_out(args, layout):
    """The arrays of a call's second tensor by `layout(array, number of the list)`."""
    return [
        [layout(a, k) if i == 1 and a.size == 12 else a for i, a in enumerate(arg)]
        if isinstance(arg, list)
        else arg
        for k, arg in enumerate(args)
    ]


def spaced(a, k):
    wide = np.zeros((a.size, 2), a.dtype)
    wide[:, 0] = a
    return wide[:, 0]


def in_other_orders(a, k):
    return a.reshape(3, 4).T if k else np.ascontiguousarray(a.reshape(3, 4).T)


@pytest.mark.parametrize("layout", [spaced, in_other_orders])
@pytest.mark.parametrize("call", CALLS)
def test_refused_layouts_change_nothing_and_fall_back(call, layout):
    name = call[0]
    args = laid_out(arguments(call, np.float32, [12, 12]), layout)
    before = [a.copy() for a in flat(args)]
    assert getattr(_C, name)(*args) is False
    for a, b in zip(flat(args), before, strict=True):
        np.testing.assert_array_equal(a, b)
    want = arguments(call, np.float32, [12, 12])
    PLAIN[name](*want)
    getattr(cpu, name)(*args)
    for a, b in zip(flat(args), flat(want), strict=True):
        np.testing.assert_allclose(a.T.ravel() if a.ndim == 2 else a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("call", CALLS)
def test_one_order_of_dimensions_for_all_arrays_of_a_tensor_is_taken(call):
    args = laid_out(arguments(call, np.float32, [12, 12]), lambda a, k: a.reshape(3, 4).T)
    assert getattr(_C, call[0])(*args) is True
    want = arguments(call, np.float32, [12, 12])
    PLAIN[call[0]](*want)
    for a, b in zip(flat(args), flat(want), strict=True):
        np.testing.assert_allclose(a.T.ravel() if a.ndim == 2 else a, b, rtol=1e-5, atol=1e-6)


def test_bad_arguments_are_named():
    f = np.ones(3, np.float32)
    rest = (0.1, 0.0, 0.0, 0.0, False, False, False)
    with pytest.raises(TypeError, match="sgd_step: 2 arguments were given; it needs 10"):
        _C.sgd_step([f], [f])
    with pytest.raises(TypeError, match="grads is a tuple; it must be a list"):
        _C.sgd_step([f], (f,), None, *rest)
    with pytest.raises(ValueError, match="grads has 2 arrays and params has 1"):
        _C.sgd_step([f], [f, f], None, *rest)
    with pytest.raises(RuntimeError, match=r"grads\[0\] is float32 \(2,\)"):
        _C.sgd_step([f], [f[:2].copy()], None, *rest)
    with pytest.raises(RuntimeError, match=r"steps\[0\] is float32 \(3,\)"):
        _C.adagrad_step([f], [f], [f], [f], 0.1, 0.0, 0.0, 0.0, False)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_norms_equal_the_numpy_form(order, dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(n).astype(dtype) for n in [*SIZES, 70_000]]
    given = float("inf") if order == 0 else float(order)
    want = numpy_optim_more.tensor_norms([a.astype(np.float64) for a in arrays], given)
    got = _C.tensor_norms(arrays, order)
    tolerance = 1e-14 if dtype == np.float64 else 1e-6
    np.testing.assert_allclose(got, want, rtol=tolerance)
    np.testing.assert_array_equal(cpu.tensor_norms(arrays, given), got)
    assert got[0] == 0.0


@pytest.mark.parametrize("order", [0, 1, 2])
def test_norms_see_nan_and_infinity_and_not_the_threads(order, num_threads):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(n).astype(np.float32) for n in (100_003, 5, 40_000, 40_000)]
    arrays[2][39_999] = np.inf
    arrays[3][7] = np.nan
    arrays[3][39_000] = np.inf
    results = []
    for threads in (1, 2, 3):
        num_threads(threads)
        results.append(_C.tensor_norms(arrays, order))
        assert results[0].tobytes() == results[-1].tobytes()
    assert results[0][2] == np.inf and np.isnan(results[0][3]) and np.isfinite(results[0][:2]).all()
    assert _C.tensor_norms([np.ones(3, np.int32)], order) is None
    with pytest.raises(ValueError, match="order is 3"):
        _C.tensor_norms(arrays, 3)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_scaling(dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(n).astype(dtype) for n in SIZES]
    want = [a.copy() for a in arrays]
    assert _C.scale_tensors(arrays, 0.3)
    numpy_optim_more.scale_tensors(want, 0.3)
    for a, b in zip(arrays, want, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not _C.scale_tensors([np.ones((4, 4), dtype)[:, ::2]], 0.3)
