"""Distillation: the losses are the papers' formulas, and a student learns from its teacher."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import compress, nn
from minigrad.nn import functional as F

D = mg.float64


def numbers(t: Any) -> np.ndarray:
    return t.detach().numpy()


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_soft_targets_by_hand() -> None:
    s, t = mg.randn(5, 7, dtype=D), mg.randn(5, 7, dtype=D)
    p, q = softmax(numbers(t) / 3), softmax(numbers(s) / 3)
    wanted = 9 * (p * np.log(p / q)).sum() / 5
    assert abs(compress.soft_target_loss(s, t, 3.0).item() - wanted) < 1e-12
    assert abs(compress.soft_target_loss(s, s, 2.0).item()) < 1e-12
    with pytest.raises(ValueError, match="temperature=0"):
        compress.soft_target_loss(s, t, 0)
    with pytest.raises(ValueError, match="equal shapes"):
        compress.soft_target_loss(s, t[:, :3])


def test_soft_targets_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    a = np.random.default_rng(0).normal(size=(2, 4, 6))
    s, t = (torch.tensor(x, requires_grad=True) for x in a)
    other = (
        torch.nn.functional.kl_div(
            torch.log_softmax(s / 5, 1), torch.softmax(t / 5, 1), reduction="batchmean"
        )
        * 25
    )
    other.backward()
    ours = mg.tensor(a[0], requires_grad=True)
    loss = compress.soft_target_loss(ours, mg.tensor(a[1]), 5.0)
    loss.backward()
    np.testing.assert_allclose(loss.item(), other.item(), 1e-12)
    np.testing.assert_allclose(ours.grad.numpy(), s.grad.numpy(), 1e-9, 1e-12)


def test_a_high_temperature_matches_logits() -> None:
    """For T to infinity the gradient is that of half the squared difference of centred logits."""
    s, t = mg.randn(3, 5, dtype=D, requires_grad=True), mg.randn(3, 5, dtype=D)
    compress.soft_target_loss(s, t, 1e4).backward()
    a, b = numbers(s), numbers(t)
    wanted = (a - a.mean(1, keepdims=True) - b + b.mean(1, keepdims=True)) / 5 / 3
    np.testing.assert_allclose(s.grad.numpy(), wanted, 1e-3, 2e-5)


def test_attention_and_features_by_hand() -> None:
    a, b = mg.randn(2, 3, 4, 4, dtype=D), mg.randn(2, 5, 4, 4, dtype=D)
    maps = [(numbers(t) ** 2).mean(1).reshape(2, -1) for t in (a, b)]
    maps = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in maps]
    np.testing.assert_allclose(numbers(compress.attention_map(a)), maps[0])
    loss = compress.attention_transfer_loss(a, b)
    np.testing.assert_allclose(loss.item(), ((maps[0] - maps[1]) ** 2).mean())
    wide = b.repeat_interleave(2, 2).repeat_interleave(2, 3)
    np.testing.assert_allclose(compress.attention_transfer_loss(a, wide).item(), loss.item())
    with pytest.raises(ValueError, match="maps of"):
        compress.attention_transfer_loss(a[:, :, 0], b[:, :, 0, :2])
    np.testing.assert_allclose(
        compress.feature_loss(a, 2 * a).item(), (numbers(a) ** 2).mean(), 1e-12
    )
    assert compress.feature_loss(a, 2 * a, normalize=True).item() < 1e-20
    with pytest.raises(ValueError, match="equal shapes"):
        compress.feature_loss(a, b)


def test_loss_module() -> None:
    s, t, y = mg.randn(4, 3, dtype=D), mg.randn(4, 3, dtype=D), mg.tensor([0, 2, 1, 1])
    loss = compress.DistillationLoss(2.0, 0.3)
    soft, hard = compress.soft_target_loss(s, t, 2.0), F.cross_entropy(s, y)
    np.testing.assert_allclose(loss(s, t, y).item(), 0.3 * soft.item() + 0.7 * hard.item())
    np.testing.assert_allclose(loss(s, t).item(), soft.item())
    assert repr(loss) == "DistillationLoss(temperature=2.0, alpha=0.3)"
    with pytest.raises(ValueError, match="alpha=2"):
        compress.DistillationLoss(alpha=2)


def net(width: int, dropout: float = 0.5) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(dropout),
        nn.Flatten(), nn.Linear(width * 16, 3),
    )  # fmt: skip


def test_distiller_trains_the_student_alone() -> None:
    mg.manual_seed(0)
    teacher, student = net(8), net(2, 0.0)
    before = copy.deepcopy(teacher.state_dict())
    x, y = mg.randn(16, 1, 4, 4), mg.randint(0, 3, (16,))
    distiller = compress.Distiller(
        student, teacher, temperature=2.0, alpha=0.9, features={"2": "2"}, attention={"0": "1"},
        feature_weight=0.5, attention_weight=2.0, example_inputs=x[:1],
    )  # fmt: skip
    assert [tuple(p.shape) for p in distiller.regressors.parameters()] == [(8, 2, 1, 1), (8,)]
    mine = {id(p) for p in student.parameters()} | {
        id(p) for p in distiller.regressors.parameters()
    }
    assert {id(p) for p in distiller.parameters()} == mine
    assert not any("teacher" in key for key in distiller.state_dict())
    optimizer = mg.optim.Adam(distiller.parameters(), lr=0.02)
    first = None
    for _ in range(30):
        loss, output, parts = distiller(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first = first or parts
    assert set(parts) == {"soft", "hard", "feature 2", "attention 0"}
    wanted = 0.9 * parts["soft"] + 0.1 * parts["hard"]
    wanted = wanted + 0.5 * parts["feature 2"] + 2 * parts["attention 0"]
    np.testing.assert_allclose(loss.item(), wanted.item(), 1e-5)
    assert parts["soft"] < first["soft"] and output.shape == (16, 3)
    assert student.training and teacher.training  # as they were
    for key, value in teacher.state_dict().items():
        assert np.array_equal(value.numpy(), before[key].numpy())
    assert all(p.grad is None for p in teacher.parameters())
    assert not student[2]._forward_hooks and not teacher[2]._forward_hooks
    only = compress.Distiller(student, teacher)(x)
    assert list(only.parts) == ["soft"]


def test_distiller_refuses() -> None:
    with pytest.raises(ValueError, match="student has no layer 'gone'"):
        compress.Distiller(net(2), net(4), features={"gone": "0"})
    with pytest.raises(ValueError, match="need example_inputs"):
        compress.Distiller(net(2), net(4), features={"0": "0"})
    with pytest.raises(ValueError, match="only the number of channels"):
        compress.Distiller(net(2), net(4), features={"0": "4"}, example_inputs=mg.randn(1, 1, 4, 4))
