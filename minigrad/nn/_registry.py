"""`Registry`: a module's dictionary of parameters, buffers or children, mirrored in its attributes.

`module.weight` must be an ordinary attribute: a look-up that first fails and then falls back to
`__getattr__` costs more than a small operation. So what is registered also stands in the module's
`__dict__`, and the dictionary that registers it keeps the two in step, whoever writes to it.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

_MISSING: Any = object()


class Registry(dict):
    """A dictionary whose entries are also attributes of the module that owns it."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Any, entries: dict | None = None):
        # Weak, so that a module is freed with its last reference.
        self._owner = weakref.ref(owner)
        if entries:
            self.update(entries)

    def _attributes(self) -> dict:
        owner = self._owner()
        return {} if owner is None else owner.__dict__

    def __setitem__(self, name: str, value: Any) -> None:
        dict.__setitem__(self, name, value)
        self._attributes()[name] = value

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str, default: Any = _MISSING) -> Any:
        if name not in self:
            if default is _MISSING:
                raise KeyError(name)
            return default
        value = dict.pop(self, name)
        attributes = self._attributes()
        if attributes.get(name, _MISSING) is value:
            del attributes[name]
        return value

    def popitem(self) -> tuple:
        name = next(reversed(self))
        return name, self.pop(name)

    def clear(self) -> None:
        for name in list(self):
            self.pop(name)

    def update(self, *others: Any, **more: Any) -> None:
        for name, value in dict(*others, **more).items():
            self[name] = value

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def __ior__(self, other: Any) -> Registry:  # type: ignore[misc]
        self.update(other)
        return self

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return (dict, (dict(self),))  # `Module.__setstate__` ties it to its module again


class Attributes:
    """The attributes of a module that the parts of its class share."""

    training: bool
    _parameters: dict
    _buffers: dict
    _modules: dict
    _non_persistent_buffers_set: set
    _is_full_backward_hook: bool | None

    if TYPE_CHECKING:  # parameters, buffers and children are attributes, too

        def __getattr__(self, name: str) -> Any: ...
