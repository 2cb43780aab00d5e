"""Third parties of the extras, imported when they are used."""

from __future__ import annotations

import importlib
from typing import Any


def need(module: str, package: str, extra: str) -> Any:
    """The module, or an ImportError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(
            f'this needs {package}; install it with: pip install "minigrad[{extra}]"'
        ) from None
