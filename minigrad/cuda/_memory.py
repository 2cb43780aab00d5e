"""Memory of CUDA devices: what tensors use, what CuPy's pool keeps, and the most of both."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ..kernels import cuda_memory
from ..kernels.cuda_library import library
from ._devices import cupy, index_of


def _counts(device: Any) -> cuda_memory.Counts:
    """Bytes in use and kept, now and at most; zeros where there is no device."""
    if library().reason:
        return cuda_memory.Counts()
    return cuda_memory.counts(index_of(device))


def memory_allocated(device: Any = None) -> int:
    """Bytes of device memory in use by tensors."""
    return _counts(device).used


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that were in use since the start, or since `reset_peak_memory_stats`."""
    return _counts(device).most_used


def memory_reserved(device: Any = None) -> int:
    """Bytes of device memory that the pool holds."""
    return _counts(device).held


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes that the pool held since the start, or since `reset_peak_memory_stats`."""
    return _counts(device).most_held


memory_cached, max_memory_cached = memory_reserved, max_memory_reserved


def reset_peak_memory_stats(device: Any = None) -> None:
    """Counts the most bytes anew."""
    cupy()
    cuda_memory.reset(index_of(device))


reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats
reset_accumulated_memory_stats = reset_peak_memory_stats


def memory_stats(device: Any = None) -> OrderedDict:
    """Statistics of device memory under PyTorch's names, as far as CuPy's pool has them."""
    if library().reason:
        return OrderedDict()
    c = _counts(device)
    return OrderedDict(
        {
            "allocated_bytes.all.current": c.used,
            "allocated_bytes.all.peak": c.most_used,
            "reserved_bytes.all.current": c.held,
            "reserved_bytes.all.peak": c.most_held,
        }
    )


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """The statistics as text."""
    cupy()
    rows = [f"CUDA memory of device {index_of(device)}"]
    rows += [f"{name:<32}{value:>16}" for name, value in memory_stats(device).items()]
    return "\n".join(rows)


def empty_cache() -> None:
    """Gives memory that the pool keeps unused back to the device."""
    if not library().reason:
        cupy().get_default_memory_pool().free_all_blocks()
        cupy().get_default_pinned_memory_pool().free_all_blocks()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Bytes of device memory that are free, and all of them."""
    return cupy().cuda.Device(index_of(device)).mem_info


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Limits the pool to a share of the device's memory. ValueError unless from 0 to 1."""
    if not isinstance(fraction, float):
        raise TypeError("Invalid type for fraction argument, must be `float`")
    if not 0 <= fraction <= 1:
        raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0~1")
    with cupy().cuda.Device(index_of(device)):
        cupy().get_default_memory_pool().set_limit(fraction=fraction or None)


def get_per_process_memory_fraction(device: Any = None) -> float:
    """The share of the device's memory that the pool may hold."""
    with cupy().cuda.Device(index_of(device)):
        limit = cupy().get_default_memory_pool().get_limit()
    return limit / mem_get_info(device)[1] if limit else 1.0
