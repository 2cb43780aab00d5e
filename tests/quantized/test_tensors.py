"""Quantized tensors beside PyTorch's: making, looking, what functions do with them."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels.cpu import _C

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(_C.isa() == "baseline", reason="without fused products ties may differ"),
]
warnings.filterwarnings("ignore", message=".*quantized tensor creation.*")

RNG = np.random.default_rng(0)
VALUES = np.concatenate(
    [RNG.standard_normal(2000) * 3, np.arange(-400, 400) * 0.05 / 2, [0.0, -0.0, 1e30, -1e30]]
).astype(np.float32)


def both(call: Callable) -> list[Any]:
    return [call(t) for t in (mg, torch)]


def same(ours: Any, theirs: Any) -> None:
    np.testing.assert_array_equal(ours.int_repr().numpy(), theirs.int_repr().numpy())
    assert str(ours.dtype) == str(theirs.dtype) and tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_array_equal(ours.dequantize().numpy(), theirs.dequantize().numpy())
    assert str(ours.qscheme()) == str(theirs.qscheme())
    if len(ours.grid) == 2:
        assert ours.q_scale() == theirs.q_scale()
        assert ours.q_zero_point() == theirs.q_zero_point()
    else:
        for name in ("q_per_channel_scales", "q_per_channel_zero_points"):
            a, b = getattr(ours, name)(), getattr(theirs, name)()
            assert str(a.dtype) == str(b.dtype)
            np.testing.assert_array_equal(a.numpy(), b.numpy())
        assert ours.q_per_channel_axis() == theirs.q_per_channel_axis()


@pytest.mark.parametrize("dtype", ["quint8", "qint8", "qint32"])
@pytest.mark.parametrize("scale", [0.05, 0.1, 1 / 3])
def test_per_tensor(dtype: str, scale: float) -> None:
    zero = {"quint8": 120, "qint8": -8, "qint32": 3}[dtype]
    x = VALUES[:-2] if dtype == "qint32" else VALUES
    same(*both(lambda t: t.quantize_per_tensor(t.from_numpy(x), scale, zero, getattr(t, dtype))))


@pytest.mark.parametrize("dtype", ["quint8", "qint8"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_per_channel(dtype: str, axis: int) -> None:
    x = VALUES[:2400].reshape(4, 6, 100)
    n = x.shape[axis]
    scales = RNG.uniform(0.01, 0.1, n)
    zeros = RNG.integers(0, 100, n)

    def call(t: Any) -> Any:
        kind = getattr(t, dtype)
        real = t.from_numpy(x)
        # PyTorch takes no negative axis here
        at = axis % 3
        return t.quantize_per_channel(real, t.from_numpy(scales), t.from_numpy(zeros), at, kind)

    ours, theirs = both(call)
    same(ours, theirs)
    again = mg.quantize_per_channel(mg.from_numpy(x), mg.from_numpy(scales), mg.from_numpy(zeros),
                                    axis, getattr(mg, dtype))  # fmt: skip
    assert mg.equal(ours, again)


RANGES = [
    (-3, 5),
    (0, 5),
    (-4, -1),
    (0, 0),
    (1e-4, 2e-4),
    (-1e-3, 1e-9),
    (-1e-3, 2e-3),
    (1e-30, 2e-30),
]


@pytest.mark.parametrize("dtype", ["quint8", "qint8"])
@pytest.mark.parametrize("reduce", [False, True])
@pytest.mark.parametrize("bounds", RANGES, ids=str)
def test_dynamic(bounds: tuple, reduce: bool, dtype: str) -> None:
    x = np.linspace(*bounds, 57).astype(np.float32)
    same(*both(lambda t: t.quantize_per_tensor_dynamic(t.from_numpy(x), getattr(t, dtype), reduce)))


def _in_place(call: Callable, x: Any) -> Any:
    call(x)
    return x


FUNCTIONS: dict[str, Callable] = {
    "relu": lambda t, x: t.relu(x),
    "F.relu": lambda t, x: t.nn.functional.relu(x),
    "relu6": lambda t, x: t.nn.functional.relu6(x),
    "clamp": lambda t, x: t.clamp(x, -0.51, 0.76),
    "hardtanh": lambda t, x: t.nn.functional.hardtanh(x, -0.3, 0.4),
    "max_pool2d": lambda t, x: t.nn.functional.max_pool2d(x, 2),
    "max_pool2d padded": lambda t, x: t.nn.functional.max_pool2d(x, 3, 2, 1),
    "max_pool2d dilated": lambda t, x: t.nn.functional.max_pool2d(x, 2, (2, 1), 0, (1, 2)),
    "max_pool1d": lambda t, x: t.nn.functional.max_pool1d(x[:, :, 0], 3, 1),
    "avg_pool2d": lambda t, x: t.nn.functional.avg_pool2d(x, 2),
    "adaptive_avg_pool2d": lambda t, x: t.nn.functional.adaptive_avg_pool2d(x, 1),
    "mean": lambda t, x: x.mean((2, 3)),
    "flatten": lambda t, x: x.flatten(1),
    "reshape": lambda t, x: x.reshape(2, -1),
    "permute": lambda t, x: x.permute(0, 2, 3, 1),
    "transpose": lambda t, x: x.transpose(1, 2),
    "index": lambda t, x: x[:, 1:, ::2],
    "unsqueeze": lambda t, x: x.unsqueeze(1).squeeze(1),
    "clone": lambda t, x: x.clone(),
    "detach": lambda t, x: x.detach(),
    "contiguous": lambda t, x: x.contiguous(),
    "cat": lambda t, x: t.cat([x, x.relu()], 1),
    "dropout": lambda t, x: t.nn.functional.dropout(x, 0.5, training=False),
    "Flatten": lambda t, x: t.nn.Flatten()(x),
    "ReLU in place": lambda t, x: _in_place(t.nn.ReLU(inplace=True), x.clone()),
    "relu_": lambda t, x: _in_place(t.relu_, x.clone()),
    "hardtanh in place": lambda t, x: _in_place(t.nn.Hardtanh(inplace=True), x.clone()),
    "cat by axis": lambda t, x: t.concatenate((x, x), axis=2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("zero", [0, 117])
def test_functions(name: str, zero: int) -> None:
    x = VALUES[:216].reshape(2, 3, 6, 6)

    def call(t: Any) -> Any:
        q = t.quantize_per_tensor(t.from_numpy(x), 0.037, zero, t.quint8)
        return FUNCTIONS[name](t, q)

    same(*both(call))


def test_looks() -> None:
    q = mg.quantize_per_tensor(mg.zeros(2, 3), 0.1, 10, mg.quint8)
    assert q.is_quantized and not mg.zeros(1).is_quantized
    assert (q.dim(), q.numel(), len(q), q.element_size(), tuple(q.size())) == (2, 6, 2, 1, (2, 3))
    assert not q.requires_grad and q.grad_fn is None
    with pytest.raises(RuntimeError, match="floating point"):
        q.requires_grad_()
    assert repr(q).startswith("tensor([[0., 0., 0.]") and "scale=0.1, zero_point=10)" in repr(q)
    assert mg.equal(q, copy.deepcopy(q)) and mg.equal(q, pickle.loads(pickle.dumps(q)))
    assert not mg.equal(q, mg.quantize_per_tensor(mg.zeros(2, 3), 0.2, 10, mg.quint8))
    assert mg.dequantize(mg.ones(2)).dtype is mg.float32


def test_what_is_refused() -> None:
    q = mg.quantize_per_tensor(mg.zeros(2, 3), 0.1, 10, mg.quint8)
    for call in (
        lambda: q + q,
        lambda: mg.sin(q),
        lambda: q @ mg.zeros(3, 2),
        lambda: mg.nn.functional.linear(q, mg.zeros(4, 3)),
        lambda: mg.cat([q, mg.zeros(2, 3)]),
        lambda: q.to(mg.float64),
        lambda: mg.nn.functional.dropout(q, 0.5, training=True),
    ):
        with pytest.raises(NotImplementedError, match="quantized"):
            call()
    for bad in (
        lambda: mg.quantize_per_tensor(mg.zeros(2).double(), 0.1, 0, mg.quint8),
        lambda: mg.quantize_per_tensor(mg.zeros(2), 0.1, 0, mg.int8),
        lambda: mg.quantize_per_tensor(mg.zeros(2), 0.0, 0, mg.quint8),
        lambda: mg.quantize_per_tensor(mg.zeros(2), 0.1, 256, mg.quint8),
        lambda: mg.quantize_per_channel(mg.zeros(2, 3), mg.ones(2), mg.zeros(2), 1, mg.qint8),
        lambda: mg.zeros(2).int_repr(),
        lambda: q.q_per_channel_axis(),
        lambda: mg.quantize_per_tensor_dynamic(mg.tensor([float("nan")]), mg.quint8, False),
    ):
        with pytest.raises(RuntimeError):
            bad()


def test_ordinary_tensors_are_as_before() -> None:
    q = mg.quantize_per_tensor(mg.ones(3), 0.1, 10, mg.quint8)
    x = mg.ones(3, requires_grad=True)
    (x * 2).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 2, 2])
    del q
    (x * 2).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [4, 4, 4])
