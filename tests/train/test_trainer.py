"""Trainer: the plain loop's bits, accumulation, clipping, precision, schedules, callbacks."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim, train
from minigrad.utils.data import DataLoader, TensorDataset


def data(n: int = 50) -> tuple[Any, Any]:
    g = mg.Generator().manual_seed(3)
    x = mg.randn(n, 4, generator=g)
    return x, (x.sum(1) > 0).long()


def network(seed: int = 0) -> Any:
    mg.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))


def weights(model: Any) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])


def test_bits_and_history_of_the_plain_loop() -> None:
    x, y = data()
    loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)
    loss_fn = nn.CrossEntropyLoss()
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    mg.manual_seed(7)
    expected = []
    for _ in range(4):
        model.train()
        total = right = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            output = model(inputs)
            loss = loss_fn(output, targets)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.3)
            optimizer.step()
            total += loss.item() * len(inputs)
            right += float((output.argmax(1) == targets).sum())
        scheduler.step()
        expected.append((total / 50, right / 50))
    ours = network()
    optimizer = optim.SGD(ours.parameters(), lr=0.1, momentum=0.9)
    trainer = train.Trainer(
        ours, optimizer, loss_fn, max_epochs=4, gradient_clip_val=0.3,
        lr_scheduler=optim.lr_scheduler.StepLR(optimizer, 2, 0.5),
        metrics={"accuracy": train.accuracy},
    )  # fmt: skip
    mg.manual_seed(7)
    history = trainer.fit(loader)
    assert weights(model).tobytes() == weights(ours).tobytes()
    np.testing.assert_allclose(
        [(row["train_loss"], row["train_accuracy"]) for row in history], expected, rtol=1e-12
    )
    assert [row["lr"] for row in history] == [0.1, 0.1, 0.05, 0.05]
    assert [(row["epoch"], row["step"]) for row in history] == [(1, 7), (2, 14), (3, 21), (4, 28)]
    assert trainer.current_epoch == 4 and trainer.done


def test_accumulated_batches_are_one_batch() -> None:
    x, y = data(20)
    model, other = network().eval(), network().eval()
    small = DataLoader(TensorDataset(x, y), batch_size=6)  # 6, 6, 6 and 2
    large = DataLoader(TensorDataset(x, y), batch_size=20)
    for m, loader, n in ((model, small, 4), (other, large, 1)):
        m[2].p = 0.0
        train.Trainer(
            m, optim.SGD(m.parameters(), lr=0.1), nn.CrossEntropyLoss(), max_epochs=3,
            accumulate_grad_batches=n,
        ).fit(loader)  # fmt: skip
    np.testing.assert_allclose(weights(model), weights(other), rtol=1e-5, atol=1e-7)


def test_validation_leaves_modes_and_gradients() -> None:
    x, y = data()
    model = network()
    model[0].eval()
    trainer = train.Trainer(
        model, optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(),
        metrics={"accuracy": train.accuracy},
    )  # fmt: skip
    result = trainer.validate(DataLoader(TensorDataset(x, y), batch_size=16))
    assert [m.training for m in model] == [False, True, True, True]
    output = model.eval()(x)
    expected = float(nn.functional.cross_entropy(output, y))
    assert result["val_loss"] == pytest.approx(expected, rel=1e-5)
    assert result["val_accuracy"] == pytest.approx(float((output.argmax(1) == y).float().mean()))
    assert all(p.grad is None for p in model.parameters())
    predicted = trainer.predict(DataLoader(TensorDataset(x, y), batch_size=16))
    np.testing.assert_allclose(predicted.numpy(), output.detach().numpy(), rtol=1e-6)


def test_half_precision_skips_overflowed_steps_and_their_schedule() -> None:
    x, y = data()
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    scaler = mg.amp.GradScaler("cpu", init_scale=2.0**30)
    trainer = train.Trainer(
        model, optimizer, nn.CrossEntropyLoss(), precision="16-mixed", scaler=scaler,
        lr_scheduler=scheduler, lr_scheduler_interval="step", max_steps=30, max_epochs=99,
    )  # fmt: skip
    trainer.fit(DataLoader(TensorDataset(x, y), batch_size=10))
    skipped = round(30 - scheduler.last_epoch)
    assert 0 < skipped < 30 and scaler.get_scale() == 2.0 ** (30 - skipped)
    assert np.isfinite(weights(model)).all() and trainer.global_step == 30
    assert trainer.step_metrics["scale"] == scaler.get_scale()


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_learns_in_every_precision(precision: str) -> None:
    x, y = data(200)
    model = network()
    trainer = train.Trainer(
        model, optim.Adam(model.parameters(), lr=0.02), nn.CrossEntropyLoss(), max_epochs=12,
        precision=precision, metrics={"accuracy": train.accuracy},
    )  # fmt: skip
    loader = DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True)
    assert trainer.fit(loader, loader)[-1]["val_accuracy"] > 0.95


def test_lbfgs_gets_its_closure() -> None:
    x = mg.randn(30, 3, generator=mg.Generator().manual_seed(1))
    y = x @ mg.tensor([[1.0], [2.0], [-1.0]]) + 0.5
    model = nn.Linear(3, 1)
    optimizer = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
    train.Trainer(model, optimizer, nn.MSELoss(), max_epochs=3).fit([(x, y)])
    np.testing.assert_allclose(model.weight.detach().numpy(), [[1, 2, -1]], atol=1e-3)
    with pytest.raises(ValueError, match="LBFGS evaluates the loss several times"):
        train.Trainer(model, optimizer, nn.MSELoss(), precision="16-mixed")


def test_other_batches_by_a_subclass() -> None:
    class Autoencoder(train.Trainer):
        def compute(self, batch: Any) -> tuple[Any, Any, Any]:
            output = self.model(batch["x"])
            return ((output - batch["x"]) ** 2).mean(), output, batch["x"]

    x, _ = data()
    model = nn.Linear(4, 4)
    trainer = Autoencoder(model, optim.Adam(model.parameters(), lr=0.05), max_epochs=60)
    history = trainer.fit([{"x": x[:25]}, {"x": x[25:]}])
    assert history[-1]["train_loss"] < 0.1 * history[0]["train_loss"]


class Recorder(train.Callback):
    def __init__(self) -> None:
        self.events: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("on_") or name == "teardown":
            self.events.append(name)
        return super().__getattribute__(name)


def test_order_of_callbacks_and_stop() -> None:
    class Stop(train.Callback):
        def on_train_step_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
            if trainer.global_step == 3:
                trainer.stop("enough")

    x, y = data(20)
    recorder, model = Recorder(), network()
    loader = DataLoader(TensorDataset(x, y), batch_size=10)
    trainer = train.Trainer(
        model, optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), max_epochs=9,
        callbacks=[recorder, Stop()],
    )  # fmt: skip
    assert len(trainer.fit(loader, loader)) == 2 and trainer.stop_reason == "enough"
    epoch = ["on_validation_start", "on_validation_end", "on_train_epoch_end"]
    assert recorder.events == [
        "on_fit_start", "on_train_epoch_start", "on_train_step_end", "on_train_step_end", *epoch,
        "on_train_epoch_start", "on_train_step_end", *epoch, "on_fit_end", "teardown",
    ]  # fmt: skip


def test_goes_on_after_an_error() -> None:
    x, y = data()
    model = network()

    class Interrupt(train.Callback):
        def on_train_step_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
            if trainer.global_step == 3:
                raise KeyboardInterrupt

    trainer = train.Trainer(
        model, optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), max_epochs=2,
        callbacks=[Interrupt()],
    )  # fmt: skip
    loader = DataLoader(TensorDataset(x, y), batch_size=10, shuffle=True)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(loader)
    assert trainer.fit(loader)[-1]["step"] == 10


def test_early_stopping_checkpoints_and_files(tmp_path: Path) -> None:
    x, y = data()
    model = network()
    losses = iter([5.0, 3.0, 4.0, 2.0, 6.0, 7.0, 1.0])

    class Fake(train.Callback):
        def on_validation_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
            metrics["val_loss"] = next(losses)
            self.states = [*getattr(self, "states", []), weights(trainer.model)]

    fake = Fake()
    kept = train.ModelCheckpoint(tmp_path / "run", "val_loss", save_top_k=2)
    stopping = train.EarlyStopping(patience=2)
    trainer = train.Trainer(
        model, optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), max_epochs=20,
        callbacks=[kept, fake, stopping, train.CSVLogger(tmp_path / "history.csv")],
    )  # fmt: skip
    loader = DataLoader(TensorDataset(x, y), batch_size=10)
    history = trainer.fit(loader, loader)
    assert len(history) == 6 and "not improved on 2.0" in trainer.stop_reason
    assert weights(model).tobytes() == fake.states[3].tobytes()
    assert kept.best_k_models == {"epoch-0004.mg": 2.0, "epoch-0002.mg": 3.0}
    assert {p.name for p in (tmp_path / "run").iterdir()} == {*kept.best_k_models, "last.mg"}
    other = network(5)
    assert kept.load_best(other)["val_loss"] == 2.0
    assert weights(other).tobytes() == fake.states[3].tobytes()
    with open(tmp_path / "history.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in table] == [5, 3, 4, 2, 6, 7]


def test_a_finished_run_goes_on_when_given_more_epochs(tmp_path: Path) -> None:
    x, y = data()

    def run(folder: str, *epochs: int) -> Any:
        for n in epochs:
            model = network()
            optimizer = optim.Adam(model.parameters(), lr=0.01)
            trainer = train.Trainer(
                model, optimizer, nn.CrossEntropyLoss(), max_epochs=n,
                callbacks=[train.ModelCheckpoint(tmp_path / folder)],
            )  # fmt: skip
            loader = DataLoader(TensorDataset(x, y), batch_size=10, shuffle=True)
            history = trainer.fit(loader, ckpt_path="last")
            assert len(history) == n
        return weights(model)

    assert run("a", 5).tobytes() == run("b", 2, 2, 5).tobytes()


def test_loggers(tmp_path: Path) -> None:
    x, y = data()
    logged: list[tuple[int, dict]] = []

    def log(values: dict, step: int) -> None:
        logged.append((step, values))

    callbacks: list[Any] = [train.LogTo(log, every_n_steps=2)]
    if _has("tqdm"):
        callbacks.append(train.ProgressBar(file=open(tmp_path / "bar.txt", "w")))  # noqa: SIM115
    if _has("tensorboardX"):
        callbacks.append(train.TensorBoardLogger(tmp_path / "board", every_n_steps=1))
    if _has("matplotlib"):
        callbacks.append(train.PlotHistory(tmp_path / "plots" / "history.png"))
    model = network()
    trainer = train.Trainer(
        model, optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), max_epochs=2,
        callbacks=callbacks,
    )  # fmt: skip
    loader = DataLoader(TensorDataset(x, y), batch_size=10)
    trainer.fit(loader, loader)
    assert [step for step, _ in logged] == [2, 4, 5, 6, 8, 10, 10]
    assert set(logged[0][1]) == {"step/train_loss", "step/lr"} and logged[2][1]["epoch"] == 1
    if _has("tqdm"):
        text = (tmp_path / "bar.txt").read_text()
        assert "epoch 2/2" in text and "5/5" in text and "val_loss" in text
    if _has("tensorboardX"):
        assert any(path.stat().st_size > 200 for path in (tmp_path / "board").iterdir())
    if _has("matplotlib"):
        assert (tmp_path / "plots" / "history.png").stat().st_size > 5000


def _has(name: str) -> bool:
    try:
        __import__(name)
    except ImportError:
        return False
    return True


@pytest.mark.parametrize(
    ("make", "module", "extra"),
    [
        (lambda: train.ProgressBar(), "tqdm.auto", "train"),
        (lambda: train.TensorBoardLogger("x"), "tensorboardX", "tensorboard"),
        (lambda: train.PlotHistory("x.png"), "matplotlib.figure", "train"),
    ],
)
def test_missing_extras_are_named(
    make: Any, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'pip install "minigrad\[{extra}\]"'):
        make()


def test_errors(tmp_path: Path) -> None:
    x, y = data()
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(TensorDataset(x, y), batch_size=10)

    def trainer(**options: Any) -> train.Trainer:
        return train.Trainer(model, optimizer, nn.CrossEntropyLoss(), **options)

    for options, message in [
        ({"accumulate_grad_batches": 0}, "accumulate_grad_batches is 0"),
        ({"gradient_clip_algorithm": "max"}, "gradient_clip_algorithm is 'max'"),
        ({"precision": "8"}, "precision is '8'"),
        ({"lr_scheduler_interval": "year"}, "lr_scheduler_interval is 'year'"),
        ({"check_val_every_n_epoch": 0}, "check_val_every_n_epoch is 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            trainer(**options)
    with pytest.raises(KeyError, match="monitor is 'val_loss'; there are: epoch, step, lr"):
        trainer(callbacks=[train.EarlyStopping()]).fit(loader)
    with pytest.raises(TypeError, match="a batch is a Tensor; needed"):
        trainer().fit([x])
    with pytest.raises(TypeError, match="can be iterated over once"):
        trainer().fit(iter([(x, y)]))
    with pytest.raises(ValueError, match="gives no batch"):
        trainer().fit([])
    with pytest.raises(ValueError, match="needed: a ModelCheckpoint"):
        trainer().fit(loader, ckpt_path="last")
    with pytest.raises(ValueError, match="given no loss_fn"):
        train.Trainer(model, optimizer).fit(loader)
    path = tmp_path / "part.mg"
    part = trainer(max_steps=3)
    part.call = lambda event, *a: part.save_checkpoint(path) if event == "on_train_step_end" else 0  # type: ignore[method-assign,assignment,func-returns-value]
    part.fit(loader)
    with pytest.raises(ValueError, match="after 3 batches of an epoch; given: a loader of 2"):
        trainer().fit(DataLoader(TensorDataset(x, y), batch_size=25), ckpt_path=path)
    with pytest.raises(ValueError, match=r"callbacks \[\]; given: \['EarlyStopping'\]"):
        trainer(callbacks=[train.EarlyStopping()]).load_checkpoint(path)
    with pytest.raises(ValueError, match="the checkpoint has no scaler; given: one"):
        trainer(precision="16-mixed").load_checkpoint(path)
    mg.save({}, path)
    with pytest.raises(ValueError, match="the checkpoint is of version None"):
        trainer().load_checkpoint(path)


def test_metrics() -> None:
    scores = mg.tensor([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.2, 0.3, 0.5]])
    target = mg.tensor([1, 1, 0])
    assert train.accuracy(scores, target) == pytest.approx(1 / 3)
    assert train.accuracy(mg.tensor([0.5, -1.0]), mg.tensor([1.0, 1.0])) == 0.5
    assert train.top_k_accuracy(scores, target, k=2) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="needed: \\(N, C\\), C >= k"):
        train.top_k_accuracy(scores, target, k=4)


def test_a_loaded_checkpoint_sets_the_loaders_generator(tmp_path: Path) -> None:
    x, y = data()

    def run(path: Path | None, steps: int) -> tuple[Any, Any]:
        model, g = network(), mg.Generator().manual_seed(4)
        loader = DataLoader(TensorDataset(x, y), batch_size=10, shuffle=True, generator=g)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        trainer = train.Trainer(model, optimizer, nn.CrossEntropyLoss(), max_epochs=steps)
        if path is not None:
            trainer.load_checkpoint(path)
        mg.rand(3)  # of no consequence after a load
        mg.manual_seed(8 if path is None else 9)
        trainer.fit(loader)
        return trainer, weights(model)

    straight = run(None, 4)[1]
    run(None, 2)[0].save_checkpoint(tmp_path / "half.mg")
    assert run(tmp_path / "half.mg", 4)[1].tobytes() == straight.tobytes()


def test_finders_leave_the_loaders_generator() -> None:
    x, y = data()
    model, g = network(), mg.Generator().manual_seed(4)
    loader = DataLoader(TensorDataset(x, y), batch_size=10, shuffle=True, generator=g)
    trainer = train.Trainer(model, optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss())
    before = g.get_state()
    train.lr_find(trainer, loader, num_training=20)
    assert (g.get_state() == before).all()
