"""Casts against NumPy and ml_dtypes, for every instruction set."""

import ml_dtypes
import numpy as np
import pytest

from minigrad.kernels import cpu, numpy_kernels
from minigrad.kernels.cpu import _C

HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
SIZES = [0, 1, 15, 16, 17, 100003]

pytestmark = pytest.mark.usefixtures("isa")


def bits(array):
    return array.view(f"u{array.itemsize}")


def assert_same_bits_or_nan(got, want):
    """Bitwise equal, except that any NaN equals any other NaN of the same sign."""
    assert got.dtype == want.dtype
    with np.errstate(invalid="ignore"):  # ml_dtypes warns of signalling NaNs
        nan, both_nan = np.isnan(want), np.isnan(got) & np.isnan(want)
    np.testing.assert_array_equal(both_nan, nan)
    assert nan.sum() == np.count_nonzero(got != got)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))
    np.testing.assert_array_equal(bits(got)[~both_nan], bits(want)[~both_nan])


def cast_to(src, dtype):
    out = np.full(src.shape, 7, dtype)
    assert cpu.cast(out, src) is None
    want = np.empty(src.shape, dtype)
    with np.errstate(all="ignore"):
        numpy_kernels.cast(want, src)
    assert_same_bits_or_nan(out, want)
    return out


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_every_half_pattern_goes_up_exactly_and_comes_back(dtype):
    every = np.arange(65536, dtype=np.uint16).view(dtype)
    up = cast_to(every, np.float32)
    assert_same_bits_or_nan(cast_to(up, dtype), every)


def neighbourhoods(dtype):
    """Float32 patterns around every value of dtype and every tie between two of them."""
    with np.errstate(all="ignore"):
        values = np.arange(65536, dtype=np.uint16).view(dtype).astype(np.float32)
        values = values[np.isfinite(values)].astype(np.float64)
    values = np.unique(values)
    centres = np.concatenate([values, (values[1:] + values[:-1]) / 2]).astype(np.float32)
    patterns = centres.view(np.uint32)
    return np.concatenate([patterns - 1, patterns, patterns + 1]).view(np.float32)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_rounds_to_nearest_even_around_every_value_and_tie(dtype):
    cast_to(neighbourhoods(dtype), dtype)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("flush", [True, False])
def test_special_values(dtype, flush):
    special = np.array(
        [0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x00008000, 0x00008001,
         0x00018000, 0x7F800000, 0xFF800000, 0x7F800001, 0xFF800001, 0x7FC00000, 0x7FFFFFFF,
         0x7F7FFFFF, 0xFF7FFFFF, 0x7F7F8000, 0x7F7F7FFF, 0x477FEFFF, 0x477FF000, 0x33000000,
         0x33000001, 0x387FFFFF, 0x38800000],
        np.uint32,
    ).view(np.float32)  # fmt: skip
    before = _C.get_flush_denormal()
    _C.set_flush_denormal(flush)
    try:
        cast_to(special, dtype)
    finally:
        _C.set_flush_denormal(before)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_sizes_do_not_write_outside_and_threads_do_not_matter(dtype, size, num_threads):
    patterns = np.random.default_rng(size).integers(0, 2**32, size, dtype=np.uint32)
    src = patterns.view(np.float32)
    results = []
    for threads in (1, 2, 3):
        num_threads(threads)
        padded = np.full(size + 3, 7, dtype)
        cpu.cast(padded[1 : 1 + size], src)  # misaligned for vectors
        assert (padded[[0, -2, -1]] == 7).all()
        results.append(bits(padded[1 : 1 + size]).copy())
        up = np.empty(size, np.float32)
        cpu.cast(up, padded[1 : 1 + size])
        results.append(bits(up))
    for down, up in zip(results[2::2], results[3::2], strict=True):
        np.testing.assert_array_equal(down, results[0])
        np.testing.assert_array_equal(up, results[1])
    cast_to(src, dtype)


def test_shapes_are_kept():
    src = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    cast_to(src, np.float16)
    cast_to(np.array(1.5, np.float32), np.float16)
    cast_to(np.empty((0, 3), np.float32), np.float16)


def test_bad_arguments_are_named():
    f32, f16 = np.ones((2, 3), np.float32), np.ones((2, 3), np.float16)
    with pytest.raises(TypeError, match="cast: 1 arguments were given; it needs 2"):
        cpu.cast(f16)
    with pytest.raises(TypeError, match="cast: out is a list; it must be a numpy.ndarray"):
        cpu.cast([1.0], f32)
    with pytest.raises(ValueError, match=r"out is float16 \(2,\) .* src is float32 \(2, 3\)"):
        cpu.cast(np.ones(2, np.float16), f32)
    with pytest.raises(TypeError, match="one must be float32"):
        cpu.cast(f32, f32)
    with pytest.raises(TypeError, match=r"out is >f2 \(2, 3\) and src is float32"):
        cpu.cast(np.ones((2, 3), ">f2"), f32)
    with pytest.raises(ValueError, match="src is float32 .* not contiguous; it must be C-contig"):
        cpu.cast(f16, np.ones((3, 2), np.float32).T)
    f16.flags.writeable = False
    with pytest.raises(ValueError, match="out is float16 .* read-only; it must be writeable"):
        cpu.cast(f16, f32)


@pytest.mark.parametrize("source", ["?", "u1", "i1", "i2", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("target", ["?", "u1", "i1", "i2", "i4", "i8", "f4", "f8"])
def test_conversions(source, target):
    for n in (1, 7, 17, 1000):
        x = np.random.default_rng(n).normal(size=(n, 3)) * 100
        x = (x > 0 if source == "?" else x.astype("i2")).astype(source)
        for view in (
            x,
            x.T,
            x[::2, 1:],
            np.broadcast_to(x[0], (n, 3)),
            x[:0],
            x[0, 0:1].reshape(()),
        ):
            got = _C.convert(view, np.dtype(target))
            if got is None:
                continue
            assert got.dtype == target and got.flags.c_contiguous
            np.testing.assert_array_equal(got, view.astype(target))


def test_conversions_of_unusual_floats():
    x = np.float32([0, -0.0, 1e-42, np.nan, np.inf, -np.inf, 3e9, -3e9, 1e30, -1.7, 1.7] * 5)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(_C.convert(x, np.dtype("?")), x.astype("?"))
        for target in ("i4", "i8"):
            np.testing.assert_array_equal(_C.convert(x, np.dtype(target)), x.astype(target))
    big = np.array([2**62 + 1, -(2**53) - 1, 2**31, -1])
    for target in ("f4", "f8", "i4", "?"):
        np.testing.assert_array_equal(_C.convert(big, np.dtype(target)), big.astype(target))


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_other_types_go_through_float32(isa, half, num_threads):
    """As PyTorch does: a double that float32 rounds is rounded twice."""
    rng = np.random.default_rng(0)
    doubles = np.concatenate(
        [rng.standard_normal(1000) * 10.0 ** rng.integers(-12, 9, 1000),
         [1 + 2.0**-11 + 2.0**-40, 0.0, -0.0, np.inf, -np.inf, np.nan, 1e300, 1e-300, 1e-40]]
    )  # fmt: skip
    integers = rng.integers(-(2**40), 2**40, 70_001)
    sources = [doubles, integers, integers.astype(np.int32), integers.astype(np.uint8)]
    sources += [integers % 2 == 0, integers[::3], np.broadcast_to(integers[:, None], (70_001, 3))]
    for x in sources:
        with np.errstate(all="ignore"):
            want = x.astype(np.float32).astype(half)
        for threads in (1, 2):
            num_threads(threads)
            got = _C.convert(x, half)
            assert_same_bits_or_nan(got, want)
    every = np.arange(65536, dtype=np.uint16).view(half)
    wide = every.astype(np.float32)
    other = HALVES[half == HALVES[0]]
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(_C.convert(every, np.dtype("f8")), wide.astype("f8"))
        np.testing.assert_array_equal(_C.convert(every, np.dtype("?")), wide.astype("?"))
        got, want = _C.convert(every, other), wide.astype(other)
        np.testing.assert_array_equal(got.astype("f4"), want.astype("f4"))
        small = every[np.abs(wide) < 2**30]
        for target in ("i4", "i8"):
            got = _C.convert(small, np.dtype(target))
            np.testing.assert_array_equal(got, small.astype("f4").astype(target))
