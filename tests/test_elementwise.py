"""Elementwise operations where they are easily wrong: edge values, kinks, promotion, operators.

The op table checks each operation at ordinary values; what stands here are the values at which
conventions differ, PyTorch being the oracle, and Python's operators.
"""

from __future__ import annotations

import itertools
import math
import operator
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops

torch = pytest.importorskip("torch")

NAN, INF = float("nan"), float("inf")
EDGES = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 6.0, 20.0, -20.0]
UNARY = [
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "square",
    "reciprocal", "abs", "sign", "sgn", "neg", "floor", "ceil", "round", "trunc", "frac", "sin",
    "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
    "erf", "erfc", "erfinv", "sigmoid", "logit", "sinc", "lgamma", "deg2rad", "rad2deg",
    "isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit", "logical_not", "relu",
    "leaky_relu", "elu", "selu", "silu", "mish", "softplus", "logsigmoid", "hardswish",
    "softsign", "tanhshrink",
]  # fmt: skip
KINKED = {
    "clamp": lambda x, m: m.clamp(x, -1, 2),
    "clamp_min": lambda x, m: m.clamp_min(x, 0.5),
    "pow 0": lambda x, m: x**0,
    "pow 0.5": lambda x, m: x**0.5,
    "pow -1": lambda x, m: x**-1,
    "pow 3": lambda x, m: x**3,
    "0 pow": lambda x, m: m.pow(0, x),
    "2 pow": lambda x, m: 2**x,
    "rsub": lambda x, m: 1 - x,
    "rdiv": lambda x, m: 1 / x,
    "mod": lambda x, m: x % 2,
    "fmod": lambda x, m: m.fmod(x, 2),
    "pow itself": lambda x, m: m.pow(x, x),
    "xlogy itself": lambda x, m: m.xlogy(x, x),
    "atan2 itself": lambda x, m: m.atan2(x, x),
    "hypot itself": lambda x, m: m.hypot(x, x),
    "maximum ties": lambda x, m: m.maximum(x, x.detach()),
    "minimum ties": lambda x, m: m.minimum(x, x.detach()),
    "fmax ties": lambda x, m: m.fmax(x, x.detach()),
    "fmin ties": lambda x, m: m.fmin(x, x.detach()),
    "where": lambda x, m: m.where(x > 0.5, x, 2 * x),
    "nan_to_num": lambda x, m: m.nan_to_num(x, 1.0, 2.0, 3.0),
}
DTYPES = [d.name for d in mg.dtypes.ALL]


def ours(values: Any, dtype: str) -> Any:
    return mg.Tensor._from_array(np.asarray(values).astype(mg.dtypes.from_name(dtype).numpy))


def theirs(values: Any, dtype: str) -> Any:
    return torch.tensor(np.asarray(values)).to(getattr(torch, dtype))


def same(got: Any, expected: Any, rtol: float = 2e-6) -> None:
    assert str(got.dtype) == str(expected.dtype)
    a = got.detach().numpy().astype(np.float64)
    b = expected.detach().to(torch.float64).numpy(force=True)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-7)


class Ours:
    """`ops` under the names that torch and torch.nn.functional have."""

    def __getattr__(self, name: str) -> Any:
        return ops.CATALOGUE[name]


def edge_case(function: Any, oracle: Any, grad: bool = True) -> None:
    x, t = ours(EDGES, "float32"), theirs(EDGES, "float32")
    if grad:
        x.requires_grad_(), t.requires_grad_()
    got, expected = function(x), oracle(t)
    same(got, expected)
    assert got.requires_grad == expected.requires_grad
    if expected.requires_grad:
        weight = np.linspace(1, 2, len(EDGES))
        got.backward(ours(weight, "float32"))
        expected.backward(theirs(weight, "float32"))
        same(x.grad, t.grad, 1e-5)


@pytest.mark.parametrize("name", UNARY)
def test_edge_values(name: str) -> None:
    oracle = getattr(torch, name, None) or getattr(torch.nn.functional, name)
    edge_case(ops.CATALOGUE[name], oracle)


@pytest.mark.parametrize("name", KINKED)
def test_kinks(name: str) -> None:
    edge_case(lambda x: KINKED[name](x, Ours()), lambda t: KINKED[name](t, torch))


def test_hard_activations_at_their_kinks() -> None:
    values = np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0])
    for name in ("hardtanh", "relu6", "hardsigmoid", "hardswish", "softshrink", "hardshrink"):
        x, t = ours(values, "float32").requires_grad_(), theirs(values, "float32").requires_grad_()
        got, expected = ops.CATALOGUE[name](x), getattr(torch.nn.functional, name)(t)
        same(got, expected)
        got.backward(ours(np.ones(8), "float32"))
        expected.backward(torch.ones(8))
        same(x.grad, t.grad)


BINARY = {
    "add": operator.add, "mul": operator.mul, "div": operator.truediv, "eq": operator.eq,
    "lt": operator.lt, "floordiv": operator.floordiv, "mod": operator.mod, "and": operator.and_,
    "xor": operator.xor, "shift": operator.lshift, "pow": operator.pow, "sub": operator.sub,
}  # fmt: skip
VALUES = [1, 2, 3]


def outcome(function: Any, *args: Any) -> Any:
    try:
        return function(*args)
    except (RuntimeError, TypeError) as error:
        return error


def compare(name: str, a: Any, b: Any, c: Any, d: Any) -> None:
    got, expected = outcome(BINARY[name], a, b), outcome(BINARY[name], c, d)
    if isinstance(expected, Exception):
        assert isinstance(got, Exception), f"PyTorch: {expected}"
        assert isinstance(got, (type(expected), RuntimeError)), (got, expected)
    else:
        assert not isinstance(got, Exception), got
        same(got, expected, 1e-2 if got._array.dtype.itemsize == 2 else 2e-6)


@pytest.mark.parametrize("name", BINARY)
def test_promotion_of_tensors(name: str) -> None:
    for first, second in itertools.product(DTYPES, DTYPES):
        compare(name, ours(VALUES, first), ours(VALUES, second),
                theirs(VALUES, first), theirs(VALUES, second))  # fmt: skip
        compare(name, ours(VALUES, first), ours(2, second),
                theirs(VALUES, first), theirs(2, second))  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_promotion_of_numbers(name: str) -> None:
    for dtype, number in itertools.product(DTYPES, (True, 2, 2.5, np.float32(2.5), np.int8(3))):
        compare(name, ours(VALUES, dtype), number, theirs(VALUES, dtype), number)
        if not isinstance(number, np.generic):  # NumPy's own operators come first
            compare(name, number, ours(VALUES, dtype), number, theirs(VALUES, dtype))


def test_integers_wrap_around() -> None:
    a = mg.tensor([1, 200], dtype=mg.uint8)
    assert (a + 300).numpy().tolist() == [45, 244]
    assert (a * -1).numpy().tolist() == [255, 56]
    assert (-mg.tensor([-128], dtype=mg.int8)).numpy().tolist() == [-128]
    with pytest.raises(OverflowError):
        a + 10**30


def test_foreign_operands() -> None:
    x = mg.tensor([1.0, 2.0])
    assert (x == None) is False and (x != None) is True  # noqa: E711
    assert (x == "a") is False
    with pytest.raises(TypeError, match="'<' not supported"):
        x < "a"  # noqa: B015
    with pytest.raises(TypeError, match="must be Tensor, not str"):
        x + "a"
    assert (x + np.ones(2)).dtype is mg.float64
    assert (np.float64(2) * x).dtype is mg.float32
    assert len({x, x}) == 1

    class Other:
        def __rmul__(self, left: Any) -> str:
            return "mine"

    assert x * Other() == "mine"


INPLACE = ("add", "sub", "mul", "div", "pow", "floor_divide", "remainder", "fmod", "atan2", "eq",
           "lt", "logical_and", "copysign")  # fmt: skip


@pytest.mark.parametrize("name", INPLACE)
def test_in_place_and_out(name: str) -> None:
    a, b = [1.5, -2.5, 3.0], [2.0, 0.5, -1.5]
    expected = getattr(theirs(a, "float32"), name + "_")(theirs(b, "float32"))
    x = ours(a, "float32")
    assert getattr(x, name + "_")(ours(b, "float32")) is x
    same(x, expected)
    out = ours([0.0, 0.0, 0.0], "float32")
    memory = out._array
    assert ops.CATALOGUE[name](ours(a, "float32"), ours(b, "float32"), out=out) is out
    assert out._array is memory
    same(out, expected)


def test_in_place_refuses_a_wider_type() -> None:
    x = mg.tensor([1, 2])
    for write in (lambda: x.add_(1.5), lambda: x.div_(2), x.sqrt_, lambda: x.pow_(0.5)):
        with pytest.raises(RuntimeError, match="result type Float can't be cast"):
            write()
    assert x.numpy().tolist() == [1, 2]
    with pytest.raises(RuntimeError, match="float_power_ has dtype Float"):
        mg.tensor([1.0]).float_power_(2)


@pytest.mark.parametrize("name", ["exp", "sqrt", "tanh", "sigmoid", "relu", "square", "reciprocal"])
def test_gradient_through_in_place(name: str) -> None:
    values = [0.5, 1.5, 2.5]
    x, t = ours(values, "float64").requires_grad_(), theirs(values, "float64").requires_grad_()
    y, u = x * 2, t * 2
    getattr(y, name + "_")().sum().backward()
    getattr(u, name + "_")().sum().backward()
    same(x.grad, t.grad)


@pytest.mark.parametrize(
    ("name", "oracle", "low", "high"),
    [
        ("erf", math.erf, -6, 6),
        ("erfc", math.erfc, -6, 26),
        ("lgamma", lambda v: torch.lgamma(torch.tensor(v, dtype=torch.float64)).item(), 0.01, 200),
    ],
)
def test_special_functions_to_a_few_ulp(name: str, oracle: Any, low: float, high: float) -> None:
    x = np.random.default_rng(0).uniform(low, high, 40_000)  # more than one block
    got = ops.CATALOGUE[name](ours(x, "float64"))._array
    expected = np.array([oracle(v) for v in x])
    error = np.abs(got - expected) / np.spacing(np.abs(expected))
    assert error.max() <= 8, f"{error.max()} at {x[error.argmax()]}"


def test_erfinv_inverts_erf() -> None:
    y = np.concatenate([np.linspace(-5.5, 5.5, 2001), 10.0 ** np.arange(-300, 0, 7)])
    back = ops.erfinv(ops.erf(ours(y, "float64")))._array
    # What erf rounds away near 1 cannot come back: dy = eps / erf'(y).
    slack = 3e-16 / (2 / math.sqrt(math.pi) * np.exp(-y * y)) + 1e-15 * np.abs(y)
    assert (np.abs(back - y) <= slack).all()


@pytest.mark.parametrize("name", ["sigmoid", "gelu", "silu", "erf", "softplus", "lgamma", "pow"])
def test_halves_are_rounded_once(name: str) -> None:
    """Half precision gives the float32 result, rounded."""
    values = np.linspace(0.1, 4, 500)
    for dtype in ("float16", "bfloat16"):
        x = ours(values, dtype)
        args = (2.3,) if name == "pow" else ()
        got = ops.CATALOGUE[name](x, *args)._array
        wide = ops.CATALOGUE[name](ours(x._array, "float32"), *args)._array
        np.testing.assert_array_equal(got, wide.astype(got.dtype))


def test_glu_halves_and_second_gradient() -> None:
    x = ours(np.random.default_rng(0).standard_normal((3, 4)), "float64").requires_grad_()
    (g,) = mg.autograd.grad(ops.glu(x).sum(), x, create_graph=True)
    (g2,) = mg.autograd.grad((g * g).sum(), x)
    t = theirs(x.detach().numpy(), "float64").requires_grad_()
    (h,) = torch.autograd.grad(torch.nn.functional.glu(t).sum(), t, create_graph=True)
    (h2,) = torch.autograd.grad((h * h).sum(), t)
    same(g, h)
    same(g2, h2)


def test_rrelu_takes_its_noise_from_outside() -> None:
    x = mg.tensor([-1.0, 2.0], requires_grad=True)
    noise = mg.tensor([0.25, 0.3])
    y = ops.rrelu(x, training=True, noise=noise)
    assert y.detach().numpy().tolist() == [-0.25, 2.0]
    y.sum().backward()
    assert x.grad.numpy().tolist() == [0.25, 1.0]
    with pytest.raises(RuntimeError, match="noise"):
        ops.rrelu(x, training=True)


@pytest.mark.parametrize(
    "call",
    [
        lambda: mg.bitwise_and(2, 3),
        lambda: mg.remainder(2, 3),
        lambda: mg.xlogy(2, 3),
        lambda: mg.rsub(2, mg.ones(2)),
        lambda: mg.maximum(mg.ones(2), 2.5),
        lambda: mg.atan2(mg.ones(2), 2.5),
        lambda: mg.where(mg.ones(2) > 0, 1.0),
        lambda: mg.true_divide(mg.ones(2), 2, rounding_mode="floor"),
    ],
)
def test_numbers_where_tensors_are_needed(call) -> None:
    with pytest.raises(TypeError):
        call()


def test_equal_across_dtypes() -> None:
    x = mg.tensor([1.0, 2.0])
    assert mg.equal(x, x.half()) and mg.equal(x, x.int()) and not mg.equal(x, x.half() + 1)


def test_clamp_between_bools_and_between_a_number_and_a_scalar() -> None:
    b = mg.tensor([True, False])
    assert mg.clamp(b, b.new_tensor(False), b.new_tensor(True)).tolist() == [True, False]
    limited = mg.clamp(mg.tensor([-1.0, 0.5, 9.0]), 0, mg.tensor(2.0))
    assert limited.tolist() == [0.0, 0.5, 2.0]


def test_logit_where_its_limits_cross() -> None:
    assert mg.logit(mg.tensor([0.0, 0.5, 2.0]), 1.0).tolist() == [math.inf, math.inf, -math.inf]


def test_out_is_checked() -> None:
    x = mg.ones(3)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        mg.add(x, x, out=mg.zeros(1).expand(3))
    with pytest.warns(UserWarning, match="An output with one or more elements was resized"):
        mg.add(x, x, out=mg.zeros(2))


def test_integers_at_the_ends_of_their_type() -> None:
    """Shifts by too much, and divisors of a number that has no absolute value."""
    torch = pytest.importorskip("torch")
    values = [-128, -127, -100, -3, -2, -1, 0, 1, 2, 3, 100, 127]
    for name in ("bitwise_right_shift", "bitwise_left_shift", "gcd"):
        both = [
            getattr(m, name)(a.view(-1, 1), a).tolist()
            for m in (torch, mg)
            for a in [m.tensor(values, dtype=m.int8)]
        ]
        assert both[0] == both[1], name
