"""What one small operation costs, beside PyTorch, in one run on one thread.

    python bench/overhead.py [--json FILE] [--readme README.md] [--quick]

Small models are made of operations on a few numbers, where the arithmetic is free and the layer
above it is what one pays for. Each case runs in alternating slices on both libraries after their
answers were found equal; the median over the slices is reported, and PyTorch's time over ours.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from machine import describe
from report import write_between

import minigrad

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


def small(lib: ModuleType, grad: bool) -> tuple[Any, Any]:
    x = lib.full((4, 4), 1.01).requires_grad_(grad)
    y = lib.full((4, 4), 0.99).requires_grad_(grad)
    return x, y


def forward_mul(lib: ModuleType) -> Callable:
    x, y = small(lib, True)
    return lambda: x * y


def forward_matmul(lib: ModuleType) -> Callable:
    x, y = small(lib, True)
    return lambda: x @ y


def unrecorded_add(lib: ModuleType) -> Callable:
    x, y = small(lib, False)
    return lambda: x + y


def relu(lib: ModuleType) -> Callable:
    x, _ = small(lib, True)
    return lambda: x.relu()


def sum_all(lib: ModuleType) -> Callable:
    x, _ = small(lib, True)
    return lambda: x.sum()


def chain(lib: ModuleType) -> Callable:
    """100 multiplications forward and backward; the time of one is a hundredth."""
    x, y = small(lib, True)
    ones = lib.ones(4, 4)

    def run() -> Any:
        x.grad = y.grad = None
        z = x
        for _ in range(100):
            z = z * y
        z.backward(ones)
        return x.grad

    return run


def mlp(lib: ModuleType) -> tuple[Any, Any]:
    nn = lib.nn
    lib.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    return model, lib.optim.SGD(model.parameters(), lr=0.01)


def zero_grad_and_step(lib: ModuleType) -> Callable:
    """`zero_grad` and an SGD step of a two-layer MLP whose gradients are given."""
    model, optimizer = mlp(lib)
    parameters = list(model.parameters())
    grads = [lib.full(tuple(p.shape), 1e-3) for p in parameters]

    def run() -> Any:
        for p, g in zip(parameters, grads, strict=True):
            p.grad = g
        optimizer.step()
        optimizer.zero_grad()
        return parameters[0].detach()

    return run


def linear_layer(lib: ModuleType) -> Callable:
    lib.manual_seed(0)
    layer, x = lib.nn.Linear(8, 16), lib.ones(4, 8)
    return lambda: layer(x)


def train_step(lib: ModuleType) -> Callable:
    """A whole training step of an 8-16-4 MLP on 16 rows with Adam."""
    model, _ = mlp(lib)
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = lib.nn.CrossEntropyLoss()
    x, y = lib.linspace(-1, 1, 128).reshape(16, 8), lib.arange(16) % 4

    def run() -> Any:
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return run


# name, case, calls a slice, divisor (operations in a call)
CASES = [
    ("x * y, recorded", forward_mul, 2000, 1),
    ("x @ y, recorded", forward_matmul, 2000, 1),
    ("x + y, not recorded", unrecorded_add, 2000, 1),
    ("relu, recorded", relu, 2000, 1),
    ("sum, recorded", sum_all, 2000, 1),
    ("100 multiplications, forward and backward, each", chain, 20, 100),
    ("zero_grad and SGD step, 2-layer MLP", zero_grad_and_step, 500, 1),
    ("Linear(8, 16) module", linear_layer, 1000, 1),
    ("training step, MLP 8-16-4, batch 16, Adam", train_step, 100, 1),
]


def values(result: Any) -> list[float]:
    return [float(v) for v in result.detach().reshape(-1).tolist()]


def slice_of(run: Callable, calls: int) -> float:
    """Seconds for one call, as the mean of a slice."""
    started = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - started) / calls


def measure(case: Callable, calls: int, slices: int) -> dict[str, float]:
    """Microseconds for a call of each library, and the spread of ours."""
    libraries = {"minigrad": minigrad} | ({"torch": torch} if torch is not None else {})
    if torch is not None:
        ours, theirs = values(case(minigrad)()), values(case(torch)())
        difference = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        assert difference < 1e-4, f"the answers differ by {difference}"
    runs = {name: case(lib) for name, lib in libraries.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        slice_of(run, calls)
    for _ in range(slices):
        for name, run in runs.items():
            times[name].append(slice_of(run, calls) * 1e6)
    result = {name: statistics.median(t) for name, t in times.items()}
    quarters = statistics.quantiles(times["minigrad"], n=4)
    return {**result, "spread": (quarters[2] - quarters[0]) / result["minigrad"]}


def table(about: dict, rows: list[dict]) -> str:
    """The figures as a Markdown table with their provenance."""
    lines = [
        "Microseconds for one call on one thread, both libraries in alternating slices of one run "
        "(`python bench/overhead.py`):",
        "",
        "| 4×4 float32 tensors, unless said | minigrad | PyTorch | ratio |",
        "|---|---|---|---|",
    ]
    for row in rows:
        theirs, ratio = row.get("torch_us"), row.get("ratio")
        peer = f"{theirs:.2f} | {ratio:.1f}" if theirs else "– | –"
        lines.append(f"| {row['case']} | {row['minigrad_us']:.2f} | {peer} |")
    return "\n".join([*lines, "", f"Measured on {about['summary']}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures, too")
    parser.add_argument("--readme", type=Path, help="rewrite the table in this file")
    parser.add_argument("--quick", action="store_true", help="a smoke run: figures mean nothing")
    options = parser.parse_args()
    minigrad.set_num_threads(1)
    if torch is not None:
        torch.set_num_threads(1)
    about = describe(["torch"] if torch is not None else [])
    print(about["summary"])
    print(f"{'microseconds':50s} minigrad    torch   ratio  spread")
    rows = []
    for name, case, calls, operations in CASES:
        scale = 10 if options.quick else 1
        figures = measure(case, max(calls // scale, 1), 3 if options.quick else 21)
        ours = figures["minigrad"] / operations
        line = f"{name:50s} {ours:8.2f}"
        row = {"case": name, "minigrad_us": ours, "spread": figures["spread"]}
        if "torch" in figures:
            theirs = figures["torch"] / operations
            row |= {"torch_us": theirs, "ratio": theirs / ours}
            line += f" {theirs:8.2f} {theirs / ours:7.2f}"
        print(f"{line}  {figures['spread']:5.0%}")
        rows.append(row)
    ratios = [row["ratio"] for row in rows if "ratio" in row]
    if ratios:
        mean = statistics.geometric_mean(ratios)
        print(f"geometric mean {mean:.2f}, worst {min(ratios):.2f} (PyTorch's time over ours)")
    if options.json:
        options.json.write_text(
            json.dumps({"machine": about, "threads": 1, "rows": rows}, indent=1)
        )
    if options.readme:
        write_between(options.readme, "overhead", table(about, rows))


if __name__ == "__main__":
    main()
