"""What this installation is and how it is set up."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from .version import __version__


def config() -> dict[str, Any]:
    """Version, instruction sets, threads, memory pool (bytes) and CUDA, as a dictionary."""
    from .kernels.cpu import _C  # this import has applied the settings

    return {
        "version": __version__,
        "isa": _C.isa(),
        "available_isas": _C.available_isas(),
        "num_threads": _C.get_num_threads(),
        "flush_denormal": _C.get_flush_denormal(),
        "memory_pool": _C.pool_stats(),
        "cuda": find_spec("minigrad._cuda") is not None,
        "cuda_status": _C.cuda_status,
        **_devices(),
    }


def _devices() -> dict[str, Any]:
    """What there is for CUDA devices, and what is missing."""
    from .kernels.cuda_library import library

    found = library()
    return {
        "cupy": None if found.cupy is None else found.cupy.__version__,
        "cuda_devices": found.devices,
        "cuda_reason": found.reason,
        "cuda_note": found.note,
    }


def get_num_threads() -> int:
    """Threads that one operation may use, the caller included."""
    from .kernels.cpu import _C

    return _C.get_num_threads()


def set_num_threads(count: int) -> None:
    """Sets the number of threads for operations; results do not depend on it.

    ValueError for a number below 1.
    """
    from .kernels.cpu import _C

    _C.set_num_threads(count)


def set_flush_denormal(mode: bool) -> bool:
    """Whether kernels flush denormal numbers to zero (they do by default). Returns True."""
    from .kernels.cpu import _C

    _C.set_flush_denormal(mode)
    return True


def show_config() -> None:
    """Print what was built and what is in use; `minigrad.config.config()` returns it."""
    print(described())


def described() -> str:
    """What `show_config` prints."""
    c = config()
    pool = c["memory_pool"]
    mib = {name: f"{pool[name] / 2**20:.1f} MiB" for name in ("allocated", "reserved", "peak")}
    found = c["cuda_reason"] or f"CuPy {c['cupy']}"
    said = f"{found}; {c['cuda_note']}" if c["cuda_note"] else found
    return (
        f"minigrad {c['version']}\n"
        f"instruction set: {c['isa']} (available: {', '.join(c['available_isas'])})\n"
        f"threads: {c['num_threads']}\n"
        f"denormals in kernels: {'flushed to zero' if c['flush_denormal'] else 'kept'}\n"
        f"memory pool: {mib['allocated']} in use, {mib['reserved']} reserved, {mib['peak']} peak, "
        f"{pool['hits']} hits, {pool['misses']} misses, "
        f"caches at most {pool['limit'] / 2**20:.0f} MiB\n"
        f"CUDA kernels: {'built' if c['cuda'] else 'not built'} ({c['cuda_status']})\n"
        f"CUDA devices: {c['cuda_devices']} ({said})"
    )
