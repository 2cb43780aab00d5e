"""A thread's autocast, as PyTorch's functions ask for and set it."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..autograd.precision import state
from .casting import activate


def _known(device_type: str) -> str:
    if device_type not in state.enabled:
        raise RuntimeError(f"unsupported autocast device_type {device_type!r}")
    return device_type


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows a kind of device: "cpu"; "cuda" can be named and stays off."""
    return device_type in state.enabled


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on for a kind of device; as in PyTorch, for CUDA if none is named."""
    return state.enabled[_known(device_type)]


def is_autocast_cpu_enabled() -> bool:
    """Whether autocast is on for the CPU."""
    return state.enabled["cpu"]


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Switches autocast for a kind of device; for CUDA if none is named."""
    if enabled is None:
        device_type, enabled = "cuda", device_type
    state.enabled[_known(device_type)] = bool(enabled)
    activate(any(state.enabled.values()))


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Switches autocast for the CPU."""
    set_autocast_enabled("cpu", enabled)


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The lower type: at first bfloat16 for the CPU, float16 for CUDA."""
    return state.dtypes[_known(device_type)]


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """Chooses the lower type."""
    state.dtypes[_known(device_type)] = dtype


def get_autocast_cpu_dtype() -> dtypes.dtype:
    """The lower type for the CPU."""
    return state.dtypes["cpu"]


def get_autocast_gpu_dtype() -> dtypes.dtype:
    """The lower type for CUDA."""
    return state.dtypes["cuda"]


def set_autocast_cpu_dtype(dtype: dtypes.dtype) -> None:
    """Chooses the lower type for the CPU."""
    state.dtypes["cpu"] = dtype


def set_autocast_gpu_dtype(dtype: dtypes.dtype) -> None:
    """Chooses the lower type for CUDA."""
    state.dtypes["cuda"] = dtype


def is_autocast_cache_enabled() -> bool:
    """Whether casts of parameters are kept until autocast ends."""
    return state.cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Whether casts of parameters shall be kept until autocast ends."""
    state.cache_enabled = bool(enabled)


def clear_autocast_cache() -> None:
    """Forgets the casts of parameters."""
    state.cache.clear()


def autocast_increment_nesting() -> int:
    """Enters an autocast block: how many there are now."""
    state.nesting += 1
    return state.nesting


def autocast_decrement_nesting() -> int:
    """Leaves an autocast block: how many are left."""
    state.nesting -= 1
    return state.nesting
