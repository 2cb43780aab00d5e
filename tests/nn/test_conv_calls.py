"""Convolutions recorded by one compiled call give what the Python code around the kernels gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
import minigrad.nn.functional as F
from minigrad.kernels import fast
from minigrad.ops import conv as source

SIZE = mg.Size([2, 1])
# name, shapes of input and weight, keyword arguments
CASES = [
    ("conv2d", (2, 3, 7, 6), (4, 3, 3, 2), {}),
    ("conv2d", (2, 4, 7, 6), (6, 2, 3, 3), {"stride": SIZE, "padding": [1, 2], "groups": 2}),
    ("conv2d", (1, 2, 9, 8), (2, 2, 2, 3), {"padding": "same", "dilation": (1, 2)}),
    ("conv2d", (1, 2, 9, 8), (2, 2, 2, 4), {"padding": "same"}),
    ("conv2d", (1, 2, 9, 8), (2, 2, 2, 3), {"padding": "valid", "stride": (3,)}),
    ("conv2d", (3, 4, 5, 5), (4, 1, 5, 5), {"padding": 2, "groups": 4}),
    ("conv1d", (2, 3, 11), (4, 3, 3), {"stride": 2, "padding": 1}),
    ("conv1d", (2, 4, 11), (4, 2, 4), {"padding": "same", "dilation": 2, "groups": 2}),
    ("conv_transpose2d", (2, 3, 4, 5), (3, 2, 3, 2), {"stride": 2, "output_padding": (1, 0)}),
    ("conv_transpose2d", (2, 4, 4, 5), (4, 3, 3, 3), {"padding": 1, "groups": 2, "dilation": 2}),
    ("conv_transpose1d", (2, 3, 4), (3, 2, 4), {"stride": 3, "padding": 1, "output_padding": 2}),
    ("conv3d", (1, 2, 4, 5, 5), (2, 2, 3, 3, 3), {"padding": 1}),
]


def _run(name: str, shapes: tuple, dtype: Any, bias: bool, kwargs: dict) -> tuple:
    rng = np.random.default_rng(3)
    x, w = [mg.tensor(rng.standard_normal(s).astype(dtype)).requires_grad_() for s in shapes]
    channels = shapes[1][0]
    if "transpose" in name:
        channels = shapes[1][1] * kwargs.get("groups", 1)
    b = mg.tensor(rng.standard_normal(channels).astype(dtype)).requires_grad_() if bias else None
    y = getattr(F, name)(x, w, b, **kwargs)
    inputs = [x, w] if b is None else [x, w, b]
    first = mg.autograd.grad(y.square().sum(), inputs, create_graph=True)
    second = mg.autograd.grad(sum(g.sum() for g in first), inputs, allow_unused=True)
    with mg.no_grad():
        bare = getattr(F, name)(x, w, b, **kwargs)
    arrays = [y, bare, *first, *[s for s in second if s is not None]]
    return [a.detach().numpy() for a in arrays], y.grad_fn.name(), y.grad_fn.geometry


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]} {c[3]}")
def test_one_call_is_the_python_code(
    case: tuple, bias: bool, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, x, w, kwargs = case
    called = []
    compiled = fast.fast_conv
    monkeypatch.setattr(fast, "fast_conv", lambda *a: called.append(compiled(*a)) or called[-1])
    arrays, node, geometry = _run(name, (x, w), dtype, bias, kwargs)
    assert (called[0] is None) == (name == "conv3d")
    monkeypatch.setattr(fast, "fast_conv", lambda *_: None)
    monkeypatch.setattr(fast, "convolve", lambda *_: None)
    others, other_node, other_geometry = _run(name, (x, w), dtype, bias, kwargs)
    assert node == other_node
    assert geometry == other_geometry
    assert type(geometry) is source.Geometry
    assert len(arrays) == len(others)
    for a, b in zip(arrays, others):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("error", "kwargs"),
    [
        (TypeError, {"stride": 1.0}),
        (TypeError, {"padding": (1.0, 1)}),
        (TypeError, {"groups": True}),
        (RuntimeError, {"stride": 0}),
        (RuntimeError, {"padding": -1}),
        (RuntimeError, {"dilation": (1, 0)}),
        (RuntimeError, {"stride": (1, 2, 3)}),
        (RuntimeError, {"padding": "same", "stride": 2}),
        (RuntimeError, {"padding": "full"}),
        (RuntimeError, {"groups": 2}),
        (RuntimeError, {"dilation": 9}),
    ],
    ids=str,
)
def test_what_is_wrong_stays_wrong(error: type[Exception], kwargs: dict) -> None:
    x, w = mg.zeros(1, 3, 6, 6), mg.zeros(4, 3, 3, 3)
    with pytest.raises(error):
        F.conv2d(x, w, **kwargs)
    with pytest.raises(RuntimeError):
        F.conv2d(x, w.double())
    with pytest.raises(RuntimeError):
        F.conv2d(x, w, mg.zeros(3))
    with pytest.raises(RuntimeError):
        F.conv2d(x, w, mg.zeros(4, dtype=mg.float64))


def test_what_is_no_plain_array_takes_the_python_way() -> None:
    x, w = mg.randn(1, 3, 6, 6), mg.randn(4, 3, 3, 3)
    whole = F.conv2d(x, w)
    apart = mg.randn(1, 6, 6, 3).permute(0, 3, 1, 2)
    np.testing.assert_array_equal(F.conv2d(x[0], w).numpy(), whole[0].numpy())
    np.testing.assert_array_equal(
        F.conv2d(apart, w).numpy(), F.conv2d(apart.contiguous(), w).numpy()
    )
    np.testing.assert_array_equal(
        F.conv2d(x, w, stride=np.int64(2)).numpy(), F.conv2d(x, w, stride=2).numpy()
    )
    assert F.conv2d(x[:0], w).shape == (0, 4, 4, 4)
