"""Matrix products against NumPy in float64: sizes, strides, batches, epilogues, threads."""

import itertools

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minigrad.kernels import cpu, numpy_kernels
from minigrad.kernels.cpu import _C

BF16 = np.dtype(ml_dtypes.bfloat16)
F16, F32, F64 = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)
DTYPES = [F32, F64, F16, BF16]
EPS = {F32: 2.0**-24, F64: 2.0**-53, F16: 2.0**-11, BF16: 2.0**-8}

# Around the micro-tile of every instruction set (6 or 14 rows; 8, 16 or 32 columns), the direct
# path's rows and the chunk of k (256, 512, 1024).
SIZES = [
    (40, 70, 2500), (131, 150, 1100), (97, 530, 331), (33, 520, 1061),
    (1, 1, 1), (2, 3, 4), (5, 7, 3), (6, 8, 16), (7, 9, 17), (13, 15, 31), (14, 32, 64),
    (15, 33, 65), (1, 40, 50), (40, 1, 50), (29, 65, 513), (14, 32, 257), (71, 97, 130),
    (3, 130, 1025), (130, 2, 300), (57, 200, 30), (1, 600, 70), (601, 1, 70),
    (4, 521, 300), (521, 11, 259), (12, 300, 99), (1030, 12, 30), (30, 40, 1030),
    (1, 4501, 303), (3, 1500, 391),
]  # fmt: skip

pytestmark = pytest.mark.usefixtures("isa")


def values(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def laid_out(array, layout):
    """The same values in memory of another layout."""
    *lead, m, n = array.shape
    if layout == "transposed":
        return np.ascontiguousarray(array.swapaxes(-1, -2)).swapaxes(-1, -2)
    if layout == "spread":  # no unit stride at all
        base = np.zeros((*lead, 2 * m + 1, 3 * n + 1), array.dtype)
        view = base[..., 1::2, 1::3]
    elif layout == "reversed":
        base = np.zeros(array.shape, array.dtype)
        view = base[..., ::-1, ::-1]
    elif layout == "inner":  # rows of a wider matrix, from an odd element
        base = np.zeros((*lead, m, n + 5), array.dtype)
        view = base[..., 1 : n + 1]
    else:
        return array.copy()
    view[...] = array
    return view


LAYOUTS = ["plain", "transposed", "spread", "reversed", "inner"]


def check(got, a, b, extra=None):
    """Against float64, within the bound of a sum of k rounded products and one final rounding.

    |error| <= (k + 4) u |a||b| with u of the sums (float32 for halves), plus the result's rounding.
    """
    dtype = got.dtype
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    want, size = wide_a @ wide_b, np.abs(wide_a) @ np.abs(wide_b)
    if extra is not None:
        want, size = want + extra, size + np.abs(extra)
    sums = EPS[F64] if dtype == F64 else EPS[F32]
    k = a.shape[-1]
    bound = (k + 4) * sums * size + (2 * EPS[dtype] * np.abs(want) if dtype.itemsize == 2 else 0)
    if dtype == F16:
        bound = bound + 2.0**-24  # subnormals
    assert got.shape == want.shape
    assert (np.abs(got.astype(np.float64) - want) <= bound + 1e-30).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sizes(dtype):
    rng = np.random.default_rng(0)
    for m, n, k in SIZES:
        a, b = values(rng, (m, k), dtype), values(rng, (k, n), dtype)
        check(cpu.matmul(a, b), a, b)
        w, bias = np.ascontiguousarray(b.T), values(rng, n, dtype)
        check(cpu.linear(a, w, bias), a, b, bias.astype(np.float64))
        check(cpu.linear(a, w), a, b)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_layouts(dtype):
    rng = np.random.default_rng(1)
    sizes = [(5, 7, 9), (1, 33, 40), (33, 1, 40), (70, 90, 80)]
    sizes += [(150, 7, 270), (7, 150, 270), (12, 300, 83), (300, 11, 83)]  # narrow
    for m, n, k in sizes:
        a, b = values(rng, (m, k), dtype), values(rng, (k, n), dtype)
        for la, lb in itertools.product(LAYOUTS, LAYOUTS):
            x, y = laid_out(a, la), laid_out(b, lb)
            check(cpu.matmul(x, y), a, b)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_batches_of_every_rank(dtype):
    rng = np.random.default_rng(2)
    shapes = [
        ((3, 4, 5), (3, 5, 2)), ((9, 4, 5), (5, 2)), ((4, 5), (9, 5, 2)), ((2, 1, 4, 5), (3, 5, 2)),
        ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (4,)), ((4,), (2, 4, 3)),
        ((0, 3, 4), (0, 4, 5)), ((2, 0, 4), (2, 4, 5)), ((0,), (0,)), ((3, 0), (0, 4)),
        ((12, 40, 50), (12, 50, 60)), ((2, 90, 80), (2, 80, 70)), ((1, 3, 4), (7, 4, 2)),
    ]  # fmt: skip
    for sa, sb in shapes:
        a, b = values(rng, sa, dtype), values(rng, sb, dtype)
        got = cpu.matmul(a, b)
        assert isinstance(got, np.ndarray)
        assert got.dtype == dtype
        check(got, a, b)
    a, b = values(rng, (4, 3, 5, 6), dtype), values(rng, (3, 6, 2), dtype)
    check(
        cpu.matmul(a.transpose(1, 0, 2, 3)[::-1], b[:, None]),
        a.transpose(1, 0, 2, 3)[::-1],
        b[:, None],
    )
    x = values(rng, (2, 3, 4, 5), dtype)
    w = values(rng, (6, 5), dtype)
    for view in (x, x[:, :, ::2], x[:, ::2], x.transpose(1, 0, 2, 3), x[:, :1, 1:2]):
        check(cpu.linear(view, w), view, w.T)
        check(cpu.matmul(view, w.T), view, w.T)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "size",
    [
        (3, 5, 4), (1, 40, 30), (40, 1, 30), (33, 50, 1050), (80, 90, 70), (28, 64, 70),
        (50, 5, 270), (12, 300, 83),
    ],
)  # fmt: skip
def test_alpha_beta_bias_relu(dtype, size):
    m, n, k = size
    rng = np.random.default_rng(3)
    a, b, bias = values(rng, (m, k), dtype), values(rng, (k, n), dtype), values(rng, n, dtype)
    for alpha, beta, use_bias, relu in itertools.product(
        (1.0, -0.5), (0.0, 1.0, 2.0), (False, True), (False, True)
    ):
        base = np.full((m, n + 3), np.nan, dtype)
        out = base[:, 1 : n + 1]
        start = values(rng, (m, n), dtype)
        out[...] = np.nan if beta == 0 else start
        cpu.gemm(out, a, b, alpha, beta, bias if use_bias else None, relu)
        extra = np.zeros((m, n)) if beta == 0 else beta * start.astype(np.float64)
        extra = extra + (bias.astype(np.float64) if use_bias else 0)
        wide = (alpha * a.astype(np.float64)).astype(np.float64)
        if relu:
            full = wide @ b.astype(np.float64) + extra
            assert (out.astype(np.float64) >= 0).all()
            tolerance = (k + 8) * EPS[dtype] * (np.abs(wide) @ np.abs(b.astype(np.float64)) + 4)
            assert (np.abs(out.astype(np.float64) - np.maximum(full, 0)) <= tolerance).all()
        else:
            check(out, wide, b, extra)
        assert np.isnan(base[:, [0, -1, -2]].astype(np.float64)).all()  # nothing outside


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_columns_of_b_packed_by_each_thread(dtype, num_threads):
    rng = np.random.default_rng(9)
    m, n, k = 97, 331, 530
    a, b, bias = values(rng, (9, m, k), dtype), values(rng, (9, k, n), dtype), values(rng, n, dtype)
    start = values(rng, (m, n), dtype)
    out = start.copy()
    cpu.gemm(out, a[0], b[0], -0.5, 2.0, bias, False)
    check(out, -0.5 * a[0].astype(np.float64), b[0], 2.0 * start.astype(np.float64) + bias)
    few = values(rng, (50, 250), dtype)  # transposed, of a size that is packed by narrow vectors
    check(cpu.matmul(laid_out(few, "transposed"), b[0][:250, :200]), few, b[0][:250, :200])
    for threads in (1, 3):  # a batch: each product on one thread
        num_threads(threads)
        check(cpu.matmul(a, b), a, b)
        check(cpu.matmul(laid_out(a, "transposed"), laid_out(b, "inner")), a, b)
    again = cpu.matmul(a, b)
    for i in range(9):
        assert cpu.matmul(a[i], b[i]).tobytes() == again[i].tobytes()


@pytest.mark.parametrize("dtype", [F16, BF16], ids=str)
def test_halves_into_float32(dtype):
    rng = np.random.default_rng(4)
    a, b = values(rng, (33, 70), dtype), values(rng, (70, 45), dtype)
    out = np.empty((33, 45), np.float32)
    cpu.gemm(out, a, b, 1.0, 0.0, None, False)
    check(out, a, b)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_empty_sums(dtype):
    a, b, bias = np.zeros((3, 0), dtype), np.zeros((0, 4), dtype), np.arange(4).astype(dtype)
    assert (cpu.matmul(a, b) == 0).all()
    np.testing.assert_array_equal(cpu.linear(a, b.T, bias), np.broadcast_to(bias, (3, 4)))
    out = np.ones((3, 4), dtype)
    cpu.gemm(out, a, b, 1.0, 2.0, bias, False)
    np.testing.assert_array_equal(out.astype(np.float64), 2 + np.tile(np.arange(4.0), (3, 1)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_threads_do_not_matter(dtype, num_threads):
    rng = np.random.default_rng(5)
    cases = [
        ((130, 900), (900, 140)), ((9, 70, 80), (9, 80, 60)), ((2, 150, 90), (2, 90, 120)),
        ((1, 1200), (1200, 1100)), ((1500, 900), (900, 1)), ((300, 33), (33, 300)),
        ((900, 300), (300, 7)), ((7, 300), (300, 900)), ((40, 2500), (2500, 170)),
        ((1, 303), (303, 4501)), ((3, 391), (391, 1500)), ((97, 530), (530, 331)),
        ((33, 1061), (1061, 520)),
    ]  # fmt: skip
    for sa, sb in cases:
        a, b = values(rng, sa, dtype), values(rng, sb, dtype)
        results = []
        for threads in (1, 2, 3):
            num_threads(threads)
            results.append(cpu.matmul(a, b).tobytes())
            transposed = np.ascontiguousarray(b.swapaxes(-1, -2)).swapaxes(-1, -2)
            results.append(cpu.matmul(a, transposed).tobytes())
            results.append(cpu.matmul(laid_out(a, "transposed"), b).tobytes())
        for i in range(3):
            assert results[i] == results[i + 3] == results[i + 6]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    size=st.tuples(st.integers(0, 40), st.integers(0, 70), st.integers(0, 50)),
    dtype=st.sampled_from(DTYPES),
    layouts=st.tuples(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS)),
    batch=st.sampled_from([((), ()), ((2,), (2,)), ((3,), (1,)), ((), (2,)), ((2, 1), (3,))]),
    seed=st.integers(0, 99),
)
def test_any_shape_and_layout(size, dtype, layouts, batch, seed):
    m, n, k = size
    rng = np.random.default_rng(seed)
    a = laid_out(values(rng, (*batch[0], m, k), dtype), layouts[0])
    b = laid_out(values(rng, (*batch[1], k, n), dtype), layouts[1])
    check(cpu.matmul(a, b), a, b)


def test_nan_and_infinity_go_where_they_belong():
    for dtype in DTYPES:
        for m, n, k in [(4, 5, 6), (50, 60, 70), (1, 40, 50), (40, 1, 50)]:
            a, b = np.ones((m, k), dtype), np.ones((k, n), dtype)
            a[m // 2, 0], b[0, n // 2] = np.nan, np.inf
            got = cpu.matmul(a, b).astype(np.float64)
            assert np.isnan(got[m // 2]).all()
            rest = np.delete(got, m // 2, axis=0)
            assert np.isinf(rest[:, n // 2]).all()
            assert (np.delete(rest, n // 2, axis=1) == k).all()


def test_other_types_go_to_numpy():
    ints = np.arange(12, dtype=np.int64).reshape(3, 4)
    np.testing.assert_array_equal(cpu.matmul(ints, ints.T), ints @ ints.T)
    raw = np.zeros(4 * 12 + 1, np.uint8)[1:].view(np.float32).reshape(3, 4)  # unaligned
    raw[...] = ints
    np.testing.assert_array_equal(cpu.matmul(raw, raw.T), ints @ ints.T)
    np.testing.assert_array_equal(cpu.linear(raw, raw), ints @ ints.T)
    np.testing.assert_array_equal(
        cpu.addmm(raw[0, :3], raw, raw.T, 1, 1), ints[0, :3] + ints @ ints.T
    )
    swapped = ints.astype(">f4")
    np.testing.assert_array_equal(cpu.matmul(swapped, swapped.T), ints @ ints.T)


def test_numpy_form_has_the_same_values():
    rng = np.random.default_rng(6)
    for dtype in DTYPES:
        a, b, bias = values(rng, (7, 9), dtype), values(rng, (9, 5), dtype), values(rng, 5, dtype)
        out = [values(rng, (7, 5), dtype)]
        out.append(out[0].copy())
        cpu.gemm(out[0], a, b, 0.5, 2.0, bias, True)
        numpy_kernels.gemm(out[1], a, b, 0.5, 2.0, bias, True)
        tol = 8 * EPS[dtype]
        np.testing.assert_allclose(
            out[0].astype(np.float64), out[1].astype(np.float64), rtol=tol, atol=30 * tol
        )


def test_bad_arguments_are_named():
    a, b = np.ones((3, 4), np.float32), np.ones((4, 5), np.float32)
    out = np.ones((3, 5), np.float32)
    with pytest.raises(TypeError, match="gemm: 3 arguments were given; it needs 7"):
        cpu.gemm(out, a, b)
    with pytest.raises(ValueError, match=r"must be \(..., m, n\), \(..., m, k\) and"):
        cpu.gemm(out, a, a, 1.0, 0.0, None, False)
    with pytest.raises(TypeError, match="a is float32 .* b is float64"):
        cpu.gemm(out, a, b.astype(np.float64), 1.0, 0.0, None, False)
    with pytest.raises(ValueError, match="rows of out contiguous"):
        cpu.gemm(np.ones((5, 3), np.float32).T, a, b, 1.0, 0.0, None, False)
    with pytest.raises(ValueError, match="bias must be"):
        cpu.gemm(out, a, b, 1.0, 0.0, np.ones(4, np.float32), False)
    with pytest.raises(ValueError, match="batches of a and b must broadcast"):
        cpu.gemm(out[None], np.stack([a, a]), b, 1.0, 0.0, None, False)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out is float32 .* read-only"):
        cpu.gemm(out, a, b, 1.0, 0.0, None, False)
    assert _C.matmul(a, a) is None
    assert _C.linear(a, b, None) is None


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_results_beyond_the_caches(dtype, num_threads):
    rng = np.random.default_rng(8)
    for m, n, count in ((263, 272, 60), (129, 264, 124)):  # rows of whole cache lines, and not
        a, b = values(rng, (count, m, 9), dtype), values(rng, (count, 9, n), dtype)
        expected = np.matmul(a.astype(np.float64), b.astype(np.float64))
        for threads in (1, 2):
            num_threads(threads)
            np.testing.assert_allclose(cpu.matmul(a, b), expected, atol=2e-5)
        out = np.empty((count, m, n), dtype)
        out[:] = 1
        cpu.gemm(out, a, b, 1.0, 1.0, None, False)
        np.testing.assert_allclose(out, expected + 1, atol=2e-5)
