"""Every optimizer and every schedule goes on from a checkpoint within an epoch, bit for bit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import minigrad as mg
from minigrad import nn, optim, train
from minigrad.optim import lr_scheduler
from minigrad.utils.data import DataLoader, TensorDataset

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    name: functools.partial(getattr(optim, name), lr=0.01)
    for name in (
        "ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "NAdam",
        "RAdam", "RMSprop", "Rprop", "SGD",
    )
}  # fmt: skip
OPTIMIZERS["SGD with momentum"] = lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1)
OPTIMIZERS["RMSprop, centered"] = lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5)
OPTIMIZERS["amsgrad"] = lambda p: optim.Adam(p, lr=0.01, amsgrad=True)
OPTIMIZERS["SAM"] = lambda p: train.SAM(p, optim.AdamW, lr=0.01, adaptive=True)

SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda n: 0.9**n),
    "multiplicative": lambda o: lr_scheduler.MultiplicativeLR(o, lambda n: 0.95),
    "step": lambda o: lr_scheduler.StepLR(o, 2),
    "multistep": lambda o: lr_scheduler.MultiStepLR(o, [2, 5, 7]),
    "constant": lambda o: lr_scheduler.ConstantLR(o),
    "linear": lambda o: lr_scheduler.LinearLR(o),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, 12, 2.0),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 8),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2),
    "cyclic": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 3, mode="triangular2"),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=20),
    "plateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "sequential": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o), lr_scheduler.CosineAnnealingLR(o, 5)], [4]
    ),
    "chained": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "swa": lambda o: optim.swa_utils.SWALR(o, 0.02, 6),
    "warm-up": lambda o: train.get_cosine_schedule_with_warmup(o, 3, 12),
}


def run(make: Any, schedule: Any, path: Path | None, break_at: int = 0) -> bytes:
    """The bits of weights and rates after 2 epochs of 5 updates; with `break_at` they end there."""
    g = mg.Generator().manual_seed(3)
    x = mg.randn(50, 4, generator=g)
    mg.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 1))
    optimizer = make(model.parameters())
    trainer = train.Trainer(
        model, optimizer, nn.MSELoss(), max_epochs=2, lr_scheduler=schedule(optimizer),
        lr_scheduler_interval="step", lr_scheduler_monitor="train_loss",
    )  # fmt: skip
    if break_at:

        class Leave(train.Callback):
            def on_train_step_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
                if trainer.global_step == break_at:
                    trainer.callbacks.clear()
                    trainer.save_checkpoint(path)
                    raise KeyboardInterrupt

        trainer.callbacks = [Leave()]
    loader = DataLoader(TensorDataset(x, x[:, :1] ** 2), batch_size=10, shuffle=True)
    try:
        trainer.fit(loader, ckpt_path=None if break_at else path)
    except KeyboardInterrupt:
        return b""
    bits = [p.detach().numpy().tobytes() for p in model.parameters()]
    return b"".join([*bits, repr([row["lr"] for row in trainer.history]).encode()])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, tmp_path: Path) -> None:
    path, schedule = tmp_path / "part.mg", SCHEDULES["exponential"]
    straight = run(OPTIMIZERS[name], schedule, None)
    assert run(OPTIMIZERS[name], schedule, path, break_at=3) == b""
    assert run(OPTIMIZERS[name], schedule, path) == straight


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str, tmp_path: Path) -> None:
    path, make = tmp_path / "part.mg", OPTIMIZERS["SGD with momentum"]
    straight = run(make, SCHEDULES[name], None)
    assert run(make, SCHEDULES[name], path, break_at=4) == b""
    assert run(make, SCHEDULES[name], path) == straight
