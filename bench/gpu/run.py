"""Measures the GPU's kernels in a process that is started again when it dies; keeps all figures.

    python -m gpu.run FOLDER [--budget 210] [what gpu.worker takes]

FOLDER gets `rows.jsonl` and, from `gpu.report`, `gpu.json`, `gpu.md` and plots.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from gpu import report

RESTARTS = 8
SILENCE = 60.0  # seconds without a new line, after which the process is taken for stuck


def supervise(command: list[str], rows: Path, budget: float, silence: float = SILENCE) -> int:
    """Runs the worker until it has ended well, at most RESTARTS times; its last exit status."""
    deadline = time.monotonic() + budget
    status = 1
    for _ in range(1 + RESTARTS):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        # `--` ends the lists among the options
        process = subprocess.Popen([*command, "--budget", str(left), "--", str(rows)])
        size, heard = -1, time.monotonic()
        while process.poll() is None:
            now, seen = time.monotonic(), rows.stat().st_size if rows.exists() else 0
            if seen != size:
                size, heard = seen, now
            if now - heard > silence or now > deadline + silence / 4:
                process.kill()
            time.sleep(0.2)
        status = process.returncode
        if status == 0:
            break
    return status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--budget", type=float, default=210.0, help="seconds for all cases")
    options, rest = parser.parse_known_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = options.folder / "rows.jsonl"
    rows.unlink(missing_ok=True)
    status = supervise([sys.executable, "-m", "gpu.worker", *rest], rows, options.budget)
    report.write(options.folder)
    return status


if __name__ == "__main__":
    sys.exit(main())
