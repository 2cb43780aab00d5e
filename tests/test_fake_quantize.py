"""Fake quantization beside PyTorch: values of every kind, gradients, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")

VALUES = np.concatenate(
    (np.random.default_rng(0).uniform(-4, 4, 500), np.arange(-30, 30) * 0.05 + 0.025,
     [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, 3e9])
)  # fmt: skip


def _compared(call: Any, dtype: str, shape: tuple = (567,)) -> None:
    results = []
    for t in (torch, mg):
        x = t.tensor(VALUES.reshape(shape)).to(getattr(t, dtype)).requires_grad_()
        y = call(t, x)
        weights = t.arange(float(y.numel())).reshape(y.shape).to(y.dtype)
        (grad,) = t.autograd.grad((y * weights).nan_to_num().sum(), x)
        kinds = str(y.dtype), str(grad.dtype)
        results.append((y.detach().double().numpy(), grad.double().numpy(), kinds))
    (y, g, kinds), (ours, our_grad, our_kinds) = results
    np.testing.assert_array_equal(ours, y)
    np.testing.assert_array_equal(our_grad, g)
    assert our_kinds == kinds


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("numbers", [(0.1, 5, 0, 20), (0.037, -3, -8, 7), (0.5, 0, -128, 127)])
def test_per_tensor(numbers: tuple, dtype: str) -> None:
    scale, zero, least, most = numbers
    _compared(lambda t, x: t.fake_quantize_per_tensor_affine(x, *numbers), dtype)

    def with_tensors(t: Any, x: Any) -> Any:
        z = t.tensor(zero, dtype=t.int32)
        return t.fake_quantize_per_tensor_affine(x, t.tensor(scale), z, least, most)

    _compared(with_tensors, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("zeros", ["int32", "float32"])
def test_per_channel(zeros: str, dtype: str) -> None:
    def call(t: Any, x: Any) -> Any:
        scale = t.tensor([0.1, 0.037, 0.5])
        zero = t.tensor([0.0, 1.0, -3.0]).to(getattr(t, zeros))
        return t.fake_quantize_per_channel_affine(x, scale, zero, 1, -8, 7)

    _compared(call, dtype, (189, 3))


CALLS = """
per_tensor_affine(x, 0.1, 5, 20, 0)
per_tensor_affine(x, 0.1, 50, 0, 20)
per_tensor_affine(x.long(), 0.1, 5, 0, 20)
per_channel_affine(x, s, z.long(), 0, 0, 20)
per_channel_affine(x, s.double(), z, 0, 0, 20)
per_channel_affine(x, s, z, 1, 0, 20)
per_channel_affine(x, s, z, 2, 0, 20)
per_channel_affine(x, s, z, -1, 0, 20)
per_channel_affine(x, s, z + 30, 0, 0, 20)
per_channel_affine(x, s[None], z, 0, 0, 20)
per_channel_affine(x.long(), s, z, 0, 0, 20)
per_channel_affine(x, s, z, 0, 20, 0)
"""


@pytest.mark.parametrize("call", CALLS.strip().split("\n"))
def test_errors_are_pytorchs(call: str) -> None:
    errors = []
    for t in (torch, mg):
        names = {"x": t.ones(2, 3), "s": t.tensor([0.1, 0.2]), "t": t}
        names["z"] = t.tensor([0, 1], dtype=t.int32)
        with pytest.raises((RuntimeError, IndexError, TypeError)) as caught:
            eval(f"t.fake_quantize_{call}", names)
        errors.append(caught.type)
    assert errors[0] is errors[1]
