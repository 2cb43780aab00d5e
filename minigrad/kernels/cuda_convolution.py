"""Convolutions by the compiled CUDA kernels, called as those of `_C`."""

from __future__ import annotations

import math
from typing import Any

from .cuda_compiled import define_as, table
from .cuda_launch import is_float, kernel, stream, work
from .precision import precision


def _enter() -> None:
    for dims in (2, 3):
        for kind in ("", "_input", "_weight"):
            name = f"conv{dims}d{kind}"
            define_as(name, _conv(name, kind, getattr(table, name)))


def _conv(name: str, kind: str, plain: Any) -> Any:
    """The kernel `name`, with the arguments of `_C`'s."""

    def conv(out: Any, a: Any, b: Any, *rest: Any) -> bool:
        run = kernel(name)
        if run is None or not is_float(a) or a.dtype != b.dtype:
            if a.dtype.itemsize == 2:
                return False  # it comes again as float32
            plain(out, a, b, *rest)
            return True
        results, depth = _extent(kind, out, a, b)
        scratch = work(kernel("parts_workspace")(results, depth, out.itemsize))
        run(out, a, b, *rest, precision.conv_tf32, scratch, stream())
        return True

    return conv


def _extent(kind: str, out: Any, a: Any, b: Any) -> tuple[int, int]:
    """How many results a convolution has, and terms in each."""
    depth = math.prod(b.shape[1:])
    if kind == "_weight" or kind == "_input":
        depth = b.shape[0] * math.prod(b.shape[2:])
    return out.size, depth


_enter()
