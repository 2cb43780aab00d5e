"""Memory that a worker of a `DataLoader` writes batches into and the main process reads in place.

A worker and the main process have one file without a name (it is gone when both are, however they
end). The worker divides it into slots, and puts the arrays of a batch into one that is free; the
main process maps the slot and makes tensors of it without a copy. When the last of them is gone, it
tells the worker with one of the next tasks, and the slot is used again. Pages are touched for the
first time once, not for every batch.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np

LEAST_BYTES = 16 * 1024  # smaller batches travel through the pipe
_ALIGN = 64  # bytes: what kernels load at once
_SLOT = max(mmap.ALLOCATIONGRANULARITY, 64 * 1024)

# (number, beginning in the file, size) of a slot, and (begin, end) in it of each buffer
Place = tuple[int, int, int, list[tuple[int, int]]]


def available() -> bool:
    """Whether the system has files without a name in memory."""
    return hasattr(os, "memfd_create")


class Writer:
    """A worker's side."""

    def __init__(self) -> None:
        self._file = os.memfd_create("minigrad")
        self._end = 0
        self._slots: list[tuple[int, int, mmap.mmap]] = []  # beginning, size, its pages
        self._free: list[int] = []

    def __getstate__(self) -> Any:
        return DupFd(self._file)  # a process that is started anew gets a descriptor of its own

    def __setstate__(self, handle: Any) -> None:
        self._file, self._end, self._slots, self._free = handle.detach(), 0, [], []

    def reader(self) -> Reader:
        """The main process's side, from the same file."""
        return Reader(self._file)

    def release(self, slots: Sequence[int]) -> None:
        """Slots whose batches are gone."""
        self._free.extend(slots)

    def place(self, buffers: Sequence[Any]) -> Place | None:
        """Copies buffers into a slot. None, and nothing copied, if they are small."""
        spans, end = [], 0
        raws = [buffer.raw() for buffer in buffers]
        for raw in raws:
            begin = -(-end // _ALIGN) * _ALIGN
            end = begin + raw.nbytes
            spans.append((begin, end))
        if end < LEAST_BYTES:
            return None
        slot = self._slot(end)
        begin, size, pages = self._slots[slot]
        whole = np.frombuffer(pages, np.uint8)
        for (a, b), raw in zip(spans, raws):
            whole[a:b] = np.frombuffer(raw, np.uint8) if b > a else 0
        return slot, begin, size, spans

    def _slot(self, needed: int) -> int:
        """A free slot that is large enough: the smallest, else a new one of a power of two."""
        fitting = [i for i in self._free if self._slots[i][1] >= needed]
        if fitting:
            slot = min(fitting, key=lambda i: self._slots[i][1])
            self._free.remove(slot)
            return slot
        size = max(_SLOT, 1 << (needed - 1).bit_length())
        os.ftruncate(self._file, self._end + size)
        self._slots.append((self._end, size, mmap.mmap(self._file, size, offset=self._end)))
        self._end += size
        return len(self._slots) - 1


class _Used(np.ndarray):
    """The bytes of a slot that holds a batch: the base of all arrays in it."""

    slot: int
    gone: list[int]

    def __del__(self) -> None:
        if "gone" in self.__dict__:  # the slot's own, not a view that inherits the class
            self.gone.append(self.slot)


class Reader:
    """The main process's side."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._pages: dict[int, mmap.mmap] = {}
        self._gone: list[int] = []

    def gone(self) -> list[int]:
        """The slots whose batches are gone since the last call."""
        slots, count = self._gone, len(self._gone)
        told = slots[:count]
        del slots[:count]  # a batch may go at any moment, in any thread
        return told

    def discard(self, place: Place | None) -> None:
        """A batch that nobody reads."""
        if place is not None:
            self._gone.append(place[0])

    def buffers(self, place: Place) -> list[np.ndarray]:
        """What the worker put there, in place."""
        slot, begin, size, spans = place
        pages = self._pages.get(slot)
        if pages is None:
            pages = self._pages[slot] = mmap.mmap(self._file, size, offset=begin)
        used = _Used((size,), np.uint8, pages)
        used.slot, used.gone = slot, self._gone
        return [np.ndarray((b - a,), np.uint8, used, a) for a, b in spans]

    def close(self) -> None:
        """Closes the file. Batches that are held keep their pages."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
