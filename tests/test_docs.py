"""The files that the documents name are there, and their programs run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
# Where short forms stand: `ops/arith.py` is in minigrad/, `simd.h` in csrc/.
FOLDERS = [ROOT / name for name in ("", "minigrad", "csrc", "csrc/cpu", "csrc/cuda", "docs")]
# What is written by a run or made up, with what is below it.
ABSENT = (
    "csrc/cpu/X.cpp", "csrc/cuda/X.cu", "gpu.json", "gpu.md", "old", "script.py", "trace.json",
    "train.py",
)  # fmt: skip
_FILE = r"[\w.*<>/-]*\w\.(?:cpp|cu|h|md|py|pyi|toml|txt|cmake|json|png)\b"


def paths_in(text: str) -> set[str]:
    """What reads like a path: names with a file's ending, spans of code with a slash, links."""
    found = set(re.findall(rf"(?<![\w.*<>/:-]){_FILE}", text))
    for span in re.findall(r"`([^`\n]+)`", text):
        for word in span.split():
            word = word.strip("'\"(),;:")
            if re.fullmatch(r"[\w.*<>-]+(/[\w.*<>-]*)+", word):
                found.add(word)
    found.update(re.findall(r"\]\(([^):#\s]+)\)", text))
    return {path.rstrip("/") for path in found}


def exists(path: str) -> bool:
    pattern = re.sub(r"<\w+>", "*", path)
    return any(next(folder.glob(pattern), None) is not None for folder in FOLDERS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_exist(document: Path) -> None:
    paths = paths_in(document.read_text())
    assert paths
    missing = [
        path
        for path in sorted(paths)
        if not any(path == absent or path.startswith(f"{absent}/") for absent in ABSENT)
        and not exists(path)
    ]
    assert not missing, f"{document.name} names {missing}"


def test_the_check_sees_what_is_missing() -> None:
    text = (
        "See [this](docs/gone.md), `ops/gone`, run gone.py; `ops/arith.py`, `csrc/cpu/<family>.cpp`"
    )
    paths = paths_in(text)
    assert {path for path in paths if not exists(path)} == {"docs/gone.md", "ops/gone", "gone.py"}
    assert {"ops/arith.py", "csrc/cpu/<family>.cpp"} < paths


SNIPPETS = [
    pytest.param(code, id=f"{path.stem}-{number}")
    for path in sorted(ROOT.glob("docs/*.md"))
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?)^```", path.read_text(), re.S | re.M)
    )
]


@pytest.mark.parametrize("code", SNIPPETS)
def test_snippets_of_the_documents_run(code: str, tmp_path: Path) -> None:
    for extra in re.findall(r"^# needs (\w+)$", code, re.M):
        pytest.importorskip(extra)
    paths = [str(Path(p).resolve()) for p in sys.path if p]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
