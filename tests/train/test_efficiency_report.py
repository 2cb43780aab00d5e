"""The report on all techniques runs, compares what it says it compares, and draws its plot."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(*arguments: str) -> subprocess.CompletedProcess:
    paths = [str(Path(p).resolve()) for p in sys.path if p]
    return subprocess.run(
        [sys.executable, str(EXAMPLES / "efficiency_report.py"), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("mlxtend")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    spec = importlib.util.spec_from_file_location(
        "report_of_all", EXAMPLES / "efficiency_report.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_short_run(report: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    names = ["accumulation, 4 of 16", "channels pruned 50 %"]
    done = run(*names, "--rounds", "1", "--epochs", "1", "--steps", "2", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {
        row["technique"]: row
        for row in json.loads((tmp_path / "efficiency.json").read_text())["rows"]
    }
    assert list(rows) == ["baseline", *names]
    peak, small = rows[names[0]]["own"][0], rows[names[1]]
    assert peak["figure"] == "peak" and peak["to"] < 0.7 * peak["from"] and peak["moved"] == "yes"
    assert [v["moved"] for v in small["own"][:2]] == ["yes", "yes"]  # latency depends on the day
    assert small["flops"] < 0.3 * rows["baseline"]["flops"]
    assert "accumulation" in done.stdout and (tmp_path / "efficiency.png").stat().st_size > 1000
    assert run("nothing").returncode and "no technique 'nothing'" in run("nothing").stderr


def test_what_is_compared_with_comes_along(report: ModuleType) -> None:
    assert report.with_bases(["sideways, LoRA"]) == [
        "baseline",
        "sideways, from scratch",
        "sideways, fine-tuned",
        "sideways, LoRA",
    ]


def test_every_technique_runs(
    report: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, two updates each; figures are numbers."""
    techniques = sys.modules["efficiency_techniques"]
    images, labels = techniques.digits()
    monkeypatch.setattr(techniques, "digits", lambda: (images, labels))
    monkeypatch.setattr(techniques, "HELD_OUT", slice(3000, 3100))
    for name, technique in report.TECHNIQUES.items():
        task = report.Task(1, 1, 2, tmp_path)
        outcome = technique.run(task)
        tested = task.tested(outcome.model)
        assert 0 <= tested["accuracy"] <= 1 and tested["loss"] == tested["loss"], name
        assert technique.base in report.TECHNIQUES


def test_verdicts(report: ModuleType) -> None:
    def rounds(*values: float) -> list:
        return [{"figures": {"seconds": v}, "before": 0.0} for v in values]

    base = rounds(10.0, 11.0, 12.0)
    for values, moved in (
        ((5.0, 6.0, 7.0), "yes"), ((12.0, 13.0, 14.0), "no"), ((10.0, 11.0, 12.0), "unclear"),
        ((9.0, 13.0, 10.0), "unclear"), ((9.9, 10.8, 11.9), "yes"),
    ):  # fmt: skip
        verdict = report.judged(
            rounds(*values), base, "seconds", report.TECHNIQUES["early stopping"].own["seconds"]
        )
        assert verdict["moved"] == moved and verdict["from"] == 11.0
    assert report.judged(rounds(9.0), rounds(10.0), "seconds", 1)["moved"] == "no"
    assert report.judged(rounds(9.0), rounds(10.0), "seconds", 1)["error"] is None
