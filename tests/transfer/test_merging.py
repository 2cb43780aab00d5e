"""Soups, interpolation and ensembles: averages are averages, stacked nets learn as single ones."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, transfer
from minigrad.nn import functional as F


def net() -> Any:
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).double()


def same(a: Any, b: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), tolerance, tolerance)


def test_uniform_soup_and_interpolation() -> None:
    models = [net() for _ in range(3)]
    models[0](mg.randn(5, 4, dtype=mg.float64))  # counts a batch
    soup = transfer.uniform_soup(models)
    mean = transfer.uniform_soup([m.state_dict() for m in models], [1, 2, 1])
    states = [m.state_dict() for m in models]
    for name, t in soup.state_dict().items():
        if name.endswith("tracked"):
            assert t.item() == mean[name].item() == 1
            continue
        same(t, sum(s[name] for s in states) / 3)
        same(mean[name], (states[0][name] + 2 * states[1][name] + states[2][name]) / 4)
    assert soup is not models[0] and type(mean) is dict
    a, b = models[:2]
    for t in (0, 0.25, 1, 1.5):
        between = transfer.interpolate(a, b, t)
        same(between[0].weight, (1 - t) * a[0].weight + t * b[0].weight)
    same(transfer.interpolate(a, b, 1)[0].weight, b[0].weight, 0)


def test_soups_refuse() -> None:
    with pytest.raises(ValueError, match="no models"):
        transfer.uniform_soup([])
    with pytest.raises(ValueError, match=r"\(2, 3\) in model 1, \(2, 2\) in model"):
        transfer.uniform_soup([nn.Linear(2, 2), nn.Linear(3, 2)])
    with pytest.raises(ValueError, match="differ in"):
        transfer.uniform_soup([nn.Linear(2, 2), nn.Linear(2, 2, bias=False)])
    with pytest.raises(ValueError, match="2 numbers"):
        transfer.uniform_soup([nn.Linear(2, 2), nn.Linear(2, 2)], [1])
    with pytest.raises(TypeError, match="modules are needed"):
        transfer.greedy_soup([{}], lambda m: 0)


def test_greedy_soup_takes_what_helps() -> None:
    models = [nn.Linear(1, 1, bias=False).double() for _ in range(4)]
    for model, value in zip(models, [3.0, 1.4, 0.4, 9.0]):
        nn.init.constant_(model.weight, value)
    soup = transfer.greedy_soup(models, lambda m: -abs(m.weight.item() - 1))
    # 1.4 first; with 0.4 it is 0.9; with 3 it would be 1.6; with 9 worse
    assert soup.members == [1, 2] and abs(soup.model.weight.item() - 0.9) < 1e-12
    assert abs(soup.score + 0.1) < 1e-12 and len(soup.scores) == 4
    assert models[1].weight.item() == 1.4


def test_ensemble_averages() -> None:
    models = [nn.Linear(4, 3).double() for _ in range(3)]
    x = mg.randn(5, 4, dtype=mg.float64)
    each = mg.stack([m(x) for m in models])
    same(transfer.Ensemble(models)(x), each.mean(0))
    same(transfer.Ensemble(models, "probabilities")(x), each.softmax(2).mean(0))
    votes = transfer.Ensemble(models, "votes")(x)
    counts = [np.bincount(c, minlength=3) / 3 for c in each.argmax(2).numpy().T]
    np.testing.assert_allclose(votes.numpy(), counts)
    maps = [nn.Conv2d(2, 3, 1).double() for _ in range(2)]
    images = mg.randn(2, 2, 4, 5, dtype=mg.float64)
    votes = transfer.Ensemble(maps, "votes")(images)
    assert votes.shape == (2, 3, 4, 5)
    np.testing.assert_allclose(votes.sum(1).numpy(), np.ones((2, 4, 5)))
    ensemble = pickle.loads(pickle.dumps(transfer.Ensemble(models)))
    same(ensemble(x), each.mean(0))
    with pytest.raises(ValueError, match="average='sum'"):
        transfer.Ensemble(models, "sum")
    with pytest.raises(ValueError, match="no models"):
        transfer.Ensemble([])


@pytest.mark.parametrize("own", [False, True])
def test_stacked_nets_learn_as_single_ones(own: bool) -> None:
    mg.manual_seed(0)
    models = [
        nn.Sequential(nn.Linear(4, 6), nn.GroupNorm(2, 6), nn.Tanh(), nn.Linear(6, 3)).double()
        for _ in range(3)
    ]
    stacked = transfer.StackedEnsemble(copy.deepcopy(models), own_inputs=own)
    x, y = mg.randn(3, 10, 4, dtype=mg.float64), mg.randint(0, 3, (3, 10))
    if not own:
        x, y = x[0], y[:1].expand(3, 10)
    same(stacked(x), mg.stack([m(x[i] if own else x) for i, m in enumerate(models)]), 1e-10)
    optimizers = [mg.optim.Adam(m.parameters(), lr=0.01) for m in models]
    together = mg.optim.Adam(stacked.parameters(), lr=0.01)
    for _ in range(4):
        out = stacked(x)
        together.zero_grad()
        sum(F.cross_entropy(out[i], y[i]) for i in range(3)).backward()
        together.step()
        for i, (model, optimizer) in enumerate(zip(models, optimizers)):
            optimizer.zero_grad()
            F.cross_entropy(model(x[i] if own else x), y[i]).backward()
            optimizer.step()
    for model, alone in zip(models, stacked.unstack()):
        for a, b in zip(model.parameters(), alone.parameters()):
            same(a, b, 1e-8)
    other = transfer.StackedEnsemble(models, own_inputs=own)
    other.load_state_dict(stacked.state_dict())
    same(other(x), stacked(x), 0)
    same(stacked.predict(x), stacked(x).mean(0))


def test_stacked_nets_draw_and_refuse() -> None:
    models = [nn.Sequential(nn.Linear(4, 50), nn.Dropout(0.5)) for _ in range(2)]
    for model in models[1:]:
        model.load_state_dict(models[0].state_dict())
    stacked = transfer.StackedEnsemble(models)
    out = stacked(mg.randn(3, 4))
    assert not np.array_equal(out[0].detach().numpy(), out[1].detach().numpy())
    out = stacked.eval()(mg.randn(3, 4))
    np.testing.assert_allclose(out[0].detach().numpy(), out[1].detach().numpy(), 1e-5, 1e-6)
    with pytest.raises(ValueError, match="1 averages statistics"):
        transfer.StackedEnsemble([net(), net()])
    with pytest.raises(ValueError, match="no models"):
        transfer.StackedEnsemble([])
