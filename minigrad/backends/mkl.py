"""Intel's MKL, which minigrad does not use: it has kernels of its own."""

from __future__ import annotations


def is_available() -> bool:
    """Whether MKL is used."""
    return False
