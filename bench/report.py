"""Writes the tables of README.md and docs/performance.md from the JSON of a run.

    python bench/report.py bench/results/cpu.json [--readme README.md] [--full docs/performance.md]
        [--isas bench/results/cpu-avx2.json ...]

README gets a line for each group (`<!-- bench:begin -->`). The other file gets every case
(`<!-- cases:begin -->`), the aims (`aims`), what is slower than a peer (`short`) and, from runs
with `--isa`, a line for each group over instruction sets (`isas`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import aims
from run import duration


def write_between(path: Path, name: str, text: str) -> None:
    """Replaces what stands between the markers `<!-- name:begin -->` and `<!-- name:end -->`."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    content = path.read_text()
    if begin not in content or end not in content:
        raise SystemExit(f"{path}: has no {begin} ... {end}")
    head, rest = content.split(begin, 1)
    path.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}")


def provenance(result: dict) -> str:
    about = result["machine"]
    return f"Measured with `python bench/run.py` on {about['summary']}, {about['threads']} threads."


def group_table(result: dict) -> str:
    """A line for each group: cases, geometric mean of the ratios, the worst of them."""
    lines = [
        "Time of the best peer (PyTorch as it comes or with a tuned allocator, NumPy, JAX) over "
        "minigrad's; above 1 minigrad is faster:",
        "",
        "| group | cases | geometric mean | against PyTorch alone | slowest case |",
        "|---|---|---|---|---|",
    ]
    for name, s in result["groups"].items():
        torch = f"{s['mean_torch']:.2f}" if s["mean_torch"] else "–"
        lines.append(
            f"| {name} | {s['cases']} | {s['mean']:.2f} | {torch} | {s['worst']:.2f} "
            f"({s['worst_case']}) |"
        )
    return "\n".join([*lines, "", *footprint_lines(result), provenance(result)])


def footprint_lines(result: dict) -> list[str]:
    weights = result.get("footprint") or {}
    if not weights:
        return []
    lines = ["| | import | memory after import | installed |", "|---|---|---|---|"]
    lines += [
        f"| {module} | {w['import_seconds']:.2f} s | {w['resident_bytes'] / 1e6:.0f} MB "
        f"| {w['installed_bytes'] / 1e6:.0f} MB |"
        for module, w in weights.items()
    ]
    return [*lines, ""]


def case_tables(result: dict) -> str:
    """Every case, group by group."""
    lines = [provenance(result)]
    for name in dict.fromkeys(row["group"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["group"] == name]
        columns = [p for p in dict.fromkeys(p for row in rows for p in row["times"])]
        lines += ["", f"### {name}", "", f"| case | {' | '.join(columns)} | ratio | of the peak |"]
        lines.append("|---" * (len(columns) + 3) + "|")
        for row in rows:
            times = [
                duration(row["times"][p]["seconds"]) if p in row["times"] else "–" for p in columns
            ]
            ratio = f"{row['ratio']:.2f}" if "ratio" in row else "–"
            share = f"{row['peak_share']:.0%}" if "peak_share" in row else ""
            lines.append(f"| {row['case']} | {' | '.join(times)} | {ratio} | {share} |")
        lines += cost_lines(rows, columns, "peak_bytes", "Peak memory of the process, MB:", 1e6)
        lines += cost_lines(rows, columns, "joules", "Energy of a step, J (processor package):", 1)
    return "\n".join(lines)


def cost_lines(rows: list[dict], columns: list[str], key: str, title: str, unit: float) -> list:
    """A table of another figure than time, of the cases that have it."""
    having = [row for row in rows if any(key in t for t in row["times"].values())]
    if not having:
        return []
    lines = ["", title, "", f"| case | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for row in having:
        cells = [
            f"{row['times'][p][key] / unit:.3g}" if key in row["times"].get(p, {}) else "–"
            for p in columns
        ]
        lines.append(f"| {row['case']} | {' | '.join(cells)} |")
    return lines


def isa_table(results: list[dict]) -> str:
    """Each group against PyTorch alone, a column for each run with a lowered instruction set."""
    names = [result["machine"]["isa_asked"] for result in results]
    lines = [f"| group | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for group in results[0]["groups"]:
        cells = []
        for result in results:
            rows = [r for r in result["rows"] if r["group"] == group and "ratio_torch" in r]
            if not rows:
                cells.append("–")
                continue
            worst = min(rows, key=lambda row: row["ratio_torch"])
            mean = result["groups"][group]["mean_torch"]
            cells.append(f"{mean:.2f} ({worst['ratio_torch']:.2f} {worst['case']})")
        lines.append(f"| {group} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", provenance(results[0])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("json", type=Path)
    parser.add_argument("--readme", type=Path)
    parser.add_argument("--full", type=Path)
    parser.add_argument("--isas", type=Path, nargs="+", default=[], help="runs with --isa")
    options = parser.parse_args()
    result = json.loads(options.json.read_text())
    if options.readme:
        write_between(options.readme, "bench", group_table(result))
    if options.full:
        write_between(options.full, "aims", aims.table(result))
        write_between(options.full, "short", aims.shortfalls(result))
        write_between(options.full, "cases", case_tables(result))
        if options.isas:
            lowered = [json.loads(path.read_text()) for path in options.isas]
            write_between(options.full, "isas", isa_table(lowered))
    if not options.readme and not options.full:
        print(group_table(result))


if __name__ == "__main__":
    main()
