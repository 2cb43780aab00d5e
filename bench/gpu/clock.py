"""Time on the GPU, by events: the kernels' alone, or whole calls with what the CPU does for them.

Between calls whose kernels are timed the L2 cache is flushed, by writes that also keep the GPU busy
until the CPU has enqueued the call: what Python costs is told apart, as `host`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

FLUSH = 256 << 20  # bytes written between calls: several times any L2 cache


class Clock:
    """Times functions that enqueue work on the current stream."""

    def __init__(self, cupy: Any, flush: int = FLUSH):
        self._cupy = cupy
        self._room = cupy.empty(flush // 4, "float32")
        self._room.fill(0)
        self._flush = self._seconds_of_flush()

    def wait(self) -> None:
        """Until the GPU has done everything."""
        self._cupy.cuda.Device().synchronize()

    def _event(self) -> Any:
        event = self._cupy.cuda.Event()
        event.record()
        return event

    def _between(self, start: Any, end: Any) -> float:
        end.synchronize()
        return self._cupy.cuda.get_elapsed_time(start, end) * 1e-3

    def _seconds_of_flush(self) -> float:
        self.wait()
        start = self._event()
        for _ in range(8):
            self._room.fill(1)
        return max(self._between(start, self._event()) / 8, 1e-6)

    def host(self, run: Callable[[], Any]) -> float:
        """Seconds of the CPU to enqueue a call: the least of some."""
        spent = []
        for _ in range(5):
            self.wait()
            started = time.perf_counter()
            run()
            spent.append(time.perf_counter() - started)
        self.wait()
        return min(spent)

    def kernels(self, run: Callable[[], Any], seconds: float, host: float) -> list[float]:
        """Seconds of the GPU for each of many calls, with a cold L2 cache."""
        flushes = min(1 + int(1.5 * host / self._flush), 200)
        samples: list[float] = []
        deadline = time.perf_counter() + seconds
        while len(samples) < 5 or (time.perf_counter() < deadline and len(samples) < 200):
            pairs = []
            for _ in range(5):
                for _ in range(flushes):
                    self._room.fill(1)
                start = self._event()
                run()
                pairs.append((start, self._event()))
            samples += [self._between(*pair) for pair in pairs]
        return samples

    def calls(self, run: Callable[[], Any], seconds: float) -> list[float]:
        """Seconds of each of many calls that follow each other, the CPU's work included."""
        start = self._event()
        run()
        count = max(1, min(20, int(0.05 / max(self._between(start, self._event()), 1e-6))))
        samples: list[float] = []
        deadline = time.perf_counter() + seconds
        while len(samples) < 3 or (time.perf_counter() < deadline and len(samples) < 50):
            start = self._event()
            for _ in range(count):
                run()
            samples.append(self._between(start, self._event()) / count)
        return samples


def figures(samples: list[float]) -> dict[str, Any]:
    """Median, best, spread between the quarters relative to the median."""
    ordered = sorted(samples)
    quarter = len(ordered) // 4
    median = statistics.median(ordered)
    return {
        "seconds": median,
        "best": ordered[0],
        "spread": (ordered[-1 - quarter] - ordered[quarter]) / median if median else 0.0,
        "n": len(ordered),
    }
