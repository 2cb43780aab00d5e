"""Elementwise kernels against the CPU's: every operation, every type, every layout."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled

from minigrad.kernels import _C, fast

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16]
# A few units of the type: two mathematical libraries and one rounding.
BOUND = {"float32": 4e-6, "float64": 1e-13, "float16": 1e-3, "bfloat16": 8e-3}
# gelu's and erfinv's kin lose some digits to the cancellation of their definition.
LOOSE = {"erfinv": 10, "ndtri": 10, "lgamma": 10, "digamma": 10, "gelu_backward": 4, "pow": 4}
NUMBERS = {
    "leaky_relu": (0.1,), "elu": (1.2, 0.9, 1.1), "softplus": (1.5, 20.0), "clamp": (-0.5, 0.75),
    "threshold": (0.25, 2.0), "leaky_relu_backward": (0.1,), "elu_backward": (1.2, 0.9, 1.1),
    "softplus_backward": (1.5, 20.0), "clamp_backward": (-0.5, 0.75),
    "hardtanh_backward": (-0.5, 0.75), "add_scaled": (0.3,), "lerp_number": (0.3,),
    "nan_to_num": (0.5, 7.0, -7.0), "softshrink": (0.5,), "hardshrink": (0.5,),
    "outside_backward": (-0.5, 0.75),
}  # fmt: skip
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 3.0, -3.0, 6.0, 20.5, -45.0]


def values(n, dtype, seed=0):
    x = np.random.default_rng(seed).normal(0, 2, n)
    x[: len(SPECIAL)] = SPECIAL[:n]
    return x.astype(dtype)


def assert_near(got, want, scale=1.0):
    bound = BOUND[want.dtype.name] * scale
    got, want = got.astype(np.float64), want.astype(np.float64)
    np.testing.assert_allclose(got, want, rtol=bound, atol=bound, equal_nan=True)


def assert_same(got, want, err_msg=""):  # NumPy does not know bfloat16's NaN
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    np.testing.assert_array_equal(got, want, err_msg=err_msg)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", fast.UNARY)
def test_unary_operations(cuda, name, dtype):
    x = values(1027, dtype)
    op, numbers = fast.UNARY.index(name), NUMBERS.get(name, ())
    out = filled(x.shape, dtype)
    cuda.run("unary", out, x, op, numbers)
    assert_near(out, _C.unary(op, x, *numbers), LOOSE.get(name, 1))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", fast.BINARY)
def test_binary_operations(cuda, name, dtype):
    x, y = values(1027, dtype, 1), values(1027, dtype, 2)
    y[: len(SPECIAL)] = np.roll(y[: len(SPECIAL)], 5)
    op, numbers = fast.BINARY.index(name), NUMBERS.get(name, ())
    out = filled(x.shape, dtype)
    cuda.run("binary", out, x, y, op, numbers)
    assert_near(out, _C.binary(op, x, y, *numbers), LOOSE.get(name, 1))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("op", range(len(fast.COMPARE)), ids=fast.COMPARE)
def test_comparisons(cuda, op, dtype):
    x, y = values(259, dtype, 1), values(259, dtype, 2)
    x[::3] = y[::3]
    out = filled(x.shape, np.bool_)
    cuda.run("compare", out, x, y, op)
    np.testing.assert_array_equal(out.view(np.uint8), _C.compare(op, x, y).view(np.uint8))
    cuda.run("compare", out, x, 0.5, op)
    np.testing.assert_array_equal(out.view(np.uint8), _C.compare(op, x, 0.5).view(np.uint8))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("op", range(len(fast.TERNARY)), ids=fast.TERNARY)
def test_ternary_operations(cuda, op, dtype):
    x, a, b = (np.random.default_rng(k).uniform(0.5, 2, (5, 40)).astype(dtype) for k in range(3))
    out = filled(x.shape, dtype)
    cuda.run("ternary", out, x, a[:1], b, op, 0.3)
    w, u, v = (v.astype(np.float64) for v in (x, a[:1], b))
    far = w + v * (u - w)
    assert_near(out, [w + 0.3 * u * v, w + 0.3 * u / v, far][op].astype(dtype), 2)


ADD, SUB, MUL, NEG = (
    fast.BINARY.index("add"), fast.BINARY.index("sub"), fast.BINARY.index("mul"),
    fast.UNARY.index("neg"),
)  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("n", [0, 1, 2, 31, 32, 33, 255, 256, 4099])
def test_every_size(cuda, n, dtype):
    x, y = values(n, dtype, 1), values(n, dtype, 2)
    out = filled(n, dtype)
    cuda.run("unary", out, x, NEG, ())
    assert_same(out, -x)
    cuda.run("binary", out, x, y, ADD, ())
    with np.errstate(all="ignore"):
        assert_same(out, x + y)
    cuda.run("binary", out, x, 2.5, SUB, ())
    assert_same(out, x - dtype.type(2.5))


def layouts(dtype):
    """(out's shape, x, y): dense, misaligned, strided, turned, repeated."""
    a = values(6 * 8 * 24, dtype).reshape(6, 8, 24)
    b = values(6 * 8 * 24, dtype, 1).reshape(6, 8, 24)
    flat = values(1153, dtype, 2)
    return {
        "row": ((6, 8, 24), a, b[0, 0]),
        "column": ((6, 8, 24), a, b[:, :, :1]),
        "middle": ((6, 8, 24), a, b[:, :1]),
        "both": ((6, 8, 24), a[:, :1], b[:1]),
        "one": ((6, 8, 24), a, np.asarray(b[0, 0, 0])),
        "misaligned": ((1152,), flat[1:], b.reshape(-1)),
        "odd_rows": ((6, 7, 23), a[:, 1:, :23], b[0, 0, 1:]),
        "steps": ((6, 8, 12), a[..., ::2], b[..., 1::2]),
        "backwards": ((6, 8, 24), a[:, ::-1], b[..., ::-1]),
        "turned": ((24, 8, 6), a.T, b.T),
        "mixed": ((8, 6, 24), a.transpose(1, 0, 2), b.reshape(8, 6, 24)),
        "empty": ((0, 8, 24), a[:0], b[:1]),
    }


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", layouts(np.float32))
def test_layouts(cuda, layout, dtype):
    shape, x, y = layouts(dtype)[layout]
    with np.errstate(all="ignore"):
        want = (x.astype(np.float64) * y.astype(np.float64)).astype(dtype)
    out = filled(shape, dtype)
    cuda.run("binary", out, x, y, MUL, ())
    assert_same(out, want)
    turned = filled(shape[::-1], dtype).T  # a result with other strides than the operands
    cuda.run("binary", turned, x, y, MUL, ())
    assert_same(turned, want)
    mask = np.broadcast_to(np.random.default_rng(0).random(shape[-1]) < 0.5, shape)
    cuda.run("where", out, mask, x, y)
    assert_same(out, np.where(mask, x, y))


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "i4", "i8", "f4", "f8", BFLOAT16], ids=str)
def test_copy_and_fill(cuda, dtype):
    x = np.random.default_rng(0).integers(0, 100, (3, 40, 72)).astype(dtype)
    views = {
        "same": x, "turned": x.transpose(0, 2, 1), "all": x.T, "last": x.transpose(1, 2, 0),
        "steps": x[:, ::2, 1:-1:3], "repeated": np.broadcast_to(x[:1, :, :1], x.shape),
        "single": x[0, 0, :1], "none": x[:, :0],
    }  # fmt: skip
    for name, view in views.items():
        out = filled(view.shape, dtype)
        cuda.run("copy", out, view)
        assert_same(out, view, err_msg=name)
        part = filled((*view.shape, 2), dtype)
        cuda.run("copy", part[..., 1], view)
        assert_same(part[..., 1], view, err_msg=name)
        assert (part[..., 0].copy().view(np.uint8) == 0xFF).all()
        value = 1 if np.dtype(dtype).kind == "b" else 3
        cuda.run("fill", part[..., 0], value)
        assert_same(part[..., 0], np.full(view.shape, value, dtype))


def test_in_place(cuda):
    x, y = values(1001, np.float32, 1), values(1001, np.float32, 2)
    want = x + y
    device = cuda.device
    there = device.array(x)
    cuda.binary(there, there, device.array(y), ADD, (), device.stream)
    np.testing.assert_array_equal(device.host(there), want)


def test_bad_arguments(cuda):
    device = cuda.device
    x, y = device.array(np.zeros(4, np.float32)), device.array(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="binary: out is .* must broadcast to out"):
        cuda.binary(x, x, y, ADD, (), 0)
    with pytest.raises(TypeError, match="binary: y is float64 .* must be float32"):
        cuda.binary(x, x, device.array(np.zeros(4)), ADD, (), 0)
    with pytest.raises(TypeError, match="unary: out has no floating-point type"):
        cuda.unary(device.array(np.zeros(4, np.int32)), x, NEG, (), 0)
    with pytest.raises(ValueError, match="unary: op is 99"):
        cuda.unary(x, x, 99, (), 0)
    with pytest.raises(TypeError, match="unary: numbers is list"):
        cuda.unary(x, x, NEG, [], 0)
