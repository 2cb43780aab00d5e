"""Networks of well-known kinds: training gives PyTorch's losses, gradients and evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from networks import networks
from pair import torch

import minigrad as mg


def train(lib: Any, name: str) -> tuple[list[str], list[float]]:
    """The keys of the state, and the numbers seen: losses, sizes of gradients, an evaluation."""
    make, shape = networks(lib)[name]
    nn = lib.nn
    lib.manual_seed(0)
    model = make()
    x, y = lib.randn(shape), lib.arange(shape[0]) % 10
    model(x)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    seen = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y, label_smoothing=0.1)
        loss.backward()
        seen += [loss.item(), nn.utils.clip_grad_norm_(model.parameters(), 10.0).item()]
        optimizer.step()
    model.eval()
    with lib.no_grad():
        seen.append(model(x).abs().sum().item())
    return list(model.state_dict()), seen


@pytest.mark.parametrize("name", list(networks(mg)))
def test_training(name: str) -> None:
    (keys, ours), (wanted, theirs) = train(mg, name), train(torch, name)
    assert keys == wanted
    np.testing.assert_allclose(ours, theirs, rtol=2e-4)
