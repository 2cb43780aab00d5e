"""What a row of the op table says, and how its inputs are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import minigrad as mg

FLOATS = ("float32", "float64")
HALVES = ("float16", "bfloat16")
INTS = ("int32", "int64")
ALL_INTS = ("uint8", "int8", "int16", "int32", "int64")
ALL = ("bool", *ALL_INTS, *HALVES, *FLOATS)


@dataclass(frozen=True)
class A:
    """An input array: values uniform in [lo, hi), rounded for integers.

    `dtype` fixes its type ("int64" for indices, "bool" for masks); else it takes the tested one.
    `distinct`: no two values are close (for sorting and maxima, whose gradient jumps at ties).
    """

    shape: tuple[int, ...] = (3, 4)
    lo: float = -2.0
    hi: float = 2.0
    dtype: str | None = None
    distinct: bool = False
    grad: bool = True
    sign: bool = False  # values -1 and 1

    def make(self, rng: np.random.Generator, dtype: str) -> np.ndarray:
        """The values as float64 or integers that the dtype holds exactly enough."""
        name = self.dtype or dtype
        if name == "bool":
            return rng.random(self.shape) < 0.5
        if self.sign:
            return rng.choice(np.array([-1.0, 1.0]), self.shape)
        if self.distinct:
            n = int(np.prod(self.shape))
            values = (rng.permutation(n) + 0.5) / max(n, 1) * (self.hi - self.lo) + self.lo
            values = values.reshape(self.shape)
            if "int" in name:
                values = rng.permutation(n).reshape(self.shape)
        else:
            values = rng.uniform(self.lo, self.hi, self.shape)
        if "int" in name:
            low = max(self.lo, 0) if name == "uint8" else self.lo
            if not self.distinct:
                low = int(np.ceil(low))
                values = rng.integers(low, max(int(self.hi), low + 1), self.shape)
            return values.astype(name)
        return values


@dataclass
class Row:
    """One case of one operation.

    `args` are `A` specifications, plain values, or lists/tuples of them. `torch` is the oracle, by
    default the function of the same name in torch, torch.nn.functional or torch.Tensor; `numpy` is
    the oracle where torch is absent (a function of NumPy arrays). `bad` is a call that must fail:
    (arguments, keyword arguments, error class, pattern in its message).
    """

    name: str
    args: tuple
    kwargs: dict = field(default_factory=dict)
    torch: Callable | None = None
    numpy: Callable | None = None
    dtypes: tuple[str, ...] = FLOATS
    grad: bool = True
    second: bool = True
    empty: tuple | None = None  # arguments with a zero-size input; made from args by default
    strided: bool = True
    bad: tuple | None = None
    op: Callable | None = None  # by default minigrad.ops's function of that name
    rtol: dict[str, float] = field(default_factory=dict)
    label: str = ""

    @property
    def id(self) -> str:
        return f"{self.name}{'-' + self.label if self.label else ''}"

    def function(self) -> Callable:
        """minigrad's function."""
        from minigrad import ops

        return self.op or ops.CATALOGUE[self.name]  # type: ignore[return-value]

    def oracle(self) -> Callable | None:
        """PyTorch's function, or None."""
        if self.torch is not None:
            return self.torch
        try:
            import torch
        except ImportError:
            return None
        for owner in (torch, torch.nn.functional, torch.Tensor):
            if hasattr(owner, self.name):
                return getattr(owner, self.name)
        raise AssertionError(f"row {self.id}: torch has no {self.name}; give torch=")


def build(spec: Any, rng: np.random.Generator, dtype: str, convert: Callable) -> Any:
    """Replaces the `A`s in a nest of arguments by `convert(values, spec)`."""
    if isinstance(spec, A):
        return convert(spec.make(rng, dtype), spec)
    if isinstance(spec, (list, tuple)):
        return type(spec)(build(s, rng, dtype, convert) for s in spec)
    if isinstance(spec, dict):
        return {k: build(v, rng, dtype, convert) for k, v in spec.items()}
    return spec


def to_numpy(values: np.ndarray, dtype: str) -> np.ndarray:
    """Values in minigrad's NumPy type for a dtype name."""
    return np.asarray(values).astype(mg.dtypes.from_name(dtype).numpy)


def functional(name: str) -> Callable | None:
    """PyTorch's function of `torch.nn.functional` (`torch` has some with other arguments)."""
    try:
        import torch
    except ImportError:
        return None
    return getattr(torch.nn.functional, name)
