"""The command that measures a GPU, run where there is none: answers are compared, files written."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import emulated_cupy

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ("gemm", "steps", "conv", "attention", "optim", "elementwise", "casts", "reductions",
          "softmax", "norms", "losses", "embedding", "dropout", "pooling")  # fmt: skip


@pytest.fixture
def gpu(monkeypatch):
    """Imports a module of bench/gpu."""
    if not (ROOT / "bench").exists():
        pytest.skip("without the folder bench")
    if emulated_cupy.REAL:
        pytest.skip("bench/gpu.sh bench does it")
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    aside = _taken_out()  # other tests have a module `cases` too
    yield lambda name: importlib.import_module(f"gpu.{name}")
    _taken_out()
    sys.modules.update(aside)


def _taken_out() -> dict:
    """Takes the bench's names out of the imported modules."""
    names = [n for n in sys.modules if n.partition(".")[0] in ("cases", "gpu")]
    return {name: sys.modules.pop(name) for name in names}


@pytest.mark.compiled_kernels  # a step in a captured graph must not wait
def test_every_group_is_measured_and_a_crash_costs_one_case(gpu, tmp_path) -> None:
    rows = tmp_path / "rows.jsonl"
    helper = str(Path(__file__).with_name("measuring.py"))
    command = [sys.executable, helper, "--tiny", "--first", "2", "--dies", "48 nn"]
    assert gpu("run").supervise(command, rows, 280) == 0
    (tmp_path / "test-kernels.log").write_text(
        "tests/cuda/test_x.py::test_a PASSED [ 50%]\ntests/cuda/test_x.py::test_b FAILED [100%]\n"
    )
    result = gpu("report").write(tmp_path)
    assert tuple(dict.fromkeys(row["group"] for row in result["rows"])) == GROUPS
    failures = {row["case"]: row["failures"] for row in result["rows"] if "failures" in row}
    assert list(failures) == ["48 nn"] and "ended" in failures["48 nn"]["minigrad"]
    assert result["limits"]["copy"] > 0 and result["machine"]["gpu"]["name"] == "Emulated"
    measured = [row for row in result["rows"] if row["times"]]
    assert len(measured) == 2 * len(GROUPS) - 1
    assert all("bandwidth_share" in row for row in measured if row["bound"] == "memory")
    kernels = result["tests"]["kernels"]
    assert kernels["failed_tests"] == ["tests/cuda/test_x.py::test_b"] and not kernels["ended"]
    kept = json.loads((tmp_path / "gpu.json").read_text())
    assert len(kept["rows"]) == len(result["rows"])
    text = (tmp_path / "gpu.md").read_text()
    for heading in ("## Aims", "## Tests", "## Limits", *(f"## {name}" for name in GROUPS)):
        assert heading in text
    assert "48 nn: minigrad: the process ended" in text
    if any("torch" in row["times"] for row in measured):
        verdicts = {v["aim"].split(":")[0]: v["verdict"] for v in result["aims"]}
        assert verdicts["memory-bound kernels"] == "met"  # all clocks say the same
        assert verdicts["training steps"] == "not measured" or verdicts["Adam"] == "met"


def test_an_answer_that_differs_is_not_timed(gpu) -> None:
    worker, groups = gpu("worker"), gpu("groups")
    work = groups.works("gemm", True)[0]
    libraries = gpu("libraries").load(())
    other = gpu("libraries").OnDevice(libraries["minigrad"]._library, "cuda")
    other.from_numpy = lambda a: type(other).from_numpy(other, a * 1.01)
    other.__name__ = "torch"
    runs, failures = worker.prepare(work, {**libraries, "torch": other})
    assert list(runs) == ["minigrad"] and "differs" in failures["torch"]


def test_the_verdict_of_an_aim(gpu) -> None:
    judge = gpu("aims").judge
    row = {"group": "casts", "case": "a", "precision": "f32", "bandwidth_share": 0.95,
           "ratios": {"torch": 0.7}, "times": {}}  # fmt: skip
    other = {**row, "case": "b", "bandwidth_share": 0.4, "ratios": {"torch": 1.2}}
    first, second, *rest = judge([row, other])
    assert first["verdict"] == "missed" and first["missed"] == ["casts b"]
    assert second["verdict"] == "missed" and second["worst_case"] == "casts a"
    assert all(v["verdict"] == "not measured" for v in rest)
    assert judge([row])[0]["verdict"] == "met"


@pytest.mark.parametrize("status", [0, 3, 9])
def test_the_worker_is_started_again(gpu, tmp_path, status) -> None:
    script = tmp_path / "worker.py"
    script.write_text(
        "import sys\nrows = sys.argv[-1]\nwith open(rows, 'a') as f: f.write('{}\\n')\n"
        f"sys.exit(0 if len(open(rows).read()) > 8 else {status})"
    )
    rows = tmp_path / "rows"
    assert gpu("run").supervise([sys.executable, str(script)], rows, 60) == 0
    assert len(rows.read_text().splitlines()) == (1 if status == 0 else 3)


def test_lists_among_the_options_end_where_the_file_begins(gpu) -> None:
    options = gpu("worker").parse(["--groups", "gemm", "conv", "--budget", "5", "--", "rows"])
    assert options.groups == ["gemm", "conv"] and str(options.rows) == "rows"


def test_a_silent_worker_is_ended(gpu, tmp_path) -> None:
    script = tmp_path / "worker.py"
    script.write_text("import time; time.sleep(60)")
    assert gpu("run").supervise([sys.executable, str(script)], tmp_path / "rows", 2, 0.5) != 0


@pytest.mark.parametrize("stage", ["build", "test", "bench", "all"])
def test_the_script_says_what_a_machine_without_a_gpu_lacks(stage, tmp_path) -> None:
    if emulated_cupy.REAL:
        pytest.skip("there is a GPU")
    names = "PATH", "HOME"
    env = {name: os.environ[name] for name in names} | {"GPU_OUT": str(tmp_path)}
    command = ["bash", str(ROOT / "bench" / "gpu.sh"), stage]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 3, done
    assert "bench/gpu.sh: this machine lacks" in done.stderr
    assert "Traceback" not in done.stderr and not any(tmp_path.iterdir())
