"""`minigrad.cpu`: PyTorch's names for the CPU as a device."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import Any

from ..config import config as _config
from ..streams import Event as Event
from ..streams import Stream as Stream
from ..streams import current_stream as current_stream


def __getattr__(name: str) -> Any:
    if name == "amp":
        return _import_module(f"{__name__}.amp")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def is_available() -> bool:
    """True."""
    return True


def is_initialized() -> bool:
    """True."""
    return True


def device_count() -> int:
    """1."""
    return 1


def current_device() -> str:
    """ "cpu"."""
    return "cpu"


def set_device(device: Any) -> None:
    """The CPU is the current device whatever is asked for, as in PyTorch."""


def synchronize(device: Any = None) -> None:
    """Returns when all work is done: at once."""


def get_capabilities() -> dict[str, bool]:
    """Which instruction sets this machine has kernels for, by name."""
    return dict.fromkeys(_config()["available_isas"], True)


class StreamContext:
    """`with stream(s):` changes nothing on the CPU."""

    def __init__(self, stream: Any):
        self.stream = stream

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass


def stream(stream: Any) -> StreamContext:
    """A context in which work goes to `stream`."""
    return StreamContext(stream)
