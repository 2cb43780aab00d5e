"""A thread's autocast: the state that `amp` sets and that operations of several types ask for."""

from __future__ import annotations

import threading
from typing import Any

from .. import dtypes


class _State(threading.local):
    """Whether operations cast now, what each kind of device was set to, and casts that are kept."""

    def __init__(self) -> None:
        self.active = False  # off inside an operation that has cast its operands
        self.enabled = {"cpu": False, "cuda": False}
        self.dtypes = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16}
        self.cache_enabled = True
        self.nesting = 0
        self.cache: dict[int, tuple[Any, Any]] = {}


state = _State()
