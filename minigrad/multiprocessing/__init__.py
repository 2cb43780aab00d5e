"""Python's `multiprocessing` under PyTorch's name, with `spawn`.

Tensors travel as copies, those of `share_memory_` as their memory.
"""

from __future__ import annotations

import multiprocessing as _python
from multiprocessing import *  # noqa: F403
from typing import Any

from .spawn import ProcessContext as ProcessContext
from .spawn import ProcessExitedException as ProcessExitedException
from .spawn import ProcessRaisedException as ProcessRaisedException
from .spawn import SpawnContext as SpawnContext
from .spawn import spawn as spawn
from .spawn import start_processes as start_processes

_strategies = {"file_descriptor", "file_system"}
_strategy = "file_descriptor"


def get_all_sharing_strategies() -> set[str]:
    """How PyTorch shares tensors' memory."""
    return set(_strategies)


def get_sharing_strategy() -> str:
    """What `set_sharing_strategy` was given."""
    return _strategy


def set_sharing_strategy(new_strategy: str) -> None:
    """Kept; there is one way to share (see `sharing`). ValueError for an unknown name."""
    global _strategy
    if new_strategy not in _strategies:
        raise ValueError(f"sharing strategy {new_strategy!r}; needed: one of {_strategies}")
    _strategy = new_strategy


def __getattr__(name: str) -> Any:
    return getattr(_python, name)
