"""oneDNN's switches: kept; minigrad has kernels of its own."""

from __future__ import annotations

from typing import Any

from ._flags import set_inside

enabled = True
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether oneDNN is used."""
    return False


def flags(enabled: bool = False, deterministic: bool = False, allow_tf32: bool = True) -> Any:
    """Sets flags inside a `with` block."""
    return set_inside(__name__, enabled=enabled, deterministic=deterministic, allow_tf32=allow_tf32)
