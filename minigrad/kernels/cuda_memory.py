"""Counting device memory: CuPy's pool says what is in use now, here is noted the most there was."""

from __future__ import annotations

from typing import Any, NamedTuple

from .cuda_library import library


class Counts(NamedTuple):
    """Bytes: in use and held by the pool, now and at most."""

    used: int = 0
    held: int = 0
    most_used: int = 0
    most_held: int = 0


# Device number: the most bytes in use, and held.
_most: dict[int, list[int]] = {}


def _allocate(size: int) -> Any:
    """The pool's allocation, after which its counts are compared with the most there were."""
    cupy = library().cupy
    pool = cupy.get_default_memory_pool()
    memory = pool.malloc(size)
    most = _most.setdefault(cupy.cuda.runtime.getDevice(), [0, 0])
    used = pool.used_bytes()
    if used > most[0]:
        most[0] = used
        most[1] = max(most[1], pool.total_bytes())
    return memory


def start() -> None:
    """Counts allocations from now on."""
    library().cupy.cuda.set_allocator(_allocate)


def counts(index: int) -> Counts:
    """The counts of a device."""
    cupy = library().cupy
    pool = cupy.get_default_memory_pool()
    with cupy.cuda.Device(index):
        used, held = pool.used_bytes(), pool.total_bytes()
    most = _most.setdefault(index, [0, 0])
    most[:] = [max(most[0], used), max(most[1], held)]
    return Counts(used, held, *most)


def reset(index: int) -> None:
    """Counts the most anew."""
    _most.pop(index, None)
    counts(index)
