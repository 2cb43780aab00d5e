"""16-bit parameters with float32 copies: steps add up that 16 bits would lose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim, train
from minigrad.nn import functional as F


@pytest.mark.parametrize("dtype", [mg.bfloat16, mg.float16])
def test_small_steps_add_up(dtype: Any) -> None:
    alone, kept = (nn.Parameter(mg.ones(3, dtype=dtype)) for _ in range(2))
    plain = optim.SGD([alone], 1e-4)
    optimizer = train.MasterWeights([kept], optim.SGD, lr=1e-4)
    for _ in range(1000):
        for p, o in ((alone, plain), (kept, optimizer)):
            o.zero_grad()
            p.sum().backward()
            o.step()
    assert (alone == 1).all()
    assert kept.dtype is dtype and (kept.float() - 0.9).abs().max() < 4e-3
    assert optimizer.state_dict()["masters"][0].dtype is mg.float32


def network(dtype: Any) -> Any:
    mg.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2)).to(dtype)
    net[2].float()  # parameters of both kinds
    return net


def run(net: Any, optimizer: Any, steps: range) -> None:
    g = mg.Generator().manual_seed(1)
    x = mg.randn(64, 6, generator=g)
    y = (x[:, 0] > 0).long()
    for _ in steps:
        optimizer.zero_grad()
        hidden = net[1](net[0](x.to(net[0].weight.dtype)))
        F.cross_entropy(net[2](hidden.float()), y).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()


def test_a_step_is_float32s_with_the_same_gradient() -> None:
    """The copies are what the base optimizer makes of float32 parameters and these gradients."""
    net = network(mg.bfloat16)
    twin = [p.detach().float().requires_grad_() for p in net.parameters()]
    groups = [{"params": list(net[0].parameters()), "lr": 0.02}, {"params": net[2].parameters()}]
    optimizer = train.MasterWeights(groups, optim.AdamW, lr=0.05)
    schedule = optim.lr_scheduler.StepLR(optimizer, 3, 0.5)
    other = optim.AdamW([{"params": twin[:2], "lr": 0.02}, {"params": twin[2:]}], lr=0.05)
    other_schedule = optim.lr_scheduler.StepLR(other, 3, 0.5)
    for i in range(8):
        run(net, optimizer, range(1))
        for p, t in zip(net.parameters(), twin):
            t.grad = p.grad.float()
        other.step()
        schedule.step()
        other_schedule.step()
        for p, t in zip(net.parameters(), twin):
            assert (p == t.to(p.dtype)).all(), i
    masters = optimizer.state_dict()["masters"]
    assert len(masters) == 2
    assert all((m == t).all() for m, t in zip(masters, twin))
    assert optimizer.param_groups[0]["lr"] == 0.02 / 4


def test_a_run_goes_on_bit_for_bit() -> None:
    nets = [network(mg.bfloat16) for _ in range(2)]
    straight, first = (train.MasterWeights(n.parameters(), optim.Adam, lr=1e-3) for n in nets)
    run(nets[0], straight, range(10))
    run(nets[1], first, range(5))
    state = {"net": nets[1].state_dict(), "optimizer": first.state_dict()}
    again = network(mg.bfloat16)
    again.load_state_dict(state["net"])
    resumed = train.MasterWeights(again.parameters(), optim.Adam, lr=0.5)
    resumed.load_state_dict(state["optimizer"])
    run(again, resumed, range(5))
    for a, b in zip(nets[0].parameters(), again.parameters()):
        assert (a == b).all()
    with pytest.raises(ValueError, match="0 copies .* needed: 2"):
        resumed.load_state_dict(optim.Adam(again.parameters()).state_dict())


def test_what_is_written_elsewhere_is_taken_anew() -> None:
    p = nn.Parameter(mg.ones(2, dtype=mg.bfloat16))
    optimizer = train.MasterWeights([p], optim.SGD, lr=0.5)
    with mg.no_grad():
        p.fill_(3)
    p.grad = mg.ones(2, dtype=mg.bfloat16)
    optimizer.step()
    assert p.tolist() == [2.5, 2.5]
    q = nn.Parameter(mg.ones(1, dtype=mg.bfloat16))
    optimizer.add_param_group({"params": [q], "lr": 0.25})
    q.grad = mg.ones(1, dtype=mg.bfloat16)
    p.grad = None
    assert optimizer.step(lambda: 7) == 7
    assert (p.tolist(), q.tolist()) == ([2.5, 2.5], [0.75])


def test_in_a_trainer() -> None:
    x = mg.randn(64, 4).bfloat16()
    y = (x[:, 0] > 0).long()
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).bfloat16()
    optimizer = train.MasterWeights(net.parameters(), optim.Adam, lr=0.02)
    trainer = train.Trainer(net, optimizer, F.cross_entropy, max_epochs=50, gradient_clip_val=1)
    losses = [row["train_loss"] for row in trainer.fit([(x, y)])]
    assert losses[-1] < 0.5 * losses[0] and np.isfinite(losses).all()
