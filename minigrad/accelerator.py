"""`minigrad.accelerator`: the device beside the CPU: a CUDA device, where there is one."""

from __future__ import annotations

from typing import Any

from . import cuda
from .backend import NoDevice
from .backend import device as _device
from .kernels.cuda_library import library

_NEED_ONE = (
    "current_device_idx", "current_device_index", "current_stream", "empty_cache",
    "empty_host_cache", "get_device_capability", "get_memory_info", "max_memory_allocated",
    "max_memory_reserved", "memory_allocated", "memory_reserved", "memory_stats",
    "reset_accumulated_memory_stats", "reset_peak_memory_stats", "set_device_idx",
    "set_device_index", "set_stream", "synchronize",
)  # fmt: skip


# Names that `cuda` has otherwise.
_OTHERWISE = {
    "current_device_idx": "current_device",
    "current_device_index": "current_device",
    "get_memory_info": "mem_get_info",
    "set_device_idx": "set_device",
    "set_device_index": "set_device",
}


def is_available() -> bool:
    """Whether there is an accelerator."""
    return not library().reason


def device_count() -> int:
    """How many accelerators there are."""
    return library().devices


def current_accelerator(check_available: bool = False) -> _device | None:
    """The kind of accelerator; None without one."""
    return None if library().reason else _device("cuda")


class device_index:
    """A scope in which the accelerator of this index is the current one; None changes nothing."""

    def __init__(self, device: int | None):
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is None:
            return
        if library().reason:
            raise NoDevice("Cannot access accelerator device when none is available.")
        self._scope = cuda.device(self.idx)
        self._scope.__enter__()

    def __exit__(self, *exception: Any) -> None:
        if self.idx is not None:
            self._scope.__exit__(*exception)


def __getattr__(name: str) -> Any:
    if name not in _NEED_ONE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def function(*args: Any, **kwargs: Any) -> Any:
        if library().reason:
            raise NoDevice("Cannot access accelerator device when none is available.")
        of_cuda = getattr(cuda, _OTHERWISE.get(name, name), None)
        if of_cuda is None:
            raise NotImplementedError(f"accelerator.{name}: not offered")
        return of_cuda(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    return function


def __dir__() -> list[str]:
    return sorted({*globals(), *_NEED_ONE})
