"""PyTorch's way to ask what was built."""

from __future__ import annotations

from .config import config, described


def show() -> str:
    """What was built and what is in use, as text."""
    return described()


def parallel_info() -> str:
    """The threads that operations use, as text."""
    return f"minigrad's own pool of threads: {config()['num_threads']} threads"
