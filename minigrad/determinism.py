"""Settings of whole programs: deterministic algorithms, precision of products, warnings, threads.

minigrad's kernels give the same bits for any number of threads and in every run, and compute
float32 products in float32, so these settings are kept and reported, and have nothing to change.
"""

from __future__ import annotations

import warnings
from typing import Any

from . import cpu
from .autograd import set_detect_anomaly
from .backend import as_device
from .config import config
from .kernels.precision import precision as settings

_deterministic = {"mode": False, "warn_only": False}
_interop: int | None = None
_warn_always = False


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Asks for operations that give the same result in every run: all of minigrad's do."""
    if not isinstance(mode, bool):
        raise TypeError(
            f"use_deterministic_algorithms(): argument 'mode' (position 1) must be bool, not "
            f"{type(mode).__name__}"
        )
    _deterministic.update(mode=mode, warn_only=warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Whether `use_deterministic_algorithms` is on."""
    return _deterministic["mode"]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was to warn only."""
    return _deterministic["warn_only"]


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """0 or "default", 1 or "warn", 2 or "error". RuntimeError for others."""
    names = {"default": 0, "warn": 1, "error": 2}
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    mode = names.get(debug_mode) if isinstance(debug_mode, str) else debug_mode
    if mode is None:
        raise RuntimeError(
            "invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got "
            f"{debug_mode}"
        )
    if mode not in (0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}"
        )
    use_deterministic_algorithms(mode > 0, warn_only=mode == 1)


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2: off, warn, error."""
    if not _deterministic["mode"]:
        return 0
    return 1 if _deterministic["warn_only"] else 2


def set_float32_matmul_precision(precision: str) -> None:
    """ "highest", or "high" or "medium": products on a GPU may be rounded to TF32 on their way in.

    On the CPU float32 products are always computed in float32.
    """
    if precision not in ("highest", "high", "medium"):
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current "
            "setFloat32MatmulPrecision call has no effect.",
            stacklevel=2,
        )
        return
    settings.set_matmul(precision)


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was given; "highest" at first."""
    return settings.float32_matmul


def set_num_interop_threads(count: int) -> None:
    """Threads for independent operations: kept; minigrad runs one operation at a time.

    RuntimeError if it was called before, or for a number below 1.
    """
    global _interop
    if count < 1:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    if _interop is not None:
        raise RuntimeError(
            "Error: cannot set number of interop threads after parallel work has started or "
            "set_num_interop_threads called"
        )
    _interop = count


def get_num_interop_threads() -> int:
    """What `set_num_interop_threads` was given; at first the number of threads of operations."""
    return config()["num_threads"] if _interop is None else _interop


def set_warn_always(b: bool) -> None:
    """Whether warnings that are given once shall be given always: kept."""
    global _warn_always
    _warn_always = bool(b)


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was given."""
    return _warn_always


def set_anomaly_enabled(enabled: bool, check_nan: bool = True) -> None:
    """Switches anomaly detection, as `autograd.set_detect_anomaly` does."""
    set_detect_anomaly(enabled, check_nan)


def compiled_with_cxx11_abi() -> bool:
    """Whether C++ code uses the library's current ABI."""
    return True


def is_vulkan_available() -> bool:
    """False."""
    return False


def get_device_module(device: Any = None) -> Any:
    """The module of a device: `minigrad.cpu`. NoDevice for others."""
    as_device(device)
    return cpu
