"""`minigrad.backends`: PyTorch's switches of libraries, most of which minigrad does not use.

Flags can be set and read, so that programs that set them run. Those of TF32 tell kernels on a GPU.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import Any

fp32_precision = "none"

_PARTS = ("cpu", "cuda", "cudnn", "mha", "mkl", "mkldnn", "mps", "nnpack", "openmp", "opt_einsum",
          "quantized")  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PARTS})
