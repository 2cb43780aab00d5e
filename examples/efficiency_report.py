"""What each technique of the toolbox brings: one task, one run, a table and a plot.

    python examples/efficiency_report.py [--rounds 3] [--epochs 12] [--out examples/output]

Every technique of `efficiency_techniques.py` trains on the same 2 500 digits of MNIST in a process
of its own, in rounds with different seeds, and is compared with the baseline of the same round (or
with another row: a soup with one of the models that it is made of). Each has figures of its own
that it is to move: the report says of each whether it did, by more than the standard error over
the rounds.
Energy is in joules where the machine counts them; else the report says so and has CPU-seconds.
Needs `pip install "minigrad[examples]"`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from efficiency_techniques import TECHNIQUES, Task

import minigrad as mg
from minigrad import compress
from minigrad.config import config
from minigrad.profiler import energy

COLUMNS = {  # figure: its title, how it is shown
    "accuracy": ("accuracy", "{:.4f}"),
    "loss": ("loss", "{:.3f}"),
    "seconds": ("seconds", "{:.2f}"),
    "cpu_seconds": ("CPU s", "{:.2f}"),
    "joules": ("joules", "{:.1f}"),
    "peak": ("peak MiB", "{:.1f}"),
    "bytes": ("model KiB", "{:.1f}"),
    "flops": ("MFLOPs", "{:.3f}"),
    "latency": ("latency us", "{:.0f}"),
}
SCALE = {"peak": 2**20, "bytes": 2**10, "flops": 1e6, "latency": 1e-6}


def measure(name, seed, epochs, steps, folder):
    """The figures of one technique, in this process: what `--only` prints as JSON."""
    task = Task(seed, epochs, steps, folder)
    before = config()["memory_pool"]["allocated"]
    started = time.perf_counter()
    with energy() as used:
        outcome = TECHNIQUES[name].run(task)
    figures = {
        "seconds": time.perf_counter() - started, "cpu_seconds": used.cpu_seconds,
        "joules": used.joules, "peak": config()["memory_pool"]["peak"] - before,
    }  # fmt: skip
    model = outcome.model.eval()
    trained = task.trained().eval()
    costs = compress.report({"before": trained, "after": model}, task.x[:1], repeats=200)
    for figure, attribute in (
        ("bytes", "bytes"), ("flops", "flops"), ("latency", "latency"), ("nonzero", "nonzero"),
    ):  # fmt: skip
        figures[figure] = getattr(costs[1], attribute)
    figures = {**task.tested(model), **figures, **outcome.figures}
    # The two models took turns, so that what else the machine did met both.
    return {"figures": figures, "before": costs[0].latency, "energy": str(used)}


def measured_apart(name, args, seed, folder):
    """`measure` in a process of its own, whose memory nothing else has used."""
    command = [
        sys.executable, __file__, "--only", name, "--seed", str(seed), "--epochs",
        str(args.epochs), "--folder", str(folder),
    ]  # fmt: skip
    if args.steps is not None:
        command += ["--steps", str(args.steps)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    if done.returncode:
        raise SystemExit(f"{name}, seed {seed}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def judged(rounds, base, figure, direction):
    """How a figure differs from what it is compared with: of a technique's and its base's rounds.

    The mean difference, its standard error over the rounds (None for one) and "yes", "no" or
    "unclear" (a difference within its standard error).
    """
    pairs = [
        (r["figures"][figure], r["before"] if figure == "latency" else b["figures"][figure])
        for r, b in zip(rounds, base)
    ]
    changes = [mine - other for mine, other in pairs]
    mean = statistics.fmean(changes)
    error = statistics.stdev(changes) / len(changes) ** 0.5 if len(changes) > 1 else None
    moved = "yes" if mean * direction > 0 else "no"
    if mean == 0 or (error is not None and abs(mean) <= error):
        moved = "unclear"
    return {
        "figure": figure, "wanted": "more" if direction > 0 else "less",
        "from": statistics.fmean(other for _, other in pairs),
        "to": statistics.fmean(mine for mine, _ in pairs), "change": mean, "error": error,
        "moved": moved,
    }  # fmt: skip


def summary(name, rounds, base):
    """A technique's row: means over the rounds, and the verdicts on its own figures."""
    row = {"technique": name}
    for figure in [*COLUMNS, "nonzero", "updates"]:
        values = [r["figures"].get(figure) for r in rounds]
        row[figure] = None if None in values else statistics.fmean(values)
    if len(rounds) > 1:
        row["accuracy_sd"] = statistics.stdev(r["figures"]["accuracy"] for r in rounds)
    row["base"], wanted = TECHNIQUES[name].base, TECHNIQUES[name].own.items()
    row["own"] = [judged(rounds, base, figure, direction) for figure, direction in wanted]
    return row


def told(verdict):
    """`seconds 4.1 -> 2.2: yes`."""
    figure = verdict["figure"]
    title, form = COLUMNS.get(figure, (figure, "{:.0f}"))
    a, b = (form.format(verdict[k] / SCALE.get(figure, 1)) for k in ("from", "to"))
    return f"{title} {a} -> {b}: {verdict['moved']}"


def table(rows):
    """The rows as Markdown."""
    shown = [f for f in COLUMNS if any(row[f] is not None for row in rows)]
    head = ["technique", *(COLUMNS[f][0] for f in shown), "its own figure: did it move?"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [
            "-" if row[f] is None else COLUMNS[f][1].format(row[f] / SCALE.get(f, 1)) for f in shown
        ]
        compared = "" if row["base"] == "baseline" else f" (of {row['base']})"
        verdicts = "; ".join(told(v) for v in row["own"])
        lines.append([row["technique"], *cells, verdicts + (compared if verdicts else "")])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plot(rows, path):
    """Each technique's own figures over those of what it is compared with."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    bars = []
    for row in rows:
        for v in row["own"]:
            title, before, after = v["figure"], v["from"], v["to"]
            if title == "accuracy":
                title, before, after = "errors", 1 - before, 1 - after
            bars.append((f"{row['technique']}: {title}", after / before, v["moved"]))
    colours = {"yes": "#5a9a68", "unclear": "#bbbbbb", "no": "#c8102e"}
    figure, axis = plt.subplots(figsize=(8, 0.27 * len(bars) + 1))
    for place, (_, ratio, moved) in enumerate(reversed(bars)):
        axis.barh(place, ratio, color=colours[moved])
        axis.text(max(ratio, 0.02), place, f" {ratio:.2f}", va="center", fontsize=7)
    axis.set_yticks(range(len(bars)), [label for label, *_ in reversed(bars)], fontsize=8)
    axis.axvline(1, color="black", lw=0.8)
    axis.set_xlabel("share of what it is compared with; less is better (errors: 1 - accuracy)")
    for moved, colour in colours.items():
        axis.barh(0, 0, color=colour, label={"yes": "moved", "no": "did not"}.get(moved, moved))
    axis.set_xlim(left=0)
    axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def with_bases(names):
    """The techniques, what they are compared with and what that is, in the order of the table."""
    needed = {"baseline", *names}
    while missing := {TECHNIQUES[name].base for name in needed} - needed:
        needed |= missing
    return [name for name in TECHNIQUES if name in needed]


def report(args):
    names = args.names or list(TECHNIQUES)
    unknown = [name for name in names if name not in TECHNIQUES]
    if unknown:
        raise SystemExit(f"no technique {unknown[0]!r}; there are: {', '.join(TECHNIQUES)}")
    names = with_bases(names)
    rounds = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, args.rounds + 1):
            for name in names:
                rounds[name].append(measured_apart(name, args, seed, folder))
                shown = rounds[name][-1]["figures"]
                print(f"{seed}/{args.rounds} {name}: {shown['accuracy']:.4f}", flush=True)
    rows = [summary(name, rounds[name], rounds[TECHNIQUES[name].base]) for name in names]
    used = rounds["baseline"][0]["energy"]
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {config()['isa']}",
        "versions": f"Python {platform.python_version()}, minigrad {mg.__version__}",
        "date": time.strftime("%Y-%m-%d"), "threads": mg.get_num_threads(),
        "rounds": args.rounds, "epochs": args.epochs, "energy": used, "rows": rows,
    }  # fmt: skip
    print(f"\n{table(rows)}\n")
    verdicts = [(row["technique"], v) for row in rows for v in row["own"]]
    for moved in ("yes", "unclear", "no"):
        those = [f"{name} ({v['figure']})" for name, v in verdicts if v["moved"] == moved]
        print(f"{moved}: {len(those)} of {len(verdicts)}" + (": " if those else ""), end="")
        print("" if moved == "yes" else ", ".join(those))
    print(f"energy of the baseline: {used}")
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "efficiency.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    plot(rows, args.out / "efficiency.png")
    print(f"wrote {path} and {path.with_suffix('.png')}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="these techniques alone (and the baseline)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--steps", type=int, help="at most so many updates a training")
    parser.add_argument("--out", type=Path, default=Path("examples/output"))
    inner = parser.add_argument_group("what the report starts itself with")
    inner.add_argument("--only")
    inner.add_argument("--seed", type=int, default=1)
    inner.add_argument("--folder")
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args.only, args.seed, args.epochs, args.steps, args.folder)))
    else:
        report(args)


if __name__ == "__main__":
    main()
