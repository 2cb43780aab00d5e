"""Schedules, finders, penalties, SAM and accumulation against closed forms and PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim, train
from minigrad.utils.data import DataLoader, TensorDataset


def data(n: int = 60) -> tuple[Any, Any]:
    g = mg.Generator().manual_seed(3)
    x = mg.randn(n, 4, generator=g)
    return x, (x[:, 0] * x[:, 1] > 0).long()


def network(norm: bool = False) -> Any:
    mg.manual_seed(0)
    middle = [nn.BatchNorm1d(16)] if norm else []
    return nn.Sequential(nn.Linear(4, 16), *middle, nn.Tanh(), nn.Linear(16, 2))


def arrays(model: Any) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in model.parameters()]


def rates(make: Any, steps: int) -> list[float]:
    optimizer = optim.SGD([nn.Parameter(mg.zeros(1))], lr=2.0)
    scheduler = make(optimizer)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_schedules_with_warmup() -> None:
    cosine = [2 * (1 + math.cos(math.pi * min(t / 8, 1))) / 2 for t in range(10)]
    seen = rates(lambda o: train.get_cosine_schedule_with_warmup(o, 4, 12), 14)
    np.testing.assert_allclose(seen, [0, 0.5, 1, 1.5, *cosine], atol=1e-12)
    seen = rates(lambda o: train.get_cosine_schedule_with_warmup(o, 4, 12, min_lr_rate=0.1), 14)
    np.testing.assert_allclose(seen[4:], [0.2 + 0.9 * value for value in cosine], atol=1e-12)
    seen = rates(lambda o: train.get_linear_schedule_with_warmup(o, 2, 6), 8)
    np.testing.assert_allclose(seen, [0, 1, 2, 1.5, 1, 0.5, 0, 0])
    seen = rates(lambda o: train.get_constant_schedule_with_warmup(o, 2), 5)
    np.testing.assert_allclose(seen, [0, 1, 2, 2, 2])
    assert rates(lambda o: train.get_cosine_schedule_with_warmup(o, 0, 5), 1) == [2.0]
    with pytest.raises(ValueError, match="given 6 steps of warm-up of 5"):
        rates(lambda o: train.get_linear_schedule_with_warmup(o, 6, 5), 1)


def test_batch_sizes_grow() -> None:
    x, y = data(64)
    loader = DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True)
    model = network()
    growing = train.BatchSizeScheduler(loader, {1: 8, 3: 32})
    trainer = train.Trainer(
        model, optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), max_epochs=4,
        callbacks=[growing],
    )  # fmt: skip
    steps = [row["step"] for row in trainer.fit(loader)]
    assert np.diff([0, *steps]).tolist() == [16, 8, 8, 2]
    by_hand = train.BatchSizeScheduler(loader, lambda epoch: 4 * 2**epoch)
    assert len(next(iter(loader))[0]) == 4
    by_hand.step()
    assert [len(batch[0]) for batch in loader] == [8] * 8
    with pytest.raises(TypeError, match="has no batch sampler"):
        train.BatchSizeScheduler([x], {})
    with pytest.raises(ValueError, match="size 0 of epoch 0"):
        train.BatchSizeScheduler(loader, {0: 0})


def test_lr_find_leaves_no_trace_and_finds_the_slope() -> None:
    x, y = data()
    model = network(norm=True)
    optimizer = optim.Adam(
        [{"params": model[0].parameters()}, {"params": model[1:].parameters(), "lr": 0.5}], lr=0.1
    )
    trainer = train.Trainer(model, optimizer, nn.CrossEntropyLoss())
    loader = DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True)
    model.eval()
    before, random = {k: v.clone() for k, v in model.state_dict().items()}, mg.get_rng_state()
    found = train.lr_find(trainer, loader, 1e-6, 10.0, num_training=60)
    for name, value in model.state_dict().items():
        assert value.numpy().tobytes() == before[name].numpy().tobytes()
    assert (mg.get_rng_state() == random).all() and not model.training
    assert not optimizer.state and [g["lr"] for g in optimizer.param_groups] == [0.1, 0.5]
    assert all(p.grad is None for p in model.parameters())
    lrs = found.results["lr"]
    np.testing.assert_allclose(np.diff(np.log(lrs)), math.log(1e7) / 59, rtol=1e-6)
    best = found.suggestion()
    assert best is not None and 1e-4 < best < 2.0
    pytest.importorskip("matplotlib")
    assert "suggestion" in found.plot().axes[0].get_legend().get_texts()[0].get_text()


def test_lr_find_stops_when_the_loss_diverges() -> None:
    x = mg.randn(40, 3, generator=mg.Generator().manual_seed(0))
    model = nn.Linear(3, 1)
    trainer = train.Trainer(model, optim.SGD(model.parameters(), lr=0.1), nn.MSELoss())
    found = train.lr_find(trainer, [(x, x[:, :1])], 1e-3, 1e3, num_training=100)
    assert 30 < len(found.results["lr"]) < 90 and found.results["lr"][-1] > 1
    linear = train.lr_find(trainer, [(x, x[:, :1])], 0.1, 0.5, 5, mode="linear")
    np.testing.assert_allclose(linear.results["lr"], [0.1, 0.2, 0.3, 0.4, 0.5])
    assert linear.suggestion() is None
    with pytest.raises(ValueError, match="needed: 0 < min_lr < max_lr"):
        train.lr_find(trainer, [(x, x)], 1.0, 0.1)


def test_slope_of_known_losses() -> None:
    found = train.LRFinder("exponential", {"lr": [1, 2, 3, 4, 5, 6], "loss": [9, 9, 8, 4, 3.9, 9]})
    assert found.suggestion(0, 0) == 3
    assert found.suggestion(10) is None


def test_batch_size_finder() -> None:
    x, y = data(60)
    model = network()
    before = arrays(model)
    trainer = train.Trainer(model, optim.Adam(model.parameters()), nn.CrossEntropyLoss())
    found = train.scale_batch_size(trainer, TensorDataset(x, y), init_val=4)
    assert [row["batch_size"] for row in found.rows] == [4, 8, 16, 32]
    assert found.stopped_by == "data" and found.largest == 32
    assert found.suggestion() in (4, 8, 16, 32)
    for a, b in zip(before, arrays(model)):
        np.testing.assert_array_equal(a, b)
    large = TensorDataset(mg.randn(4096, 4), mg.zeros(4096).long())
    limit = 2 * train.scale_batch_size(trainer, large, init_val=64, max_trials=3).rows[-1]["bytes"]
    found = train.scale_batch_size(trainer, large, init_val=64, memory_limit=limit)
    assert found.stopped_by == "memory" and found.rows[-1]["bytes"] <= limit
    wide = [row["bytes"] for row in found.rows]
    assert wide == sorted(wide) and found.largest < 4096

    class Full(train.Trainer):
        def compute(self, batch: Any) -> Any:
            if len(batch[0]) > 8:
                raise MemoryError
            return super().compute(batch)

    full = Full(model, optim.Adam(model.parameters()), nn.CrossEntropyLoss())
    found = train.scale_batch_size(full, TensorDataset(x, y), init_val=4)
    assert found.largest == 8 and found.stopped_by == "memory"


def descend(model: Any, optimizer: Any, penalty: Any = None, steps: int = 5) -> list[np.ndarray]:
    x, y = data()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        if penalty is not None:
            loss = loss + penalty(model)
        loss.backward()
        optimizer.step()
    return arrays(model)


def test_l2_penalty_is_weight_decay() -> None:
    model, other = network(), network()
    penalised = descend(
        model, optim.SGD(model.parameters(), lr=0.1), train.L2Penalty(0.3, lambda name, p: True)
    )
    decayed = descend(other, optim.SGD(other.parameters(), lr=0.1, weight_decay=0.3))
    for a, b in zip(penalised, decayed):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_penalties_have_their_values_and_choose_matrices() -> None:
    model = network()
    w = [p.detach() for p in (model[0].weight, model[2].weight)]
    l1 = float(train.L1Penalty(0.5)(model))
    assert l1 == pytest.approx(0.5 * sum(float(p.abs().sum()) for p in w), rel=1e-6)
    l2 = float(train.L2Penalty(0.5)(model))
    assert l2 == pytest.approx(0.25 * sum(float((p**2).sum()) for p in w), rel=1e-6)
    train.L1Penalty(0.5)(model).backward()
    np.testing.assert_allclose(model[0].weight.grad.numpy(), 0.5 * np.sign(w[0].numpy()))
    assert model[0].bias.grad is None
    with pytest.raises(ValueError, match="no parameter is included"):
        train.L1Penalty(0.5, lambda name, p: False)(model)
    with pytest.raises(ValueError, match="weight is -1"):
        train.L2Penalty(-1)


def test_decoupled_l1_solves_the_lasso() -> None:
    rng = np.random.default_rng(0)
    x, _ = np.linalg.qr(rng.standard_normal((40, 6)))
    w = np.array([3.0, -2.0, 0.1, 0.0, -0.05, 1.0])
    y = x @ w
    layer = nn.Linear(6, 1, bias=False).double()
    optimizer = optim.SGD(layer.parameters(), lr=0.5)
    handle = train.decoupled_l1(optimizer, 0.2)
    inputs, targets = mg.tensor(x), mg.tensor(y).unsqueeze(1)
    for _ in range(200):
        optimizer.zero_grad()
        (0.5 * ((layer(inputs) - targets) ** 2).sum()).backward()
        optimizer.step()
    exact = np.sign(w) * np.maximum(np.abs(w) - 0.2, 0)
    found = layer.weight.detach().numpy()[0]
    np.testing.assert_allclose(found, exact, atol=1e-10)
    assert (found == 0).sum() == 3
    handle.remove()
    before = found.copy()
    layer.weight.grad.zero_()
    optimizer.step()
    np.testing.assert_array_equal(layer.weight.detach().numpy()[0], before)


def test_decoupled_weight_decay_is_adamws() -> None:
    model, other = network(), network()
    adam = optim.Adam(model.parameters(), lr=0.05)
    train.decoupled_weight_decay(adam, 0.1, model.parameters())
    ours = descend(model, adam)
    theirs = descend(other, optim.AdamW(other.parameters(), lr=0.05, weight_decay=0.1))
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("adaptive", [False, True])
def test_sam_against_its_formula(adaptive: bool) -> None:
    # f(w) = sum(a w^2) / 2 with gradient a w, one SGD step of momentum 0.
    a, w = np.array([1.0, 4.0, 0.5]), np.array([1.0, -0.5, 2.0])
    p = nn.Parameter(mg.tensor(w))
    sam = train.SAM([p], optim.SGD, rho=0.3, adaptive=adaptive, lr=0.1)

    def closure() -> Any:
        sam.zero_grad()
        loss = 0.5 * (mg.tensor(a) * p * p).sum()
        loss.backward()
        return loss

    loss = sam.step(closure)
    g = a * w
    if adaptive:
        worst = w + 0.3 * w**2 * g / np.linalg.norm(np.abs(w) * g)
    else:
        worst = w + 0.3 * g / np.linalg.norm(g)
    assert float(loss) == pytest.approx(0.5 * (a * w * w).sum())
    np.testing.assert_allclose(p.detach().numpy(), w - 0.1 * a * worst, rtol=1e-10)


def test_sam_in_a_trainer_with_norms_and_schedule_and_its_state() -> None:
    x, y = data()
    loader = [(x[:30], y[:30]), (x[30:], y[30:])]

    def run(epochs: int, start: dict | None = None) -> tuple[Any, Any]:
        model = network(norm=True)
        sam = train.SAM(model.parameters(), optim.SGD, rho=0.1, lr=0.2, momentum=0.9)
        scheduler = optim.lr_scheduler.StepLR(sam, 2, 0.5)
        trainer = train.Trainer(
            model, sam, nn.CrossEntropyLoss(), max_epochs=epochs, lr_scheduler=scheduler
        )
        if start is not None:
            trainer.load_state_dict(start)
        trainer.fit(loader)
        return trainer, model

    whole, model = run(6)
    assert model[1].num_batches_tracked == 12
    assert whole.history[-1]["train_loss"] < 0.9 * whole.history[0]["train_loss"]
    assert [row["lr"] for row in whole.history] == [0.2, 0.2, 0.1, 0.1, 0.05, 0.05]
    _, again = run(6, run(3)[0].state_dict())
    for a, b in zip(arrays(model), arrays(again)):
        assert a.tobytes() == b.tobytes()
    np.testing.assert_array_equal(model[1].running_mean.numpy(), again[1].running_mean.numpy())


def test_sam_goes_back_after_an_error() -> None:
    p = nn.Parameter(mg.tensor([1.0, 2.0]))
    sam = train.SAM([p], optim.SGD, lr=0.1)
    calls = []

    def closure() -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        (p * p).sum().backward()

    with pytest.raises(KeyboardInterrupt):
        sam.step(closure)
    assert p.tolist() == [1.0, 2.0]
    with pytest.raises(RuntimeError, match="given no closure"):
        sam.step()
    with pytest.raises(RuntimeError, match="called before first_step"):
        sam.second_step()
    with pytest.raises(ValueError, match="rho is -1"):
        train.SAM([p], optim.SGD, rho=-1, lr=0.1)


def test_accumulate_gives_the_large_batchs_gradient() -> None:
    x, y = data(50)
    model, other = network(), network()
    nn.functional.cross_entropy(other(x[:32]), y[:32]).backward()
    loader = DataLoader(TensorDataset(x, y), batch_size=8)
    groups = list(train.accumulate(loader, 4))
    assert [len(group) for group in groups] == [4, 3]
    assert [weight for _, weight in groups[1]] == [8 / 18, 8 / 18, 2 / 18]
    for (inputs, targets), weight in groups[0]:
        (nn.functional.cross_entropy(model(inputs), targets) * weight).backward()
    for p, q in zip(model.parameters(), other.parameters()):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-4, atol=1e-7)
    with pytest.raises(ValueError, match="steps is 0"):
        next(train.accumulate(loader, 0))
