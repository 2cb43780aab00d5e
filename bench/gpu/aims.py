"""What the figures are held to, on a chip of capability 9.0; each aim is met or missed by cases."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MEMORY_GROUPS = ("casts", "elementwise", "reductions", "softmax", "norms", "losses", "embedding",
                 "dropout", "pooling")  # fmt: skip


@dataclass(frozen=True)
class Aim:
    """A figure of some cases that is to be at least `least`."""

    text: str
    least: float
    value: Callable[[dict, dict], float | None]  # (row, all rows by case): None: not of this aim


def against_torch(row: dict) -> float | None:
    return row.get("ratios", {}).get("torch")


def _share(groups: tuple) -> Callable[[dict, dict], float | None]:
    return lambda row, rows: row.get("bandwidth_share") if row["group"] in groups else None


def _ratio(group: str, accepts: Callable[[dict], bool] = lambda row: True) -> Any:
    return lambda row, rows: (
        against_torch(row) if row["group"] == group and accepts(row) else None)  # fmt: skip


def _ratio_of(groups: tuple) -> Callable[[dict, dict], float | None]:
    return lambda row, rows: against_torch(row) if row["group"] in groups else None


def _square(row: dict, precision: str) -> bool:
    return row["precision"] == precision and row["case"].split()[0].isdigit()


def _graph_against_eager(row: dict, rows: dict) -> float | None:
    """PyTorch's time by launches over ours by a graph."""
    if row["group"] != "steps" or not row["case"].endswith(" graph"):
        return None
    eager = rows.get(row["case"].removesuffix("graph") + "eager", {}).get("times", {})
    if "torch" not in eager or "minigrad" not in row["times"]:
        return None
    return eager["torch"]["seconds"] / row["times"]["minigrad"]["seconds"]


AIMS = (
    Aim("memory-bound kernels: share of the copy's bandwidth", 0.90, _share(MEMORY_GROUPS)),
    Aim("memory-bound kernels: PyTorch's time over ours", 1.0, _ratio_of(MEMORY_GROUPS)),
    Aim("float32 products: share of cuBLAS's rate", 0.90,
        _ratio("gemm", lambda r: _square(r, "f32"))),
    Aim("bfloat16 products: share of cuBLAS's rate, by mma.sync", 0.55,
        _ratio("gemm", lambda r: _square(r, "bf16"))),
    Aim("bfloat16 products: share of cuBLAS's rate, by wgmma", 0.90,
        _ratio("gemm", lambda r: _square(r, "bf16"))),
    Aim("convolutions: share of cuDNN's rate", 0.60, _ratio("conv")),
    Aim("attention: share of PyTorch's kernel's rate", 0.50,
        _ratio("attention", lambda r: r["precision"] in ("bf16", "f16"))),
    Aim("Adam: PyTorch's fused step over ours", 1.0,
        _ratio("optim", lambda r: r["case"].startswith("Adam"))),
    Aim("training steps: PyTorch's time over ours, both by launches", 1 / 1.3,
        _ratio("steps", lambda r: r["case"].endswith(" eager"))),
    Aim("training steps: PyTorch's time by launches over ours by a graph", 1.0,
        _graph_against_eager),
)  # fmt: skip


def judge(rows: list[dict]) -> list[dict[str, Any]]:
    """For each aim: cases, their geometric mean, the worst, those that missed; "not measured"."""
    by_case = {row["case"]: row for row in rows if row["group"] == "steps"}
    verdicts = []
    for aim in AIMS:
        values = [(row, aim.value(row, by_case)) for row in rows]
        found = sorted(
            ((value, f"{row['group']} {row['case']}") for row, value in values if value is not None)
        )
        verdict: dict[str, Any] = {"aim": aim.text, "least": aim.least, "cases": len(found)}
        if found:
            missed = [case for value, case in found if value < aim.least]
            verdict |= {
                "mean": statistics.geometric_mean([value for value, _ in found]),
                "worst": found[0][0],
                "worst_case": found[0][1],
                "missed": missed,
                "verdict": "missed" if missed else "met",
            }
        else:
            verdict["verdict"] = "not measured"
        verdicts.append(verdict)
    return verdicts
