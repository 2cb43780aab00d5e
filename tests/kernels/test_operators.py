"""Operators and copies of tensors that are one compiled call: what their Python functions give."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.kernels import fast
from minigrad.nn import functional as F

BINARY = {"add": mg.add, "sub": mg.sub, "mul": mg.mul, "truediv": mg.div}
COMPARE = ("lt", "le", "eq", "ne", "gt", "ge")


def _plain(t: Any) -> Any:
    return t.detach().numpy() if isinstance(t, mg.Tensor) else t


@pytest.mark.parametrize("name", BINARY)
def test_binary_operators(name: str) -> None:
    op, function = getattr(operator, name), BINARY[name]
    x = mg.tensor([[1.5, -2.0, 3.0]])
    y = mg.tensor([[0.5], [4.0]])
    for a, b in (
        (x, y),
        (x, 2),
        (2, x),
        (x, 2.5),
        (2.5, x),
        (x.int(), 3),
        (3, x.int()),
        (x, y.int()),
    ):
        expected = op(_plain(a), _plain(b))
        np.testing.assert_allclose(op(a, b).numpy(), expected, rtol=1e-6)
        if isinstance(a, mg.Tensor):
            np.testing.assert_array_equal(op(a, b).numpy(), function(a, b).numpy())
    np.testing.assert_allclose(op(np.float32(2) * np.ones(3, "f"), x).numpy(), op(2, x.numpy()))
    with pytest.raises(RuntimeError, match="must match"):
        op(x, mg.ones(4))
    with pytest.raises(TypeError):
        op(x, object())
    with pytest.raises(TypeError):
        op(object(), x)


def test_nodes_of_operators() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    w = nn.Parameter(mg.tensor([3.0, 4.0]))
    y = mg.tensor([3.0, 5.0])
    for result, name in (
        (x + 1, "AddBackward0"),
        (1 + x, "AddBackward0"),
        (y - w, "SubBackward0"),
        (w - y, "SubBackward0"),
        (1 - x, "RsubBackward1"),
        (1 - w, "RsubBackward1"),
        (2 * x, "MulBackward0"),
        (w * x, "MulBackward0"),
        (x / y, "DivBackward0"),
        (1 / x, "MulBackward0"),
        (-w, "NegBackward0"),
    ):
        assert result.grad_fn.name() == name
    ((1 - x) * (2 / x) - (-x)).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), -2 / np.array([1.0, 4.0]) + 1)
    with mg.no_grad():
        assert (x + 1).grad_fn is None and (-x).grad_fn is None


def test_comparing_operators() -> None:
    x, y = mg.tensor([1.0, 2.0, float("nan")]), mg.tensor([2.0, 2.0, 2.0])
    for name in COMPARE:
        op = getattr(operator, name)
        for a, b in ((x, y), (x, 2), (2, x), (x, 1.5), (x.int(), y.int()), (x, y.double())):
            np.testing.assert_array_equal(op(a, b).numpy(), op(_plain(a), _plain(b)))
    assert (x == None) is False and (x != "a") is True  # noqa: E711
    with pytest.raises(TypeError):
        assert x < "a"
    assert len({x, y, x}) == 2


def test_subclasses_and_their_own_operators() -> None:
    seen: list = []

    class Seeing(mg.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            seen.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    class Own(mg.Tensor):
        def __radd__(self, other: Any) -> Any:
            return "mine"

    x = mg.tensor([1.0, 2.0])
    s = x.as_subclass(Seeing)
    for result in (x - s, s - x, 1 - s, s - 1, -s):
        assert type(result) is Seeing
    assert [f is mg.Tensor.__sub__ for f in seen[:2]] == [True, True]
    assert x + x.as_subclass(Own) == "mine"
    np.testing.assert_array_equal((x.as_subclass(Own) + x).numpy(), [2, 4])


@pytest.mark.parametrize("exponent", [1.5, 2.5, 3.5, 4.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_that_are_products(isa: str, exponent: float, dtype: Any) -> None:
    x = np.concatenate(
        [
            np.geomspace(1e-9, 1e9, 71),
            [0.0, -0.0, 1.0, -1.0, -2.5, np.inf, -np.inf, np.nan, 1e30, 1e-30],
        ]
    ).astype(dtype)
    with np.errstate(all="ignore"):
        expected = np.power(x.astype(np.longdouble), exponent).astype(dtype)
        small = np.abs(expected) < np.finfo(dtype).tiny  # flushed to zero
        expected[small] = np.copysign(0, expected[small])
    got = (mg.tensor(x) ** exponent).numpy()
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_array_equal(
        np.signbit(got[expected == 0]), np.signbit(expected[expected == 0])
    )
    np.testing.assert_allclose(got, expected, rtol=4 * np.finfo(dtype).eps)
    y = mg.tensor(np.abs(x[:70]), requires_grad=True)
    (y**exponent).sum().backward()
    slope = exponent * np.abs(x[:70].astype(np.float64)) ** (exponent - 1)
    np.testing.assert_allclose(y.grad.numpy(), slope, rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, np.float16])
def test_copies_in_one_call(dtype: Any) -> None:
    n = np.arange(2 * 3 * 5).reshape(2, 3, 5).astype(dtype)
    x = mg.tensor(n)
    for got, expected in (
        (fast.fast_flip(x, (0, -1)), np.flip(n, (0, 2))),
        (fast.fast_flip(x, ([1],)), np.flip(n, 1)),
        (fast.fast_roll(x, 2, -1), np.roll(n, 2, 2)),
        (fast.fast_roll(x, (1, -7), [0, 2]), np.roll(n, (1, -7), (0, 2))),
        (fast.fast_repeat(x, (2, 1, 3)), np.tile(n, (2, 1, 3))),
        (fast.fast_repeat(x, ((2, 1, 1, 2),)), np.tile(n, (2, 1, 1, 2))),
        (fast.fast_repeat_each(x, 3, 1), np.repeat(n, 3, 1)),
        (
            F.pad(x, (1, 2), "constant", 3),
            np.pad(n, ((0, 0), (0, 0), (1, 2)), constant_values=3),
        ),
        (fast.fast_pad(x, (1, 2, 0, 1), "constant", None), np.pad(n, ((0, 0), (0, 1), (1, 2)))),
        (fast.fast_pad(x, [1, 2], "reflect", None), np.pad(n, ((0, 0), (0, 0), (1, 2)), "reflect")),
        (fast.fast_pad(x, (1, 2), "replicate", None), np.pad(n, ((0, 0), (0, 0), (1, 2)), "edge")),
        (
            fast.fast_pad(x, (1, 2, 1, 0), "circular", None),
            np.pad(n, ((0, 0), (1, 0), (1, 2)), "wrap"),
        ),
        (fast.fast_t(mg.ops.permutation.T, x[0]), n[0].T),
        (x[0, :, 1].clone(), n[0, :, 1]),
    ):
        assert isinstance(got, mg.Tensor) and got.grad_fn is None
        np.testing.assert_array_equal(got.numpy(), expected)


def test_clones_keep_the_order_of_memory() -> None:
    n = np.arange(24.0).reshape(2, 3, 4)
    x = mg.tensor(n)
    for axes in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)):
        view = x.permute(axes)
        got = view.clone()
        assert got.stride() == view.stride() and got.data_ptr() != x.data_ptr()
        np.testing.assert_array_equal(got.numpy(), n.transpose(axes))
    for gaps in (x[:, ::2], x[..., 1:], x.expand(2, 2, 3, 4), x[:, :1].transpose(0, 2)):
        np.testing.assert_array_equal(gaps.clone().numpy(), gaps.numpy())
    recorded = mg.tensor(n[0], requires_grad=True)
    recorded.t().clone().sum().backward()
    np.testing.assert_array_equal(recorded.grad.numpy(), np.ones((3, 4)))


def test_what_is_left_to_python() -> None:
    x = mg.ones(2, 3, 4)
    recorded = x.clone().requires_grad_()
    for given in (recorded, x.transpose(0, 1), mg.tensor(1.0), np.ones(3)):
        assert fast.fast_flip(given, (0,)) is None
    for call in (
        lambda: fast.fast_flip(x, (0, 0)),
        lambda: fast.fast_flip(x, (3,)),
        lambda: fast.fast_flip(x, (True,)),
        lambda: fast.fast_roll(x, (1, 2), (0,)),
        lambda: fast.fast_roll(x, 1, None),
        lambda: fast.fast_repeat(x, (2, 2)),
        lambda: fast.fast_repeat(x, (-1, 1, 1)),
        lambda: fast.fast_repeat_each(x, -1, 0),
        lambda: fast.fast_repeat_each(x, mg.tensor([1, 2]), 0),
        lambda: fast.fast_pad(x, (1,), "constant", None),
        lambda: fast.fast_pad(x, (-1, 0), "constant", None),
        lambda: fast.fast_pad(x, (4, 0), "reflect", None),
        lambda: fast.fast_pad(x, (1, 1), "reflect", 1.0),
        lambda: fast.fast_pad(x, (1, 1), "other", None),
        lambda: fast.fast_pad(x, (1, 1, 1, 1, 1, 1), "circular", None),
    ):
        assert call() is None
    with mg.no_grad():
        assert fast.fast_flip(recorded, (0,)) is not None
    with pytest.raises(NotImplementedError):
        F.pad(x, (1, 1), "other")
    assert mg.flip(recorded, (0,)).grad_fn.name() == "FlipBackward0"
