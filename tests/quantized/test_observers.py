"""Observers, fake quantization and qconfigs beside PyTorch's, value for value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.ao import quantization as mq

torch = pytest.importorskip("torch")
tq = torch.ao.quantization
pytestmark = pytest.mark.filterwarnings("ignore")
SIDES = ((mg, mq), (torch, tq))


def batches(kind: str) -> list[Any]:
    rng = np.random.default_rng(sum(map(ord, kind)))
    found = []
    for i in range(4):
        x = rng.standard_normal((8, 6, 5)).astype(np.float32) * (1 + i)
        x = {
            "normal": x,
            "positive": abs(x),
            "negative": -abs(x) - 1,
            "outliers": x**5,
            "constant": np.full_like(x, 0.3),
            "zeros": np.zeros_like(x),
            "one value each": np.full_like(x, i - 1.0),
            "tiny": x * np.float32(1e-9),
        }[kind]
        found.append(np.ascontiguousarray(x, np.float32))
    return found


KINDS = [
    "normal",
    "positive",
    "negative",
    "outliers",
    "constant",
    "zeros",
    "one value each",
    "tiny",
]
OBSERVERS: dict[str, Any] = {
    "MinMax": lambda t, q: q.MinMaxObserver(),
    "MinMax symmetric": lambda t, q: q.MinMaxObserver(qscheme=t.per_tensor_symmetric),
    "MinMax qint8": lambda t, q: q.MinMaxObserver(dtype=t.qint8, qscheme=t.per_tensor_symmetric),
    "MinMax reduced": lambda t, q: q.MinMaxObserver(reduce_range=True),
    "MinMax reduced qint8": lambda t, q: q.MinMaxObserver(dtype=t.qint8, reduce_range=True),
    "MinMax bounds": lambda t, q: q.MinMaxObserver(quant_min=0, quant_max=100),
    "MinMax symmetric bounds": lambda t, q: q.MinMaxObserver(
        qscheme=t.per_tensor_symmetric, quant_min=0, quant_max=100),
    "MovingAverage": lambda t, q: q.MovingAverageMinMaxObserver(averaging_constant=0.1),
    "PerChannel": lambda t, q: q.PerChannelMinMaxObserver(ch_axis=1),
    "PerChannel symmetric": lambda t, q: q.PerChannelMinMaxObserver(
        dtype=t.qint8, qscheme=t.per_channel_symmetric),
    "MovingAveragePerChannel": lambda t, q: q.MovingAveragePerChannelMinMaxObserver(
        averaging_constant=0.2, ch_axis=2),
    "Histogram": lambda t, q: q.HistogramObserver(),
    "Histogram reduced": lambda t, q: q.HistogramObserver(reduce_range=True, bins=256),
    "Histogram symmetric": lambda t, q: q.HistogramObserver(
        dtype=t.qint8, qscheme=t.per_tensor_symmetric),
    "default_observer": lambda t, q: q.default_observer(),
    "default_histogram_observer": lambda t, q: q.default_histogram_observer(),
    "default_weight_observer": lambda t, q: q.default_weight_observer(),
    "default_per_channel_weight_observer": lambda t, q: q.default_per_channel_weight_observer(),
    "weight_observer_range_neg_127_to_127":
        lambda t, q: q.weight_observer_range_neg_127_to_127(),
}  # fmt: skip


@pytest.mark.parametrize("name", OBSERVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_observers(name: str, kind: str) -> None:
    made = [OBSERVERS[name](t, q) for t, q in SIDES]
    for x in batches(kind):
        results = []
        for (t, _), observer in zip(SIDES, made):
            given = t.from_numpy(x)
            assert observer(given) is given
            results.append(observer.calculate_qparams())
        for ours, theirs in zip(*results):
            assert tuple(ours.shape) == tuple(theirs.shape)
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    ours, theirs = made
    np.testing.assert_array_equal(ours.min_val.numpy(), theirs.min_val.numpy())
    if hasattr(theirs, "histogram"):
        np.testing.assert_allclose(ours.histogram.numpy(), theirs.histogram.numpy(), atol=1e-3)
    assert list(ours.state_dict()) == [k for k in theirs.state_dict() if k in ours.state_dict()]


@pytest.mark.parametrize("name", OBSERVERS)
def test_observers_keep_their_state(name: str) -> None:
    before, after = (OBSERVERS[name](mg, mq) for _ in range(2))
    for x in batches("normal"):
        before(mg.from_numpy(x))
    after.load_state_dict(before.state_dict())
    for a, b in zip(before.calculate_qparams(), after.calculate_qparams()):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    before.reset_min_max_vals()
    with pytest.warns(UserWarning, match="must run observer"):
        scale, zero = before.calculate_qparams()
    assert (scale.item(), zero.item()) == (1.0, 0)


FAKES = ["default_fake_quant", "default_weight_fake_quant", "default_per_channel_weight_fake_quant"]


@pytest.mark.parametrize("name", FAKES)
def test_fake_quantize(name: str) -> None:
    made = [getattr(q, name)() for _, q in SIDES]
    for step, x in enumerate(batches("normal")):
        found = []
        for (t, _), fake in zip(SIDES, made):
            given = t.from_numpy(x).requires_grad_()
            y = fake(given)
            (y * y).sum().backward()
            found.append((y.detach().numpy(), given.grad.numpy(), fake.scale.numpy()))
        for ours, theirs in zip(*found):
            np.testing.assert_array_equal(ours, theirs)
        if step == 1:
            for fake in made:
                fake.disable_observer()
        if step == 2:
            for fake in made:
                fake.disable_fake_quant()
    assert list(made[0].state_dict()) == list(made[1].state_dict())
    again = getattr(mq, name)()
    again.load_state_dict(made[0].state_dict())
    assert again.fake_quant_enabled[0] == 0 and again.scale.shape == made[0].scale.shape


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="observer class"):
        mq.QConfig(mq.MinMaxObserver(), mq.MinMaxObserver)
    with pytest.raises(ValueError, match="quant_min"):
        mq.MinMaxObserver(quant_min=3, quant_max=100)
    with pytest.raises(ValueError, match="fit"):
        mq.MinMaxObserver(quant_min=0, quant_max=1000)
    with pytest.raises(NotImplementedError):
        mq.MinMaxObserver(qscheme=mg.per_channel_affine)
    with pytest.raises(NotImplementedError):
        mq.MinMaxObserver(dtype=mg.float32)
    with pytest.raises(RuntimeError, match="Placeholder"):
        mq.default_dynamic_quant_observer().calculate_qparams()
    with pytest.raises(AssertionError, match="not supported"):
        mq.get_default_qconfig("none")
    with pytest.raises(RuntimeError, match="NaN"):
        mq.HistogramObserver()(mg.tensor([float("nan")]))
    seen = mq.MinMaxObserver()
    seen(mg.tensor([1.0, float("inf")]))
    with pytest.raises(RuntimeError, match="finite"):
        seen.calculate_qparams()
    with pytest.raises(ValueError, match="MovingAverage"):
        mq.FusedMovingAvgObsFakeQuantize(mq.MinMaxObserver)
