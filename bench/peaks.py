"""What the machine can do, measured in the run whose figures are compared with it."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).parent / "native" / "peak.cpp"
MEMORY = 64_000_000  # floats in the array that bandwidth is measured on: far beyond any cache


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled probes; None where there is no compiler."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "peak.so"
        command = [compiler, "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
        done = subprocess.run([*command, str(SOURCE), "-o", str(built)], capture_output=True)
        if done.returncode:
            return None
        loaded = ctypes.CDLL(str(built))
    for name in ("peak_fma", "peak_bf16"):
        getattr(loaded, name).restype = ctypes.c_double
        getattr(loaded, name).argtypes = [ctypes.c_double]
    loaded.read_memory.restype = ctypes.c_float
    loaded.read_memory.argtypes = [ctypes.c_void_p, ctypes.c_int64]
    loaded.scale_memory.restype = None
    loaded.scale_memory.argtypes = [ctypes.c_void_p, ctypes.c_float, ctypes.c_int64]
    return loaded


def measure(threads: int, seconds: float = 0.3) -> dict[str, float]:
    """FLOP/s of float32 and bfloat16 multiply-adds, bytes/s of reading and of updating memory.

    Empty where no compiler is found. Each figure is the best of some, on all threads at once.
    """
    probes = library()
    if probes is None:
        return {}
    array = np.ones(MEMORY, np.float32)
    part = MEMORY // threads // 64 * 64
    with ThreadPoolExecutor(threads) as pool:

        def rate(name: str) -> float:
            return max(
                sum(pool.map(getattr(probes, name), [seconds / 3] * threads)) for _ in range(3)
            )

        def bandwidth(task, bytes_each: int) -> float:
            best = 0.0
            for _ in range(4):
                started = time.perf_counter()
                list(pool.map(task, range(threads)))
                best = max(best, threads * part * bytes_each / (time.perf_counter() - started))
            return best

        def address(index: int) -> int:
            return array.ctypes.data + 4 * part * index

        return {
            "f32": rate("peak_fma"),
            "bf16": rate("peak_bf16"),
            "read": bandwidth(lambda i: probes.read_memory(address(i), part), 4),
            "update": bandwidth(lambda i: probes.scale_memory(address(i), 1.0, part), 8),
        }


class Meter:
    """The multiply-add rate at a moment: a shared machine is not as fast at every one."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads)

    def rate(self, precision: str, seconds: float = 0.006) -> float | None:
        """FLOP/s of `precision` on all threads together; None where it cannot be told."""
        probes = library()
        name = {"f32": "peak_fma", "bf16": "peak_bf16"}.get(precision)
        if probes is None or name is None:
            return None
        found = sum(self.pool.map(getattr(probes, name), [seconds] * self.threads))
        return found or None


if __name__ == "__main__":
    for count in (1, os.cpu_count() or 1):
        print(count, {name: f"{value / 1e9:.1f} G" for name, value in measure(count).items()})
