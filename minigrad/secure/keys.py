"""Keys: 32 random bytes from a file or the environment, or a passphrase for scrypt."""

from __future__ import annotations

import base64
import binascii
import importlib
import os
import secrets
import stat
import unicodedata
import warnings
from typing import Any

from .. import settings

KEY_BYTES = 32
MOST_MEMORY = 1 << 30  # what scrypt may take: 128 r n bytes


def need(module: str) -> Any:
    """A module of `cryptography`, or an ImportError that says how to install it."""
    try:
        return importlib.import_module(f"cryptography.{module}")
    except ImportError:
        raise ImportError(
            'this needs cryptography; install it with: pip install "minigrad[secure]"'
        ) from None


def check_costs(n: int, r: int, p: int) -> None:
    """ValueError unless scrypt's costs are sound and within a gigabyte of memory."""
    if n < 2 or n & (n - 1) or n > 1 << 24 or not 1 <= r <= 64 or not 1 <= p <= 64:
        raise ValueError(
            f"scrypt: n={n}, r={r}, p={p} were given; needed: n a power of two up to 2**24, "
            "r and p from 1 to 64"
        )
    if 128 * r * n > MOST_MEMORY:
        raise ValueError(
            f"scrypt: n={n}, r={r} would take {128 * r * n} bytes; needed: up to 2**30"
        )


class Key:
    """What files are encrypted with: `Key(32 bytes)`, or one of the `from_` methods.

    Its repr shows nothing of it; its pickle holds it. ValueError for other lengths.
    """

    __slots__ = ("_costs", "_secret")

    def __init__(self, secret: bytes):
        if not isinstance(secret, (bytes, bytearray)) or len(secret) != KEY_BYTES:
            size = len(secret) if isinstance(secret, (bytes, bytearray)) else type(secret).__name__
            raise ValueError(f"Key: {size} was given; needed: {KEY_BYTES} bytes")
        self._secret = bytes(secret)
        self._costs: tuple[int, int, int] | None = None

    @classmethod
    def generate(cls) -> Key:
        """A new random key."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def from_file(cls, path: Any) -> Key:
        """The key in a file that `to_file` wrote, or of 32 bytes, 64 hex digits or base64.

        Warns of a file that others may read.
        """
        with open(path, "rb") as file:
            content = file.read(4096)
            mode = os.fstat(file.fileno()).st_mode
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            warnings.warn(f"the key in {path} may be read by others: chmod 600", stacklevel=2)
        return cls(_decode(content, f"the file {path}"))

    @classmethod
    def from_environment(cls, name: str = "MINIGRAD_KEY") -> Key:
        """The key in an environment variable, as hex digits or base64. KeyError if it is unset."""
        text = settings.variable(name)
        if not text:
            raise KeyError(f"the environment variable {name} is not set; needed: a key")
        return cls(_decode(text.encode(), f"the environment variable {name}", raw=False))

    @classmethod
    def from_passphrase(cls, text: str, *, n: int = 1 << 17, r: int = 8, p: int = 1) -> Key:
        """A key that scrypt (RFC 7914) makes of a passphrase, for each file with a salt of its own.

        The costs n, r and p are written into the file: 128 r n bytes of memory (128 MiB) and, as
        set, some tenths of a second. Files are read with theirs. ValueError for an empty passphrase
        and for costs out of bounds.
        """
        if not isinstance(text, str) or not text:
            raise ValueError("from_passphrase: the passphrase is empty or no text")
        check_costs(n, r, p)
        key = cls.__new__(cls)
        key._secret = unicodedata.normalize("NFC", text).encode()
        key._costs = (n, r, p)
        return key

    def to_file(self, path: Any) -> None:
        """Writes the key, in base64, to a new file that only its owner may read.

        FileExistsError if there is one: a key that is overwritten is lost. TypeError for a key from
        a passphrase.
        """
        if self._costs is not None:
            raise TypeError("to_file: this key comes from a passphrase; needed: a random key")
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(self._secret) + b"\n")

    @property
    def costs(self) -> tuple[int, int, int] | None:
        """(n, r, p) of scrypt for a passphrase, None for a random key."""
        return self._costs

    def main_key(self, salt: bytes, costs: tuple[int, int, int] | None) -> bytes:
        """The 32 bytes that a file's keys come from."""
        if costs is None:
            return self._secret
        n, r, p = costs
        scrypt = need("hazmat.primitives.kdf.scrypt").Scrypt
        return scrypt(salt=salt, length=KEY_BYTES, n=n, r=r, p=p).derive(self._secret)

    def __repr__(self) -> str:
        return f"<Key {'from a passphrase' if self._costs else 'of 256 bits'}>"

    def __reduce__(self) -> Any:
        # Workers started by spawn need it; the pickle of a key is a secret.
        return _restored, (self._secret, self._costs)


def _restored(secret: bytes, costs: tuple[int, int, int] | None) -> Key:
    key = Key.__new__(Key)
    key._secret, key._costs = secret, costs
    return key


def _decode(content: bytes, where: str, raw: bool = True) -> bytes:
    if raw and len(content) == KEY_BYTES:
        return content
    text = content.strip()
    try:
        if len(text) == 2 * KEY_BYTES:
            return binascii.unhexlify(text)
        made = base64.b64decode(text.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
    except ValueError:
        made = b""
    if len(made) != KEY_BYTES:
        raise ValueError(
            f"{where} holds no key; needed: {f'{KEY_BYTES} bytes, ' if raw else ''}"
            f"{2 * KEY_BYTES} hex digits or base64"
        )
    return made


def as_key(key: Any) -> Key:
    """A key, or one of 32 bytes. TypeError for others (a passphrase must be named as such)."""
    if isinstance(key, Key):
        return key
    if isinstance(key, (bytes, bytearray)):
        return Key(bytes(key))
    raise TypeError(
        f"a {type(key).__name__} was given as key; needed: secure.Key, such as "
        "Key.from_file(path) or Key.from_passphrase(text)"
    )
