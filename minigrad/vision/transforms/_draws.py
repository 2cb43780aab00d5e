"""Single random numbers, drawn as torchvision draws them."""

from __future__ import annotations

from ...creation import empty
from ...random import randint


def uniform(low: float, high: float) -> float:
    """A float32 number in [low, high)."""
    return empty(1).uniform_(low, high).item()


def below(n: int) -> int:
    """A whole number below n."""
    return randint(0, n, (1,)).item()
