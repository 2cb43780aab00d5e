"""The part `cupy.cuda` of the imitation of CuPy: devices, streams, events, memory, graphs.

Work is done at once. A captured graph is the list of calls made meanwhile, and is run again by
writing their results into the arrays that they made.
"""

from __future__ import annotations

import threading
import time
import types
import weakref
from typing import Any

import numpy as np

COUNT = 2  # devices


class _Current(threading.local):
    def __init__(self) -> None:
        self.device = 0
        self.streams: dict[int, Stream] = {}
        self.capture: list | None = None


_current = _Current()


def current_device() -> int:
    """The number of the device that work goes to."""
    return _current.device


def is_available() -> bool:
    """There is one."""
    return True


class Device:
    """`cupy.cuda.Device`."""

    def __init__(self, device: Any = None):
        self.id = current_device() if device is None else int(getattr(device, "id", device))
        self._before: list[int] = []

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: Any) -> bool:
        return self.id == int(other)

    __hash__ = object.__hash__

    def use(self) -> None:
        runtime.setDevice(self.id)

    def __enter__(self) -> Device:
        self._before.append(_current.device)
        self.use()
        return self

    def __exit__(self, *exc: object) -> None:
        _current.device = self._before.pop()

    def synchronize(self) -> None:
        """Work is done at once."""

    @property
    def mem_info(self) -> tuple[int, int]:
        return 2**33 - pool.total_bytes(), 2**33

    @property
    def compute_capability(self) -> str:
        return "90"


class Stream:
    """`cupy.cuda.Stream`."""

    null: Stream
    _next = 16

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        Stream._next += 0 if null else 16
        self.ptr = 0 if null else Stream._next
        self.device_id = current_device()
        self.priority = priority
        self.done = True
        self._before: list = []

    def __enter__(self) -> Stream:
        self._before.append(_current.streams.get(current_device()))
        return self.use()

    def __exit__(self, *exc: object) -> None:
        _current.streams[current_device()] = self._before.pop() or Stream.null

    def use(self) -> Stream:
        _current.streams[current_device()] = self
        return self

    def synchronize(self) -> None:
        refuse_in_capture("synchronize")

    def record(self, event: Any = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Work is done at once."""

    def begin_capture(self, mode: Any = None) -> None:
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        _current.capture = []

    def end_capture(self) -> Graph:
        calls, _current.capture = _current.capture, None
        assert calls is not None
        return Graph(calls)

    def is_capturing(self) -> bool:
        return _current.capture is not None


Stream.null = Stream(null=True)


class ExternalStream(Stream):
    """`cupy.cuda.ExternalStream`."""

    def __init__(self, ptr: int, device_id: int = -1):
        super().__init__()
        self.ptr = ptr


def get_current_stream(device_id: int = -1) -> Stream:
    """The stream that work goes to."""
    return _current.streams.get(current_device(), Stream.null)


class Event:
    """`cupy.cuda.Event`."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.at: float | None = None
        self.done = True
        self.ptr = id(self)

    def record(self, stream: Any = None) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        """Work is done at once."""


def get_elapsed_time(start: Event, end: Event) -> float:
    """Milliseconds between two events."""
    if start.at is None or end.at is None:
        raise RuntimeError("cudaErrorInvalidResourceHandle: invalid resource handle")
    return 1000 * (end.at - start.at)


class Graph:
    """`cupy.cuda.Graph`: calls to be made again."""

    def __init__(self, calls: list):
        self._calls = calls

    def launch(self, stream: Any = None) -> None:
        with np.errstate(all="ignore"):
            for function, (args, kwargs), arrays in self._calls:
                result = function(*args, **kwargs)
                results = result if isinstance(result, (tuple, list)) else [result]
                for array, value in zip(arrays, results):
                    array[...] = value

    def upload(self, stream: Any = None) -> None:
        """Nothing to do."""


def note(function: Any, arguments: tuple, result: Any) -> None:
    """Keeps a call while a graph is captured."""
    if _current.capture is not None:
        results = result if isinstance(result, (tuple, list)) else [result]
        arrays = [r._a for r in results if hasattr(r, "_a") and r.base is None]
        _current.capture.append((function, arguments, arrays))


def refuse_in_capture(name: str) -> None:
    """What waits for the GPU cannot be captured."""
    if _current.capture is not None:
        raise RuntimeError(f"{name}: the current stream is capturing, so synchronous API calls "
                           "are not allowed")  # fmt: skip


class Block:
    """Memory that was given out."""


class MemoryPool:
    """`cupy.cuda.MemoryPool`: counts."""

    def __init__(self, allocator: Any = None):
        self._used = self._total = 0

    def malloc(self, size: int) -> Block:
        size = -(-size // 512) * 512
        self._used += size
        self._total = max(self._total, self._used)
        block = Block()
        weakref.finalize(block, self._give_back, size)
        return block

    def _give_back(self, size: int) -> None:
        self._used -= size

    def used_bytes(self) -> int:
        return self._used

    def total_bytes(self) -> int:
        return self._total

    def free_bytes(self) -> int:
        return self._total - self._used

    def free_all_blocks(self, stream: Any = None) -> None:
        self._total = self._used

    def set_limit(self, size: Any = None, fraction: Any = None) -> None:
        """Not kept to."""

    def get_limit(self) -> int:
        return 0


pool, pinned = MemoryPool(), MemoryPool()
_allocators = [pool.malloc]


def alloc(size: int) -> Block:
    """Memory from the allocator in use."""
    return _allocators[-1](size)


def set_allocator(allocator: Any = None) -> None:
    """Memory comes from another function from now on."""
    _allocators[0] = allocator or pool.malloc


class PinnedMemoryPointer(bytearray):
    """Memory of the CPU's that a GPU could read, as a buffer."""


def alloc_pinned_memory(size: int) -> Any:
    """See `PinnedMemoryPointer`."""
    return PinnedMemoryPointer(max(size, 1))


class using_allocator:
    """A context in which memory comes from another pool."""

    def __init__(self, allocator: Any = None):
        self.allocator = allocator

    def __enter__(self) -> None:
        _allocators.append(self.allocator)

    def __exit__(self, *exc: object) -> None:
        _allocators.pop()


class _Runtime:
    def getDeviceCount(self) -> int:
        return COUNT

    def getDevice(self) -> int:
        return current_device()

    def setDevice(self, index: int) -> None:
        if not 0 <= index < COUNT:
            raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        _current.device = index

    def getDeviceProperties(self, index: int) -> dict:
        return {
            "name": b"Emulated", "major": 9, "minor": 0, "totalGlobalMem": 2**33,
            "multiProcessorCount": 1, "warpSize": 32, "maxThreadsPerMultiProcessor": 2048,
            "regsPerMultiprocessor": 65536, "sharedMemPerBlock": 49152, "l2CacheSize": 2**20,
            "integrated": 0, "isMultiGpuBoard": 0, "sharedMemPerBlockOptin": 232448,
            "sharedMemPerMultiprocessor": 233472,
        }  # fmt: skip

    def deviceSynchronize(self) -> None:
        refuse_in_capture("deviceSynchronize")

    def runtimeGetVersion(self) -> int:
        return 13000

    def driverGetVersion(self) -> int:
        return 13000

    def deviceCanAccessPeer(self, device: int, peer: int) -> int:
        return 1


runtime: Any = _Runtime()
nvtx = types.SimpleNamespace(
    RangePush=lambda message: None, RangePop=lambda: None, Mark=lambda message: None
)
