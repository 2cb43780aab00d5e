"""NNPACK, which minigrad does not use."""

from __future__ import annotations

from typing import Any

from ._flags import set_inside

enabled = True


def is_available() -> bool:
    """Whether NNPACK is used."""
    return False


def flags(enabled: bool = False) -> Any:
    """Sets the flag inside a `with` block."""
    return set_inside(__name__, enabled=enabled)
