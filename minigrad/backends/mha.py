"""The switch of MultiheadAttention's and TransformerEncoder's fast path: kept."""

from __future__ import annotations

_fastpath = True


def get_fastpath_enabled() -> bool:
    """What `set_fastpath_enabled` was given; True at first."""
    return _fastpath


def set_fastpath_enabled(value: bool) -> None:
    """Kept; attention has one implementation."""
    global _fastpath
    _fastpath = value
