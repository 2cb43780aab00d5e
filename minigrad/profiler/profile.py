"""`profile`: when to record, and what to do with what was recorded."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from .events import EventList, events_of
from .recorder import Recorder, record_function, switch


class ProfilerActivity(Enum):
    """What may be recorded; here the CPU's work."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(Enum):
    """What a schedule says of a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def _never(step: int) -> ProfilerAction:
    return ProfilerAction.NONE


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities() -> set[ProfilerActivity]:
    """What can be recorded."""
    return {ProfilerActivity.CPU}


def schedule(
    *,
    wait: int,
    warmup: int,
    active: int,
    repeat: int = 0,
    skip_first: int = 0,
    skip_first_wait: int = 0,
) -> Callable[[int], ProfilerAction]:
    """A schedule: skip, then cycles of `wait`, `warmup` and `active` steps (`repeat`, 0: endless).

    ValueError for negative numbers or no active step.
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active <= 0:
        raise ValueError("Invalid profiler schedule arguments")

    def action(step: int) -> ProfilerAction:
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:  # the first cycle waits for nothing
            step += wait
        length = wait + warmup + active
        if repeat > 0 and step // length >= repeat:
            return ProfilerAction.NONE
        place = step % length
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        last = place == length - 1
        return ProfilerAction.RECORD_AND_SAVE if last else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[Any], None]:
    """A handler that writes each trace to a file of its own in `dir_name`."""

    def handler(prof: Any) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json"
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return handler


class profile:
    """`with profile() as prof:` measures every operation; `prof.key_averages().table()` shows them.

    `schedule` and `step()` choose which steps are recorded, and `on_trace_ready(prof)` is called at
    the end of each cycle. `record_shapes` keeps the shapes of inputs, `profile_memory` the change
    of memory in use, `with_flops` floating-point operations and bytes moved (see costs.py for what
    counts): `table(peak=measure_peak())` then shows the share of the machine's best. Measuring
    costs about a microsecond for each call of a Python function.
    """

    def __init__(
        self,
        activities: Iterable | bool | None = None,
        *,
        enabled: bool = True,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        **ignored: Any,
    ):
        if not enabled or activities is False:  # as autograd.profiler.profile is called
            schedule = _never
        self.schedule = schedule
        self.on_trace_ready = on_trace_ready
        self.record_shapes = record_shapes
        self.profile_memory = profile_memory
        self.with_flops = with_flops
        self.step_num = 0
        self.current_action = self._action(0)
        self.recorder: Recorder | None = None
        self.metadata: dict[str, str] = {}
        self._step: record_function | None = None

    def _action(self, step: int) -> ProfilerAction:
        return ProfilerAction.RECORD if self.schedule is None else self.schedule(step)

    def start(self) -> None:
        """Begins with step 0."""
        self.current_action = self._action(self.step_num)
        self._record()

    def _record(self) -> None:
        if self.current_action in _RECORDING:
            self.recorder = Recorder(self.record_shapes, self.profile_memory, self.with_flops)
            switch(self.recorder)
            self._mark()

    def _mark(self) -> None:
        if self.schedule is not None:
            self._step = record_function(f"ProfilerStep#{self.step_num}")
            self._step.__enter__()

    def _unmark(self) -> None:
        if self._step is not None:
            self._step.__exit__()
            self._step = None

    def step(self) -> None:
        """Ends a step of the program, and begins the next."""
        before = self.current_action
        self._unmark()
        self.step_num += 1
        self.current_action = self._action(self.step_num)
        if before is ProfilerAction.RECORD_AND_SAVE:
            switch(None)
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)
            self._record()
        elif before is ProfilerAction.RECORD and self.current_action in _RECORDING:
            self._mark()
        elif before not in _RECORDING:
            self._record()

    def stop(self) -> None:
        """Ends recording."""
        self._unmark()
        if self.current_action in _RECORDING:
            switch(None)
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def events(self) -> EventList:
        """One event for each call."""
        if self.recorder is None:
            raise AssertionError("the profiler has recorded nothing")
        return events_of(self.recorder.calls)

    def key_averages(self, group_by_input_shape: bool = False, **ignored: Any) -> EventList:
        """One event for each operation: counts and times."""
        return self.events().key_averages(group_by_input_shape)

    def export_chrome_trace(self, path: Any) -> None:
        """Writes the events for Chrome's tracing page."""
        self.events().export_chrome_trace(path)

    def add_metadata(self, key: str, value: str) -> None:
        """Keeps a text beside the measurements."""
        self.metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Keeps JSON beside the measurements."""
        json.loads(value)
        self.metadata[key] = value

    # -- as autograd.profiler.profile is used ------------------------------------------------------

    def table(self, *args: Any, **kwargs: Any) -> str:
        """The events as text."""
        return self.key_averages().table(*args, **kwargs)

    def total_average(self) -> Any:
        """All events as one."""
        return self.events().total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all events."""
        return self.events().self_cpu_time_total
