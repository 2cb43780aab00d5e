"""The libraries that are compared: the environment of a process of each, and how it is loaded."""

from __future__ import annotations

import importlib
import importlib.util
import os
from types import ModuleType
from typing import Any

# glibc keeps freed memory and asks for huge pages: what a user gains who tunes the allocator
TUNABLES = "glibc.malloc.hugetlb=1:" + ":".join(
    f"glibc.malloc.{name}"
    for name in (
        "mmap_threshold=17179869184",
        "trim_threshold=17179869184",
        "top_pad=67108864",
    )
)
PEERS = ("minigrad", "torch", "torch-tuned", "numpy", "jax")

# instruction set of ours: what holds PyTorch and OpenBLAS to the same
TORCH_ISA = {"avx2": "avx2", "baseline": "default"}
BLAS_ISA = {"avx2": "Haswell", "baseline": "Nehalem"}


def module_of(peer: str) -> str:
    return "torch" if peer == "torch-tuned" else peer


def installed(peer: str) -> bool:
    return importlib.util.find_spec(module_of(peer)) is not None


def environment(peer: str, threads: int, isa: str | None) -> dict[str, str]:
    """The environment of a process of this peer."""
    made = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        made[name] = str(threads)
    made["MINIGRAD_NUM_THREADS"] = str(threads)
    if peer == "torch-tuned":
        made["GLIBC_TUNABLES"] = TUNABLES
    if peer == "jax":
        made["JAX_PLATFORMS"] = "cpu"
    if isa:
        made["MINIGRAD_CPU_ISA"] = isa
        if isa in TORCH_ISA:
            made["ATEN_CPU_CAPABILITY"] = TORCH_ISA[isa]
            made["OPENBLAS_CORETYPE"] = BLAS_ISA[isa]
            made["ONEDNN_MAX_CPU_ISA"] = "AVX2" if isa == "avx2" else "SSE41"
            # MKL_ENABLE_INSTRUCTIONS is no limit on processors that are not Intel's.
            made["MKL_CBWR"] = "AVX2" if isa == "avx2" else "SSE4_2"
    return made


def load(peer: str, threads: int) -> ModuleType:
    """The imported library, held to this number of threads."""
    library: Any = importlib.import_module(module_of(peer))
    if peer in ("minigrad", "torch", "torch-tuned"):
        library.set_num_threads(threads)
    if peer == "jax":
        for part in ("nn", "lax", "numpy", "scipy.special"):
            importlib.import_module(f"jax.{part}")
    return library
