"""`torchvision` in small: transforms, datasets read from disk, models and grids of images.

Images need Pillow and downloads pooch: `pip install "minigrad[vision]"`.
"""

import importlib
from typing import Any

from ..version import __version__ as __version__

_LAZY = ("augment", "datasets", "models", "transforms", "utils")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
