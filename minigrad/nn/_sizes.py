"""Arguments that are one number for all dimensions or one for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def ntuple(value: Any, n: int) -> tuple:
    """`value` repeated n times, or as a tuple if it is an iterable."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * n
