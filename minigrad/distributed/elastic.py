"""`distributed.elastic`: programs that a launcher starts mark their main function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["record"]


def record(fn: Callable, error_handler: Any = None) -> Callable:
    """The function as it is: there is no launcher that would read a file of its errors."""
    return fn
