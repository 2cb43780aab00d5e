"""What the calls of compiled CUDA kernels share: the module, the stream, workspaces, precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cuda_array import CudaArray, set_alarm
from .cuda_library import library

U8 = np.dtype(np.uint8)
FLOATS = "fV"


def kernel(name: str) -> Any:
    """The compiled kernel of that name; None where there is none."""
    return getattr(library().kernels, name, None)


def stream() -> int:
    """The address of the stream that work goes to."""
    return library().cupy.cuda.get_current_stream().ptr


def work(size: int) -> Any:
    """Bytes for a kernel to work in; None if it needs none."""
    return library().cupy.empty(size, U8) if size else None


class _Alarm:
    """Flags that kernels raise, one for each device, where a number is out of range.

    Kernels cannot stop the program, and looking at once would wait for the GPU: the flag is looked
    at when results are copied to the CPU, or the program waits for the device.
    """

    def __init__(self) -> None:
        self._flags: dict[int, Any] = {}
        self._raised_maybe = False
        self._captured = False  # a graph may raise it without our calls

    def flag(self) -> Any:
        """The current device's, for a kernel; None where a capture would own its memory."""
        cupy = library().cupy
        device = cupy.cuda.runtime.getDevice()
        capturing = cupy.cuda.get_current_stream().is_capturing()
        if device not in self._flags:
            if capturing:
                return None
            self._flags[device] = cupy.zeros(1, "int32")
        self._raised_maybe = True
        self._captured |= capturing
        return self._flags[device]

    def watch(self, numbers: Any, low: int, high: int, but: int | None) -> None:
        """Raises the flag, on the device, if a number other than `but` is outside [low, high)."""
        flag = self.flag()
        if flag is None or not numbers.size:
            return
        wrong = (numbers < low) | (numbers >= high)
        if but is not None:
            wrong &= numbers != but
        flag |= wrong.any().astype(flag.dtype)

    def look(self) -> None:
        """RuntimeError if a kernel has met an index out of range since the last time."""
        if not (self._raised_maybe or self._captured):
            return
        self._raised_maybe = False
        for device, flag in self._flags.items():
            with library().cupy.cuda.Device(device):
                if int(flag.get()[0]):
                    flag.fill(0)
                    raise RuntimeError(
                        "CUDA error: an index was out of range in an earlier operation on "
                        f"cuda:{device} (errors of the GPU are told when results are read)"
                    )


alarm = _Alarm()
set_alarm(alarm)


def is_float(x: Any) -> bool:
    """Whether x is an array on a GPU of a floating-point type."""
    return type(x) is CudaArray and x.dtype.kind in FLOATS
