"""What a figure needs to be understood: machine, versions, commit, date."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy

import minigrad


def processor() -> str:
    """The processor's name, as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def commit() -> str:
    """The checkout's commit, with "+" where files differ from it; "" outside a checkout."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(("git", *arguments), cwd=here, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    found = git("rev-parse", "--short", "HEAD")
    return found + ("+" if found and git("status", "--porcelain", "-uno") else "")


def describe(torch: ModuleType | None) -> dict[str, Any]:
    """Machine, versions, commit and date; `summary` is one line of it."""
    about: dict[str, Any] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "minigrad": minigrad.__version__,
        "isa": minigrad.config.config()["isa"],
        "torch": None if torch is None else torch.__version__,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
    }
    about["summary"] = (
        f"{about['processor']}, {about['cores']} cores, Python {about['python']}, NumPy "
        f"{about['numpy']}, torch {about['torch']}, minigrad {about['minigrad']} "
        f"({about['commit']}, {about['isa']}), {about['date']}"
    )
    return about
