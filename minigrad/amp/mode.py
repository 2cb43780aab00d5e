"""`autocast`: a block, or a function, in which operations choose their types."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..kernels.cuda_library import library
from . import state as _s


class autocast:
    """`with autocast("cpu"):` products and convolutions run in bfloat16, losses in float32.

    `dtype`: bfloat16 (the default on the CPU) or float16; others switch it off with a warning.
    "cuda": float16 unless told otherwise; off, with a warning, where there is no CUDA device.
    `policy.py` lists the operations. RuntimeError for other devices.
    """

    def __init__(
        self,
        device_type: str,
        dtype: dtypes.dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ):
        if not isinstance(device_type, str):
            raise ValueError(
                f"Expected `device_type` of type `str`, got: `{type(device_type).__name__}`"
            )
        self.device = device_type
        if not _s.is_autocast_available(device_type):
            raise RuntimeError(
                f"User specified an unsupported autocast device_type '{device_type}'"
            )
        self.fast_dtype = _s.get_autocast_dtype(device_type) if dtype is None else dtype
        if device_type == "cuda" and enabled and library().reason:
            warnings.warn(
                "User provided device_type of 'cuda', but CUDA is not available. Disabling",
                stacklevel=2,
            )
            enabled = False
        if enabled and self.fast_dtype not in (dtypes.bfloat16, dtypes.float16):
            warnings.warn(
                f"In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                f"CPU Autocast only supports dtype of {dtypes.bfloat16}, {dtypes.float16} "
                "currently.",
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        self._cache_enabled = (
            _s.is_autocast_cache_enabled() if cache_enabled is None else cache_enabled
        )

    def __enter__(self) -> autocast:
        device = self.device
        self._before = (
            _s.is_autocast_enabled(device),
            _s.get_autocast_dtype(device),
            _s.is_autocast_cache_enabled(),
        )
        _s.set_autocast_dtype(device, self.fast_dtype)
        _s.set_autocast_enabled(device, self._enabled)
        _s.set_autocast_cache_enabled(self._cache_enabled)
        _s.autocast_increment_nesting()
        return self

    def __exit__(self, *exc: object) -> None:
        if _s.autocast_decrement_nesting() == 0:
            _s.clear_autocast_cache()
        enabled, dtype, cache_enabled = self._before
        _s.set_autocast_enabled(self.device, enabled)
        _s.set_autocast_dtype(self.device, dtype)
        _s.set_autocast_cache_enabled(cache_enabled)

    def __call__(self, func: Callable) -> Callable:
        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            block = object.__new__(type(self))  # its own, as calls may nest
            block.__dict__.update(self.__dict__)
            with block:
                return func(*args, **kwargs)

        return wrapped
