"""CUDA's switches. Those of precision tell the kernels; the others are kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from ..kernels.precision import checked, precision

_sdp = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True, "reduced": False}
_libraries = {"linalg": "default", "blas": "default"}


class _Matmul:
    """Flags of matrix products."""

    @property
    def allow_tf32(self) -> bool:
        """Whether products of float32 on a GPU may be rounded to TF32 on their way in."""
        return precision.matmul_tf32

    @allow_tf32.setter
    def allow_tf32(self, value: bool) -> None:
        precision.set_matmul("high" if value else "highest")

    @property
    def fp32_precision(self) -> str:
        """The same as "tf32", "ieee" or "none"."""
        return precision.matmul

    @fp32_precision.setter
    def fp32_precision(self, value: str) -> None:
        precision.matmul = checked(value)

    allow_fp16_reduced_precision_reduction: Any = True
    allow_bf16_reduced_precision_reduction: Any = True
    allow_fp16_accumulation = False


class _PlanCache:
    """cuFFT's cache of plans: empty."""

    size = 0
    max_size = 0

    def clear(self) -> None:
        """Nothing to clear."""


matmul = _Matmul()
cufft_plan_cache = _PlanCache()


def is_built() -> bool:
    """Whether this build has CUDA kernels."""
    return find_spec("minigrad._cuda") is not None


def flash_sdp_enabled() -> bool:
    """What `enable_flash_sdp` was given; True at first."""
    return _sdp["flash"]


def enable_flash_sdp(enabled: bool) -> None:
    """Kept; attention on the CPU has one implementation."""
    _sdp["flash"] = enabled


def mem_efficient_sdp_enabled() -> bool:
    """What `enable_mem_efficient_sdp` was given; True at first."""
    return _sdp["mem_efficient"]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Kept; attention on the CPU has one implementation."""
    _sdp["mem_efficient"] = enabled


def math_sdp_enabled() -> bool:
    """What `enable_math_sdp` was given; True at first."""
    return _sdp["math"]


def enable_math_sdp(enabled: bool) -> None:
    """Kept; attention on the CPU has one implementation."""
    _sdp["math"] = enabled


def cudnn_sdp_enabled() -> bool:
    """What `enable_cudnn_sdp` was given; True at first."""
    return _sdp["cudnn"]


def enable_cudnn_sdp(enabled: bool) -> None:
    """Kept; attention on the CPU has one implementation."""
    _sdp["cudnn"] = enabled


def fp16_bf16_reduction_math_sdp_allowed() -> bool:
    """What `allow_fp16_bf16_reduction_math_sdp` was given; False at first."""
    return _sdp["reduced"]


def allow_fp16_bf16_reduction_math_sdp(enabled: bool) -> None:
    """Kept; attention on the CPU has one implementation."""
    _sdp["reduced"] = enabled


def is_flash_attention_available() -> bool:
    """Whether there are CUDA kernels of flash attention."""
    return False


@contextlib.contextmanager
def sdp_kernel(
    enable_flash: bool = True,
    enable_math: bool = True,
    enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> Iterator[None]:
    """Sets which implementations of attention CUDA may use, inside a block: kept."""
    before = dict(_sdp)
    _sdp.update(
        flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn
    )
    try:
        yield
    finally:
        _sdp.update(before)


def preferred_linalg_library(backend: Any = None) -> Any:
    """The library of linear algebra on CUDA that was asked for."""
    if backend is not None:
        _libraries["linalg"] = backend
    return _libraries["linalg"]


def preferred_blas_library(backend: Any = None) -> Any:
    """The library of matrix products on CUDA that was asked for."""
    if backend is not None:
        _libraries["blas"] = backend
    return _libraries["blas"]
