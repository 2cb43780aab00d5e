"""The process that measures: a line of JSON for each case, so that a crash costs no other.

    python -m gpu.worker rows.jsonl [--groups gemm ...] [--tiny] [--budget 200]

Started again with the same file it goes on: the case that was begun last counts as failed.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import machine
from run import difference

from gpu import libraries, limits
from gpu.clock import Clock, figures
from gpu.groups import GROUPS, works
from gpu.work import Work

TURNS = 3  # the libraries take turns so often
SICK = 3  # exit status: the GPU takes no more work from this process


def empty_row(group: str, case: str) -> dict[str, Any]:
    """A row without figures."""
    return {"group": group, "case": case, "bound": "", "flops": 0.0, "bytes": 0.0,
            "precision": "", "whole": False, "times": {}}  # fmt: skip


class Notes:
    """The file of lines, read when it is there already."""

    def __init__(self, path: Path):
        self.path = path
        self.lines = [json.loads(line) for line in path.read_text().splitlines()] \
            if path.exists() else []  # fmt: skip
        done = {(line["group"], line["case"]) for line in self.lines if "times" in line}
        for line in list(self.lines):
            if "begun" in line and tuple(line["begun"]) not in done:
                group, case = line["begun"]
                failures = {"minigrad": "the process ended or did not answer"}
                self.write({**empty_row(group, case), "failures": failures})
                done.add((group, case))
        self.done = done

    def write(self, line: dict) -> None:
        self.lines.append(line)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def find(self, key: str) -> Any:
        return next((line[key] for line in self.lines if key in line), None)


def describe(cupy: Any, peers: list[str]) -> dict[str, Any]:
    """Machine and versions, with the GPU and its driver."""
    about = machine.describe([name for name in peers if name in ("torch",)])
    about["versions"]["cupy"] = cupy.__version__
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    runtime = cupy.cuda.runtime
    about["gpu"] = {
        "name": properties["name"].decode(),
        "capability": f"{properties['major']}.{properties['minor']}",
        "multiprocessors": properties["multiProcessorCount"],
        "memory_bytes": properties["totalGlobalMem"],
        "l2_bytes": properties["l2CacheSize"],
        "driver_cuda": runtime.driverGetVersion(),
        "runtime_cuda": runtime.runtimeGetVersion(),
        "driver": machine.driver(),
        "nvcc": machine.nvcc(),
    }
    about["gpu_summary"] = (
        f"{about['gpu']['name']}, driver {about['gpu']['driver'] or 'unknown'}, "
        f"nvcc {about['gpu']['nvcc'] or 'unknown'}, "
        + ", ".join(f"{name} {found}" for name, found in about["versions"].items())
        + f", minigrad {about['minigrad']} ({about['commit'] or 'no commit'}), {about['date']}"
    )
    return about


def prepare(work: Work, loaded: dict[str, Any]) -> tuple[dict[str, Callable], dict[str, str]]:
    """Each library's function of a case, as far as its answer is ours, and what failed."""
    runs: dict[str, Callable] = {}
    failures: dict[str, str] = {}
    reference = None
    for name, library in loaded.items():
        try:
            if name == "cupy":
                run = work.cupy and work.cupy(library)
            else:
                library.allow_tf32(work.case.precision == "tf32")
                run = work.case.make(library)
            if run is None:
                continue
            answered = libraries.answer(run())
        except Exception as error:  # told in the row; the others go on
            failures[name] = f"{type(error).__name__}: {str(error)[:300]}"
            continue
        if reference is None:
            reference = answered
        else:
            gap = difference(answered, reference)
            if not gap <= work.case.tolerance:
                failures[name] = f"the answer differs by {gap:.1e}"
                continue
        runs[name] = run
    return runs, failures


def measure(group: str, work: Work, loaded: dict, clock: Any, seconds: float) -> dict[str, Any]:
    """A row: what each library took, after their answers were found equal."""
    case = work.case
    row = empty_row(group, case.name) | {
        "bound": work.bound, "flops": float(case.flops), "bytes": float(case.bytes),
        "precision": case.precision, "whole": work.whole,
    }  # fmt: skip
    runs, failures = prepare(work, loaded)
    host = {name: clock.host(run) for name, run in runs.items()}
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(TURNS):
        for name, run in runs.items():
            if work.whole:
                samples[name] += clock.calls(run, seconds / TURNS)
            else:
                samples[name] += clock.kernels(run, seconds / TURNS, host[name])
    row["times"] = {name: figures(s) | {"host": host[name]} for name, s in samples.items()}
    if failures:
        row["failures"] = failures
    return row


def judge(row: dict[str, Any], found: dict[str, float]) -> None:
    """Adds the ratios to the peers and the shares of the chip's limits to a row."""
    if "minigrad" not in row["times"]:
        return
    ours = row["times"]["minigrad"]["seconds"]
    row["ratios"] = {
        peer: t["seconds"] / ours for peer, t in row["times"].items() if peer != "minigrad"
    }
    if row["bound"] == "memory" and row["bytes"]:
        row["bandwidth_share"] = row["bytes"] / ours / found["copy"]
    if row["bound"] == "matrix" and row["flops"] and row["precision"] in found:
        row["rate_share"] = row["flops"] / ours / found[row["precision"]]


def clean(loaded: dict[str, Any]) -> None:
    """Gives the memory of a case back."""
    gc.collect()
    loaded["cupy"].get_default_memory_pool().free_all_blocks()
    if "torch" in loaded and loaded["torch"].place == "cuda":
        loaded["torch"].cuda.empty_cache()


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--groups", nargs="+", default=list(GROUPS), choices=list(GROUPS))
    parser.add_argument("--first", type=int, default=None, help="only so many cases of a group")
    parser.add_argument("--filter", default="", help="only cases whose name holds this")
    parser.add_argument("--peers", nargs="*", default=list(libraries.PEERS))
    parser.add_argument("--tiny", action="store_true", help="a smoke run: figures mean nothing")
    parser.add_argument("--seconds", type=float, default=0.25, help="for each library and case")
    parser.add_argument("--budget", type=float, default=1e9, help="begin no case after so many s")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None, clock_of: Callable[[Any], Any] = Clock) -> int:
    """Measures what the file of rows has not yet; the exit status."""
    options = parse(arguments)
    deadline = time.monotonic() + options.budget
    notes = Notes(options.rows)
    loaded = libraries.load(("cupy", *options.peers))  # CuPy is what the clock runs by
    clock = clock_of(loaded["cupy"])
    if notes.find("machine") is None:
        notes.write({"machine": describe(loaded["cupy"], options.peers)})
    found = notes.find("limits")
    if found is None:
        found = limits.measure(clock, loaded, options.tiny)
        notes.write({"limits": found})
    timed = {name: lib for name, lib in loaded.items() if name in ("minigrad", *options.peers)}
    for group in options.groups:
        for work in works(group, options.tiny)[: options.first]:
            name = (group, work.case.name)
            if name in notes.done or options.filter not in " ".join(name):
                continue
            if time.monotonic() > deadline:
                notes.write({"left": list(name)})
                continue
            notes.write({"begun": list(name)})
            row = measure(group, work, timed, clock, options.seconds)
            judge(row, found)
            notes.write(row)
            print(group, work.case.name, row.get("ratios", ""), row.get("failures", ""), flush=True)
            try:
                clean(loaded)
                clock.wait()
            except Exception as error:  # an error of the device stays: a new process goes on
                print(f"{type(error).__name__}: {error}", flush=True)
                return SICK
    return 0


if __name__ == "__main__":
    sys.exit(main())
