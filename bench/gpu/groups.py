"""What is measured on a GPU, group by group: the cases of `bench/cases` at sizes that fill it.

Arrays are larger than the L2 cache. `tiny` gives the same cases at sizes for a check without a GPU.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from cases import (
    Case,
    attention,
    cast,
    conv,
    dropout,
    elementwise,
    index,
    loss,
    matmul,
    normal,
    optim,
    pool,
    reduce,
    softmax,
)
from cases import norm as norms

from gpu import steps
from gpu.work import DTYPE, TOLERANCE, Run, Work


def memory(case: Case, count: float, cupy: Any = None) -> Work:
    """A case that moves at least so many bytes."""
    return Work(dataclasses.replace(case, bytes=float(count)), "memory", cupy)


def _on(cupy: Any, *shapes: tuple, positive: bool = False) -> list:
    arrays = [normal(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    return [cupy.asarray(np.abs(a) + np.float32(0.1) if positive else a) for a in arrays]


def _pointwise(tiny: bool) -> list[Work]:
    n = 1 << (10 if tiny else 26)

    def by_cupy(name: str, operands: int, positive: bool) -> Any:
        def of(cupy: Any) -> Run:
            arrays, f = _on(cupy, *[(n,)] * operands, positive=positive), getattr(cupy, name)
            return lambda: f(*arrays)

        return of

    works = []
    for name, theirs in (
        ("add", "add"), ("mul", "multiply"), ("exp", "exp"), ("tanh", "tanh"), ("relu", None),
        ("gelu", None), ("sigmoid", None), ("log", "log"), ("pow 1.5", None),
    ):  # fmt: skip
        positive = name in elementwise.POSITIVE
        entry = elementwise.POSITIVE[name] if positive else elementwise.FUNCTIONS[name]
        operands = 1 if positive else entry[3]
        case = elementwise.forward(name, n, *entry[:3], operands, positive)
        count = 4 * n * (operands + 1)
        works.append(memory(case, count, theirs and by_cupy(theirs, operands, positive)))
    works += [memory(elementwise.both(name, n), 24 * n) for name in ("relu", "gelu")]
    works.append(memory(elementwise.in_place("add_", n), 12 * n))
    return works


def _casts(tiny: bool) -> list[Work]:
    n = 1 << (10 if tiny else 27)

    def by_cupy(source: str, target: str) -> Any:
        def of(cupy: Any) -> Run:
            (x,) = [abs(a).astype(source) for a in _on(cupy, (n,))]
            return lambda: x.astype(target)

        return None if "bfloat16" in (source, target) else of

    pairs = [(s, t) for h in ("bfloat16", "float16") for s, t in (("float32", h), (h, "float32"))]
    return [memory(cast.cast(*pair, n), 6 * n, by_cupy(*pair)) for pair in pairs]


def _reductions(tiny: bool) -> list[Work]:
    rows, columns = (16, 32) if tiny else (65536, 1024)
    images = (2, 4, 4, 4) if tiny else (256, 64, 64, 64)
    count = rows * columns

    def by_cupy(name: str, shape: tuple, dim: Any) -> Any:
        def of(cupy: Any) -> Run:
            (x,) = _on(cupy, shape)
            f = getattr(cupy, name)
            return lambda: f(x, axis=dim)

        return of

    works = []
    for name, theirs in (("sum", "sum"), ("mean", "mean"), ("amax", "max"), ("var", None),
                         ("argmax", "argmax"), ("logsumexp", None)):  # fmt: skip
        for label, shape, dim in (("rows", (rows, columns), -1), ("columns", (rows, columns), 0)):
            full = f"{label} {rows}x{columns}"
            case = reduce.reduction(name, full, shape, dim, "large")
            works.append(memory(case, 4 * count, theirs and by_cupy(theirs, shape, dim)))
    case = reduce.reduction("sum", f"all {count:,}", (count,), None, "large")
    works.append(memory(case, 4 * count, by_cupy("sum", (count,), None)))
    case = reduce.reduction("sum", "channels (0,2,3)", images, (0, 2, 3), "large")
    works.append(memory(case, 4 * np.prod(images), by_cupy("sum", images, (0, 2, 3))))
    return works


def _softmax(tiny: bool) -> list[Work]:
    works = []
    for shape in ((16, 32), (4, 64)) if tiny else ((131072, 512), (8192, 8192)):
        for name in ("softmax", "log_softmax"):
            count = 4 * shape[0] * shape[1]
            works.append(memory(softmax.forward(name, shape, "large"), 2 * count))
            works.append(memory(softmax.both(name, shape, "large"), 5 * count))
    return works


def _norms(tiny: bool) -> list[Work]:
    rows = (16, 32) if tiny else (65536, 1024)
    images = (2, 8, 4, 4) if tiny else (128, 64, 64, 64)
    works = []
    for name, shape in (("layer_norm", rows), ("rms_norm", rows), ("batch_norm 2d", images),
                        ("group_norm", images)):  # fmt: skip
        layer, count = norms.LAYERS[name][0], 4 * float(np.prod(shape))
        reads = 3 if "batch" in name else 2  # statistics, then results
        works.append(memory(norms.norm(name, layer, shape, "large", "fwd"), reads * count))
        works.append(
            memory(norms.norm(name, layer, shape, "large", "fwd+bwd"), (reads + 3) * count)
        )
    return works


def _losses(tiny: bool) -> list[Work]:
    rows, classes = (16, 32) if tiny else (16384, 32768)
    square = (16, 32) if tiny else (16384, 4096)
    works = []
    for mode, passes in (("fwd", 1), ("fwd+bwd", 3)):
        case = loss.classes(rows, classes, "large", mode)
        works.append(memory(case, passes * 4 * rows * classes))
        for name in ("mse_loss", "binary_cross_entropy_with_logits"):
            case = loss.pair(name, square, "large", mode)
            moved = 2 if mode == "fwd" else 5
            works.append(memory(case, moved * 4 * square[0] * square[1]))
    return works


def _matrices(case: Case, precision: str, cupy: Any = None) -> Work:
    tolerance = max(case.tolerance, TOLERANCE.get(precision, 0.0))
    name = case.name if precision == "f32" else f"{case.name} {precision}"
    case = dataclasses.replace(case, name=name, precision=precision, tolerance=tolerance)
    return Work(case, "matrix", cupy)


def _gemm(tiny: bool) -> list[Work]:
    sizes = {"f32": (32, 48), "tf32": (48,), "bf16": (48, 64), "f16": (48,)} if tiny else {
        "f32": (2048, 4096), "tf32": (4096,), "bf16": (4096, 8192), "f16": (4096,)}  # fmt: skip

    def by_cupy(n: int, precision: str) -> Any:
        def of(cupy: Any) -> Run:
            a, b = (cupy.asarray(normal(n, n, seed=s)).astype(DTYPE[precision]) for s in (1, 2))
            return lambda: a @ b

        return of if precision in ("f32", "f16") else None

    works = []
    for precision, extents in sizes.items():
        for n in extents:
            for layout in ("nn", "nt", "tn") if n == extents[-1] else ("nn",):
                case = matmul.product(str(n), n, n, n, layout, dtype=DTYPE[precision])
                case = dataclasses.replace(case, name=f"{n} {layout}")
                theirs = by_cupy(n, precision) if layout == "nn" else None
                works.append(_matrices(case, precision, theirs))
    batch, extents = ((2,), (16, 8, 16)) if tiny else ((96,), (1024, 64, 1024))
    for precision in ("f32", "bf16"):
        label = f"{batch[0]}x{extents}".replace(" ", "")
        case = matmul.product(label, *extents, "nn", batch, DTYPE[precision])
        case = dataclasses.replace(case, name=label)
        works.append(_matrices(case, precision))
    return works


def _typed(make: Any, precision: str) -> Any:
    """The same case with its arrays in another precision."""
    if precision in ("f32", "tf32"):
        return make
    return lambda t: make(t.typed(DTYPE[precision]))


def _convolutions(tiny: bool) -> list[Work]:
    layers = (
        [(2, 4, 8, 6, 3, 1, 1, 1), (2, 8, 4, 4, 1, 1, 0, 1), (2, 4, 4, 6, 3, 1, 1, 4)]
        if tiny
        else [
            (256, 64, 64, 56, 3, 1, 1, 1),
            (256, 128, 128, 28, 3, 1, 1, 1),
            (256, 256, 256, 14, 3, 1, 1, 1),
            (256, 256, 1024, 14, 1, 1, 0, 1),
            (256, 3, 64, 112, 7, 2, 3, 1),
            (256, 128, 128, 56, 3, 1, 1, 128),
        ]
    )
    works = []
    for position, (n, ci, co, extent, kernel, stride, padding, groups) in enumerate(layers):
        for precision in ("f32", "tf32", "bf16") if position < 2 else ("f32", "tf32"):
            if groups > 1 and precision != "f32":
                continue
            for case in conv.conv(n, ci, co, extent, kernel, stride, padding, groups):
                case = dataclasses.replace(case, make=_typed(case.make, precision))
                work = _matrices(case, precision)
                works.append(dataclasses.replace(work, bound="") if groups > 1 else work)
    return works


def _attention(tiny: bool) -> list[Work]:
    shapes = [(1, 2, 16, 16)] if tiny else [(8, 16, 2048, 64), (4, 16, 2048, 128)]
    works = []
    for precision in ("bf16", "f16", "f32"):
        for shape in shapes if precision == "bf16" else shapes[:1]:
            for causal in (True, False) if precision == "bf16" else (True,):
                for mode in ("fwd", "fwd+bwd"):
                    case = attention.attention(*shape, causal, mode)
                    case = dataclasses.replace(case, make=_typed(case.make, precision))
                    works.append(_matrices(case, precision))
    return works


def _embedding(tiny: bool) -> list[Work]:
    rows, width, ids = (20, 8, 16) if tiny else (50304, 1024, 131072)
    count = 4.0 * width
    return [
        memory(index.embedding(rows, width, ids, "fwd", "large"), 2 * ids * count),
        memory(index.embedding(rows, width, ids, "fwd+bwd", "large"), (3 * ids + rows) * count),
    ]


def _dropout(tiny: bool) -> list[Work]:
    n = 1 << (10 if tiny else 26)
    return [
        memory(dropout.dropout(n, "large", mode), count * n)
        for mode, count in (("fwd", 8), ("fwd+bwd", 16))
    ]


def _pools(tiny: bool) -> list[Work]:
    shape = (2, 4, 8, 8) if tiny else (128, 64, 112, 112)
    count, works = 4 * float(np.prod(shape)), []
    for name, share in (("max_pool2d 2", 0.75), ("max_pool2d 3 s2 p1", 0.75),
                        ("avg_pool2d 2", 0.25), ("adaptive_avg_pool2d 1", 0.0)):  # fmt: skip
        call = pool.POOLS[name]  # the maxima's places are kept as 64-bit numbers
        works.append(memory(pool.pool(name, call, shape, "large", "fwd"), count * (1 + share)))
        both = pool.pool(name, call, shape, "large", "fwd+bwd")
        works.append(memory(both, count * (2 + 2 * share)))
    return works


def _optimizers(tiny: bool) -> list[Work]:
    total = 16_000 if tiny else 128_000_000
    works = []
    for name, options in optim.ALL.items():
        for count in (4, 160) if name in optim.FUSED and not tiny else (4,):
            case = optim.step(name, options, total, count, "large")
            works.append(memory(case, optim.TRAFFIC[name] * total))
    works.append(memory(optim.clip(total, 160 if not tiny else 4, "large"), 4 * total))
    return works


GROUPS: dict[str, Callable[[bool], list[Work]]] = {
    "gemm": _gemm,
    "steps": steps.works,
    "conv": _convolutions,
    "attention": _attention,
    "optim": _optimizers,
    "elementwise": _pointwise,
    "casts": _casts,
    "reductions": _reductions,
    "softmax": _softmax,
    "norms": _norms,
    "losses": _losses,
    "embedding": _embedding,
    "dropout": _dropout,
    "pooling": _pools,
}


def works(group: str, tiny: bool = False) -> list[Work]:
    """What is measured of a group."""
    return GROUPS[group](tiny)
