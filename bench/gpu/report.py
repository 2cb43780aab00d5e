"""Writes gpu.json, gpu.md and plots from the lines of a run, also of one that was cut short.

python -m gpu.report FOLDER
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
from run import dump, duration

from gpu import aims, plots

OUTCOME = re.compile(r"(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b")


def read(path: Path) -> list[dict]:
    """The lines of a run; the last may have been cut in two."""
    lines = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return lines


def tests(folder: Path) -> dict[str, Any]:
    """Outcomes of the test stage, by the logs of `pytest -v` (which may end anywhere)."""
    found: dict[str, Any] = {}
    for log in sorted(folder.glob("test-*.log")):
        counts: dict[str, int] = {}
        failed = []
        text = log.read_text(errors="replace")
        for line in text.splitlines():
            if "::" not in line or line.startswith(("FAILED", "ERROR")):
                continue  # of the summary: its tests were counted above
            outcome = OUTCOME.search(line)
            if outcome:
                counts[outcome[1].lower()] = counts.get(outcome[1].lower(), 0) + 1
                if outcome[1] in ("FAILED", "ERROR"):
                    failed.append(next(w for w in line.split() if "::" in w))
        ended = bool(re.search(r"^=+ .* in [\d.]+s", text, re.M))
        name = log.stem.removeprefix("test-")
        found[name] = {**counts, "failed_tests": failed, "ended": ended}
    return found


def collect(folder: Path) -> dict[str, Any]:
    """Everything a run has left, as one object."""
    lines = read(folder / "rows.jsonl")

    def first(key: str) -> Any:
        return next((line[key] for line in lines if key in line), {})

    rows = [line for line in lines if "times" in line]
    groups: dict[str, dict] = {}
    for name in dict.fromkeys(row["group"] for row in rows):
        ratios = [r["ratios"]["torch"] for r in rows
                  if r["group"] == name and "torch" in r.get("ratios", {})]  # fmt: skip
        if ratios:
            groups[name] = {
                "cases": len(ratios), "mean": statistics.geometric_mean(ratios),
                "worst": min(ratios),
            }  # fmt: skip
    build = folder / "build.json"
    return {
        "machine": first("machine"),
        "build": json.loads(build.read_text()) if build.exists() else {},
        "tests": tests(folder),
        "limits": first("limits"),
        "aims": aims.judge(rows),
        "groups": groups,
        "left": [line["left"] for line in lines if "left" in line],
        "rows": rows,
    }


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def times(row: dict, peer: str) -> str:
    return duration(row["times"][peer]["seconds"]) if peer in row["times"] else "–"


def ratio(row: dict, peer: str) -> str:
    found = row.get("ratios", {}).get(peer)
    return "–" if found is None else f"{found:.2f}"


def aim_lines(result: dict) -> list[str]:
    lines = ["| aim | least | cases | mean | worst | |", "|---|---|---|---|---|---|"]
    for v in result["aims"]:
        if v["verdict"] == "not measured":
            lines.append(f"| {v['aim']} | {v['least']:.2f} | 0 | | | not measured |")
        else:
            lines.append(
                f"| {v['aim']} | {v['least']:.2f} | {v['cases']} | {v['mean']:.2f} "
                f"| {v['worst']:.2f} ({v['worst_case']}) | {v['verdict']}"
                + (f": {len(v['missed'])} of {v['cases']}" if v["missed"] else "") + " |"
            )  # fmt: skip
    return lines


def test_lines(result: dict) -> list[str]:
    lines = []
    for name, outcome in result["tests"].items():
        counts = ", ".join(f"{n} {what}" for what, n in outcome.items() if isinstance(n, int)
                           and what != "ended")  # fmt: skip
        lines.append(f"- {name}: {counts or 'nothing ran'}"
                     + ("" if outcome["ended"] else " (cut short)"))  # fmt: skip
        lines += [f"  - {test}" for test in outcome["failed_tests"][:40]]
    return lines or ["- not run"]


def limit_lines(found: dict[str, float]) -> list[str]:
    return [
        f"- copy: {value / 1e12:.3g} TB/s" if name == "copy"
        else f"- product of matrices, {name}: {value / 1e12:.4g} TFLOP/s (PyTorch)"
        for name, value in found.items()
    ] or ["- not measured"]  # fmt: skip


def markdown(result: dict) -> str:
    """Aims, tests, limits, then every case with its ratios and shares."""
    about = result["machine"]
    lines = ["# minigrad on a GPU", "", about.get("gpu_summary", "Nothing was measured."), ""]
    if result["build"]:
        b = result["build"]
        lines += [f"Build: {b.get('seconds', '?')} s for {b.get('architectures', '?')}, "
                  f"exit status {b.get('status', '?')}.", ""]  # fmt: skip
    lines += ["## Aims", "", *aim_lines(result), "", "## Tests", "", *test_lines(result), ""]
    lines += ["## Limits measured in this run", "", *limit_lines(result["limits"]), ""]
    lines += ["A ratio is a peer's time over ours: above 1 minigrad is faster. Times are of the "
              "GPU alone, with a cold L2 cache; of steps, of whole calls."]  # fmt: skip
    for name in dict.fromkeys(row["group"] for row in result["rows"]):
        lines += ["", f"## {name}", "",
                  "| case | minigrad | torch | cupy | torch ratio | cupy ratio | of the copy "
                  "| of the rate | CPU to enqueue |", "|---" * 9 + "|"]  # fmt: skip
        notes = []
        for row in result["rows"]:
            if row["group"] != name:
                continue
            host = row["times"].get("minigrad", {}).get("host")
            spent = " | ".join(times(row, peer) for peer in ("minigrad", "torch", "cupy"))
            lines.append(
                f"| {row['case']} | {spent} | {ratio(row, 'torch')} | {ratio(row, 'cupy')} "
                f"| {percent(row.get('bandwidth_share'))} | {percent(row.get('rate_share'))} "
                f"| {'' if host is None else duration(host)} |"
            )  # fmt: skip
            notes += [f"- {row['case']}: {peer}: {text}"
                      for peer, text in row.get("failures", {}).items()]  # fmt: skip
        lines += ["", *notes] if notes else []
    if result["left"]:
        lines += ["", "## Not reached in the time given", ""]
        lines += [f"- {group}: {case}" for group, case in result["left"]]
    return "\n".join(lines) + "\n"


def write(folder: Path) -> dict[str, Any]:
    """Writes the files; plots only where matplotlib is."""
    result = collect(folder)
    (folder / "gpu.json").write_text(dump(result))
    (folder / "gpu.md").write_text(markdown(result))
    plots.draw(result, folder)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    result = write(folder)
    print("\n".join([*aim_lines(result), "", *test_lines(result)]))
    print(folder / "gpu.md")


if __name__ == "__main__":
    main()
