"""What a report of a problem should say of the machine."""

from __future__ import annotations

import platform

import numpy

from ..config import described


def get_pretty_env_info() -> str:
    """Versions of the system, Python, NumPy, and what minigrad uses, as text."""
    return (
        f"{described()}\nsystem: {platform.platform()}\npython: {platform.python_version()}\n"
        f"numpy: {numpy.__version__}"
    )


def main() -> None:
    """Prints it."""
    print(get_pretty_env_info())
