"""What the CPU can do."""

from __future__ import annotations

from ..config import config as _config


def get_cpu_capability() -> str:
    """PyTorch's name of the instruction set that the kernels use."""
    isa = _config()["isa"]
    if isa.startswith("avx512"):
        return "AVX512"
    return "AVX2" if isa == "avx2" else "DEFAULT"
