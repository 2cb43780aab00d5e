"""What a case of a GPU is beside `cases.Case`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cases import Case

Run = Callable[[], Any]
TOLERANCE = {"tf32": 5e-3, "bf16": 3e-2, "f16": 5e-3}
DTYPE = {"f32": "float32", "tf32": "float32", "bf16": "bfloat16", "f16": "float16"}


@dataclass(frozen=True)
class Work:
    """A case, and how it is measured. `bound` is what limits it: "memory", "matrix" or nothing."""

    case: Case
    bound: str = ""
    cupy: Callable[[Any], Run] | None = None
    whole: bool = False  # with what the CPU does, in calls that follow each other
