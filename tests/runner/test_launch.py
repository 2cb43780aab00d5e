"""`python -m minigrad`: arguments, paths, `__main__`, tracebacks, exit codes are plain python's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import minigrad

ROOT = str(Path(minigrad.__file__).parent.parent)


def run(*arguments: str, cwd: Path, minigrad: bool = True, stdin: str | None = None):
    command = [sys.executable, "-B", *(["-m", "minigrad"] if minigrad else []), *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        input=stdin,
        timeout=120,
        env={"PYTHONPATH": ROOT, "PATH": "/usr/bin:/bin"},
    )


SHOW = """import sys
print(sys.argv, sys.path[0], __name__, sys.modules["__main__"].__dict__ is globals())
print(globals().get("__file__"), __package__, __spec__ and __spec__.name)
"""


def same_as_python(*arguments: str, cwd: Path, stdin: str | None = None) -> str:
    """Runs the arguments with and without minigrad, which must not make a difference."""
    plain = run(*arguments, cwd=cwd, minigrad=False, stdin=stdin)
    mapped = run(*arguments, cwd=cwd, stdin=stdin)
    assert (mapped.returncode, mapped.stdout) == (plain.returncode, plain.stdout), mapped.stderr
    assert mapped.stderr == plain.stderr
    return mapped.stdout


def test_a_script_sees_what_python_shows_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "beside.py").write_text("there = 1\n")
    (tmp_path / "sub" / "show.py").write_text(SHOW + "import beside\nprint(beside.there)\n")
    assert "['sub/show.py', '--lr', '1']" in same_as_python(
        "sub/show.py", "--lr", "1", cwd=tmp_path
    )


def test_a_module_of_a_package(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "part.py").write_text("value = 7\n")
    (tmp_path / "pkg" / "show.py").write_text(SHOW + "from . import part\nprint(part.value)\n")
    (tmp_path / "pkg" / "__main__.py").write_text(SHOW)
    assert "7" in same_as_python("-m", "pkg.show", "x", cwd=tmp_path)
    assert "pkg.__main__" in same_as_python("-m", "pkg", "x", cwd=tmp_path)


def test_commands_and_standard_input(tmp_path: Path) -> None:
    same_as_python("-c", SHOW, "a", cwd=tmp_path)
    same_as_python("-", "a", cwd=tmp_path, stdin="import sys\nprint(sys.argv)\n")


@pytest.mark.parametrize(
    "body",
    [
        "import sys\nsys.exit(5)",
        "raise SystemExit('stopped')",
        "def f(x):\n    return 1 / x\n\nf(0)",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e",
        "x = = 1",
        "import sys\nsys.excepthook = lambda *a: print('mine', a[0].__name__)\nraise ValueError",
    ],
)
def test_exits_and_tracebacks(tmp_path: Path, body: str) -> None:
    (tmp_path / "program.py").write_text(body + "\n")
    same_as_python("program.py", cwd=tmp_path)


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    for arguments in (("nowhere.py",), ("-m", "nowhere")):
        plain = run(*arguments, cwd=tmp_path, minigrad=False)
        mapped = run(*arguments, cwd=tmp_path)
        assert mapped.returncode == plain.returncode
        assert mapped.stderr == plain.stderr
    assert run(cwd=tmp_path).returncode == 2
    assert "usage" in run("--help", cwd=tmp_path).stdout


def test_classes_of_the_script_can_be_pickled_and_sent_to_spawned_processes(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        """import multiprocessing
import pickle
import torch
import torch.nn.modules.conv

class Thing:
    size = torch.Size([2])

def work(thing):
    import torch.utils.data
    return type(thing) is Thing, torch.__name__, torch.utils.data.DataLoader.__module__

if __name__ == "__main__":
    assert type(pickle.loads(pickle.dumps(Thing()))) is Thing
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(pool.apply(work, (Thing(),)))
"""
    )
    result = run("program.py", cwd=tmp_path)
    line = "(True, 'minigrad', 'minigrad.utils.data.dataloader')"
    assert result.stdout.splitlines() == [line, line], result.stderr


def test_uncaught_errors_point_to_the_list_of_names(tmp_path: Path) -> None:
    for body, name in (
        ("import torch\ntorch.no_such_name(1)", "torch.no_such_name"),
        ("import torch\ntorch.optim.Nothing", "torch.optim.Nothing"),
        ("import torch\ntorch.ones(2).no_such_method()", "no_such_method"),
        ("from torch.nn import NoSuchLayer", "NoSuchLayer"),
        ("import torch.no_such_module", "torch.no_such_module"),
    ):
        result = run("-c", body, cwd=tmp_path)
        last = result.stderr.strip().splitlines()[-1]
        assert result.returncode == 1
        assert name in last and "docs/coverage.md" in last and "minigrad" in last


def test_a_torch_that_is_already_imported_is_refused(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("")
    result = run(
        "-c", "import torch, minigrad; minigrad.install_as_torch()", cwd=tmp_path, minigrad=False
    )
    assert "RuntimeError: install_as_torch: the real torch is already imported" in result.stderr
    assert str(tmp_path) in result.stderr
    # Under the runner minigrad comes first, whatever else is called torch.
    assert run("-c", "import torch; print(torch.__name__)", cwd=tmp_path).stdout == "minigrad\n"


def test_numbers_are_those_of_pytorch(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "program.py").write_text(
        """import torch
torch.manual_seed(5)
model = torch.nn.Sequential(
    torch.nn.Linear(4, 8), torch.nn.Dropout(0.4), torch.nn.ReLU(), torch.nn.Linear(8, 2)
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
x, y = torch.randn(16, 4), torch.randint(2, (16,))
for step in range(20):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.4f}")
"""
    )
    curve = same_as_python("program.py", cwd=tmp_path)
    assert len(curve.split()) == 20
