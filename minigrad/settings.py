"""What the environment chooses: the only module that reads environment variables.

MINIGRAD_CPU_ISA       instruction set of the kernels (the fastest available one)
MINIGRAD_NUM_THREADS   threads of the kernels; else OMP_NUM_THREADS (physical cores)
MINIGRAD_POOL_LIMIT    bytes that the memory pool may keep cached, with an optional K, M or G
                       (half of the memory, at most 4G)

A variable that is unset or empty leaves the default in brackets; a malformed one is a ValueError.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True)
class Settings:
    """None means the default of the compiled module."""

    cpu_isa: str | None = None
    num_threads: int | None = None
    pool_limit: int | None = None


def _positive_int(name: str, text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"{name} is {text!r}; it must be an integer of 1 or more")
    return int(text)


def _bytes(name: str, text: str) -> int:
    unit = _UNITS.get(text[-1].upper(), 1)
    digits = text if unit == 1 else text[:-1]
    if not digits.isdigit():
        raise ValueError(f"{name} is {text!r}; it must be a number of bytes such as 512M or 4G")
    return int(digits) * unit


def read() -> Settings:
    """Read the environment as it is now."""
    isa = os.environ.get("MINIGRAD_CPU_ISA", "").strip()
    threads = os.environ.get("MINIGRAD_NUM_THREADS", "").strip()
    # OpenMP allows a list, one number for each nesting level; the outermost is what we have. Other
    # libraries define what it may be, so a malformed one is not ours to refuse.
    omp_threads = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    limit = os.environ.get("MINIGRAD_POOL_LIMIT", "").strip()
    num_threads = None
    if threads:
        num_threads = _positive_int("MINIGRAD_NUM_THREADS", threads)
    elif omp_threads.isdigit() and int(omp_threads) > 0:
        num_threads = int(omp_threads)
    return Settings(
        cpu_isa=isa or None,
        num_threads=num_threads,
        pool_limit=_bytes("MINIGRAD_POOL_LIMIT", limit) if limit else None,
    )


def variable(name: str) -> str | None:
    """A variable that the program names itself (a key's); None if it is unset."""
    return os.environ.get(name)


def launch_environment() -> dict[str, str]:
    """What a launcher of several processes (torchrun) has told this one."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
             "TORCHELASTIC_RUN_ID")  # fmt: skip
    return {name: os.environ[name] for name in names if name in os.environ}
