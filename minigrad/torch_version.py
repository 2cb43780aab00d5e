"""The version of PyTorch whose names minigrad follows, and strings that compare as versions."""

from __future__ import annotations

import re
from typing import Any

from .version import __version__

FOLLOWED = "2.13.0"

_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)\.?(a|b|rc|alpha|beta|dev)?\.?(\d*)")
_STAGES = {"dev": 0, "a": 1, "alpha": 1, "b": 2, "beta": 2, "rc": 3}


def _key(version: Any) -> tuple:
    """Release numbers without trailing zeros, then the stage before the release (4: released)."""
    if isinstance(version, (tuple, list)):
        version = ".".join(str(part) for part in version)
    match = _VERSION.match(str(version).strip().lower())
    if match is None:
        raise ValueError(f"Invalid version: {version!r}")
    numbers = [int(part) for part in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), _STAGES.get(match[2] or "", 4), int(match[3] or 0)


class TorchVersion(str):
    """A version that compares with strings and tuples as versions do: "2.13.0" > "2.9"."""

    __slots__ = ()

    def _compare(self, other: Any) -> tuple[tuple, tuple] | None:
        if not isinstance(other, (str, tuple, list)):
            return None
        try:
            return _key(self), _key(other)
        except ValueError:
            return (str(self),), (str(other),)

    def __lt__(self, other: Any) -> bool:
        keys = self._compare(other)
        return NotImplemented if keys is None else keys[0] < keys[1]

    def __le__(self, other: Any) -> bool:
        keys = self._compare(other)
        return NotImplemented if keys is None else keys[0] <= keys[1]

    def __gt__(self, other: Any) -> bool:
        keys = self._compare(other)
        return NotImplemented if keys is None else keys[0] > keys[1]

    def __ge__(self, other: Any) -> bool:
        keys = self._compare(other)
        return NotImplemented if keys is None else keys[0] >= keys[1]

    def __eq__(self, other: object) -> bool:
        keys = self._compare(other)
        return NotImplemented if keys is None else keys[0] == keys[1]

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def mapped() -> TorchVersion:
    """What programs that run on minigrad in PyTorch's place see as `torch.__version__`."""
    return TorchVersion(f"{FOLLOWED}+minigrad{__version__}")
