"""What PyTorch has for sizes that are symbols while a program is traced, here of plain numbers."""

from __future__ import annotations

import math
from typing import Any

__all__ = [
    "SymBool", "SymFloat", "SymInt", "sym_constrain_range", "sym_constrain_range_for_size",
    "sym_float", "sym_fresh_size", "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not",
    "sym_sqrt", "sym_sum",
]  # fmt: skip


class _Symbol:
    """A number that is not known yet: nothing is one, as minigrad traces no programs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f"{self.__class__.__name__} is for traced programs; minigrad's sizes are numbers"
        )


class SymInt(_Symbol):
    """For `isinstance(size, torch.SymInt)`: always false."""


class SymFloat(_Symbol):
    """For `isinstance(value, torch.SymFloat)`: always false."""


class SymBool(_Symbol):
    """For `isinstance(value, torch.SymBool)`: always false."""


def sym_int(a: Any) -> int:
    """`int(a)`."""
    return int(a)


def sym_float(a: Any) -> float:
    """`float(a)`."""
    return float(a)


def _extreme(function: Any, a: Any, b: Any) -> Any:
    """The maximum or minimum; a float if either is one."""
    result = function(a, b)
    return float(result) if isinstance(a, float) or isinstance(b, float) else result


def sym_max(a: Any, b: Any) -> Any:
    """`max(a, b)`, a float if either is one."""
    return _extreme(max, a, b)


def sym_min(a: Any, b: Any) -> Any:
    """`min(a, b)`, a float if either is one."""
    return _extreme(min, a, b)


def sym_not(a: Any) -> Any:
    """`not a` of a bool, `~a` of what is none."""
    return not a if isinstance(a, (bool, int)) else ~a


def sym_sqrt(a: Any) -> float:
    """`math.sqrt(a)`."""
    return math.sqrt(a)


def sym_sum(args: Any) -> Any:
    """`sum(args)`."""
    return sum(args)


def sym_ite(b: bool, t: Any, f: Any) -> Any:
    """`t if b else f`."""
    return t if b else f


def sym_fresh_size(expr: Any) -> Any:
    """`expr`."""
    return expr


def sym_constrain_range(size: int, *, min: int | None = None, max: int | None = None) -> None:
    """RuntimeError unless min <= size <= max."""
    low = -math.inf if min is None else min
    high = math.inf if max is None else max
    if not low <= size <= high:
        raise RuntimeError(f"Invalid value range for {size} between [{low}, {high}].")


def sym_constrain_range_for_size(
    size: int, *, min: int | None = None, max: int | None = None
) -> None:
    """`sym_constrain_range` for a size, of which a maximum of 2 or less says too little."""
    if max is not None and max <= 2:
        raise RuntimeError(
            f"Max value to constrain_range_for_size must be greater than 2. got: {max}"
        )
    sym_constrain_range(size, min=min, max=max)
