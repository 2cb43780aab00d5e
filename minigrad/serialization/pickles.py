"""A machine for pickles that runs no code: what a pickle may call is a table of ours.

Python's own unpickler imports and calls what a file names. This one keeps names as plain entries;
an instruction that calls one looks it up among builders of values (`values.py`) and the
classes that the program has allowed.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from pickle import UnpicklingError, decode_long
from typing import Any

_LONGEST_KEY = 1000  # elements of nested tuples that are hashed


class Builder:
    """A name in a pickle that stands for a function of ours: `build(*args)` when it is called."""

    __slots__ = ("build", "name")

    def __init__(self, name: str, build: Callable):
        self.name = name
        self.build = build

    def __repr__(self) -> str:
        return f"<{self.name} in a pickle>"


class NotAllowed(UnpicklingError, RuntimeError):
    """A file that is refused, of either class that programs expect."""


class Names:
    """What the names in a pickle stand for. Classes that are allowed stand for themselves."""

    def find(self, module: str, name: str) -> Any:
        """A Builder, a value, or a class that is allowed. UnpicklingError for all else."""
        raise UnpicklingError(
            f"it names {module}.{name}; a pickle can run any code when it is read"
        )

    def may_call(self, value: Any) -> bool:
        """Whether the program allows this class or function to be called."""
        return False

    def may_make(self, value: Any) -> bool:
        """Whether the program allows instances of this class, made without calling it."""
        return False

    def persistent(self, key: Any) -> Any:
        """The value of a persistent id: a storage."""
        raise UnpicklingError("persistent ids are not allowed here")

    def build(self, value: Any, state: Any) -> bool:
        """Gives a state to a value that the table's builders made; False if it is none such."""
        return False


_MARK = object()


class Machine:
    """Runs one pickle. `at` is where it ended."""

    def __init__(self, data: bytes, names: Names, at: int = 0):
        self.data = data
        self.at = at
        self.names = names
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value that the pickle describes. UnpicklingError for what is not allowed."""
        data = self.data
        while True:
            if self.at >= len(data):
                raise EOFError("the pickle ends early")
            code = data[self.at]
            self.at += 1
            if code == 0x2E:  # STOP
                return self.pop()
            action = _ACTIONS.get(code)
            if action is None:
                raise UnpicklingError(f"instruction {code:#04x} is not allowed")
            action(self)

    # -- reading and the stack --------------------------------------------------------------------

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise EOFError("the pickle ends early")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise EOFError("the pickle ends early")
        text = self.data[self.at : end].decode()
        self.at = end + 1
        return text

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise UnpicklingError("a mark stands where a value should")
        return value

    def top(self) -> Any:
        value = self.stack[-1]
        if value is _MARK:
            raise UnpicklingError("a mark stands where a value should")
        return value

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def marked(self) -> list:
        """All above the last mark."""
        stack = self.stack
        for i in range(len(stack) - 1, -1, -1):
            if stack[i] is _MARK:
                items = stack[i + 1 :]
                del stack[i:]
                return items
        raise UnpicklingError("there is no mark")

    def remember(self, index: int) -> None:
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise UnpicklingError(f"memo {index} is empty")
        self.push(self.memo[index])

    # -- containers -------------------------------------------------------------------------------

    def put(self, pairs: list) -> None:
        target = self.top()
        if not isinstance(target, dict):
            raise UnpicklingError(f"items are put into a {type(target).__name__}")
        if len(pairs) % 2:
            raise UnpicklingError("a key has no value")
        setitem = OrderedDict.__setitem__ if isinstance(target, OrderedDict) else dict.__setitem__
        for i in range(0, len(pairs), 2):
            setitem(target, need_key(pairs[i]), pairs[i + 1])

    def extend(self, items: list) -> None:
        target = self.top()
        if not isinstance(target, list):
            raise UnpicklingError(f"items are appended to a {type(target).__name__}")
        list.extend(target, items)

    def add(self, items: list) -> None:
        target = self.top()
        if not isinstance(target, set):
            raise UnpicklingError(f"items are added to a {type(target).__name__}")
        for item in items:
            set.add(target, need_key(item))

    # -- names and calls --------------------------------------------------------------------------

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise UnpicklingError("a name is no string")
        self.push(self.names.find(module, name))

    def call(self, function: Any, args: Any, kwargs: dict | None = None, new: bool = False) -> None:
        if not isinstance(args, tuple):
            raise UnpicklingError("arguments are no tuple")
        if isinstance(function, Builder):
            self.push(function.build(*args))
        elif new and self.names.may_make(function):
            self.push(function.__new__(function, *args, **(kwargs or {})))
        elif not new and self.names.may_call(function):
            self.push(function(*args))
        else:
            raise UnpicklingError(f"{function!r} is called, which is not allowed")

    def reduce(self) -> None:
        args = self.pop()
        self.call(self.pop(), args)

    def new(self, with_names: bool = False) -> None:
        kwargs = self.pop() if with_names else {}
        args = self.pop()
        self.call(self.pop(), args, kwargs, new=True)

    def build(self) -> None:
        state = self.pop()
        value = self.top()
        if self.names.build(value, state):
            return
        if not self.names.may_make(type(value)):
            raise UnpicklingError(f"a {type(value).__name__} is given a state")
        if hasattr(value, "__setstate__"):
            value.__setstate__(state)
            return
        slots = None
        if isinstance(state, tuple) and len(state) == 2:
            state, slots = state
        if state:
            value.__dict__.update(state)
        for key, item in (slots or {}).items():
            setattr(value, key, item)


def need_key(key: Any) -> Any:
    """A key whose hash is cheap and calls nobody's code. UnpicklingError for others."""
    left = [key]
    seen = 0
    while left:
        item = left.pop()
        seen += 1
        if seen > _LONGEST_KEY:
            raise UnpicklingError("a key is too long")
        if isinstance(item, tuple):
            left.extend(item)
        elif isinstance(item, (list, dict, set, bytearray, Builder)):
            raise UnpicklingError(f"a {type(item).__name__} is no key")
    return key


def _text(form: str) -> Callable[[Machine], None]:
    return lambda m: m.push(m.take(m.number(form)).decode("utf-8", "surrogatepass"))


def _bytes(form: str, kind: Callable = bytes) -> Callable[[Machine], None]:
    return lambda m: m.push(kind(m.take(m.number(form))))


def _old_text(form: str) -> Callable[[Machine], None]:
    return lambda m: m.push(m.take(m.number(form)).decode("latin-1"))


def _tuple(count: int) -> Callable[[Machine], None]:
    def act(m: Machine) -> None:
        items = tuple([m.pop() for _ in range(count)][::-1])
        m.push(items)

    return act


def _old_int(m: Machine) -> None:
    text = m.line()
    m.push({"00": False, "01": True}[text] if text in ("00", "01") else int(text))


def _stack_name(m: Machine) -> None:
    name = m.pop()
    m.name(m.pop(), name)


def _appended(m: Machine) -> None:
    item = m.pop()
    m.extend([item])


def _put_one(m: Machine) -> None:
    value = m.pop()
    key = m.pop()
    m.put([key, value])


def _long(form: str) -> Callable[[Machine], None]:
    return lambda m: m.push(decode_long(m.take(m.number(form))))


def _frozen(m: Machine) -> None:
    m.push(frozenset(need_key(item) for item in m.marked()))


def _dict(m: Machine) -> None:
    pairs = m.marked()
    m.push({})
    m.put(pairs)


# One action for each instruction that is allowed, by its byte (see Python's pickletools).
_ACTIONS: dict[int, Callable[[Machine], Any]] = {
    ord(code): action
    for code, action in {
        "\x80": lambda m: m.take(1),  # PROTO
        "\x95": lambda m: m.take(8) and None,  # FRAME
        "(": lambda m: m.push(_MARK),
        "0": lambda m: m.stack.pop(),
        "1": lambda m: m.marked() and None,
        "2": lambda m: m.push(m.top()),
        "N": lambda m: m.push(None),
        "\x88": lambda m: m.push(True),
        "\x89": lambda m: m.push(False),
        "I": _old_int,
        "J": lambda m: m.push(m.number("<i")),
        "K": lambda m: m.push(m.number("<B")),
        "M": lambda m: m.push(m.number("<H")),
        "L": lambda m: m.push(int(m.line().rstrip("L"))),
        "\x8a": _long("<B"),
        "\x8b": _long("<i"),
        "F": lambda m: m.push(float(m.line())),
        "G": lambda m: m.push(m.number(">d")),
        "X": _text("<I"),
        "\x8c": _text("<B"),
        "\x8d": _text("<Q"),
        "T": _old_text("<i"),
        "U": _old_text("<B"),
        "B": _bytes("<I"),
        "C": _bytes("<B"),
        "\x8e": _bytes("<Q"),
        "\x96": _bytes("<Q", bytearray),
        ")": lambda m: m.push(()),
        "t": lambda m: m.push(tuple(m.marked())),
        "\x85": _tuple(1),
        "\x86": _tuple(2),
        "\x87": _tuple(3),
        "]": lambda m: m.push([]),
        "l": lambda m: m.push(m.marked()),
        "a": _appended,
        "e": lambda m: m.extend(m.marked()),
        "}": lambda m: m.push({}),
        "d": _dict,
        "s": _put_one,
        "u": lambda m: m.put(m.marked()),
        "\x8f": lambda m: m.push(set()),
        "\x90": lambda m: m.add(m.marked()),
        "\x91": _frozen,
        "p": lambda m: m.remember(int(m.line())),
        "q": lambda m: m.remember(m.number("<B")),
        "r": lambda m: m.remember(m.number("<I")),
        "\x94": lambda m: m.remember(len(m.memo)),
        "g": lambda m: m.recall(int(m.line())),
        "h": lambda m: m.recall(m.number("<B")),
        "j": lambda m: m.recall(m.number("<I")),
        "c": lambda m: m.name(m.line(), m.line()),
        "\x93": _stack_name,
        "R": lambda m: m.reduce(),
        "\x81": lambda m: m.new(),
        "\x92": lambda m: m.new(with_names=True),
        "b": lambda m: m.build(),
        "Q": lambda m: m.push(m.names.persistent(m.pop())),
    }.items()
}
