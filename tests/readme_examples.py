"""Runs every Python block of a Markdown file, each in a process and a folder of its own.

python tests/readme_examples.py README.md
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    failed = 0
    for name in sys.argv[1:]:
        blocks = re.findall(r"^```python\n(.*?)^```", Path(name).read_text(), re.S | re.M)
        if not blocks:
            print(f"{name}: no Python block")
            failed += 1
        for number, code in enumerate(blocks, 1):
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run(
                    [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True
                )
            print(f"{name}, block {number}: {'ok' if done.returncode == 0 else 'FAILED'}")
            if done.returncode:
                print(code, done.stdout, done.stderr, sep="\n")
                failed += 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
