"""Classes that a program allows files to name: PyTorch's `serialization.add_safe_globals`."""

from __future__ import annotations

from typing import Any

_allowed: dict[str, Any] = {}


def _entries(items: Any) -> dict[str, Any]:
    found = {}
    for item in items:
        value, name = item if isinstance(item, tuple) else (item, None)
        if name is None:
            name = f"{value.__module__}.{value.__qualname__}"
        found[name] = value
    return found


def add_safe_globals(safe_globals: list) -> None:
    """Allows `load` to use these classes and functions (or pairs of one and its name in files)."""
    _allowed.update(_entries(safe_globals))


def get_safe_globals() -> list:
    """What `add_safe_globals` has allowed."""
    return list(_allowed.values())


def clear_safe_globals() -> None:
    """Allows nothing again."""
    _allowed.clear()


class safe_globals:
    """`with safe_globals([Thing]): load(...)`: allows classes inside the block only."""

    def __init__(self, safe_globals: list):
        self.entries = _entries(safe_globals)

    def __enter__(self) -> None:
        self.before = dict(_allowed)
        _allowed.update(self.entries)

    def __exit__(self, *exc: object) -> None:
        _allowed.clear()
        _allowed.update(self.before)


def allowed(name: str) -> Any:
    """The class or function allowed under a full name; None if there is none."""
    return _allowed.get(name)
