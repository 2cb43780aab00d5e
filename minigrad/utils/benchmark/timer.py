"""`Timer` and `Measurement`: how long a statement takes, with the spread of several runs."""

from __future__ import annotations

import statistics
import timeit
from typing import Any

from ...config import get_num_threads, set_num_threads


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds * 1e9:.2f} ns"


class Measurement:
    """The times of several runs of `number_per_run` calls each; seconds for one call."""

    def __init__(
        self,
        number_per_run: int,
        raw_times: list[float],
        num_threads: int,
        stmt: str,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
    ):
        self.number_per_run = number_per_run
        self.raw_times = raw_times
        self.num_threads = num_threads
        self.label = label or stmt
        self.sub_label = sub_label
        self.description = description or ""
        names = [text for text in (label, sub_label, description) if text]
        self.title = ": ".join(names) if names else stmt

    @property
    def as_row_name(self) -> str:
        """What a row of a table is called."""
        return self.sub_label or self.label

    @property
    def times(self) -> list[float]:
        """Seconds for one call, in each run."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def median(self) -> float:
        """The middle time."""
        return statistics.median(self.times)

    @property
    def mean(self) -> float:
        """The average time."""
        return statistics.fmean(self.times)

    @property
    def iqr(self) -> float:
        """The distance between the quartiles of the times."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return high - low

    def __repr__(self) -> str:
        return (
            f"{self.title}\n  Median: {_time(self.median)}, IQR: {_time(self.iqr)}\n"
            f"  {len(self.times)} measurements, {self.number_per_run} runs per measurement, "
            f"{self.num_threads} thread{'s' if self.num_threads > 1 else ''}"
        )


class Timer:
    """Times a statement, as Python's timeit does, with a number of threads for operations."""

    def __init__(
        self,
        stmt: Any = "pass",
        setup: Any = "pass",
        global_setup: str = "",
        timer: Any = timeit.default_timer,
        globals: dict | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Any = "python",
    ):
        self.names = (str(stmt), label, sub_label, description)
        self.num_threads = num_threads
        self.timer = timeit.Timer(stmt, setup, timer, globals)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """One run of `number` calls, after a warm-up."""
        return self._measure(number, 1)

    def _measure(self, number: int, runs: int) -> Measurement:
        before = get_num_threads()
        set_num_threads(self.num_threads)
        try:
            self.timer.timeit(max(number // 100, 2))
            times = [self.timer.timeit(number) for _ in range(runs)]
        finally:
            set_num_threads(before)
        return Measurement(number, times, self.num_threads, *self.names)

    def blocked_autorange(self, callback: Any = None, min_run_time: float = 0.2) -> Measurement:
        """Runs long enough to be measured, for at least `min_run_time` seconds in all."""
        number = 1
        while True:
            taken = self._measure(number, 1).raw_times[0]
            if taken >= min_run_time / 100 or number >= 10_000_000:
                break
            number *= 10
        return self._measure(number, max(1, min(1000, round(min_run_time / max(taken, 1e-9)))))

    adaptive_autorange = blocked_autorange
