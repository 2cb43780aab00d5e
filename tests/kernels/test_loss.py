"""Loss kernels against their NumPy forms, for every instruction set."""

import itertools

import numpy as np
import pytest

from minigrad.kernels import cpu, loss, numpy_loss
from minigrad.kernels.cpu import _C

pytestmark = pytest.mark.usefixtures("isa")

SHAPES = [
    (1, 1), (3, 2), (70, 4), (5, 15), (5, 16), (4, 17), (3, 511), (2, 513), (65, 1000), (2, 5000),
    (2, 3, 5), (1, 9, 16), (3, 21, 33), (2, 17, 300), (1, 40, 7, 9),
]  # fmt: skip
types = pytest.mark.parametrize("dtype", [np.float32, np.float64])
LIMIT = {np.float32: 2e-5, np.float64: 1e-12}


def case(shape, dtype, scale=3.0, ignore=True):
    rng = np.random.default_rng(sum(shape))
    x = (rng.standard_normal(shape) * scale).astype(dtype)
    t = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    if ignore and t.size > 2:
        t[rng.random(t.shape) < 0.3] = -100
        t.reshape(-1)[0] = 0
    w = (rng.random(shape[1]) + 0.1).astype(dtype)
    return x, t, w


def oracle(x, t, w, *rest):
    value, lse, denominator = numpy_loss.cross_entropy(*loss._rows(x, t), w, -100, *rest)
    return value.reshape(t.shape if value.ndim else ()), lse, denominator


def oracle_backward(grad, x, t, w, lse, denominator, *rest):
    a, b = loss._rows(x, t)
    grad = grad.reshape(b.shape) if grad.ndim else grad
    d = numpy_loss.cross_entropy_backward(grad, a, b, w, lse, denominator, -100, *rest)
    return d.reshape(x.shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@types
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
def test_cross_entropy(shape, dtype, weighted, smoothing):
    x, t, w = case(shape, dtype)
    w = w if weighted else None
    close = {"rtol": LIMIT[dtype], "atol": LIMIT[dtype]}
    for reduction in ("none", "sum", "mean"):
        rest = (reduction, smoothing)
        want, want_lse, want_count = oracle(x, t, w, *rest)
        got, lse, count = cpu.cross_entropy(x, t, w, -100, *rest)
        assert got.dtype == dtype
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, **close)
        np.testing.assert_allclose(lse.reshape(want_lse.shape), want_lse, **close)
        np.testing.assert_allclose(count, want_count, rtol=LIMIT[dtype])
        grad = np.asarray(0.7, dtype) if reduction != "none" else np.sin(x[:, 0]).astype(dtype)
        d = cpu.cross_entropy_backward(grad, x, t, w, lse, count, -100, *rest)
        e = oracle_backward(grad, x, t, w, want_lse, want_count, *rest)
        np.testing.assert_allclose(d, e, **close)


@types
@pytest.mark.parametrize("shape", [(4, 3), (4, 16), (4, 40), (2, 2000), (3, 20, 18)], ids=str)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_scores_that_are_huge_infinite_or_nan(dtype, shape, smoothing):
    x, t, _ = case(shape, dtype, ignore=False)
    x *= 1e4
    flat = x.reshape(-1)
    for value, mask in ((-np.inf, x[:1]), (np.nan, x[1:2, :1])):
        for y in (x.copy(), x):
            part = y[:1] if mask.shape == x[:1].shape else y[1:2, :1]
            if np.isinf(value) and y is x:
                y[:1, : shape[1] - 1] = value  # all but the last class
            else:
                part[...] = value
            args = (y, t, None)
            with np.errstate(all="ignore"):
                want, want_lse, count = oracle(*args, "none", smoothing)
                e = oracle_backward(
                    np.ones(t.shape, dtype), *args, want_lse, count, "none", smoothing
                )
            got, lse, _ = cpu.cross_entropy(*args, -100, "none", smoothing)
            np.testing.assert_allclose(got, want, rtol=LIMIT[dtype])
            d = cpu.cross_entropy_backward(
                np.ones(t.shape, dtype), *args, lse, count, -100, "none", smoothing
            )
            np.testing.assert_allclose(d, e, rtol=1e-4, atol=1e-6)
    assert np.isnan(flat).any()


def test_ignored_samples_count_nothing_whatever_their_scores():
    for shape in ((3, 5), (3, 40), (3, 5, 4)):
        x, t, _ = case(shape, np.float32, ignore=False)
        x[1], t[1] = np.nan, -100
        value, lse, count = cpu.cross_entropy(x, t, None, -100, "mean", 0.1)
        assert np.isfinite(value)
        one = np.ones((), np.float32)
        d = cpu.cross_entropy_backward(one, x, t, None, lse, count, -100, "mean", 0.1)
        assert not d[1].any()
        assert np.isfinite(d).all()
        t[...] = -100
        assert np.isnan(cpu.cross_entropy(x, t, None, -100, "mean", 0.0)[0])
        assert cpu.cross_entropy(x, t, None, -100, "sum", 0.0)[0] == 0


def test_classes_out_of_range_are_left_to_python():
    x = np.zeros((3, 4), np.float32)
    for bad in (-1, 4, 1 << 40):
        t = np.array([0, bad, 1])
        assert _C.cross_entropy(x, t, None, -100, "mean", 0.0) is None
        assert _C.cross_entropy(x, t, None, bad, "mean", 0.0) is not None


@types
@pytest.mark.parametrize("shape", [(700, 300), (3, 60000), (4, 21, 5000)], ids=str)
def test_threads_and_alignment_change_nothing(num_threads, shape, dtype):
    x, t, w = case(shape, dtype)
    results = []
    for threads, offset in itertools.product((1, 2), (0, 1)):
        num_threads(threads)
        memory = np.empty(x.size + 1, dtype)
        y = memory[offset : offset + x.size].reshape(shape)
        y[...] = x
        value, lse, count = cpu.cross_entropy(y, t, w, -100, "mean", 0.1)
        one = np.ones((), dtype)
        d = cpu.cross_entropy_backward(one, y, t, w, lse, count, -100, "mean", 0.1)
        results.append((value, lse, d))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_large_gradients_that_pass_the_caches():
    x, t, _ = case((701, 6001), np.float32)
    value, lse, count = cpu.cross_entropy(x, t, None, -100, "mean", 0.0)
    one = np.ones((), np.float32)
    want = oracle(x, t, None, "mean", 0.0)
    np.testing.assert_allclose(value, want[0], rtol=1e-5)
    d = cpu.cross_entropy_backward(one, x, t, None, lse, count, -100, "mean", 0.0)
    e = oracle_backward(one, x, t, None, *want[1:], "mean", 0.0)
    np.testing.assert_allclose(d, e, rtol=1e-4, atol=1e-9)


# ---- pairs ----

NUMBER = {"smooth_l1_loss": (0.7,), "huber_loss": (0.7,)}
SIZES = [1, 2, 15, 16, 17, 33, 8191, 8192, 8193, 20000]


def pair(name, n, dtype):
    rng = np.random.default_rng(n)
    x, t = rng.standard_normal((2, n)).astype(dtype) * 2
    if name == "binary_cross_entropy":
        x, t = rng.random((2, n)).astype(dtype)
        x[:2], t[:2] = [0, 1][:n], [1, 0][:n]
    if name in ("kl_div", "binary_cross_entropy_with_logits"):
        t = rng.random(n).astype(dtype)
        t[: n // 4] = 0
    return x, t


@pytest.mark.parametrize("op", range(len(loss.LOSSES)), ids=loss.LOSSES)
@types
def test_pair_loss(op, dtype):
    name = loss.LOSSES[op]
    params = NUMBER.get(name, ())
    number = params[0] if params else 0.0
    close = {"rtol": 5e-6 if dtype == np.float32 else 1e-12, "atol": 1e-6}
    for n in SIZES:
        x, t = pair(name, n, dtype)
        values = getattr(numpy_loss, name)(x, t, *params)
        for reduction in ("none", "sum", "mean"):
            got = _C.pair_loss(op, x, t, reduction, number)
            want = numpy_loss.reduce_loss(values, reduction, dtype)
            assert got.dtype == dtype
            np.testing.assert_allclose(got, want, **close)
            grad = np.cos(x) if reduction == "none" else np.asarray(1.5, dtype)
            terms, plain = (op, number, reduction, params), (-1, number, reduction, params)
            for target in (False, True):
                got = cpu.pair_loss_backward(name, terms, grad, x, t, target)
                want = cpu.pair_loss_backward(name, plain, grad, x, t, target)
                np.testing.assert_allclose(got, want, **close)


@pytest.mark.parametrize("op", range(len(loss.LOSSES)), ids=loss.LOSSES)
def test_pair_loss_of_special_values(op):
    name = loss.LOSSES[op]
    params = NUMBER.get(name, ())
    number = params[0] if params else 0.0
    # Subnormal results are flushed.
    special = np.array([0, -0.0, 1, -1, 1e30, -1e30, np.inf, -np.inf, np.nan, 88, 200], np.float32)
    if name == "binary_cross_entropy":
        special = np.array([0, 1, 1e-30, 0.5, np.float32(1 - 2**-24)], np.float32)
    x, t = (a.ravel() for a in np.meshgrid(special, special))
    want = getattr(numpy_loss, name)(x, t, *params)
    np.testing.assert_allclose(_C.pair_loss(op, x, t, "none", number), want, rtol=1e-5, atol=1e-37)
    terms, plain = (op, number, "sum", params), (-1, number, "sum", params)
    one = np.ones((), np.float32)
    for target in (False, True):
        got = cpu.pair_loss_backward(name, terms, one, x, t, target)
        want = cpu.pair_loss_backward(name, plain, one, x, t, target)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("bad", [-1e-6, 1.0001, np.nan, np.inf])
@pytest.mark.parametrize("where", [0, 16, 30, 9000])
def test_probabilities_out_of_range_are_left_to_python(bad, where):
    x, t = pair("binary_cross_entropy", 9001, np.float32)
    assert _C.pair_loss(4, x, t, "mean", 0.0) is not None
    for a in (x, t):
        keep, a[where] = a[where], bad
        for reduction in ("none", "mean"):
            assert _C.pair_loss(4, x, t, reduction, 0.0) is None
        a[where] = keep


def test_pair_losses_do_not_depend_on_threads(num_threads):
    for op, name in enumerate(loss.LOSSES):
        x, t = pair(name, 100_003, np.float32)
        results = []
        for threads in (1, 2):
            num_threads(threads)
            grad = np.asarray(0.3, np.float32)
            results.append(
                (
                    _C.pair_loss(op, x, t, "mean", 0.5),
                    _C.pair_loss_backward(op, grad, x, t, "mean", 0.5, False),
                )
            )
        for a, b in zip(*results, strict=True):
            np.testing.assert_array_equal(a, b)


def test_half_precision_and_strides_are_converted():
    x, t = pair("mse_loss", 400, np.float32)
    a, b = x[::2].astype(np.float16), t[::2].astype(np.float16)
    terms = (0, 0.0, "mean", ())
    got = cpu.pair_loss("mse_loss", terms, a, b)
    assert got.dtype == np.float16
    want = ((a.astype(np.float32) - b.astype(np.float32)) ** 2).mean()
    np.testing.assert_allclose(got, want, rtol=1e-3)
    grad = np.ones((), np.float16)
    d = cpu.pair_loss_backward("mse_loss", terms, grad, a, b, False)
    assert d.dtype == np.float16
    scores, classes, _ = case((8, 12), np.float32)
    want = cpu.cross_entropy(scores.T.copy().T, classes, None, -100, "mean", 0.0)[0]
    assert cpu.cross_entropy(scores, classes, None, -100, "mean", 0.0)[0] == want
