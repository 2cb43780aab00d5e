"""Streams and events of CUDA devices: queues of work, and points in them."""

from __future__ import annotations

from typing import Any

from ..backend import device as _device
from ..streams import Event as _Event
from ..streams import Stream as _Stream
from ._devices import cupy, index_of


class Stream(_Stream):
    """A queue of work on a device. NoDevice where there is none.

    Work in several streams runs at the same time, and memory that a tensor of one stream gave back
    may be used by later work of that stream alone.
    """

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any):
        module = cupy().cuda
        index = index_of(device)
        with module.Device(index):
            self._set(module.Stream(non_blocking=True, priority=priority or None), index)
        self.priority = priority

    def _set(self, under: Any, index: int) -> None:
        self._under = under
        self.device = _device("cuda", index)
        self.device_index = index
        self.stream_id = under.ptr
        self.priority = 0

    @classmethod
    def over(cls, under: Any, index: int) -> Stream:
        """A stream of CuPy's as one of ours."""
        stream = object.__new__(cls)
        stream._set(under, index)
        return stream

    @property
    def cuda_stream(self) -> int:
        """The address of CUDA's stream."""
        return self._under.ptr

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._under.ptr

    def synchronize(self) -> None:
        """Waits for the work."""
        self._under.synchronize()

    def query(self) -> bool:
        """Whether the work is done."""
        return self._under.done

    def wait_event(self, event: Any) -> None:
        """Later work comes after the event."""
        event.wait(self)

    def wait_stream(self, stream: Any) -> None:
        """Later work comes after what the other stream has been given until now."""
        self.wait_event(stream.record_event())

    def record_event(self, event: Any = None) -> Event:
        """Records an event (a new one if none is given) and returns it."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def __enter__(self) -> Stream:
        self._context = StreamContext(self)
        self._context.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._context.__exit__(*exc)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and (self._under.ptr, self.device_index) == (
            other._under.ptr,
            other.device_index,
        )

    def __hash__(self) -> int:
        return hash((self._under.ptr, self.device_index))

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream device={self.device} cuda_stream={self._under.ptr:#x}>"


class ExternalStream(Stream):
    """A stream that other code has made, by its address."""

    def __init__(self, stream_ptr: int, device: Any = None, **kwargs: Any):
        index = index_of(device)
        self._set(cupy().cuda.ExternalStream(stream_ptr, index), index)


class StreamContext:
    """`with stream(s):` sends work to a stream, and to its device; None changes nothing."""

    def __init__(self, stream: Any):
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is None:
            return
        module = cupy().cuda
        self._device = module.runtime.getDevice()
        module.runtime.setDevice(self.stream.device_index)
        self._before = module.get_current_stream()
        self.stream._under.use()

    def __exit__(self, *exc: object) -> None:
        if self.stream is not None:
            self._before.use()
            cupy().cuda.runtime.setDevice(self._device)


def stream(stream: Any) -> StreamContext:
    """A context in which work goes to `stream`."""
    return StreamContext(stream)


def set_stream(stream: Any) -> None:
    """Sends work to a stream from now on."""
    if stream is not None:
        cupy().cuda.runtime.setDevice(stream.device_index)
        stream._under.use()


def current_stream(device: Any = None) -> Stream:
    """The stream that a device's work goes to."""
    module, index = cupy().cuda, index_of(device)
    with module.Device(index):
        return Stream.over(module.get_current_stream(), index)


def default_stream(device: Any = None) -> Stream:
    """The stream that a device's work goes to at first."""
    return Stream.over(cupy().cuda.Stream.null, index_of(device))


def get_stream_from_external(data_ptr: int, device: Any = None) -> ExternalStream:
    """A stream that other code has made, by its address."""
    return ExternalStream(data_ptr, device)


class Event(_Event):
    """A point in a stream's work; `enable_timing` for `elapsed_time`. NoDevice without a device."""

    def __init__(
        self,
        enable_timing: bool = False,
        blocking: bool = False,
        interprocess: bool = False,
        external: bool = False,
    ):
        self._under = cupy().cuda.Event(blocking, not enable_timing, interprocess)
        self.enable_timing = enable_timing
        self.device = _device("cuda", index_of())
        self.event_id = 0
        self._recorded = False

    @property
    def cuda_event(self) -> int:
        """The address of CUDA's event."""
        return self._under.ptr

    def record(self, stream: Any = None) -> None:
        """Records the event in a stream (None: the current one)."""
        under = cupy().cuda.get_current_stream() if stream is None else stream._under
        self._under.record(under)
        self._recorded = True

    def wait(self, stream: Any = None) -> None:
        """Later work of a stream (None: the current one) comes after the event."""
        under = cupy().cuda.get_current_stream() if stream is None else stream._under
        under.wait_event(self._under)

    def query(self) -> bool:
        """Whether the work before the event is done."""
        return not self._recorded or self._under.done

    def synchronize(self) -> None:
        """Waits for the work before the event."""
        self._under.synchronize()

    def elapsed_time(self, end_event: Any) -> float:
        """Milliseconds from this event to `end_event`. ValueError, RuntimeError if not recorded."""
        if not (self.enable_timing and end_event.enable_timing):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if not (self._recorded and end_event._recorded):
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        return cupy().cuda.get_elapsed_time(self._under, end_event._under)

    def __repr__(self) -> str:
        return f"<torch.cuda.Event {self._under.ptr:#x}>"
