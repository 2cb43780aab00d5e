"""Streams and events: on the CPU work is done when a call returns, and events are its clock."""

from __future__ import annotations

import time
from typing import Any

from .backend import as_device


class AcceleratorError(RuntimeError):
    """An error of an accelerator's runtime."""


class OutOfMemoryError(RuntimeError):
    """There is not enough memory on a device."""


class Stream:
    """A queue of work. On the CPU nothing is ever waiting in it. NoDevice for other devices."""

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any):
        self.device = as_device(device)
        self.device_index = -1
        self.stream_id = 0
        self.priority = priority

    def synchronize(self) -> None:
        """Returns when the work is done: at once."""

    def query(self) -> bool:
        """Whether the work is done: always."""
        return True

    def wait_event(self, event: Any) -> None:
        """Later work comes after the event, as it does."""

    def wait_stream(self, stream: Any) -> None:
        """Later work comes after that of the other stream, as it does."""

    def record_event(self, event: Any = None) -> Event:
        """Records an event (a new one if none is given) and returns it."""
        event = Event(self.device) if event is None else event
        event.record(self)
        return event

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.device == self.device

    def __hash__(self) -> int:
        return hash(self.device)

    def __repr__(self) -> str:
        return f"torch.Stream device_type={self.device.type}, device_index=-1, stream_id=0"


class Event:
    """A point in time between two pieces of work."""

    def __init__(
        self,
        device: Any = None,
        *,
        enable_timing: bool = False,
        blocking: bool = False,
        interprocess: bool = False,
    ):
        self.device = as_device(device)
        self.enable_timing = enable_timing
        self.event_id = 0
        self._time: float | None = None

    def record(self, stream: Any = None) -> None:
        """Takes the time now."""
        self._time = time.perf_counter()

    def wait(self, stream: Any = None) -> None:
        """Later work comes after the event, as it does."""

    def query(self) -> bool:
        """Whether the work before the event is done: always."""
        return True

    def synchronize(self) -> None:
        """Returns when the work before the event is done: at once."""

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this event to `end_event`. ValueError, RuntimeError if not recorded."""
        if not (self.enable_timing and end_event.enable_timing):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self._time is None or end_event._time is None:
            raise RuntimeError("Both events must be recorded before calculating elapsed time.")
        return (end_event._time - self._time) * 1e3

    def __repr__(self) -> str:
        return f"torch.Event device_type={self.device.type}, device_index=-1"


def current_stream(device: Any = None) -> Stream:
    """The stream that work goes to."""
    return Stream(device)
