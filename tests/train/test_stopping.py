"""EarlyStopping: Keras's and Lightning's rules, the best weights, its state."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.train import EarlyStopping


def stops_at(values: list[float], **options: object) -> int | None:
    stopping = EarlyStopping(restore_best_weights=False, **options)  # type: ignore[arg-type]
    return next((i for i, value in enumerate(values) if stopping.step(value)), None)


@pytest.mark.parametrize(
    ("values", "options", "epoch"),
    [
        ([3, 2, 1, 1, 1, 1], {"patience": 3}, 5),
        ([3, 2, 1, 0.9, 0.8, 0.7], {"patience": 2}, None),
        ([3, 2, 1, 0.9, 0.8, 0.7], {"patience": 2, "min_delta": 0.5}, 4),
        ([1, 2, 3, 3, 2, 3.5, 3, 3], {"patience": 2, "mode": "max"}, 4),
        ([1, 2, 3, 3, 3.5, 3, 3], {"patience": 2, "mode": "max"}, 6),
        ([1.0, 0.5, 0.5, 0.5], {"patience": 0}, 2),
        ([1, float("nan"), 0], {"patience": 9}, 1),
        ([1, float("nan"), 0.5, 0.4], {"patience": 9, "check_finite": False}, None),
        ([float("nan")] * 4, {"patience": 2, "check_finite": False}, 1),
        ([1, 0.5, 0.09, 0.01], {"stopping_threshold": 0.1}, 2),
        ([1, 5, 11, 0], {"divergence_threshold": 10}, 2),
        ([0.1, 3, 2, 1, 1, 1], {"patience": 2, "start_from_epoch": 1}, 5),
        ([1, 0.75, 0.75, 0.5], {"patience": 2, "min_delta": 0.25}, 2),
    ],
)
def test_when_it_stops(values: list[float], options: dict, epoch: int | None) -> None:
    assert stops_at(values, **options) == epoch


def test_best_weights_come_back_and_are_copies() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    stopping = EarlyStopping(patience=2)
    seen = []
    for loss in (3.0, 1.0, 2.0, 2.0):
        with mg.no_grad():
            for p in model.parameters():
                p.add_(1.0)
        model(mg.randn(8, 2))  # running statistics change
        seen.append({k: v.clone() for k, v in model.state_dict().items()})
        stop = stopping.step(loss, model)
    assert stop and stopping.best_score == 1.0 and stopping.best_epoch == 1
    assert stopping.reason == "val_loss has not improved on 1.0 for 2 epochs"
    stopping.restore(model)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), seen[1][name].numpy())


def test_state_goes_on_where_it_was() -> None:
    values = [5.0, 4.0, 4.5, 3.9, 4.0, 4.0, 4.0]
    model = nn.Linear(1, 1)
    whole = EarlyStopping(patience=3)
    part = EarlyStopping(patience=3)
    for i, value in enumerate(values):
        again = EarlyStopping(patience=3)
        again.load_state_dict(part.state_dict())
        assert whole.step(value, model) == again.step(value, model) == (i == 6)
        part = again


def test_errors() -> None:
    with pytest.raises(ValueError, match="patience is -1"):
        EarlyStopping(patience=-1)
    with pytest.raises(ValueError, match="mode is 'up'; needed: 'min' or 'max'"):
        EarlyStopping(mode="up")
    with pytest.raises(ValueError, match="min_delta is -1"):
        EarlyStopping(min_delta=-1)
    with pytest.raises(ValueError, match="given no model"):
        EarlyStopping().step(1.0)
