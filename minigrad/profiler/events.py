"""What was measured: calls, their averages by name, tables and traces."""

from __future__ import annotations

import json
import os
from typing import Any

from .costs import Peak
from .recorder import Call


def _time(microseconds: float) -> str:
    if microseconds >= 1e6:
        return f"{microseconds / 1e6:.3f}s"
    return f"{microseconds / 1e3:.3f}ms" if microseconds >= 1e3 else f"{microseconds:.3f}us"


def _bytes(count: int) -> str:
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if abs(count) >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} B"


class FunctionEvent:
    """One call, or the average of several with one name. Times are microseconds.

    `cpu_time_total` counts the calls made inside, `self_cpu_time_total` does not. `flops` and
    `bytes` are those of the outermost calls that have them: sums count nothing twice.
    """

    def __init__(self, key: str, input_shapes: list | None = None):
        self.key = self.name = key
        self.input_shapes = input_shapes
        self.count = 0
        self.cpu_time_total = 0.0
        self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = 0
        self.self_cpu_memory_usage = 0
        self.cuda_time_total = self.self_cuda_time_total = 0.0
        self.device_time_total = self.self_device_time_total = 0.0
        self.flops = self.bytes = 0
        self.thread = 0
        self.start_us = 0.0

    @property
    def cpu_time(self) -> float:
        """The average of one call."""
        return self.cpu_time_total / self.count if self.count else 0.0

    cuda_time = device_time = 0.0

    @property
    def cpu_time_total_str(self) -> str:
        """`cpu_time_total` with its unit."""
        return _time(self.cpu_time_total)

    @property
    def self_cpu_time_total_str(self) -> str:
        """`self_cpu_time_total` with its unit."""
        return _time(self.self_cpu_time_total)

    @property
    def cpu_time_str(self) -> str:
        """`cpu_time` with its unit."""
        return _time(self.cpu_time)

    def add(self, other: FunctionEvent) -> None:
        """Counts another event in."""
        self.count += other.count
        for name in ("cpu_time_total", "self_cpu_time_total", "cpu_memory_usage",
                     "self_cpu_memory_usage", "flops", "bytes"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent name={self.key} self_cpu_time={self.self_cpu_time_total_str} "
            f"cpu_time={self.cpu_time_str} count={self.count}>"
        )


def _outermost(call: Call, what: str) -> int:
    """A call's count of "flops" or "bytes"; 0 if a call around it counts them."""
    own = getattr(call, what)
    around = call.parent
    while own and around is not None:
        if getattr(around, what) is not None:
            return 0
        around = around.parent
    return own or 0


def events_of(calls: list[Call]) -> EventList:
    """One event for each call that has ended."""
    inner: dict[int, list[float]] = {}
    for call in calls:
        if call.parent is not None and call.end:
            taken = inner.setdefault(id(call.parent), [0.0, 0])
            taken[0] += (call.end - call.start) / 1e3
            taken[1] += call.memory
    events = []
    for call in calls:
        if not call.end:
            continue
        event = FunctionEvent(call.name, call.shapes)
        taken = inner.get(id(call), [0.0, 0])
        event.count = 1
        event.cpu_time_total = (call.end - call.start) / 1e3
        event.self_cpu_time_total = max(0.0, event.cpu_time_total - taken[0])
        event.cpu_memory_usage = call.memory
        event.self_cpu_memory_usage = call.memory - int(taken[1])
        event.flops, event.bytes = _outermost(call, "flops"), _outermost(call, "bytes")
        event.thread = call.thread
        event.start_us = call.start / 1e3
        events.append(event)
    return EventList(events)


def _arguments(event: FunctionEvent) -> dict[str, Any]:
    """What a trace shows of an event besides its times."""
    shown = {"Input Dims": event.input_shapes, "FLOPs": event.flops, "Bytes": event.bytes}
    return {name: value for name, value in shown.items() if value}


class EventList(list):
    """Events, with averages, tables and traces of them."""

    def key_averages(self, group_by_input_shape: bool = False, **ignored: Any) -> EventList:
        """One event for each name (and the shapes of its inputs)."""
        groups: dict[tuple, FunctionEvent] = {}
        for event in self:
            shapes = event.input_shapes if group_by_input_shape else None
            key = (event.key, str(shapes))
            if key not in groups:
                groups[key] = FunctionEvent(event.key, shapes)
            groups[key].add(event)
        return EventList(groups.values())

    def total_average(self) -> FunctionEvent:
        """All events as one."""
        total = FunctionEvent("Total")
        for event in self:
            total.add(event)
        return total

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all events."""
        return sum(event.self_cpu_time_total for event in self)

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        header: str | None = None,
        top_level_events_only: bool = False,
        peak: Peak | None = None,
        **ignored: Any,
    ) -> str:
        """The events as text, sorted by an attribute (such as "cpu_time_total"), largest first.

        With `peak` (of `measure_peak`) and operations recorded with `with_flops`: the share of it.
        """
        events: list[FunctionEvent] = list(self)
        if sort_by is not None:
            key = sort_by.replace("cuda", "cpu").replace("device", "cpu")
            events.sort(key=lambda event: getattr(event, key), reverse=True)
        if row_limit >= 0:
            events = events[:row_limit]
        with_shapes = any(event.input_shapes is not None for event in events)
        with_memory = any(event.cpu_memory_usage for event in events)
        titles = ["Name", "Self CPU %", "Self CPU", "CPU total", "CPU time avg", "# of Calls"]
        titles += ["CPU Mem", "Self CPU Mem"] if with_memory else []
        with_flops = any(event.flops or event.bytes for event in events)
        titles += ["Total MFLOPs", "GFLOP/s", "Total MB", "GB/s"] if with_flops else []
        titles += ["% of Peak"] if with_flops and peak else []
        titles += ["Input Shapes"] if with_shapes else []
        whole = self.self_cpu_time_total
        rows = []
        for event in events:
            share = 100 * event.self_cpu_time_total / whole if whole else 0.0
            row = [
                event.key[:max_name_column_width],
                f"{share:.2f}%",
                event.self_cpu_time_total_str,
                event.cpu_time_total_str,
                event.cpu_time_str,
                str(event.count),
            ]
            if with_memory:
                row += [_bytes(event.cpu_memory_usage), _bytes(event.self_cpu_memory_usage)]
            if with_flops:
                row += self._rates(event, peak)
            if with_shapes:
                row.append(str(event.input_shapes or []))
            rows.append(row)
        widths = [max(len(row[i]) for row in [titles, *rows]) for i in range(len(titles))]
        line = "  ".join("-" * width for width in widths)
        text = [header] if header else []
        text += [line, "  ".join(t.rjust(w) for t, w in zip(titles, widths, strict=True)), line]
        text += ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
        text += [line, f"Self CPU time total: {_time(whole)}", ""]
        return "\n".join(text)

    @staticmethod
    def _rates(event: FunctionEvent, peak: Peak | None) -> list[str]:
        seconds = event.cpu_time_total * 1e-6
        cells = []
        for count in (event.flops, event.bytes):
            known = count and seconds
            cells += [f"{count / 1e6:.3f}", f"{count / seconds / 1e9:.2f}"] if known else ["--"] * 2
        if peak:
            share = peak.share(event.flops, event.bytes, seconds)
            cells.append(f"{100 * share:.1f}%" if share else "--")
        return cells

    def export_chrome_trace(self, path: Any) -> None:
        """Writes the events for Chrome's tracing page (chrome://tracing) or Perfetto."""
        process = os.getpid()
        trace = [
            {"ph": "X", "cat": "cpu_op", "name": event.key, "pid": process, "tid": event.thread,
             "ts": event.start_us, "dur": event.cpu_time_total,
             "args": _arguments(event)}
            for event in self
        ]  # fmt: skip
        with open(path, "w") as file:
            json.dump({"traceEvents": trace, "displayTimeUnit": "ms"}, file)

    def __str__(self) -> str:
        return self.table()
