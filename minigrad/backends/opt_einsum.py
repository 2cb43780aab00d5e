"""The package opt_einsum, which minigrad does not use: `einsum` contracts from left to right."""

from __future__ import annotations

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """Whether opt_einsum is used."""
    return False


def get_opt_einsum() -> None:
    """The package: None."""
    return None
