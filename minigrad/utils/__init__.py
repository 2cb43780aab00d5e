"""Utilities: data loading, checkpointing, timing. Each is loaded when first asked for."""

from __future__ import annotations

import importlib
from typing import Any

_PARTS = (
    "_pytree", "benchmark", "checkpoint", "collect_env", "cpp_extension", "data", "deterministic",
    "dlpack", "hooks", "model_zoo", "tensorboard",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PARTS})
