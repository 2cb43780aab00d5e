"""What drawing in place does to a tensor's part in the graph, beside PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")

FILLS = {
    "uniform_": lambda t: t.uniform_(-1, 1),
    "uniform_ with NumPy's numbers": lambda t: t.uniform_(np.float64(-1), np.float32(1)),
    "normal_": lambda t: t.normal_(mean=np.float64(0), std=2.0),
    "bernoulli_": lambda t: t.bernoulli_(0.5),
    "exponential_": lambda t: t.exponential_(),
    "random_": lambda t: t.random_(5),
    "cauchy_": lambda t: t.cauchy_(),
    "geometric_": lambda t: t.geometric_(0.3),
    "log_normal_": lambda t: t.log_normal_(),
}


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("size", [3, 2000])
def test_a_leaf_filled_without_grad_stays_a_leaf(name: str, size: int) -> None:
    w = mg.nn.Parameter(mg.zeros(size))
    with mg.no_grad():
        assert FILLS[name](w) is w
    assert w.requires_grad
    assert w.is_leaf
    (w * 2).sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), 2)


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize("name", FILLS)
def test_gradients_of_what_was_filled(name: str, part: bool, recorded: bool) -> None:
    def run(lib: Any) -> list:
        x = lib.ones(4, 3, requires_grad=True)
        y = x * 3
        with lib.enable_grad() if recorded else lib.no_grad():
            FILLS[name](y[1:3] if part else y)
        found = [y.requires_grad, y.is_leaf]
        y.sum().backward()
        return [*found, x.grad.tolist()]

    assert run(mg) == run(torch)


def test_leaves_are_refused_while_recording() -> None:
    for lib in (torch, mg):
        w = lib.ones(4, requires_grad=True)
        for name in FILLS:
            with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
                FILLS[name](w)
