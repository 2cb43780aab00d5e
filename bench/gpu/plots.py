"""PNG plots of a run on a GPU: ratios to PyTorch, shares of the chip's limits."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

OURS, THEIRS = "#c8102e", "#4878a8"


def _finish(plt: Any, figure: Any, result: dict, path: Path) -> Path:
    figure.text(0.01, -0.03, result["machine"].get("gpu_summary", ""), fontsize=6, color="#555555")
    figure.savefig(path, dpi=130, bbox_inches="tight")
    plt.close(figure)
    return path


def _ratios(plt: Any, result: dict, folder: Path) -> Path | None:
    """A dot for every case, a bar for each group's geometric mean."""
    groups = result["groups"]
    if not groups:
        return None
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(groups) + 1.2))
    for y, (name, group) in enumerate(reversed(groups.items())):
        ratios = [r["ratios"]["torch"] for r in result["rows"]
                  if r["group"] == name and "torch" in r.get("ratios", {})]  # fmt: skip
        axes.barh(y, group["mean"] - 1, left=1, color="#e8b4ba", height=0.62)
        axes.plot(ratios, [y] * len(ratios), "o", ms=3, alpha=0.55, color=OURS)
    axes.axvline(1, color="black", lw=1)
    axes.set_yticks(range(len(groups)), list(reversed(groups)))
    axes.set_xscale("log")
    axes.set_xlabel("PyTorch's time over minigrad's (bar: geometric mean; dot: one case)")
    axes.grid(axis="x", alpha=0.3)
    return _finish(plt, figure, result, folder / "ratios.png")


def _shares(plt: Any, result: dict, folder: Path, key: str, title: str) -> Path | None:
    """Each case's share of a limit, ours beside PyTorch's."""
    rows = [row for row in result["rows"] if key in row]
    if not rows:
        return None
    figure, axes = plt.subplots(figsize=(8, 0.17 * len(rows) + 1.2))
    for y, row in enumerate(reversed(rows)):
        axes.barh(y, row[key], color="#e8b4ba", height=0.7)
        if "torch" in row["ratios"]:  # the same work in their time
            axes.plot([row[key] / row["ratios"]["torch"]], [y], "|", ms=7, color=THEIRS)
    names = [f"{row['group']} {row['case']}"[:60] for row in reversed(rows)]
    axes.set_yticks(range(len(rows)), names, fontsize=5)
    axes.axvline(0.9 if key == "bandwidth_share" else 1.0, color="black", lw=0.8, ls=":")
    axes.set_xlabel(f"{title} (bar: minigrad; mark: PyTorch)")
    axes.grid(axis="x", alpha=0.3)
    return _finish(plt, figure, result, folder / f"{key}.png")


def draw(result: dict, folder: Path) -> list[Path]:
    """The plots that the run has figures for; none without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    drawn = (
        _ratios(plt, result, folder),
        _shares(plt, result, folder, "bandwidth_share", "share of the copy's bandwidth"),
        _shares(plt, result, folder, "rate_share", "share of the product's rate"),
    )
    return [path for path in drawn if path is not None]
