"""A run that is killed, at any moment and several times, ends with the bits of one that is not."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg

PROGRAM = Path(__file__).with_name("resume_program.py")
if not hasattr(signal, "SIGKILL"):
    pytest.skip("no SIGKILL on this system", allow_module_level=True)


def start(folder: Path, variant: str, death: str = "none") -> subprocess.Popen:
    paths = [str(Path(p).resolve()) for p in sys.path if p]
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), variant, death],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> bool:
    """Waits; True if the run came to its end, False if it was killed. Other ends are failures."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode == 0


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, mg.Tensor):
        return a.dtype == b.dtype and a.numpy().tobytes() == b.numpy().tobytes()
    return a == b


KEPT = ("epoch", "step", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy")


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "history.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k in KEPT} for row in csv.DictReader(file)]


def check(straight: Path, broken: Path) -> None:
    a, b = mg.load(straight / "final.mg"), mg.load(broken / "final.mg")
    for part in a:
        assert same(a[part], b[part]), part
    assert rows(straight) == rows(broken)
    names = {path.name for path in broken.iterdir()}
    assert names == {path.name for path in straight.iterdir()}
    for name in a["kept"]:
        assert same(mg.load(straight / name)["model"], mg.load(broken / name)["model"])


DEATHS = {
    "plain": ["step 7", "replace 3", "step 1", "replaced 4", "validation 2", "step 3"],
    "amp": ["step 5", "validation 1", "replaced 6"],
    "accumulate": ["validation 1", "step 5", "replace 2", "step 6"],
    "sgd": ["step 12", "replaced 2", "validation 2"],
    "average": ["step 5", "validation 2", "replaced 4"],
    "workers": ["step 8", "step 4"],
}


@pytest.mark.parametrize("variant", DEATHS)
def test_killed_at_given_moments(variant: str, tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    assert finish(start(straight, variant))
    for death in DEATHS[variant]:
        if finish(start(broken, variant, death)):
            pytest.fail(f"the run has outlived {death!r}")
        assert not (broken / "final.mg").exists()
    assert finish(start(broken, variant))
    check(straight, broken)


def test_killed_from_outside_at_random_times(tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    begun = time.monotonic()
    assert finish(start(straight, "plain"))
    whole = time.monotonic() - begun
    draw, kills = random.Random(3), 0
    for _ in range(30):
        process = start(broken, "plain")
        time.sleep(draw.uniform(0.5, 1.0) * whole)
        process.kill()
        if finish(process):
            break
        kills += 1
    else:
        assert finish(start(broken, "plain"))
    check(straight, broken)
    if not kills:
        pytest.skip("the run was over before every kill")


def test_random_state_takes_all_kinds_of_generators() -> None:
    sources = [mg.Generator().manual_seed(2**50 + 1), np.random.default_rng(3), random.Random(4)]

    def draws() -> list[float]:
        g, n, p = sources
        return [
            float(mg.rand((), generator=g)), float(n.random()), p.random(), float(mg.randn(())),
            random.gauss(0, 1), float(np.random.randn()),
            *mg.nn.functional.dropout(mg.ones(20)).tolist(),
        ]  # fmt: skip

    draws()
    state = mg.train.random_state(*sources)
    first = draws()
    assert draws() != first
    mg.train.set_random_state(state, *sources)
    assert draws() == first
    with pytest.raises(ValueError, match="given 1 generators; needed: 3"):
        mg.train.set_random_state(state, sources[0])
    with pytest.raises(TypeError, match="a generator is int"):
        mg.train.random_state(5)


def test_a_generators_state_keeps_its_seed() -> None:
    g = mg.Generator().manual_seed(2**40 + 3)
    assert mg.Generator().set_state(g.get_state()).initial_seed() == 2**40 + 3
