"""What a library costs before it does anything: seconds to import, memory, bytes installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import statistics
import subprocess
import sys
from pathlib import Path

import peers

PROBE = """
import resource, sys, time
started = time.perf_counter()
import {module}
spent = time.perf_counter() - started
with open("/proc/self/statm") as f:
    resident = int(f.read().split()[1]) * resource.getpagesize()
print(spent, resident)
"""
REPEATS = 9
# an installed library has its bytecode; a checkout writes it at the first import unless told not to
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def probe(module: str) -> tuple[float, float]:
    """(seconds, bytes) of one fresh process that imports the module."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT,
    )
    seconds, resident = done.stdout.split()
    return float(seconds), float(resident)


def installed_bytes(module: str) -> int:
    """Bytes of the module's own files and of the libraries shipped beside it."""
    try:
        files = importlib.metadata.files(module) or []
        return sum(Path(f.locate()).stat().st_size for f in files if Path(f.locate()).exists())
    except importlib.metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(module)
        folder = Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")
        return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def measure(columns: list[str]) -> dict[str, dict[str, float]]:
    """Medians for each library; each process is fresh, by turns."""
    modules = list(dict.fromkeys(["numpy", *(peers.module_of(peer) for peer in columns)]))
    samples: dict[str, list[tuple[float, float]]] = {module: [] for module in modules}
    for _ in range(REPEATS):
        for module in modules:
            samples[module].append(probe(module))
    return {
        module: {
            "import_seconds": statistics.median(s for s, _ in taken),
            "resident_bytes": statistics.median(r for _, r in taken),
            "installed_bytes": installed_bytes(module),
        }
        for module, taken in samples.items()
    }


def table(weights: dict[str, dict[str, float]]) -> str:
    lines = ["", f"{'footprint':12s} {'import':>9s} {'resident':>10s} {'installed':>10s}"]
    for module, w in weights.items():
        lines.append(
            f"{module:12s} {w['import_seconds']:7.3f} s {w['resident_bytes'] / 1e6:7.0f} MB "
            f"{w['installed_bytes'] / 1e6:7.1f} MB"
        )
    return "\n".join(lines)
