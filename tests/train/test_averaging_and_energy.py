"""WeightAveraging and EnergyMeter in a trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim, train


def data() -> tuple[Any, Any]:
    x = mg.randn(40, 4, generator=mg.Generator().manual_seed(3))
    return x, (x.sum(1) > 0).long()


class Weights(train.Callback):
    """The weights after each update."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def on_train_step_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        self.seen.append(trainer.model.weight.detach().numpy().copy())


def fitted(epochs: int, *callbacks: Any) -> train.Trainer:
    mg.manual_seed(0)
    x, y = data()
    model = nn.Linear(4, 2)
    trainer = train.Trainer(
        model, optim.SGD(model.parameters(), lr=0.5), nn.CrossEntropyLoss(), max_epochs=epochs,
        callbacks=callbacks, metrics={"accuracy": train.accuracy},
    )  # fmt: skip
    trainer.fit([(x[:20], y[:20]), (x[20:], y[20:])], [(x, y)])
    return trainer


def test_averages_are_those_of_their_formulas() -> None:
    plain, weights = fitted(4), Weights()
    trainer = fitted(4, weights, train.WeightAveraging(0.5, start_step=2))
    np.testing.assert_array_equal(weights.seen[-1], plain.model.weight.detach().numpy())
    average = weights.seen[2]
    for seen in weights.seen[3:]:
        average = 0.5 * average + 0.5 * seen
    np.testing.assert_allclose(trainer.model.weight.detach().numpy(), average, rtol=1e-5)
    weights = Weights()
    trainer = fitted(4, weights, train.WeightAveraging(None, every_n_steps=3))
    np.testing.assert_allclose(
        trainer.model.weight.detach().numpy(), (weights.seen[2] + weights.seen[5]) / 2, rtol=1e-5
    )
    x, y = data()
    last = float(nn.functional.cross_entropy(trainer.model(x), y))
    assert trainer.history[-1]["val_loss"] == pytest.approx(last, rel=1e-6)


def test_the_best_averages_are_kept(tmp_path: Path) -> None:
    class Fake(train.Callback):
        def on_validation_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
            metrics["val_loss"] = [3.0, 1.0, 2.0][trainer.current_epoch]
            self.states = getattr(self, "states", [])
            self.states.append(trainer.evaluated_model.weight.detach().numpy().copy())

    fake, kept = Fake(), train.ModelCheckpoint(tmp_path, "val_loss")
    trainer = fitted(3, train.EarlyStopping(), fake, kept, train.WeightAveraging(0.9))
    np.testing.assert_array_equal(trainer.model.weight.detach().numpy(), fake.states[1])
    other = nn.Linear(4, 2)
    kept.load_best(other)
    np.testing.assert_array_equal(other.weight.detach().numpy(), fake.states[1])


def test_an_error_in_validation_gives_the_model_back() -> None:
    averaging, weights = train.WeightAveraging(0.9), Weights()

    mg.manual_seed(0)
    x, y = data()
    model = nn.Linear(4, 2)
    trainer = train.Trainer(
        model, optim.SGD(model.parameters(), lr=0.5), nn.CrossEntropyLoss(),
        callbacks=[averaging, weights],
    )  # fmt: skip

    def broken(batch: Any) -> Any:
        if not model.training or trainer.model is not model:
            raise RuntimeError("no")
        return train.Trainer.compute(trainer, batch)

    trainer.compute = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="no"):
        trainer.fit([(x, y)], [(x, y)])
    assert trainer.model is model
    with pytest.raises(ValueError, match="start_step is -1"):
        train.WeightAveraging(start_step=-1)


def test_energy_of_epochs_and_of_a_target(tmp_path: Path) -> None:
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "name").write_text("package-0")
    (zone / "max_energy_range_uj").write_text("1000000000")
    (zone / "energy_uj").write_text("5000000")

    class Burn(train.Callback):
        def on_train_step_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
            used = int((zone / "energy_uj").read_text())
            (zone / "energy_uj").write_text(str(used + 2_000_000))

    meter = train.EnergyMeter(0.6, powercap=str(tmp_path), gpu=False)
    trainer = fitted(3, Burn(), meter)
    for row in trainer.history:
        assert row["joules"] == pytest.approx(4) and row["joules_per_step"] == pytest.approx(2)
        assert row["cpu_seconds"] > 0
    first = next(row for row in trainer.history if row["val_accuracy"] >= 0.6)
    assert meter.reached is not None and meter.reached["epoch"] == first["epoch"]
    assert meter.reached["joules"] == pytest.approx(4 * first["epoch"])


def test_no_energy_is_invented(tmp_path: Path) -> None:
    meter = train.EnergyMeter(powercap=str(tmp_path / "none"), gpu=False)
    row = fitted(2, meter).history[-1]
    assert "joules" not in row and row["cpu_seconds"] > 0 and meter.reached is None
