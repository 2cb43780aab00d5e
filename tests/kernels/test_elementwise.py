"""Elementwise kernels: error of the elementary functions, special values, sizes and forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from elementwise_calls import binary, unary

from minigrad import dtypes
from minigrad.kernels import _C, activation, elementwise, fast, maps

# name, exact function, stated bound in ulp (csrc/cpu/vmath.h), range
FUNCTIONS = [
    ("exp", np.exp, 1.0, (-87.0, 88.7)),
    ("log", np.log, 1.0, (1e-37, 3e38)),
    ("sqrt", np.sqrt, 0.5, (0.0, 3e38)),
    ("tanh", np.tanh, 3.0, (-12.0, 12.0)),
    ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), 3.0, (-80.0, 80.0)),
    ("reciprocal", lambda x: 1 / x, 0.5, (1e-30, 1e30)),
    ("expm1", np.expm1, 2.0, (-60.0, 88.7)),
    ("exp2", np.exp2, 2.0, (-125.0, 127.9)),
    ("log1p", np.log1p, 2.0, (-0.999, 3e38)),
    ("log2", np.log2, 2.0, (1e-37, 3e38)),
    ("log10", np.log10, 2.0, (1e-37, 3e38)),
    ("erf", np.vectorize(math.erf), 2.0, (-6.0, 6.0)),
]
# sin and cos near their zeros, and gelu and its like in their tails, are exact to a unit of 1 only
ABSOLUTE = [
    ("sin", np.sin, (-8000.0, 8000.0)),
    ("cos", np.cos, (-8000.0, 8000.0)),
    ("sin", np.sin, (-1e30, 1e30)),
]
SIZES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 100)


def samples(low: float, high: float) -> np.ndarray:
    """Values spread evenly and by magnitude over a range, both signs where it has them."""
    rng = np.random.default_rng(0)
    even = rng.uniform(low, high, 200_000)
    top = max(abs(low), abs(high))
    sizes = np.exp(rng.uniform(np.log(max(1e-30, low)), np.log(top), 200_000))
    both = np.concatenate([even, sizes, -sizes])
    both = both.astype(np.float32)
    return both[(both >= low) & (both <= high)]


@pytest.mark.parametrize(("name", "exact", "bound", "limits"), FUNCTIONS)
def test_error_in_ulp(isa: str, name: str, exact, bound: float, limits: tuple) -> None:  # type: ignore[no-untyped-def]
    x = samples(*limits)
    truth = exact(x.astype(np.float64))
    spacing = np.spacing(np.abs(truth).astype(np.float32)).astype(np.float64)
    normal = np.abs(truth) > 1.2e-38  # subnormal results are flushed
    error = np.abs(unary(name, x).astype(np.float64) - truth) / spacing
    assert error[normal].max() <= bound + 0.01


# The same for doubles (csrc/cpu/vmath_double.h), against 80-bit arithmetic.
DOUBLES = [
    ("exp", np.exp, 1.0, (-708.0, 709.7)),
    ("log", np.log, 1.0, (1e-307, 1.7e308)),
    ("tanh", np.tanh, 3.0, (-25.0, 25.0)),
    ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), 3.0, (-700.0, 700.0)),
    ("expm1", np.expm1, 2.0, (-60.0, 709.7)),
    ("exp2", np.exp2, 2.0, (-1021.0, 1023.9)),
    ("log1p", np.log1p, 2.0, (-0.999, 1.7e308)),
    ("log2", np.log2, 2.0, (1e-307, 1.7e308)),
    ("log10", np.log10, 2.0, (1e-307, 1.7e308)),
    ("sin", np.sin, 2.0, (-9e5, 9e5)),
    ("cos", np.cos, 2.0, (-9e5, 9e5)),
]


def double_samples(low: float, high: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    even = rng.uniform(max(low, -1e3), min(high, 1e3), 30_000)
    top = max(abs(low), abs(high))
    sizes = np.exp(rng.uniform(np.log(max(1e-30, low)), np.log(top), 30_000))
    both = np.concatenate([even, sizes, -sizes, 1 + rng.uniform(-0.5, 0.5, 30_000)])
    return both[(both >= low) & (both <= high)]


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="needs 80-bit numbers")
@pytest.mark.parametrize(("name", "exact", "bound", "limits"), DOUBLES)
def test_error_of_doubles_in_ulp(isa: str, name: str, exact, bound: float, limits: tuple) -> None:  # type: ignore[no-untyped-def]
    x = double_samples(*limits)
    truth = exact(x.astype(np.longdouble))
    spacing = np.spacing(np.abs(truth).astype(np.float64)).astype(np.longdouble)
    error = np.abs(unary(name, x).astype(np.longdouble) - truth) / spacing
    assert error.max() <= bound + 0.01


def test_error_function_of_doubles(isa: str) -> None:
    x = double_samples(-7.0, 7.0)
    truth = np.vectorize(math.erf)(x)  # itself within a unit
    error = np.abs(unary("erf", x) - truth) / np.spacing(np.abs(truth))
    assert error.max() <= 3.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softplus_and_what_is_made_of_it(isa: str, dtype: type) -> None:
    x = double_samples(-80.0, 80.0).astype(dtype)
    wide = x.astype(np.longdouble)
    softplus = np.log1p(np.exp(-np.abs(wide))) + np.maximum(wide, 0)
    for name, numbers, truth in (
        ("softplus", (1.0, 1e9), softplus),
        ("logsigmoid", (), -(softplus - wide)),
        ("mish", (), wide * np.tanh(softplus)),
    ):
        got = _C.unary(fast.UNARY.index(name), x, *numbers)
        error = np.abs(got - truth) / np.spacing(np.abs(truth).astype(dtype)).astype(np.longdouble)
        fine = np.abs(truth) > 1e-3 if name == "logsigmoid" else np.abs(truth) > 1e-30
        assert error[fine].max() <= 4.0


def test_inverse_of_the_error_function(isa: str) -> None:
    x = np.concatenate([double_samples(-0.99, 0.99), 1 - 10.0 ** np.linspace(-15, -2, 200)])
    got = unary("erfinv", x)
    inside = np.abs(x) < 0.9
    back = np.vectorize(math.erf)(got)
    assert (np.abs(back - x)[inside] / np.spacing(np.abs(x[inside]))).max() <= 8.0
    # in the tail erfc tells more than erf does; its condition there is 2 y^2
    tail = x > 0.9
    ratio = np.vectorize(math.erfc)(got[tail]) / (1 - x[tail])
    assert (np.abs(ratio - 1) / (1 + 2 * got[tail] ** 2)).max() <= 2e-15
    small = x.astype(np.float32)
    wide = unary("erfinv", small.astype(np.float64))
    finite = np.isfinite(wide)
    error = np.abs(unary("erfinv", small) - wide)[finite] / np.spacing(np.abs(small[finite]))
    assert error.max() <= 8.0 * np.abs(wide[finite]).max()
    for dtype in (np.float32, np.float64):
        special = np.array([1.0, -1.0, 0.0, 1.5, np.nan, np.inf], dtype)
        want = np.array([np.inf, -np.inf, 0, np.nan, np.nan, np.nan], dtype)
        np.testing.assert_array_equal(unary("erfinv", special), want)


def test_gamma_functions(isa: str) -> None:
    x = np.concatenate([double_samples(-20.3, 40.0), 10.0 ** np.linspace(-12, 200, 300)])
    x = x[np.abs(x - np.round(x)) > 1e-7]
    truth = np.vectorize(math.lgamma)(x)
    assert (np.abs(unary("lgamma", x) - truth) / np.maximum(1, np.abs(truth))).max() <= 2e-15
    narrow = x[np.abs(x) < 1e30].astype(np.float32)
    truth = np.vectorize(math.lgamma)(narrow.astype(np.float64))
    error = np.abs(unary("lgamma", narrow) - truth) / np.maximum(1, np.abs(truth))
    assert error.max() <= 1.2e-7
    # psi(x + 1) = psi(x) + 1 / x, psi(1 - x) = psi(x) + pi / tan(pi x), psi(1) = -gamma
    y = double_samples(0.05, 30.0)
    psi = unary("digamma", y)
    scale = np.maximum(1, 1 / y)
    assert (np.abs(unary("digamma", y + 1) - psi - 1 / y) / scale).max() <= 1e-14
    mirrored = unary("digamma", 1 - y[y < 0.95]) - psi[y < 0.95]
    assert np.abs(mirrored - math.pi / np.tan(math.pi * y[y < 0.95])).max() <= 2e-13
    assert abs(unary("digamma", np.array([1.0]))[0] + 0.5772156649015329) <= 1e-15
    for dtype in (np.float32, np.float64):
        special = np.array([0.0, -0.0, 1.0, 2.0, -3.0, np.inf, -np.inf, np.nan], dtype)
        want = np.array([np.inf, np.inf, 0, 0, np.inf, np.inf, np.inf, np.nan], dtype)
        np.testing.assert_array_equal(unary("lgamma", special), want)
        poles = unary("digamma", special)
        assert poles[0] == -np.inf and poles[1] == np.inf and np.isnan(poles[4])
        assert poles[5] == np.inf and np.isnan(poles[6]) and np.isnan(poles[7])


def test_complement_of_the_error_function(isa: str) -> None:
    x = double_samples(-6.0, 26.0)
    truth = np.vectorize(math.erfc)(x)  # itself within a unit
    error = np.abs(unary("erfc", x) - truth) / np.spacing(truth)
    assert error.max() <= 4.0 + 1.0
    small = x[x < 9.0].astype(np.float32)
    truth = np.vectorize(math.erfc)(small.astype(np.float64))
    assert (np.abs(unary("erfc", small) - truth) / np.spacing(truth.astype(np.float32))).max() <= 1
    for dtype in (np.float32, np.float64):
        special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 30.0, -30.0], dtype)
        want = [0, 2, np.nan, 1, 1, 0, 2]
        np.testing.assert_array_equal(unary("erfc", special), np.array(want, dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_remainders_are_exact(isa: str, dtype: type) -> None:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(50_000) * np.exp(rng.uniform(-20, 20, 50_000))).astype(dtype)
    y = (rng.standard_normal(50_000) * np.exp(rng.uniform(-8, 8, 50_000))).astype(dtype)
    x[:1000] = (y[:1000] * rng.integers(-50, 50, 1000)).astype(dtype)
    special = np.array([0, -0.0, 1, -1, 2.5, -3, np.inf, -np.inf, np.nan, 1e30, 1e-30], dtype)
    a, b = np.meshgrid(special, special)
    with np.errstate(all="ignore"):
        for u, v in ((x, y), (a, b)):
            np.testing.assert_array_equal(binary("fmod", u, v), np.fmod(u, v))
            np.testing.assert_array_equal(binary("remainder", u, v), np.remainder(u, v))
        np.testing.assert_array_equal(binary("div_floor", x, y), np.floor_divide(x, y))
        got, want = binary("div_floor", a, b), np.floor_divide(a, b)
        finite = np.isfinite(a)
        np.testing.assert_array_equal(got[finite], want[finite])
    assert np.signbit(binary("fmod", np.array([-4.0], dtype), np.array([2.0], dtype)))[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hypot_and_logaddexp_at_the_ends(isa: str, dtype: type) -> None:
    big = float(np.finfo(dtype).max)
    special = np.array([0, -0.0, 3, -4, big / 2, 1e-30, np.inf, -np.inf, np.nan, 100, -100], dtype)
    a, b = np.meshgrid(special, special)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(binary("hypot", a, b), np.hypot(a, b), rtol=1e-6)
        got, want = binary("logaddexp", a, b), np.logaddexp(a, b)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-37)  # subnormals are flushed


def test_large_and_small_doubles(isa: str) -> None:
    x = np.array([1e7, -3e8, 1e300, 1e-300, -1e-20, 1.7e308, 5e-324, 2.0**1000], np.float64)
    for name, exact in (("sin", np.sin), ("cos", np.cos), ("log1p", np.log1p)):
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(unary(name, x), exact(x), rtol=1e-15, atol=1e-300)
    big = np.array([3.4e38, 1e30, 1.8e19, 1e-40], np.float32)
    np.testing.assert_allclose(unary("log1p", big), np.log1p(big), rtol=3e-7, atol=1e-38)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "exact"), [f[:2] for f in FUNCTIONS])
def test_special_values(isa: str, name: str, exact, dtype: type) -> None:  # type: ignore[no-untyped-def]
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e5, -1e5, 100, -200], dtype)
    with np.errstate(all="ignore"):
        truth = exact(x.astype(np.float64)).astype(dtype)
        # Results below the smallest normal number are flushed to zero.
        truth[np.abs(truth) < np.finfo(dtype).tiny] = 0
    got = unary(name, x)
    np.testing.assert_allclose(got, truth, rtol=3e-7)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(truth))


def test_log_of_subnormals_when_they_are_kept(isa: str) -> None:
    x = np.array([1e-40, 1.4e-45, 1e-38], np.float32)
    np.testing.assert_allclose(unary("log", x), np.log(x.astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", SIZES)
def test_arithmetic(isa: str, n: int, dtype: type) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.standard_normal((2, n)).astype(dtype)
    rows = rng.standard_normal((3, n)).astype(dtype)
    with np.errstate(all="ignore"):
        for name, exact in (
            ("add", np.add),
            ("sub", np.subtract),
            ("mul", np.multiply),
            ("div", np.divide),
        ):
            np.testing.assert_array_equal(binary(name, x, y), exact(x, y))
            np.testing.assert_array_equal(binary(name, x, 2.5), exact(x, dtype(2.5)))
            np.testing.assert_array_equal(binary(name, 2.5, y), exact(dtype(2.5), y))
            np.testing.assert_array_equal(binary(name, rows, y), exact(rows, y))
    np.testing.assert_array_equal(unary("neg", x), -x)
    np.testing.assert_array_equal(unary("relu", x), np.maximum(x, 0))
    np.testing.assert_array_equal(binary("relu_backward", y, x), np.where(x > 0, y, 0))
    np.testing.assert_allclose(binary("tanh_backward", y, x), y * (1 - x * x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        binary("sigmoid_backward", y, x), y * x * (1 - x), rtol=1e-5, atol=1e-6
    )


def test_what_the_kernels_do_not_take_is_left_to_numpy() -> None:
    spec = fast.spec("add", 2, (), (), False)
    x = np.ones((4, 4), np.float32)
    for a, b in (
        (x, x.astype(np.float64)),
        (x, np.ones((4, 3), np.float32)),
        (x.astype(np.int32), x.astype(np.int32)),
        (x.astype(">f4"), x),
        (1.0, 2.0),
    ):
        assert fast.fast_binary(object, spec, a, b) is None


def test_threads_do_not_change_the_bits(isa: str, num_threads) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).standard_normal(200_003).astype(np.float32)
    results = []
    for count in (1, 2):
        num_threads(count)
        results.append([unary("tanh", x), binary("mul", x, x)])
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("name", "exact", "limits"), ABSOLUTE)
def test_sines(isa: str, name: str, exact, limits: tuple) -> None:  # type: ignore[no-untyped-def]
    x = samples(*limits)
    error = np.abs(unary(name, x).astype(np.float64) - exact(x.astype(np.float64)))
    assert error.max() <= 1.5e-7


POWERS = [
    pytest.param(np.float32, np.float64, 87.0, id="float32"),
    pytest.param(np.float64, np.longdouble, 700.0, id="float64"),
]


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="needs 80-bit numbers")
@pytest.mark.parametrize(("dtype", "exact", "most"), POWERS)
def test_powers(isa: str, dtype: type, exact: type, most: float) -> None:
    rng = np.random.default_rng(0)
    wide = np.exp(rng.uniform(-30, 30, 50_000))
    near = 1 + rng.uniform(-0.5, 0.5, 50_000) * 2.0 ** -rng.integers(0, 20, 50_000)
    x = np.concatenate([wide, near]).astype(dtype)
    reach = np.minimum(most / np.abs(np.log(x.astype(exact)) + 1e-30), 1e15)
    y = (rng.uniform(-1, 1, x.size) * reach).astype(dtype)
    truth = np.power(x.astype(exact), y.astype(exact))
    kind = np.finfo(dtype)
    fine = (truth > kind.tiny) & (truth < kind.max)
    spacing = np.spacing(truth[fine].astype(dtype)).astype(exact)
    assert (np.abs(binary("pow", x, y) - truth)[fine] / spacing).max() <= 2.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_of_special_numbers(isa: str, dtype: type) -> None:
    special = [0, -0.0, 1, -1, 2, -2, np.inf, -np.inf, np.nan, 0.5, -0.5, 3, 1e25, 2.5, -2.5]
    a, b = np.meshgrid(np.array(special, dtype), np.array(special, dtype))
    with np.errstate(all="ignore"):
        want = np.power(a, b)
    got = binary("pow", a, b)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    np.testing.assert_array_equal(np.signbit(got[want == want]), np.signbit(want[want == want]))


PARAMETERS = {
    "leaky_relu": (0.01,),
    "elu": (1.5, 1.1, 0.9),
    "softplus": (1.5, 20.0),
    "clamp": (-0.5, 1.0),
    "hardtanh": (-0.5, 1.0),
    "add_scaled": (0.3,),
    "threshold": (0.4, -2.0),
    "nan_to_num": (0.5, 7.0, -7.0),
    "lerp_number": (0.3,),
    "softshrink": (0.5,),
    "hardshrink": (0.5,),
    "outside": (-0.5, 0.75),
}
NAMES = [
    *(name for name in fast.UNARY if name not in ("copy", "clamp")),
    *(name for name in fast.BINARY if name not in ("clamp_backward", "hardtanh_backward")),
    *fast.COMPARE,
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_every_function_equals_its_numpy_form(isa: str, name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    kind = getattr(dtypes, dtype).numpy
    x, y = (rng.uniform(0.05, 3, 133) * rng.choice((-1, 1), 133) for _ in range(2))
    if name in ("log", "sqrt", "rsqrt", "log2", "log10", "pow", "sqrt_backward", "log1p"):
        x, y = np.abs(x), np.abs(y)
    operands = [x.astype(kind)] if name in fast.UNARY else [x.astype(kind), y.astype(kind)]
    numbers = PARAMETERS.get(name.removesuffix("_backward"), ())
    form = getattr(elementwise, name, None) or getattr(activation, name)
    got, want = getattr(maps, name)(*operands, *numbers), form(*operands, *numbers)
    assert got.dtype == want.dtype
    bound = {"float32": 2e-6, "float64": 1e-12, "float16": 2e-3, "bfloat16": 2e-2}[dtype]
    np.testing.assert_allclose(
        got.astype(np.float64), want.astype(np.float64), rtol=bound, atol=bound
    )
