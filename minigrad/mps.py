"""`minigrad.mps`: PyTorch's questions about a device that minigrad has no kernels for."""

from __future__ import annotations


def is_available() -> bool:
    """Whether the device can be used."""
    return False


def device_count() -> int:
    """How many of the devices can be used."""
    return 0


def manual_seed(seed: int) -> None:
    """The seed of the device's random numbers; without one there is nothing to seed."""
    int(seed)
