"""`minigrad.accelerator`: the device beside the CPU, of which there is none in this build."""

from __future__ import annotations

from typing import Any, NoReturn

from .backend import NoDevice
from .backend import device as _device

_NEED_ONE = (
    "current_device_idx", "current_device_index", "current_stream", "empty_cache",
    "empty_host_cache", "get_device_capability", "get_memory_info", "max_memory_allocated",
    "max_memory_reserved", "memory_allocated", "memory_reserved", "memory_stats",
    "reset_accumulated_memory_stats", "reset_peak_memory_stats", "set_device_idx",
    "set_device_index", "set_stream", "synchronize",
)  # fmt: skip


def is_available() -> bool:
    """Whether there is an accelerator."""
    return False


def device_count() -> int:
    """How many accelerators there are."""
    return 0


def current_accelerator(check_available: bool = False) -> _device | None:
    """The kind of accelerator; None without one."""
    return None


def __getattr__(name: str) -> Any:
    if name not in _NEED_ONE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def function(*args: Any, **kwargs: Any) -> NoReturn:
        raise NoDevice("Cannot access accelerator device when none is available.")

    function.__name__ = function.__qualname__ = name
    return function


def __dir__() -> list[str]:
    return sorted({*globals(), *_NEED_ONE})
