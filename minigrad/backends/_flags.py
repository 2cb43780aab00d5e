"""`with flags(...)`: sets flags of a module of switches inside a block."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def set_inside(module: str, **values: Any) -> Iterator[None]:
    """Sets attributes of a module inside the block."""
    names = sys.modules[module].__dict__
    before = {name: names[name] for name in values}
    names.update(values)
    try:
        yield
    finally:
        names.update(before)
