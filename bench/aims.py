"""What this project holds its kernels to, and what a run shows of it.

An aim is a limit on the time, the share of the peak or the ratio to a peer of some cases; those
that a run misses are listed with what would close the gap. Times are for two cores of a server
processor with AVX-512 (Zen 4); on another machine only shares and ratios mean something.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Aim:
    """Every case of `group` whose name is in `cases` reaches `limit` in `measure`."""

    what: str
    group: str
    cases: tuple[str, ...]
    # "ms"; "share" of the peak; "ratio" to the best peer, "torch" to PyTorch, "mean" of the ratios;
    # "memory": PyTorch's peak over ours
    measure: str
    limit: float
    remedy: str = ""

    def figure(self, row: dict) -> float | None:
        if "minigrad" not in row["times"]:
            return None
        if self.measure == "ms":
            return float(row["times"]["minigrad"]["seconds"] * 1e3)
        if self.measure == "memory":
            peers = [t for name, t in row["times"].items() if name.startswith("torch")]
            ours = row["times"]["minigrad"].get("peak_bytes")
            return min(t["peak_bytes"] for t in peers) / ours if ours and peers else None
        found = row.get({"share": "peak_share", "torch": "ratio_torch"}.get(self.measure, "ratio"))
        return None if found is None else float(found)

    def reached(self, figures: list[float]) -> bool:
        if self.measure == "ms":
            return max(figures) <= self.limit
        return min(figures) >= self.limit

    def show(self, value: float) -> str:
        if self.measure == "share":
            return f"{value:.0%}"
        return f"{value:.3g} ms" if self.measure == "ms" else f"{value:.2f}"


def each(form: str, *values: str) -> tuple[str, ...]:
    return tuple(form.format(value) for value in values)


LAYOUTS = ("nn", "nt", "tn")
WAYS = ("forward", "d-input", "d-weight")
SQUARE = "packing waits at two barriers"
MEMORY = "bound by memory: what is left is the bandwidth of the run"
CONV3 = tuple(
    f"{c}->{c} 3x3 on 32x{n}x{n} {way}"
    for c, n in ((64, 32), (128, 16), (256, 14), (512, 7))
    for way in WAYS
)
STEPS = (
    "MLP 784-256-128-10 batch 64",
    "MLP 784-256-128-10 batch 1024",
    "CNN batch 64",
    "ResNet-18 batch 32",
    "GPT 4x128 T64 batch 12",
    "GPT 6x384 T256 batch 12",
    "LSTM 128 T64 batch 32",
)

AIMS = (
    Aim(
        "float32 products 512–2048",
        "matmul",
        tuple(f"{n} {layout}" for n in (512, 1024, 2048) for layout in LAYOUTS),
        "share",
        0.92,
        SQUARE,
    ),
    Aim("float32 products 4096", "matmul", each("4096 {}", *LAYOUTS), "share", 0.85, SQUARE),
    Aim(
        "the same against the best peer, mean",
        "matmul",
        tuple(f"{n} {layout}" for n in (512, 1024, 2048, 4096) for layout in LAYOUTS),
        "mean",
        1.08,
    ),
    Aim("64³", "matmul", ("64 nn",), "ms", 0.005, "the call and the edges of the tiles"),
    Aim("128³", "matmul", ("128 nn",), "ms", 0.024, "two threads meet twice in it"),
    Aim("256³", "matmul", ("256 nn",), "ms", 0.155, "two threads meet twice in it"),
    Aim("64×784×256", "matmul", each("64x784x256 {}", *LAYOUTS), "share", 0.80, SQUARE),
    Aim(
        "128×3072×512",
        "matmul",
        each("128x3072x512 {}", *LAYOUTS),
        "share",
        0.88,
        "B is read from beyond the L2 while it is packed",
    ),
    Aim(
        "batched 96 × (256×64×256)",
        "matmul",
        each("96x(256,64,256) {}", "nn", "nt"),
        "share",
        0.85,
        "C is written to memory with little arithmetic before it",
    ),
    Aim("matrix × vector 4096²", "matmul", ("matvec 4096",), "ms", 1.3, MEMORY),
    Aim(
        "bfloat16 products 1024, 2048",
        "matmul",
        each("{} nn bfloat16", "1024", "2048"),
        "share",
        0.90,
        "packing of pairs",
    ),
    Aim("float16 product 1024", "matmul", ("1024 nn float16",), "ms", 10),
    Aim("convolution 3×3, 64–512 channels", "conv", CONV3, "ratio", 1.0),
    Aim("the same, mean", "conv", CONV3, "mean", 1.1),
    Aim(
        "convolution of few channels",
        "conv",
        tuple(
            f"{shape} {way}"
            for shape in ("3->64 3x3 on 64x32x32", "3->64 7x7 s2 on 16x224x224")
            for way in WAYS
        )
        + each("1->32 5x5 on 64x28x28 {}", *WAYS),
        "share",
        0.50,
        "a result of 64 channels is written to memory for 27 products an element; few "
        "channels leave lanes or registers idle",
    ),
    Aim(
        "convolution 1×1 256→1024 on 14²",
        "conv",
        each("256->1024 1x1 on 32x14x14 {}", *WAYS),
        "share",
        0.88,
        "the write of the result; tiles of consecutive places",
    ),
    Aim(
        "depthwise 3×3 on 32×128×28²",
        "conv",
        each("128->128 3x3 groups 128 on 32x28x28 {}", *WAYS),
        "ms",
        0.7,
        "13 MB in and 13 MB out: " + MEMORY,
    ),
    Aim(
        "Adam, AdamW, SGD 25 M",
        "optim",
        tuple(f"{rule} 25M in {n}" for rule in ("SGD", "Adam", "AdamW") for n in (1, 160)),
        "ms",
        11.9,
        MEMORY,
    ),
    Aim(
        "Adam, AdamW, SGD 1 M in 160",
        "optim",
        each("{} 1M in 160", "SGD", "Adam", "AdamW"),
        "ms",
        0.35,
        "small tensors joined in one chunk of work",
    ),
    Aim(
        "casts 50 M",
        "cast",
        tuple(
            f"{pair} 50,000,000"
            for half in ("bfloat16", "float16")
            for pair in (f"float32 to {half}", f"{half} to float32")
        ),
        "ms",
        8.3,
        MEMORY,
    ),
    Aim(
        "casts 1 000 and 1 M",
        "cast",
        tuple(
            f"{pair} {n}"
            for half in ("bfloat16", "float16")
            for pair in (f"float32 to {half}", f"{half} to float32")
            for n in ("1,000", "1,000,000")
        ),
        "ratio",
        1.0,
    ),
    Aim("add 10 M", "elementwise", ("add 10,000,000",), "ms", 2.7, MEMORY),
    Aim(
        "mul, relu, gelu, exp, tanh, sigmoid 10 M",
        "elementwise",
        each("{} 10,000,000", "mul", "relu", "gelu", "exp", "tanh", "sigmoid"),
        "ms",
        2.3,
        "mul: three streams of memory; gelu: the polynomial of the error function",
    ),
    Aim(
        "the same, 1 000 (against PyTorch)",
        "elementwise",
        each("{} 1,000", "add", "mul", "relu", "gelu", "exp", "tanh", "sigmoid"),
        "torch",
        2.0,
        "array, tensor and its place in the graph are made besides",
    ),
    Aim(
        "the same, 100 000",
        "elementwise",
        each("{} 100,000", "add", "mul", "relu", "gelu", "exp", "tanh", "sigmoid"),
        "ratio",
        1.2,
        "one stream of the L2 in, one out",
    ),
    Aim(
        "relu, gelu, tanh forward and backward",
        "elementwise",
        tuple(
            f"{name} fwd+bwd {n}"
            for name in ("relu", "gelu", "tanh")
            for n in ("1,000", "10,000,000")
        ),
        "ratio",
        2.0,
        "the gradient is three streams of memory for every library",
    ),
    Aim("transposed copy 4096²", "broadcast", ("copy transposed 4096",), "ms", 4.0, MEMORY),
    Aim("cross-entropy 4096×50257", "loss", ("cross_entropy fwd 4096x50257",), "ms", 30, MEMORY),
    Aim("with backward", "loss", ("cross_entropy fwd+bwd 4096x50257",), "ms", 70, MEMORY),
    Aim("max pool 2×2", "pool", ("max_pool2d 2 fwd 64x64x32x32",), "ms", 0.8, MEMORY),
    Aim("with backward", "pool", ("max_pool2d 2 fwd+bwd 64x64x32x32",), "ms", 2, MEMORY),
    Aim("batch norm", "norm", ("batch_norm 2d fwd 64x64x32x32",), "ms", 1.4, MEMORY),
    Aim("with backward", "norm", ("batch_norm 2d fwd+bwd 64x64x32x32",), "ms", 3, MEMORY),
    Aim("layer norm + backward", "norm", ("layer_norm fwd+bwd 4096x768",), "ms", 1.3, MEMORY),
    Aim("softmax + backward", "softmax", ("softmax fwd+bwd 4096x1024",), "ms", 1.5, MEMORY),
    Aim("dropout 10 M", "dropout", ("dropout fwd 10,000,000",), "ms", 4, MEMORY),
    Aim(
        "with backward",
        "dropout",
        ("dropout fwd+bwd 10,000,000",),
        "ms",
        7,
        "the mask is made twice instead of being stored",
    ),
    Aim(
        "causal attention T 256",
        "attention",
        ("sdpa fwd B8 H12 T256 D64 causal",),
        "ms",
        6,
        "blocks on the diagonal are computed whole",
    ),
    Aim(
        "with backward",
        "attention",
        ("sdpa fwd+bwd B8 H12 T256 D64 causal",),
        "ms",
        20,
        "blocks on the diagonal are computed whole",
    ),
    Aim("causal attention T 1024", "attention", ("sdpa fwd B2 H12 T1024 D64 causal",), "ms", 20),
    Aim("with backward", "attention", ("sdpa fwd+bwd B2 H12 T1024 D64 causal",), "ms", 70),
    Aim(
        "embedding 50257×768 with its gradient",
        "index",
        ("embedding fwd+bwd 50257x768 4096 ids",),
        "ms",
        3,
        "the zero fill of 154 MB; `sparse=True` avoids it",
    ),
    Aim("MLP batch 64", "models", ("MLP 784-256-128-10 batch 64",), "ratio", 2.0, "products"),
    Aim("MLP batch 1024", "models", ("MLP 784-256-128-10 batch 1024",), "ratio", 1.15),
    Aim("CNN", "models", ("CNN batch 64",), "ratio", 1.4),
    Aim("ResNet-18", "models", ("ResNet-18 batch 32",), "ratio", 1.1),
    Aim(
        "GPT 4×128",
        "models",
        ("GPT 4x128 T64 batch 12",),
        "ratio",
        1.5,
        "three quarters of it are products",
    ),
    Aim("GPT 6×384", "models", ("GPT 6x384 T256 batch 12",), "ratio", 1.15),
    Aim(
        "LSTM",
        "models",
        ("LSTM 128 T64 batch 32",),
        "ratio",
        1.2,
        "the products of a step are small",
    ),
    Aim("peak memory of these steps, PyTorch's over ours", "models", STEPS, "memory", 1.0),
    Aim("MLP 8-16-4", "models", ("MLP 8-16-4 batch 16",), "ms", 0.08),
)


# (what, key of the footprint, limit, unit, scale, what would close it)
FOOTPRINT = (
    ("import", "import_seconds", 0.15, "s", 1, "NumPy's own import is half of it"),
    ("memory after import", "resident_bytes", 45, "MB", 1e6, ""),
    (
        "installed, NumPy not counted",
        "installed_bytes",
        10,
        "MB",
        1e6,
        "kernels of five instruction sets 6 MB, sources 4, their bytecode 5, ml_dtypes",
    ),
)


def footprint_lines(weights: dict) -> list[tuple[str, bool]]:
    """Lines of the table for what importing and installing costs; whether each aim is met."""
    lines = []
    for what, key, limit, unit, scale, remedy in FOOTPRINT if "minigrad" in weights else ():
        ours, others = (
            weights["minigrad"][key] / scale,
            [w[key] / scale for name, w in weights.items() if name not in ("minigrad", "numpy")],
        )
        reached = ours <= limit
        beside = f"{min(others) / ours:.2f}" if others else "–"
        mark = "met" if reached else "**missed**"
        lines.append(
            (
                f"| {what} | ≤ {limit} {unit} | {ours:.3g} {unit} | {beside} | {mark} "
                f"| {'' if reached else remedy} |",
                reached,
            )
        )
    return lines


def judged(result: dict) -> list[tuple[Aim, str, str, bool]]:
    """Of every aim whose cases are in the run: what was measured, its ratios to the best peer, and
    whether it is reached."""
    rows = {(row["group"], row["case"]): row for row in result["rows"]}
    found = []
    for aim in AIMS:
        taken = [rows[aim.group, case] for case in aim.cases if (aim.group, case) in rows]
        figures = [f for f in map(aim.figure, taken) if f is not None]
        if not figures or len(figures) != len(aim.cases):
            continue
        if aim.measure == "mean":
            figures = [statistics.geometric_mean(figures)]
        ratios = [row["ratio"] for row in taken if "ratio" in row]
        beside = between(ratios, "{:.2f}".format) if ratios else "–"
        found.append((aim, between(figures, aim.show), beside, aim.reached(figures)))
    return found


def between(values: list[float], show: Callable[[float], str]) -> str:
    low, high = show(min(values)), show(max(values))
    return low if low == high else f"{low} – {high}"


def table(result: dict) -> str:
    """Markdown: every aim, what the run shows, and what would close the gap."""
    lines = [
        "| what | aim | measured | to the best peer | | what would close it |",
        "|---|---|---|---|---|---|",
    ]
    for aim, text, beside, reached in judged(result):
        sign = "≤" if aim.measure == "ms" else "≥"
        goal = f"{sign} {aim.show(aim.limit)}" + (" of the peak" if aim.measure == "share" else "")
        lines.append(
            f"| {aim.what} | {goal} | {text} | {beside} | {'met' if reached else '**missed**'} "
            f"| {'' if reached else aim.remedy} |"
        )
    weights = footprint_lines(result.get("footprint") or {})
    lines += [line for line, _ in weights]
    met = sum(reached for *_, reached in judged(result)) + sum(reached for _, reached in weights)
    return "\n".join([*lines, "", f"{met} of {len(lines) - 2} aims are met."])


def shortfalls(result: dict, below: float = 0.95) -> str:
    """Markdown: every case slower than the best peer."""
    lines = ["| group | case | best peer | ratio | to PyTorch |", "|---|---|---|---|---|"]
    rows = [row for row in result["rows"] if row.get("ratio", below) < below]
    for row in sorted(rows, key=lambda row: (row["group"], row["ratio"])):
        torch = f"{row['ratio_torch']:.2f}" if "ratio_torch" in row else "–"
        cells = row["group"], row["case"], row["best_peer"], f"{row['ratio']:.2f}", torch
        lines.append(f"| {' | '.join(cells)} |")
    count = sum("ratio" in row for row in result["rows"])
    return "\n".join([*lines, "", f"{len(rows)} of {count} cases stand below {below}."])
