"""Every group of operations beside PyTorch, NumPy and JAX: time, ratio, share of the peak.

    python bench/run.py                                    # everything: about half an hour
    python bench/run.py --groups matmul conv --threads 1   # some groups on one thread
    python bench/run.py --sizes small --filter "sum"       # some cases
    python bench/run.py --isa avx2                         # ours and PyTorch held to AVX2
    python bench/run.py --json bench/results/cpu.json --plots bench/results

Each library runs in a process of its own; slices of time alternate between them, so that what
disturbs the machine disturbs all. Answers are compared before anything is timed. A ratio is the
best peer's time over ours: above 1 minigrad is faster. "torch-tuned" is PyTorch with an allocator
that keeps its memory and uses huge pages.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import footprint
import machine
import peaks
import peers
from cases import GROUPS, Case, select

SIZES = ("small", "medium", "large")
FOOTPRINT = "footprint"


class Worker:
    """A process of one library."""

    def __init__(self, peer: str, threads: int, isa: str | None) -> None:
        self.peer = peer
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "worker.py"), peer, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=peers.environment(peer, threads, isa),
        )

    def ask(self, **order: Any) -> Any:
        """What the process answers; RuntimeError with its message where it failed."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"the process ended (exit status {self.process.wait()})")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["ok"]

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def difference(ours: list[list[float]], theirs: list[list[float]]) -> float:
    """The largest difference of two answers relative to their largest magnitude; NaN equals NaN."""
    if [len(part) for part in ours] != [len(part) for part in theirs]:
        return math.inf
    worst = 0.0
    for mine, other in zip(ours, theirs, strict=True):
        scale = max(mine[0], other[0], 1e-30)
        for a, b in zip(mine[1:], other[1:], strict=True):
            if a == b or (math.isnan(a) and math.isnan(b)):
                continue
            gap = abs(a - b) / scale
            worst = max(worst, math.inf if math.isnan(gap) else gap)
    return worst


def settle(worker: Worker, seconds: float = 0.3) -> None:
    """Waits until no thread of the process runs: some pools spin for tens of milliseconds."""
    tasks = Path(f"/proc/{worker.process.pid}/task")
    deadline = time.perf_counter() + seconds
    while tasks.exists() and time.perf_counter() < deadline:
        try:
            stats = [stat.read_text() for stat in tasks.glob("*/stat")]
        except OSError:  # a thread has ended
            continue
        if all(stat.rpartition(")")[2].split()[0] != "R" for stat in stats):
            return
        time.sleep(0.001)


class Turns:
    """Slices of every worker, taken by turns, and the figures that follow from them.

    "relative" is the median over the turns of its time over ours in the same turn: the speed of a
    shared machine changes from second to second, and within a turn it changes least. So does
    "peak": what the machine's multiply-adds reached right before our slice.
    """

    def __init__(self, workers: list[Worker], seconds: float, meter: Callable[[], float | None]):
        self.workers, self.seconds, self.meter = workers, seconds, meter
        self.turn = 0
        self.peaks: list[float | None] = []
        names = [worker.peer for worker in workers]
        self.samples: dict[str, list[float]] = {name: [] for name in names}
        self.medians: dict[str, list[float]] = {name: [] for name in names}
        self.joules: dict[str, list[float]] = {name: [] for name in names}
        for worker in workers:
            worker.ask(do="warm", seconds=seconds / 2)
            settle(worker)

    def take(self, rounds: int) -> None:
        for _ in range(rounds):
            for worker in self.workers if self.turn % 2 == 0 else reversed(self.workers):
                if worker.peer == "minigrad":
                    self.peaks.append(self.meter())
                reply = worker.ask(do="time", seconds=self.seconds)
                settle(worker)
                self.samples[worker.peer] += reply["samples"]
                self.medians[worker.peer].append(statistics.median(reply["samples"]))
                if reply["joules"] is not None:
                    self.joules[worker.peer].append(reply["joules"])
            self.turn += 1

    def relative(self, peer: str) -> float:
        pairs = zip(self.medians[peer], self.medians["minigrad"], strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)

    def unsure(self) -> bool:
        """Whether a peer is about as fast as ours, or faster: a verdict that noise could turn."""
        peers = [worker.peer for worker in self.workers if worker.peer != "minigrad"]
        return "minigrad" in self.medians and any(self.relative(p) < 1.1 for p in peers)

    def share(self, flops: float) -> float | None:
        """Of the multiply-adds that the machine could do in the same turns."""
        if not flops or None in self.peaks or not self.peaks:
            return None
        pairs = zip(self.medians["minigrad"], self.peaks, strict=True)
        return statistics.median(flops / ours / peak for ours, peak in pairs)  # type: ignore[operator]

    def figures(self) -> dict[str, dict[str, Any]]:
        found = {}
        for peer, times in self.samples.items():
            ordered = sorted(times)
            quarter = len(ordered) // 4
            median = statistics.median(ordered)
            found[peer] = {
                "seconds": median,
                "best": ordered[0],
                "spread": (ordered[-1 - quarter] - ordered[quarter]) / median,
                "n": len(ordered),
            }
            if "minigrad" in self.medians:
                found[peer]["relative"] = self.relative(peer)
            if self.joules[peer]:
                found[peer]["joules"] = statistics.median(self.joules[peer])
        return found


def measure(
    group: str,
    case: Case,
    workers: list[Worker],
    options: argparse.Namespace,
    meter: peaks.Meter | None = None,
) -> dict:
    """A row: what each library took, after their answers were found equal."""
    row: dict[str, Any] = {
        "group": group,
        "case": case.name,
        "size": case.size,
        "x": case.x,
        "flops": case.flops,
        "bytes": case.bytes,
        "precision": case.precision,
    }
    ready, reference, failures = [], None, {}
    for worker in workers:
        try:
            answered = worker.ask(do="make", group=group, case=case.name)
        except RuntimeError as error:
            failures[worker.peer] = str(error)
            continue
        if answered is None:
            continue
        if reference is None:
            reference = answered
        else:
            gap = difference(answered, reference)
            if gap > case.tolerance:
                failures[worker.peer] = f"the answer differs by {gap:.1e}"
                continue
        ready.append(worker)
    if failures:
        row["failures"] = failures
    row["times"] = {}
    if ready:
        probe = meter.rate if meter and case.flops > 1e6 else lambda precision: None
        turns = Turns(ready, options.seconds, lambda: probe(case.precision))
        turns.take(options.rounds)
        if options.again and turns.unsure():
            turns.take(options.again * options.rounds)
        row["times"] = turns.figures()
        row["turns"] = turns.turn
        share = turns.share(case.flops)
        if share is not None:
            row["peak_share"] = share
    if case.alone:
        for worker in ready:
            row["times"][worker.peer]["peak_bytes"] = worker.ask(do="memory")
    return row


def judge(row: dict, machine_peaks: dict[str, float]) -> None:
    """Adds the ratios to the peers and the share of the machine's limit to a row."""
    times = row["times"]
    if "minigrad" not in times:
        return
    ours = times["minigrad"]["seconds"]
    others = {peer: t["relative"] for peer, t in times.items() if peer != "minigrad"}
    if others:
        row["best_peer"] = min(others, key=others.__getitem__)
        row["ratio"] = others[row["best_peer"]]
    torches = [t for peer, t in others.items() if peer.startswith("torch")]
    if torches:
        row["ratio_torch"] = min(torches)
    if not row["flops"] and row["bytes"] > 2e8 and machine_peaks.get("read"):
        row["bandwidth"] = row["bytes"] / ours


def duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def show(row: dict, columns: list[str]) -> str:
    """One line of the table."""
    cells = [f"{row['case']:46.46s}"]
    for peer in columns:
        t = row["times"].get(peer)
        cells.append(f"{duration(t['seconds']) if t else '–':>9s}")
    cells.append(f"{row['ratio']:6.2f}" if "ratio" in row else "     –")
    cells.append(f"{row['peak_share']:5.0%}" if "peak_share" in row else "     ")
    if "minigrad" in row["times"]:
        cells.append(f"±{row['times']['minigrad']['spread']:.0%}")
    for peer, failure in row.get("failures", {}).items():
        cells.append(f" [{peer}: {failure}]")
    return " ".join(cells)


def summary(rows: list[dict]) -> dict[str, dict[str, Any]]:
    """Geometric mean and worst case of each group's ratios."""
    groups: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(row["group"] for row in rows):
        judged = [row for row in rows if row["group"] == name and "ratio" in row]
        if judged:
            worst = min(judged, key=lambda row: row["ratio"])
            torch = [row["ratio_torch"] for row in judged if "ratio_torch" in row]
            groups[name] = {
                "cases": len(judged),
                "mean": statistics.geometric_mean([row["ratio"] for row in judged]),
                "mean_torch": statistics.geometric_mean(torch) if torch else None,
                "worst": worst["ratio"],
                "worst_case": worst["case"],
            }
    return groups


def dump(result: dict) -> str:
    """JSON with a line for each case."""
    frame = json.dumps({**result, "rows": []}, indent=1)
    rows = ",\n".join(json.dumps(row) for row in result["rows"])
    return frame.replace('"rows": []', f'"rows": [\n{rows}\n ]') + "\n"


def save(options: argparse.Namespace, rows: list[dict], found: dict, weights: Any = None) -> dict:
    """All figures so far; written if a file was asked for, so that a run cut short is not lost."""
    result = {
        "machine": options.machine,
        "peaks": found,
        "groups": summary(rows),
        "rows": rows,
        "footprint": weights or {},
    }
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(dump(result))
    return result


def run_cases(options: argparse.Namespace, columns: list[str]) -> list[dict]:
    """Measures what was asked for, printing each row as it comes."""
    rows: list[dict] = []
    workers = [Worker(peer, options.threads, options.isa) for peer in columns]
    heading, found, meter = None, peaks.measure(options.threads), peaks.Meter(options.threads)
    for group, case in select(options.groups, options.sizes, options.filter):
        if group != heading:
            heading = group
            print(
                f"\n{group:46s} "
                + " ".join(f"{peer[:9]:>9s}" for peer in columns)
                + "  ratio  peak"
            )
            save(options, rows, found)
            fresh = peaks.measure(options.threads)  # the machine is shared: take the best seen
            found = {name: max(value, fresh[name]) for name, value in found.items()}
        taken = workers
        if case.alone:
            taken = [Worker(peer, options.threads, options.isa) for peer in columns]
        row = measure(group, case, taken, options, meter)
        judge(row, found)
        rows.append(row)
        print(show(row, columns), flush=True)
        for worker in taken if case.alone else []:
            worker.close()
        for index, worker in enumerate(workers):
            if worker.process.poll() is not None:
                workers[index] = Worker(worker.peer, options.threads, options.isa)
    for worker in workers:
        worker.close()
    for row in rows:
        judge(row, found)
    options.peaks = found
    return rows


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--groups", nargs="+", default=[*GROUPS, FOOTPRINT], choices=[*GROUPS, FOOTPRINT]
    )
    parser.add_argument("--sizes", nargs="+", default=SIZES, choices=SIZES)
    parser.add_argument("--filter", default="", help="only cases whose name holds this")
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument(
        "--peers", nargs="*", default=list(peers.PEERS[1:]), choices=peers.PEERS[1:]
    )
    parser.add_argument("--isa", choices=("baseline", "avx2", "avx512", "avx512vnni", "avx512bf16"))
    parser.add_argument("--rounds", type=int, default=7, help="slices of each library")
    parser.add_argument("--seconds", type=float, default=0.06, help="length of a slice")
    parser.add_argument(
        "--again",
        type=int,
        default=2,
        help="cases in which a peer comes within a tenth of our time, or is faster, take this "
        "many times the slices more, all of which count",
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run: figures mean nothing")
    parser.add_argument("--json", type=Path, help="write the figures")
    parser.add_argument("--plots", type=Path, help="write PNG plots into this folder")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.again = 1, 0.002, 0
    return options


def main() -> None:
    options = parse()
    started = time.time()
    columns = ["minigrad", *(peer for peer in options.peers if peers.installed(peer))]
    about = machine.describe([peer for peer in columns if peer != "minigrad"])
    about |= {"threads": options.threads, "isa_asked": options.isa}
    options.machine = about
    print(about["summary"] + f", {options.threads} threads")
    wants_footprint = FOOTPRINT in options.groups
    options.groups = [name for name in options.groups if name != FOOTPRINT]
    rows = run_cases(options, columns) if options.groups else []
    weights = footprint.measure(columns) if wants_footprint else {}
    if weights:
        print(footprint.table(weights))
    groups = summary(rows)
    found = getattr(options, "peaks", {})
    print(f"\n{'group':14s} cases   mean  mean/torch  worst")
    for name, s in groups.items():
        torch = f"{s['mean_torch']:10.2f}" if s["mean_torch"] else " " * 10
        print(
            f"{name:14s} {s['cases']:5d} {s['mean']:6.2f} {torch} {s['worst']:6.2f}  "
            + s["worst_case"]
        )
    for name, value in found.items():
        print(f"peak {name}: {value / 1e9:.0f} G{'FLOP' if 'f' in name else 'B'}/s")
    print(f"{time.time() - started:.0f} s")
    result = save(options, rows, found, weights)
    if options.plots:
        import plots

        for path in plots.draw(result, options.plots):
            print(path)
    if any(
        "minigrad" in row.get("failures", {}) or "differs" in str(row.get("failures"))
        for row in rows
    ):
        sys.exit("some answers were missing or differed: see the rows with [...]")


if __name__ == "__main__":
    main()
