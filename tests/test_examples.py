"""Every example runs with minigrad, and gives PyTorch's first numbers where it is installed."""

from __future__ import annotations

import csv
import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# What a short run is, and how far its numbers may lie apart. REINFORCE's policy is chaotic: a last
# bit can change an action, so only its first updates are compared.
RUNS = {
    "adversarial_training": ["--epochs", "1", "--steps", "4"],
    "char_gpt": ["--steps", "4", "--batch-size", "4"],
    "cifar10_cnn": ["--epochs", "2", "--steps", "3", "--data", "absent"],
    "darts": ["--epochs", "1", "--steps", "3"],
    "digits_classifier": ["--epochs", "1", "--steps", "4"],
    "dp_sgd": ["--epochs", "2", "--steps", "2"],
    "explain_digits": ["--epochs", "1", "--steps", "20", "--shown", "3"],
    "gan": ["--steps", "6"],
    "karate_gcn": ["--steps", "10"],
    "lstm_forecast": ["--epochs", "2", "--steps", "3"],
    "meta_learning": ["--steps", "20", "--tasks", "2"],
    "multi_task": ["--epochs", "1", "--steps", "4"],
    "reinforce_cartpole": ["--steps", "2", "--longest", "40"],
    "simclr": ["--epochs", "1", "--steps", "2"],
    "vae": ["--epochs", "1", "--steps", "4"],
}
NEEDS = {
    name: "mlxtend"
    for name in (
        "adversarial_training", "cifar10_cnn", "darts", "digits_classifier", "dp_sgd",
        "explain_digits", "multi_task", "simclr", "vae",
    )
}  # fmt: skip


def curve(name: str, folder: Path, *arguments: str, with_minigrad: bool) -> list[dict[str, float]]:
    """The rows of the table that a short run writes."""
    launch = ["-m", "minigrad"] if with_minigrad else []
    # The checkout's package comes first, as it does for the tests.
    paths = [str(Path(p).resolve()) for p in sys.path if p]
    command = [sys.executable, *launch, str(EXAMPLES / f"{name}.py"), *RUNS[name]]
    done = subprocess.run(
        [*command, "--out", str(folder), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    library = "minigrad" if with_minigrad else "torch"
    assert f"({library})" in done.stdout
    with open(folder / f"{name}.csv", newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("name", RUNS)
def test_first_numbers(name: str, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    ours = curve(name, tmp_path / "minigrad", with_minigrad=True)
    assert ours and all(value == value for row in ours for value in row.values())
    if importlib.util.find_spec("matplotlib"):
        assert (tmp_path / "minigrad" / f"{name}.png").stat().st_size > 1000
    if importlib.util.find_spec("torch") is None:
        return
    theirs = curve(name, tmp_path / "torch", with_minigrad=False)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        for key, value in b.items():  # of 1 000 answers a few lie on the edge
            assert a[key] == pytest.approx(value, rel=2e-3, abs=5e-3 if "accuracy" in key else 2e-4)


def test_both_formats_of_cifar10(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    texts = [f"class_{i}" for i in range(10)]
    pickles = tmp_path / "a" / "cifar-10-batches-py"
    binary = tmp_path / "b" / "cifar-10-batches-bin"
    for folder in (pickles, binary):
        folder.mkdir(parents=True)
    for name in names:
        pixels = rng.integers(0, 256, (70, 3072), np.uint8)
        labels = rng.integers(0, 10, 70)
        batch = {b"data": pixels, b"labels": labels.tolist()}
        (pickles / name).write_bytes(pickle.dumps(batch, protocol=2))
        records = np.concatenate([labels[:, None].astype(np.uint8), pixels], 1)
        (binary / f"{name}.bin").write_bytes(records.tobytes())
    (pickles / "batches.meta").write_bytes(
        pickle.dumps({b"label_names": [text.encode() for text in texts]}, protocol=2)
    )
    (binary / "batches.meta.txt").write_text("\n".join(texts))
    rows = [
        curve("cifar10_cnn", folder, "--data", str(folder), with_minigrad=True)
        for folder in (tmp_path / "a", tmp_path / "b")
    ]
    assert rows[0] == rows[1] and len(rows[0]) == 2
    assert not (tmp_path / "a" / "digits-in-cifar10-format").exists()


def test_every_example_is_run() -> None:
    ci_runs = {"quadratic", "train_mnist"}
    have_tests_of_their_own = {
        "compress_digits", "efficiency_report", "quantize_digits", "training_recipes",
    }  # fmt: skip
    names = {p.stem for p in EXAMPLES.glob("*.py")} - {"report", "efficiency_techniques"}
    names -= ci_runs | have_tests_of_their_own
    assert names == set(RUNS)
