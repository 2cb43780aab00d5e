"""Which layers a call means: names and patterns of names."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable


def fitting(what: str, able: Iterable[str], pattern: str) -> list[str]:
    """The names that fit a pattern. ValueError, in the name of the function `what`, for none."""
    names = fnmatch.filter(able, pattern)
    if not names:
        raise ValueError(f"{what}: {pattern!r} fits no layer; there are {list(able)}")
    return names


def chosen(what: str, able: Iterable[str], layers: str | Iterable[str]) -> list[str]:
    """The names that fit one of several patterns, or a single one, each once."""
    patterns = [layers] if isinstance(layers, str) else layers
    return list(dict.fromkeys(n for pattern in patterns for n in fitting(what, able, pattern)))
