"""Encrypted files as streams: written from the beginning to the end, read anywhere."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections import OrderedDict
from typing import Any

from ..serialization.files import replaced
from .chunks import HEADER, TAG, Cipher, DecryptionError, cipher_of, new_cipher
from .keys import Key, as_key

CHUNK = 1 << 18


class Writer(io.RawIOBase):
    """Encrypts what is written, chunk by chunk; the file appears, whole, when it is closed.

    Leaving a `with` block by an exception, an error while writing, `abort()` and losing the last
    reference leave no file, and what stood at the path stays.
    """

    def __init__(self, path: Any, key: Any, chunk_size: int = CHUNK):
        super().__init__()
        self._stack = contextlib.ExitStack()
        self._cipher = new_cipher(as_key(key), chunk_size)
        self._number = 0
        self._process = os.getpid()
        self._rest = bytearray()
        self._file = self._stack.enter_context(replaced(path))
        self._file.write(self._cipher.header)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.closed:
            raise ValueError("write to a closed encrypted file")
        view = memoryview(data).cast("B")
        size, at = self._cipher.size, 0
        # A chunk is written when more follows: the last one is marked.
        while len(self._rest) + len(view) - at > size:
            if self._rest:
                taken = size - len(self._rest)
                self._rest += view[at : at + taken]
                self._seal(bytes(self._rest), False)
                self._rest.clear()
            else:
                taken = size
                self._seal(view[at : at + taken], False)
            at += taken
        self._rest += view[at:]
        return len(view)

    def _seal(self, plain: Any, last: bool) -> None:
        try:
            self._file.write(self._cipher.seal(self._number, last, plain))
        except BaseException:  # a full disk: what follows would not fit to what is there
            self.abort()
            raise
        self._number += 1

    def close(self) -> None:
        if self.closed:
            return
        try:
            self._seal(bytes(self._rest), True)
            self._stack.close()
        except BaseException:
            self.abort()
            raise
        finally:
            self._rest.clear()
            super().close()

    def abort(self) -> None:
        """Ends without a file."""
        if not self.closed:
            self._rest.clear()
            # The file's context removes what was written when it ends with an exception.
            stop = GeneratorExit()
            with contextlib.suppress(GeneratorExit):
                self._stack.__exit__(GeneratorExit, stop, None)
            super().close()

    def __exit__(self, kind: Any, *rest: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if hasattr(self, "_file") and self._process == os.getpid():  # not a forked copy
            self.abort()


class Chunks:
    """The chunks of an encrypted file: `size` plain bytes, `read(start, stop)` of them.

    The last chunk is read when the file is opened: it says where the file ends. Every process has
    a handle of its own, so that a reader can be handed to workers. DecryptionError for a damaged
    file, at opening or when the damaged part is read; what is returned is always authentic.
    """

    def __init__(self, path: Any, key: Any, cached: int = 4):
        self.path, self.key, self.cached = os.fspath(path), as_key(key), cached
        self._open()

    def _open(self) -> None:
        self._file = open(self.path, "rb")  # noqa: SIM115
        self._process, self._lock = os.getpid(), threading.Lock()
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        try:
            name = self.path
            self._cipher: Cipher = cipher_of(self.key, self._file.read(HEADER), str(name))
            stride = self._cipher.size + TAG
            length = os.fstat(self._file.fileno()).st_size - HEADER
            self.count = max(1, -(-length // stride))
            tail = length - (self.count - 1) * stride
            if tail < TAG or (tail == TAG and self.count > 1):
                raise DecryptionError(f"{name} is cut off")
            self.size = (self.count - 1) * self._cipher.size + tail - TAG
            self._chunk(self.count - 1)
        except BaseException:
            self._file.close()
            raise

    def _chunk(self, number: int) -> bytes:
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        stride, last = self._cipher.size + TAG, number == self.count - 1
        self._file.seek(HEADER + number * stride)
        sealed = self._file.read(stride)
        plain = self._cipher.unseal(number, last, sealed)
        if plain is None:
            where = f"{self.path}: chunk {number + 1} of {self.count}"
            if last and self._cipher.unseal(number, False, sealed) is not None:
                raise DecryptionError(f"{self.path} is cut off: its end is missing")
            ends = ", or the file is cut off or goes on after its end" if last else ""
            raise DecryptionError(f"{where} is damaged, altered or not at its place{ends}")
        self._kept[number] = plain
        while len(self._kept) > self.cached:
            self._kept.popitem(last=False)
        return plain

    def read(self, start: int, stop: int) -> bytes:
        """Plain bytes from `start` up to `stop` or the end."""
        if self._process != os.getpid():
            self._open()
        stop = min(stop, self.size)
        if stop <= start:
            return b""
        size = self._cipher.size
        first, last = start // size, (stop - 1) // size
        with self._lock:
            if first == last:
                return self._chunk(first)[start - first * size : stop - first * size]
            parts = [self._chunk(first)[start - first * size :]]
            parts += [self._chunk(number) for number in range(first + 1, last)]
            parts.append(self._chunk(last)[: stop - last * size])
        return b"".join(parts)

    def close(self) -> None:
        """Closes the file and forgets what was read."""
        self._kept.clear()
        self._file.close()

    def __getstate__(self) -> dict:
        return {"path": self.path, "key": self.key, "cached": self.cached}

    def __setstate__(self, state: dict) -> None:
        self.path, self.key, self.cached = state["path"], state["key"], state["cached"]
        self._open()


class Reader(io.RawIOBase):
    """An encrypted file, read as plain bytes anywhere (`seek`, `tell`, `read`)."""

    def __init__(self, path: Any, key: Any):
        super().__init__()
        self._chunks = Chunks(path, key)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._chunks.size}[whence]
        if base + offset < 0:
            raise ValueError(f"seek to {base + offset}; needed: 0 or more")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        if self.closed:
            raise ValueError("read of a closed encrypted file")
        stop = sys.maxsize if size is None or size < 0 else self._at + size
        data = self._chunks.read(self._at, stop)
        self._at += len(data)
        return data

    def readall(self) -> bytes:
        return self.read(-1)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed and hasattr(self, "_chunks"):
            self._chunks.close()
        super().close()


def open_encrypted(path: Any, mode: str, key: Key, chunk_size: int = CHUNK) -> Writer | Reader:
    """A binary stream of an encrypted file: mode "rb" or "wb". ValueError for others."""
    if mode == "wb":
        return Writer(path, key, chunk_size)
    if mode == "rb":
        return Reader(path, key)
    raise ValueError(f"open: mode is {mode!r}; needed: 'rb' or 'wb'")
