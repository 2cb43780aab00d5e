"""examples/training_recipes.py runs, and each recipe moves its own figure."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "training_recipes.py"


def test_recipes_move_their_figures(tmp_path: Path) -> None:
    pytest.importorskip("mlxtend")
    paths = [str(Path(p).resolve()) for p in sys.path if p]
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--out", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / "training_recipes.csv", newline="") as file:
        table = {row["recipe"]: row for row in csv.DictReader(file)}

    def figure(recipe: str, name: str) -> float:
        return float(table[recipe][name])

    assert all(float(row["accuracy"]) > 0.87 for row in table.values())
    for recipe in ("early stopping", "accumulated batches", "growing batches"):
        assert figure(recipe, "updates") < figure("baseline", "updates")
    assert figure("decoupled L1", "zeros") > 0.1 > figure("baseline", "zeros") == 0
    assert figure("L2 penalty", "loss") < figure("baseline", "loss")
