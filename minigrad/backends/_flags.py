"""`with flags(...)`: sets flags of a module of switches inside a block."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def set_inside(module: str, **values: Any) -> Iterator[None]:
    """Sets attributes of a module inside the block."""
    held = sys.modules[module]
    before = {name: getattr(held, name) for name in values}
    for name, value in values.items():
        setattr(held, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(held, name, value)
