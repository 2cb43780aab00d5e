"""What a figure needs to be understood: machine, versions, commit, date."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import minigrad


def processor() -> str:
    """The processor's name, as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def commit() -> str:
    """The checkout's commit, with "+" where files differ from it; "" outside a checkout."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(("git", *arguments), cwd=here, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    found = git("rev-parse", "--short", "HEAD")
    if not found:  # a copy without its history
        return os.environ.get("MINIGRAD_COMMIT", "")
    return found + ("+" if git("status", "--porcelain", "-uno") else "")


def _printed(*command: str) -> str:
    """What a command prints; "" where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def driver() -> str:
    """The version of NVIDIA's driver; "" without one."""
    return _printed("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "-i", "0")


def nvcc() -> str:
    """The version of the nvcc on PATH; "" without one."""
    found = re.search(r"release ([\d.]+)", _printed("nvcc", "--version"))
    return found[1] if found else ""


def version(name: str) -> str | None:
    """The installed version of a package, without importing it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe(libraries: list[str]) -> dict[str, Any]:
    """Machine, versions, commit and date; `summary` is one line of it."""
    names = ("numpy", *dict.fromkeys(name.partition("-")[0] for name in libraries))
    versions = {name: version(name) for name in dict.fromkeys(names)}
    about: dict[str, Any] = {
        "processor": processor(),
        "cores": cores(),
        "python": platform.python_version(),
        "minigrad": minigrad.__version__,
        "isa": minigrad.config.config()["isa"],
        "versions": versions,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
    }
    listed = ", ".join(f"{name} {found}" for name, found in versions.items())
    about["summary"] = (
        f"{about['processor']}, {about['cores']} cores, Python {about['python']}, {listed}, "
        f"minigrad {about['minigrad']} ({about['commit']}, {about['isa']}), {about['date']}"
    )
    return about
