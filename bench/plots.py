"""PNG plots of a run: ratios, the matrix product's share of the peak, what a step costs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

COLOURS = {
    "minigrad": "#c8102e",
    "torch": "#4878a8",
    "torch-tuned": "#8fb4d9",
    "numpy": "#5a9a68",
    "jax": "#b58a3c",
}


def pyplot() -> Any:
    try:
        import matplotlib
    except ImportError as error:
        raise SystemExit("plots: matplotlib is not installed; pip install '.[bench]'") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def caption(result: dict) -> str:
    return f"{result['machine']['summary']}, {result['machine']['threads']} threads"


def finish(plt: Any, figure: Any, result: dict, path: Path) -> Path:
    figure.text(0.01, -0.03, caption(result), fontsize=6, color="#555555")
    figure.savefig(path, dpi=130, bbox_inches="tight")
    plt.close(figure)
    return path


def ratio_bars(plt: Any, result: dict, folder: Path) -> Path | None:
    """Each group's geometric mean, with a dot for every case."""
    groups = {
        name: [row["ratio"] for row in result["rows"] if row["group"] == name and "ratio" in row]
        for name in result["groups"]
    }
    if not groups:
        return None
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(groups) + 1.2))
    for y, (name, ratios) in enumerate(reversed(groups.items())):
        axes.barh(y, result["groups"][name]["mean"] - 1, left=1, color="#e8b4ba", height=0.62)
        axes.plot(ratios, [y] * len(ratios), "o", ms=3, alpha=0.55, color=COLOURS["minigrad"])
    axes.axvline(1, color="black", lw=1)
    axes.set_yticks(range(len(groups)), list(reversed(groups)))
    axes.set_xscale("log")
    ticks = [t for t in (0.25, 0.5, 1, 2, 4, 8, 16, 32) if t <= 2 * max(map(max, groups.values()))]
    axes.set_xticks(ticks, [f"{t:g}×" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("best peer's time over minigrad's (bar: geometric mean; dot: one case)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_title("Faster than the best of the peers right of the line")
    return finish(plt, figure, result, folder / "ratios.png")


def matmul_sweep(plt: Any, result: dict, folder: Path) -> Path | None:
    """Share of the measured multiply-add peak against the size of a square product."""
    peak = result["peaks"].get("f32")
    rows = [
        (int(row["case"].split()[0]), row)
        for row in result["rows"]
        if row["group"] == "matmul"
        and row["case"].endswith(" nn")
        and row["case"].split()[0].isdigit()
    ]
    if not rows or not peak:
        return None
    figure, axes = plt.subplots(figsize=(7, 4))
    for peer, colour in COLOURS.items():
        points = [
            (n, row["flops"] / row["times"][peer]["seconds"] / peak * 100)
            for n, row in rows
            if peer in row["times"]
        ]
        if points:
            axes.plot(*zip(*points, strict=True), "o-", color=colour, label=peer, ms=4)
    axes.set_xscale("log", base=2)
    axes.set_xticks([n for n, _ in rows], [str(n) for n, _ in rows])
    axes.set_ylim(0, 105)
    axes.set_xlabel("n of an n × n × n float32 product")
    axes.set_ylabel("% of the multiply-add peak")
    axes.grid(alpha=0.3)
    axes.legend()
    axes.set_title(f"Matrix product ({peak / 1e9:.0f} GFLOP/s measured peak)")
    return finish(plt, figure, result, folder / "matmul.png")


def roofline(plt: Any, result: dict, folder: Path) -> Path | None:
    """Rate against arithmetic intensity of the products, under the machine's two limits."""
    limits = result["peaks"]
    rows = [
        r
        for r in result["rows"]
        if r["group"] == "matmul" and r["precision"] == "f32" and r["flops"]
    ]
    if not rows or "read" not in limits:
        return None
    figure, axes = plt.subplots(figsize=(7, 4))
    intensities = [2.0**e for e in range(-2, 11)]
    axes.plot(
        intensities,
        [min(limits["f32"], i * limits["read"]) / 1e9 for i in intensities],
        color="black",
        label="limit: memory, then arithmetic",
    )
    for peer, colour in COLOURS.items():
        points = []
        for row in rows:
            intensity = intensity_of(row["case"], row["flops"])
            if peer in row["times"] and intensity:
                points.append((intensity, row["flops"] / row["times"][peer]["seconds"] / 1e9))
        if points:
            axes.plot(*zip(*points, strict=True), "o", ms=4, alpha=0.7, color=colour, label=peer)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xlabel("floating-point operations per byte of the three matrices")
    axes.set_ylabel("GFLOP/s")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.set_title("Products under the roof (small ones live in cache and may exceed the slope)")
    return finish(plt, figure, result, folder / "roofline.png")


def intensity_of(case: str, flops: float) -> float | None:
    """Operations per byte of a plain m × k × n product, None for other cases."""
    extents = [int(e) for e in case.split()[0].split("x") if e.isdigit()]
    if len(extents) == 1:
        extents *= 3
    if len(extents) != 3 or "(" in case or not case.split()[0][0].isdigit():
        return None
    m, k, n = extents
    return flops / (4.0 * (m * k + k * n + m * n))


def step_scaling(plt: Any, result: dict, folder: Path) -> Path | None:
    """A training step's time against batch, width and depth."""
    rows = [row for row in result["rows"] if row["group"] == "scaling"]
    if not rows:
        return None
    figure, panels = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True)
    for axes, axis in zip(panels, ("batch", "width", "depth"), strict=True):
        own = [row for row in rows if row["case"].startswith(axis)]
        for peer, colour in COLOURS.items():
            points = [
                (r["x"], r["times"][peer]["seconds"] * 1e6) for r in own if peer in r["times"]
            ]
            if points:
                axes.plot(*zip(*points, strict=True), "o-", ms=4, color=colour, label=peer)
        ours = [
            (r["x"], r["times"]["minigrad"]["seconds"] * 1e6)
            for r in own
            if "minigrad" in r["times"]
        ]
        if ours:
            x, y = ours[-1]
            power = 2 if axis == "width" else 1  # the products grow with the square of the width
            first = ours[0][0]
            axes.plot(
                [first, x],
                [y * (first / x) ** power, y],
                ":",
                color="grey",
                label=f"∝ {axis}" + ("²" if power == 2 else ""),
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlabel(axis)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    panels[0].set_ylabel("µs for a training step")
    figure.suptitle(
        "MLP with Adam: 128 wide and 2 deep; batch 64 and 2 deep; batch 64 and 64 wide",
        fontsize=10,
    )
    return finish(plt, figure, result, folder / "scaling.png")


def draw(result: dict, folder: Path) -> list[Path]:
    """All plots that the run has figures for; returns the files written."""
    plt = pyplot()
    folder.mkdir(parents=True, exist_ok=True)
    drawn = (f(plt, result, folder) for f in (ratio_bars, matmul_sweep, roofline, step_scaling))
    return [path for path in drawn if path is not None]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    for written in draw(json.loads(given.json.read_text()), given.folder):
        print(written)
