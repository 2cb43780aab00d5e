"""Layers of convolution, pooling, normalisation and padding with arguments drawn at random.

Both libraries get the same ones: repr, keys, outputs, gradients and buffers must agree, and where
one raises an error, so must the other, of the same class.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pair import torch

import minigrad as mg

CASES = 60  # for each family

Case = tuple[str, tuple, dict[str, Any], tuple[int, ...]]  # layer, arguments, shape of the input


class Draw(random.Random):
    """Random arguments."""

    def each(self, n: int, values: list) -> Any:
        """One of the values, or one for each of n dimensions."""
        if self.random() < 0.6:
            return self.choice(values)
        return tuple(self.choice(values) for _ in range(n))

    def flag(self) -> bool:
        return self.random() < 0.5

    def shape(self, n: int, channels: int) -> tuple[int, ...]:
        """([N,] C, spatial sizes)."""
        batch = self.choice([(), (1,), (2,)])
        return (*batch, channels, *(self.choice([1, 2, 4, 5, 7]) for _ in range(n)))


def conv(d: Draw, n: int) -> Case:
    padding = d.choice([d.each(n, [0, 1, 2]), d.each(n, [0, 1]), "same", "valid"])
    options = {
        "stride": d.each(n, [1, 1, 2, 3]), "padding": padding, "dilation": d.each(n, [1, 1, 2]),
        "groups": d.choice([1, 1, 2]), "bias": d.flag(),
        "padding_mode": d.choice(["zeros", "zeros", "reflect", "replicate", "circular"]),
    }  # fmt: skip
    c = d.choice([1, 2, 4])
    args = (c, d.choice([2, 4, 6]), d.each(n, [1, 2, 3]))
    return f"Conv{n}d", args, options, d.shape(n, c + (d.random() < 0.05))


def conv_transpose(d: Draw, n: int) -> Case:
    options = {
        "stride": d.each(n, [1, 2, 3]), "padding": d.each(n, [0, 1]), "bias": d.flag(),
        "output_padding": d.each(n, [0, 0, 1]), "dilation": d.each(n, [1, 1, 2]),
        "groups": d.choice([1, 1, 2]),
    }  # fmt: skip
    c = d.choice([1, 2, 4])
    args = (c, d.choice([2, 4, 6]), d.each(n, [1, 2, 3]))
    return f"ConvTranspose{n}d", args, options, d.shape(n, c)


def max_pool(d: Draw, n: int) -> Case:
    options = {
        "stride": d.choice([None, d.each(n, [1, 2, 3])]), "padding": d.each(n, [0, 0, 1]),
        "return_indices": d.flag(), "ceil_mode": d.flag(),
    }  # fmt: skip
    return f"MaxPool{n}d", (d.each(n, [1, 2, 3]),), options, d.shape(n, 3)


def avg_pool(d: Draw, n: int) -> Case:
    options = {
        "stride": d.choice([None, d.each(n, [1, 2, 3])]), "padding": d.each(n, [0, 0, 1]),
        "ceil_mode": d.flag(), "count_include_pad": d.flag(),
    }  # fmt: skip
    if n > 1:
        options["divisor_override"] = d.choice([None, None, 3])
    return f"AvgPool{n}d", (d.each(n, [1, 2, 3]),), options, d.shape(n, 3)


def adaptive_pool(d: Draw, n: int) -> Case:
    kind = d.choice(["Avg", "Max"])
    options = {"return_indices": True} if kind == "Max" and d.flag() else {}
    size = d.each(n, [1, 2, 3] + [None] * (n > 1))
    return f"Adaptive{kind}Pool{n}d", (size,), options, d.shape(n, 3)


def other_pool(d: Draw, n: int) -> Case:
    if n == 1 or d.flag():
        options = {"ceil_mode": d.flag(), "stride": d.choice([None, 2])}
        args = (d.choice([1, 2, 3.0]), d.choice([1, 2, 3]))
        return f"LPPool{n}d", args, options, d.shape(n, 3)
    options = d.choice([{"output_size": d.choice([1, 2, 3])}, {"output_ratio": 0.5}])
    return f"FractionalMaxPool{n}d", (d.each(n, [1, 2]),), options, d.shape(n, 3)


def norm(d: Draw, n: int) -> Case:
    c = d.choice([1, 2, 4])
    kind = d.choice(["BatchNorm", "InstanceNorm"])
    options = {
        "eps": d.choice([1e-5, 0.1]), "momentum": d.choice([0.1, 0.5]), "affine": d.flag(),
        "track_running_stats": d.flag(),
    }  # fmt: skip
    return f"{kind}{n}d", (c,), options, d.shape(n, c + (d.random() < 0.05))


def other_norm(d: Draw, n: int) -> Case:
    shape = d.shape(n, 4)
    if d.flag():
        return "LayerNorm", (shape[-2:],), {"elementwise_affine": d.flag(), "bias": d.flag()}, shape
    if d.flag():
        return "LocalResponseNorm", (d.choice([1, 2, 3, 5]),), {"k": d.choice([1.0, 2.0])}, shape
    if d.flag():
        return "RMSNorm", (shape[-1:],), {"eps": d.choice([None, 1e-3])}, shape
    return "GroupNorm", (d.choice([1, 2]), d.choice([2, 4])), {"affine": d.flag()}, (2, *shape)


def pad(d: Draw, n: int) -> Case:
    kind = d.choice(["Reflection", "Replication", "Zero", "Constant", "Circular"])
    width = d.choice([0, 1, 2]) if d.flag() else tuple(d.choice([0, 1, 2]) for _ in range(2 * n))
    args = (width, 1.5) if kind == "Constant" else (width,)
    return f"{kind}Pad{n}d", args, {}, d.shape(n, 2)


def lazy(d: Draw, n: int) -> Case:
    shape = d.shape(n, d.choice([1, 3]))
    return d.choice(
        [
            ("LazyLinear", (3,), {}, shape),
            (f"LazyConv{n}d", (4, d.choice([1, 2])), {}, shape),
            (f"LazyConvTranspose{n}d", (4, 2), {}, shape),
            (f"LazyBatchNorm{n}d", (), {}, shape),
        ]
    )


FAMILIES = [
    conv, conv_transpose, max_pool, avg_pool, adaptive_pool, other_pool, norm, other_norm, pad,
    lazy,
]  # fmt: skip


def run(lib: Any, case: Case, x: np.ndarray, training: bool) -> list:
    """What there is to compare after a forward and a backward."""
    name, args, options, _ = case
    lib.manual_seed(0)
    layer = getattr(lib.nn, name)(*args, **options).double().train(training)
    t = lib.from_numpy(x.copy()).requires_grad_()
    before = repr(layer)
    outputs = layer(t)
    outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
    weights = np.cos(np.arange(outputs[0].numel(), dtype=np.float64))
    total = (outputs[0] * lib.from_numpy(weights.reshape(tuple(outputs[0].shape)))).sum()
    total.backward()
    arrays = [*outputs, t.grad, *(p.grad for p in layer.parameters()), *layer.buffers()]
    return [before, repr(layer), list(layer.state_dict()), *arrays]


def attempt(*args: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return run(*args)
        except Exception as error:
            return error


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_random_arguments(family: Callable[[Draw, int], Case], n: int) -> None:
    draw = Draw(n)
    agreed = 0
    for _ in range(CASES):
        case, training = family(draw, n), draw.flag()
        x = np.random.default_rng(0).standard_normal(case[-1])
        theirs, ours = attempt(torch, case, x, training), attempt(mg, case, x, training)
        if isinstance(theirs, Exception):
            assert type(ours) is type(theirs), (case, training, theirs, ours)
            continue
        assert not isinstance(ours, Exception), (case, training, ours)
        assert ours[:3] == theirs[:3]
        for a, b in zip(ours[3:], theirs[3:], strict=True):
            a, b = a.detach().numpy(), b.detach().numpy()
            np.testing.assert_allclose(a, b, 1e-7, 1e-8, err_msg=str(case), strict=True)
        agreed += 1
    assert agreed >= CASES // 10
