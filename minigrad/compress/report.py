"""What a model costs: parameters, operations, bytes, time, memory, and how good it is."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from ._run import arguments, evaluating
from .flops import _counted

__all__ = ["Measurement", "Report", "report"]


@dataclass
class Measurement:
    """One model's row. Times are seconds, sizes bytes; `accuracy` is what `evaluate` returned."""

    name: str
    parameters: int
    nonzero: int
    flops: int
    bytes: int
    latency: float
    peak_memory: int
    accuracy: float | None = None


# Column, attribute, how it is printed, whether a ratio to the first row makes sense
_COLUMNS: list[tuple[str, str, Callable[[Any], str], bool]] = [
    ("parameters", "parameters", lambda v: f"{v:,}", True),
    ("nonzero", "nonzero", lambda v: f"{v:,}", True),
    ("MFLOPs", "flops", lambda v: f"{v / 1e6:,.3f}", True),
    ("KiB", "bytes", lambda v: f"{v / 1024:,.1f}", True),
    ("latency ms", "latency", lambda v: f"{v * 1e3:.3f}", True),
    ("peak KiB", "peak_memory", lambda v: f"{v / 1024:,.1f}", True),
    ("accuracy", "accuracy", lambda v: "-" if v is None else f"{v:.4f}", False),
]


class Report:
    """Rows of measurements, the first of which the others are compared with; prints as a table."""

    def __init__(self, rows: list[Measurement]):
        self.rows = rows

    def __getitem__(self, key: int | str) -> Measurement:
        """A row by its place or its model's name."""
        if isinstance(key, str):
            for row in self.rows:
                if row.name == key:
                    return row
            raise KeyError(f"{key!r}; there are {[row.name for row in self.rows]}")
        return self.rows[key]

    def __len__(self) -> int:
        return len(self.rows)

    def __add__(self, other: Report) -> Report:
        return Report([*self.rows, *other.rows])

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as dictionaries, for JSON, CSV or a data frame."""
        return [dataclasses.asdict(row) for row in self.rows]

    def __str__(self) -> str:
        shown = [c for c in _COLUMNS if c[1] != "accuracy" or any(r.accuracy is not None
                                                                 for r in self.rows)]  # fmt: skip
        table = [["model", *(title for title, *_ in shown)]]
        for number, row in enumerate(self.rows):
            cells = [row.name]
            for _, attribute, show, compared in shown:
                value = getattr(row, attribute)
                base = getattr(self.rows[0], attribute)
                ratio = f" ({value / base:.2f}x)" if number and compared and base else ""
                cells.append(show(value) + ratio)
            table.append(cells)
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        lines = [
            "  ".join(
                c.ljust(w) if not i else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))
            )
            for line in table
        ]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])

    __repr__ = __str__


def _storage_bytes(model: Any) -> int:
    sizes = {id(t): t.numel() * t.element_size() for t in [*model.parameters(), *model.buffers()]}
    return sum(sizes.values())


def _integer_parameters(model: Any) -> list[Any]:
    """The weights and biases of quantized layers, which are buffers."""
    layers = [m for m in model.modules() if hasattr(m, "stored_parameters")]
    return [t for layer in layers for t in layer.stored_parameters()]


def _latencies(models: list[Any], args: tuple, repeats: int) -> list[float]:
    """Seconds of one forward pass of each in evaluation: medians of `repeats`, after two more.

    The models take turns, so that what else the machine does meets all of them.
    """
    times: list[list[float]] = [[] for _ in models]
    with ExitStack() as stack:
        for model in models:
            stack.enter_context(evaluating(model))
        for _ in range(repeats + 2):
            for model, mine in zip(models, times):
                start = time.perf_counter()
                model(*args)
                mine.append(time.perf_counter() - start)
    return [sorted(mine[2:])[repeats // 2] for mine in times]


def _measure(
    name: str, model: Any, example_inputs: Any, evaluate: Callable | None, latency: float
) -> Measurement:
    counter = _counted(model, example_inputs)
    parameters = [*model.parameters(), *_integer_parameters(model)]
    with evaluating(model):
        accuracy = None if evaluate is None else float(evaluate(model))
    return Measurement(
        name,
        sum(p.numel() for p in parameters),
        sum(int(p.count_nonzero()) for p in parameters),
        counter.flops,
        _storage_bytes(model),
        latency,
        counter.peak,
        accuracy,
    )


def report(
    model: Any,
    example_inputs: Any,
    *,
    evaluate: Callable | None = None,
    baseline: Report | None = None,
    name: str = "model",
    repeats: int = 20,
) -> Report:
    """Measures a model, or a dictionary of models by name, on `example_inputs`.

    `evaluate(model)` returns a figure such as the accuracy, and is called in evaluation without
    recording. `baseline`: a report whose rows come first, which the new ones are compared with:
    `print(report(small, x, baseline=report(model, x, name="before"), name="after"))`. Columns:
    parameters and how many are not zero; floating-point operations (`count_flops`); bytes of
    parameters and buffers; the median time of a forward pass (models take turns); the largest
    memory of inputs and results at once (`peak_memory`). ValueError unless `repeats` is positive.
    """
    if repeats < 1:
        raise ValueError(f"report: repeats={repeats} was given; 1 or more is needed")
    models = model if isinstance(model, dict) else {name: model}
    times = _latencies(list(models.values()), arguments(example_inputs), repeats)
    rows = [_measure(n, m, example_inputs, evaluate, t) for (n, m), t in zip(models.items(), times)]
    return Report([*(baseline.rows if baseline is not None else []), *rows])
