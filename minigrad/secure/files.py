"""Checkpoints and other files, encrypted."""

from __future__ import annotations

import shutil
from typing import Any

from .. import serialization
from .chunks import DecryptionError
from .keys import Key
from .streams import CHUNK, Reader, Writer


def save(
    obj: Any, path: Any, key: Key, *, format: str | None = None, chunk_size: int = CHUNK
) -> None:
    """`minigrad.save` into an encrypted file: what it takes, at once, never plain on the disk.

    `format` is that of `minigrad.save` ("mg" by default). `chunk_size` is encrypted at a time.
    """
    with Writer(path, key, chunk_size) as stream:
        serialization.save(obj, stream, format=format or "mg")


def load(path: Any, key: Key, map_location: Any = None, *, weights_only: bool | None = None) -> Any:
    """What `save` wrote. WrongKey, or DecryptionError for a file that is damaged in any place."""
    with Reader(path, key) as stream:
        try:
            return serialization.load(stream, map_location, weights_only=weights_only)
        except RuntimeError as error:  # what a damaged stream is to it
            if isinstance(error.__cause__, DecryptionError):
                raise error.__cause__ from None
            raise


def encrypt_file(source: Any, path: Any, key: Key, *, chunk_size: int = CHUNK) -> None:
    """Encrypts a file of any kind, piece by piece. The source stays for the caller to remove."""
    with open(source, "rb") as plain, Writer(path, key, chunk_size) as stream:
        shutil.copyfileobj(plain, stream, 1 << 20)


def rekey(path: Any, key: Key, new_key: Key, *, chunk_size: int = CHUNK) -> None:
    """Encrypts a file anew, with another key, at once (the old file stays until the end)."""
    with Reader(path, key) as plain, Writer(path, new_key, chunk_size) as stream:
        shutil.copyfileobj(plain, stream, 1 << 20)
