"""Conversions between float32 and the 16-bit formats, and some others."""

from __future__ import annotations

from cases import Case, tensor

SIZES = {1_000: "small", 1_000_000: "medium", 50_000_000: "large"}
ITEMSIZE = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "int64": 8, "uint8": 1}


def cast(source, target, n):
    def of(t):
        x = tensor(t, n).abs().to(getattr(t, source))
        dtype = getattr(t, target)
        return lambda: x.to(dtype)

    return Case(
        f"{source} to {target} {n:,}",
        of,
        size=SIZES.get(n, "large"),
        bytes=float(n * (ITEMSIZE[source] + ITEMSIZE[target])),
        tolerance=1e-6,
    )


CASES = [
    *(cast("float32", half, n) for n in SIZES for half in ("bfloat16", "float16")),
    *(cast(half, "float32", n) for n in SIZES for half in ("bfloat16", "float16")),
    *(
        cast(*pair, 1_000_000)
        for pair in (
            ("float32", "float64"),
            ("float64", "float32"),
            ("uint8", "float32"),
            ("int64", "float32"),
            ("float32", "int64"),
            ("float64", "float16"),
            ("int64", "float16"),
            ("float16", "int64"),
            ("uint8", "bfloat16"),
            ("bfloat16", "float16"),
        )
    ),
]
