"""OpenMP, which minigrad does not use: it has a pool of threads of its own."""

from __future__ import annotations


def is_available() -> bool:
    """Whether OpenMP is used."""
    return False
