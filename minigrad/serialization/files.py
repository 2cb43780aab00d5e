"""`save`: which format a file gets, and writing it at once."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import tempfile
from collections.abc import Iterator
from typing import Any

from .names import path_of
from .torch_write import write_archive
from .write import write_own

# The format of files whose name does not say it: "mg" (minigrad's), or "pt" (PyTorch's), which
# programs get that run in PyTorch's place.
default_format = "mg"

_BY_NAME = {".pt": "pt", ".pth": "pt", ".mg": "mg"}


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: Any = None,
    _use_new_zipfile_serialization: bool = True,
    *,
    format: str | None = None,
) -> None:
    """Writes `obj` to a path (at once: the old file stays whole until then) or a file object.

    `format`: "mg", minigrad's own (checksummed, no pickle: tensors, NumPy arrays and scalars,
    numbers, strings, bytes, None, dtypes, sizes, devices, and dicts, lists, tuples and sets of
    them; TypeError for anything else), or "pt", PyTorch's: what `torch.load` reads with
    weights_only=True, and whole modules and other objects of the program, pickled. By default names
    ending in .pt and .pth choose "pt", those in .mg "mg", and others "pt" in programs run by
    `python -m minigrad`, otherwise "mg".
    """
    path = None if hasattr(f, "write") else path_of("save", f, "write")
    chosen = format or _BY_NAME.get(os.path.splitext(str(path))[1].lower(), default_format)
    if chosen not in ("mg", "pt"):
        raise ValueError(f"save: format is {format!r}; needed: 'mg' or 'pt'")
    if chosen == "pt":
        _write(f, path, lambda stream: write_archive(stream, obj, pickle_protocol or 2))
    else:
        _write(f, path, lambda stream: write_own(stream, obj))


_SEEKABLE = (io.BytesIO, io.FileIO, io.BufferedWriter, io.BufferedRandom)


class _Forward:
    """A stream that is only appended to: those that compress refuse to go back, and say so late."""

    def __init__(self, stream: Any):
        self.write = stream.write
        self.flush = getattr(stream, "flush", lambda: None)


def _write(f: Any, path: Any, write: Any) -> None:
    if path is None:
        write(f if isinstance(f, _SEEKABLE) else _Forward(f))
        return
    with replaced(path) as stream:
        write(stream)


@contextlib.contextmanager
def replaced(path: Any) -> Iterator[Any]:
    """A stream of a file that takes the place of what is at `path` when the block has ended well.

    Until then the old file stays whole; after an exception it stays, and nothing else is left.
    """
    path, given = os.path.realpath(path), path  # a link stays: the file that it names is replaced
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {os.path.dirname(given)} does not exist.")
    if os.path.lexists(path):
        if not os.path.isfile(path):  # a device or a pipe is written to; a folder is an error
            with open(given, "wb") as stream:
                yield stream
            return
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), given)
    handle, temporary = tempfile.mkstemp(prefix=".minigrad-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, _mode_of(path))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _mode_of(path: Any) -> int:
    """The permissions of the file that is replaced, or those of a new file."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _sync_folder(folder: str) -> None:
    with contextlib.suppress(OSError, AttributeError):  # not every system lets folders be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
