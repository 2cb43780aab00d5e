"""Apple's GPUs, which minigrad has no kernels for."""

from __future__ import annotations


def is_available() -> bool:
    """Whether the device can be used."""
    return False


def is_built() -> bool:
    """Whether this build has kernels for it."""
    return False
