"""`Compare`: measurements as tables, a column for each description and a row for each sub-label."""

from __future__ import annotations

from collections.abc import Iterable

from .timer import Measurement

__all__ = ["Compare"]

_UNITS = (("seconds", "s", 1.0), ("milliseconds", "ms", 1e-3), ("microseconds", "us", 1e-6))


class Compare:
    """Measurements side by side: a table for each label, in rows by threads and sub-label."""

    def __init__(self, results: Iterable[Measurement]):
        self._results = list(results)
        self._trimmed = False

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Adds measurements."""
        self._results.extend(results)

    def trim_significant_figures(self) -> None:
        """Shows three significant digits of each time, not more."""
        self._trimmed = True

    def colorize(self, rowwise: bool = False) -> None:
        """Kept for nobody: the tables are plain text."""

    def highlight_warnings(self) -> None:
        """Kept for nobody: measurements warn of nothing."""

    def print(self) -> None:
        """Prints the tables."""
        print(str(self))

    def __str__(self) -> str:
        labels = dict.fromkeys(m.label for m in self._results)
        return "\n".join(
            self._table(label, [m for m in self._results if m.label == label]) for label in labels
        )

    def _table(self, label: str, results: list[Measurement]) -> str:
        columns = list(dict.fromkeys(m.description for m in results))
        threads = list(dict.fromkeys(m.num_threads for m in results))
        names = list(dict.fromkeys(m.as_row_name for m in results))
        smallest = min(m.median for m in results)
        unit, short, size = next((u for u in _UNITS if smallest >= u[2]), _UNITS[-1])
        times: dict[tuple, list[float]] = {}
        for m in results:
            key = (m.num_threads, m.as_row_name, m.description)
            times.setdefault(key, []).append(m.median / size)
        cells = {key: self._number(sum(v) / len(v)) for key, v in times.items()}
        head = max(len(name) for name in (*names, "threads")) + 10
        widths = [
            max(len(c), *(len(text) for key, text in cells.items() if key[2] == c)) for c in columns
        ]
        first = " " * head + "".join(f"  |  {c:>{w}}" for c, w in zip(columns, widths, strict=True))
        lines = [f"[{f' {label} '.center(len(first) - 2, '-')}]", first]
        for n in threads:
            lines.append(f"{n} threads: ".ljust(len(first), "-"))
            for name in names:
                row = [cells.get((n, name, c), "") for c in columns]
                if any(row):
                    texts = (f"  |  {x:>{w}}" for x, w in zip(row, widths, strict=True))
                    lines.append(f"      {name}".ljust(head) + "".join(texts))
        return "\n".join([*lines, "", f"Times are in {unit} ({short}).", ""])

    def _number(self, x: float) -> str:
        return f"{float(f'{x:.3g}'):g}" if self._trimmed else f"{x:.1f}"
