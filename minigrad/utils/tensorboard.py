"""`SummaryWriter`, from the package tensorboardX, whose files TensorBoard reads."""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name not in ("FileWriter", "RecordWriter", "SummaryWriter"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        package = importlib.import_module("tensorboardX")
    except ImportError:
        raise ImportError(
            'utils.tensorboard needs the package tensorboardX: pip install "minigrad[tensorboard]"'
        ) from None
    return getattr(package, name)
