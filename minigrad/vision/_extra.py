"""Third parties of the extra `vision`, imported when they are used."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def need(module: str, package: str) -> Any:
    """The module, or an ImportError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(
            f'this needs {package}; install it with: pip install "minigrad[vision]"'
        ) from None


def pil_image() -> Any:
    """`PIL.Image`."""
    return need("PIL.Image", "Pillow")


def is_pil(image: Any) -> bool:
    """Whether something is a PIL image; does not load Pillow for it."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)
