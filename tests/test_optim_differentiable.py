"""`differentiable=True`: gradients through steps of the optimizers, beside PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.optim.differentiable import UPDATES

torch = pytest.importorskip("torch")

DECAY = {"weight_decay": 0.03}
CASES: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"lr": 0.1}, {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, **DECAY},
            {"lr": 0.1, "momentum": 0.8, "nesterov": True, "maximize": True}],
    "Adam": [{}, {"amsgrad": True, **DECAY}, {"decoupled_weight_decay": True, "maximize": True}],
    "AdamW": [{}, {"amsgrad": True, "betas": (0.8, 0.9)}],
    "NAdam": [{}, DECAY, {"decoupled_weight_decay": True, **DECAY}],
    "RAdam": [{"betas": (0.9, 0.6)}, {"lr": 0.1, "betas": (0.5, 0.9), **DECAY}],
    "Adamax": [{}, DECAY],
    "Adadelta": [{}, {"rho": 0.7, **DECAY}],
    "Adagrad": [{}, {"lr_decay": 0.1, **DECAY}],
    "ASGD": [{"t0": 1, "lambd": 0.01, "alpha": 0.5, **DECAY}],
    "RMSprop": [{}, {"centered": True, "momentum": 0.7, **DECAY}],
    "Rprop": [{"lr": 0.1}, {"etas": (0.4, 1.3)}],
}  # fmt: skip
# PyTorch's ASGD writes to what its graph has saved, so that there is nothing to compare with.
RUNS = [(name, case) for name, cases in CASES.items() for case in cases if name != "ASGD"]


def run(lib: Any, name: str, options: dict[str, Any]) -> list[np.ndarray]:
    """Four steps of given gradients: the parameter, the state and gradients through all of them.

    States stand anew before each step: PyTorch writes to them what its graph has saved.
    """
    rng = np.random.default_rng(0)

    def leaf(*shape: int) -> Any:
        return lib.from_numpy(rng.normal(size=shape)).requires_grad_()

    start, grads, scale = leaf(3, 4), [leaf(3, 4) for _ in range(4)], leaf()
    p = start.clone()
    optimizer = getattr(lib.optim, name)([p], differentiable=True, **options)
    for grad in grads:
        p.grad = grad * scale  # also through a number that all gradients share
        state = optimizer.state[p]
        state.update({k: v.detach().clone() for k, v in state.items() if v is not None})
        optimizer.step()
    state = optimizer.state[p]
    values = [p, *(state[key] for key in sorted(state) if state[key] is not None)]
    weights = lib.linspace(-1, 1, 12, dtype=lib.float64).view(3, 4)
    total = sum((v * weights).sum() for v in values if v.requires_grad)
    found = lib.autograd.grad(total, [start, scale, *grads], allow_unused=True)
    return [v.detach().numpy() for v in (*values, *found) if v is not None]


@pytest.mark.parametrize(("name", "options"), RUNS)
def test_gradients_through_steps(name: str, options: dict[str, Any]) -> None:
    ours, theirs = run(mg, name, options), run(torch, name, options)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", sorted(set(UPDATES) - {"Rprop"}))
def test_states_carry_gradients(name: str) -> None:
    def trained(start: mg.Tensor, *grads: mg.Tensor) -> mg.Tensor:
        p = start.clone()
        # The first momentum of SGD is a copy of the gradient without its graph, as PyTorch's.
        options = {**CASES[name][0 if name == "SGD" else -1], "lr": 0.1}
        optimizer = getattr(mg.optim, name)([p], differentiable=True, **options)
        for grad in grads:
            p.grad = grad * p.clone().sin()
            optimizer.step()
        return p

    rng = np.random.default_rng(0)
    given = [mg.from_numpy(rng.uniform(0.5, 1, 3)).requires_grad_() for _ in range(4)]
    assert mg.autograd.gradcheck(trained, given, atol=1e-5)


@pytest.mark.parametrize("lib", [mg, torch], ids=["minigrad", "torch"])
def test_a_learning_rate_is_learned(lib: Any) -> None:
    """The gradient of the loss after two steps with respect to the rate of the steps."""
    rate = lib.tensor(0.1, dtype=lib.float64, requires_grad=True)
    w = lib.tensor([1.0, -2.0], dtype=lib.float64, requires_grad=True)
    p = w.clone()
    optimizer = lib.optim.SGD([p], lr=rate, differentiable=True)
    for _ in range(2):
        (p.grad,) = lib.autograd.grad((p * p).sum(), p, create_graph=True)
        optimizer.step()
    (p * p).sum().backward()
    # p = w (1 - 2 rate)^2, so that the loss is |w|^2 (1 - 2 rate)^4
    assert rate.grad.item() == pytest.approx(5 * 4 * 0.8**3 * -2)
    np.testing.assert_allclose(w.grad.numpy(), 2 * w.detach().numpy() * 0.8**4)


def test_what_cannot_be_recorded() -> None:
    w = mg.ones(2, requires_grad=True)
    w.grad = mg.ones(2)
    with pytest.raises(RuntimeError, match="leaf"):
        mg.optim.SGD([w], differentiable=True).step()
    with pytest.raises(ValueError, match="non-leaf"):
        mg.optim.SGD([w.clone()])
    optimizer = mg.optim.Lion([w.clone()], differentiable=True)
    optimizer.param_groups[0]["params"][0].grad = mg.ones(2)
    with pytest.raises(NotImplementedError, match=f"one of {', '.join(UPDATES)}"):
        optimizer.step()
