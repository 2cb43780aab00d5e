"""`RemovableHandle`: what everything that takes a hook returns."""

from __future__ import annotations

import itertools
from typing import Any


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again."""

    __slots__ = ("_hooks", "id")
    _ids = itertools.count()

    def __init__(self, *hooks: dict[int, Any]):
        self.id = next(RemovableHandle._ids)
        self._hooks: tuple[dict[int, Any], ...] = hooks

    def remove(self) -> None:
        for hooks in self._hooks:
            hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()

    def __getstate__(self) -> tuple:
        return ((), self.id)

    def __setstate__(self, state: tuple) -> None:
        self._hooks, self.id = state
