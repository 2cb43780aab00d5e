"""A training run that test_resume.py kills: `python resume_program.py FOLDER VARIANT DEATH`.

DEATH is "none", or a moment at which the process kills itself: "step N", "replace N" (when the N-th
file is about to take its place), "replaced N" (right after), "validation N".
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import nn, optim, train
from minigrad.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Death(train.Callback):
    """Kills the process at the N-th step or validation of the process."""

    def __init__(self, moment: str, n: int) -> None:
        self.moment, self.left = moment, n
        if moment.startswith("replace"):
            replace = os.replace

            def replacing(*args: Any) -> None:
                self.left -= 1
                if self.left == 0 and moment == "replace":
                    die()
                replace(*args)
                if self.left == 0:
                    die()

            os.replace = replacing  # type: ignore[assignment]

    def _count(self, moment: str) -> None:
        if moment == self.moment:
            self.left -= 1
            if self.left == 0:
                die()

    def on_train_step_end(self, trainer: Any, metrics: dict[str, Any]) -> None:
        self._count("step")

    def on_validation_start(self, trainer: Any) -> None:
        self._count("validation")


class Noisy(Dataset):
    """Samples with noise from the three global generators, drawn when they are fetched."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        noise = mg.randn(self.x.shape[1]) * 0.1 + random.random() * 0.1 + np.random.rand() * 0.1
        return self.x[i] + noise, self.y[i]


def data() -> tuple[Any, Any]:
    g = mg.Generator().manual_seed(5)
    x = mg.randn(90, 6, generator=g)
    return x, (x[:, 0] * x[:, 1] > 0).long()


def run(folder: str, variant: str, death: str) -> None:
    """Trains to the end, or to the death, from the last checkpoint in the folder."""
    mg.manual_seed(2**40 + 3)
    random.seed(1)
    np.random.seed(2)
    x, y = data()
    model = nn.Sequential(
        nn.Linear(6, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.3), nn.Linear(24, 2)
    )
    optimizer: Any = optim.Adam(model.parameters(), lr=0.02)
    options: dict[str, Any] = {}
    more: list[Any] = []
    loader: Any = None

    def make_loader() -> Any:
        return DataLoader(Noisy(x, y), batch_size=10, **loader_options)

    loader_options: dict[str, Any] = {"shuffle": True}
    scheduler: Any = optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=200)
    interval = "step"
    if variant == "amp":
        options = {"precision": "16-mixed", "scaler": mg.amp.GradScaler("cpu", growth_interval=3)}
    elif variant == "accumulate":
        options = {"accumulate_grad_batches": 2, "gradient_clip_val": 0.5}
        loader_options["generator"] = mg.Generator().manual_seed(9)
    elif variant == "sgd":
        optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
        scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        interval = "epoch"
        sampler = WeightedRandomSampler([1.0 + i % 3 for i in range(90)], 90)
        loader_options = {"sampler": sampler}
    elif variant == "average":
        optimizer = train.SAM(model.parameters(), optim.SGD, lr=0.05, momentum=0.9)
        scheduler = train.get_cosine_schedule_with_warmup(optimizer, 5, 36, min_lr_rate=0.1)
        more = [train.WeightAveraging(0.8, start_step=3), train.EnergyMeter(0.5)]
        more.append(train.BatchSizeScheduler(loader := make_loader(), {2: 15}))
    elif variant == "workers":
        loader_options["num_workers"] = 2
        optimizer = optim.AdamW(model.parameters(), lr=0.02)
        scheduler = optim.lr_scheduler.MultiStepLR(optimizer, [1, 3])
        interval = "epoch"
    moment, _, n = death.partition(" ")
    trainer = train.Trainer(
        model, optimizer, nn.CrossEntropyLoss(), max_epochs=4, lr_scheduler=scheduler,
        lr_scheduler_interval=interval, metrics={"accuracy": train.accuracy},
        callbacks=[
            train.ModelCheckpoint(folder, "val_loss", save_top_k=2, every_n_train_steps=2),
            train.EarlyStopping(patience=2),
            train.CSVLogger(Path(folder, "history.csv")),
            *more,
            Death(moment, int(n or 0)),
        ],
        **options,
    )  # fmt: skip
    loader = loader or make_loader()
    val = DataLoader(TensorDataset(x, y), batch_size=32)
    history = trainer.fit(loader, val, ckpt_path="last")
    for row in history:
        for name in ("seconds", "cpu_seconds", "joules", "joules_per_step"):
            row.pop(name, None)
    final = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": history,
        "next": [float(mg.rand(())), random.random(), float(np.random.rand())],
        "kept": trainer.callbacks[-1].best_k_models,
    }
    mg.save(final, Path(folder, "final.mg"))


if __name__ == "__main__":
    run(*sys.argv[1:])
