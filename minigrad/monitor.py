"""`minigrad.monitor`: events that a program logs for its own handlers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

data_value_t = str | float | int | bool


@dataclass
class Event:
    """Something that happened."""

    name: str
    timestamp: datetime
    data: dict[str, data_value_t] = field(default_factory=dict)


class EventHandlerHandle:
    """What `register_event_handler` returns."""

    def __init__(self, handler: Callable[[Event], None]):
        self.handler = handler


_handlers: list[EventHandlerHandle] = []


def register_event_handler(callback: Callable[[Event], None]) -> EventHandlerHandle:
    """Calls `callback` with every event that is logged."""
    handle = EventHandlerHandle(callback)
    _handlers.append(handle)
    return handle


def unregister_event_handler(handler: EventHandlerHandle) -> None:
    """Undoes `register_event_handler`."""
    _handlers.remove(handler)


def log_event(event: Event) -> None:
    """Gives an event to all handlers."""
    for handle in list(_handlers):
        handle.handler(event)
