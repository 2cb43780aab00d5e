"""What is measured: a group is a file here, and `CASES` of each file is its list.

A case makes, for one library, a function without arguments that does the work once and returns
what it computed. PyTorch and minigrad share names, so `make` is written once for both; NumPy and
JAX have forms of their own where they can do the work.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

GROUPS = (
    "matmul",
    "conv",
    "elementwise",
    "broadcast",
    "reduce",
    "softmax",
    "norm",
    "loss",
    "pool",
    "interpolation",
    "random",
    "dropout",
    "attention",
    "quantized",
    "recurrent",
    "index",
    "movement",
    "optim",
    "cast",
    "models",
    "scaling",
)

Run = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """One piece of work. `size` is small (tens of microseconds at most), medium or large."""

    name: str
    make: Callable[[ModuleType], Run]  # for torch and minigrad
    numpy: Callable[[], Run] | None = None
    jax: Callable[[ModuleType], Run] | None = None
    size: str = "medium"
    flops: float = 0.0
    bytes: float = 0.0  # least traffic with memory, where that bounds the work
    precision: str = "f32"  # which peak the flops are compared with
    tolerance: float = 1e-4  # of the answers, relative to their largest magnitude
    alone: bool = False  # in a process of its own, so that its peak memory can be told
    x: float = 0.0  # position on the axis of a scaling plot


def group(name: str) -> list[Case]:
    """The cases of a group."""
    return importlib.import_module(f"cases.{name}").CASES


def select(groups: Iterable[str], sizes: Iterable[str], pattern: str) -> list[tuple[str, Case]]:
    """(group, case) of what the options ask for."""
    wanted = set(sizes)
    return [
        (name, case)
        for name in groups
        for case in group(name)
        if case.size in wanted and pattern in f"{name} {case.name}"
    ]


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """Standard normal float32 numbers, the same for every library."""
    values = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return values * np.float32(scale) if scale != 1.0 else values


def tensor(
    t: ModuleType, *shape: int, seed: int = 0, grad: bool = False, scale: float = 1.0
) -> Any:
    """`normal` as a tensor of the library t."""
    return t.from_numpy(normal(*shape, seed=seed, scale=scale)).requires_grad_(grad)


def with_backward(t: ModuleType, forward: Callable[[], Any], leaves: list[Any]) -> Run:
    """Forward, then backward with a fixed gradient of the result; returns the leaves' gradients."""
    grad = tensor(t, *forward().shape, seed=99)

    def run() -> Any:
        for leaf in leaves:
            leaf.grad = None
        forward().backward(grad)
        return [leaf.grad for leaf in leaves]

    return run


def gradient_of(t: ModuleType, forward: Callable[[], Any], leaves: list[Any]) -> Run:
    """Only the backward pass of a graph that is kept."""
    result = forward()
    grad = tensor(t, *result.shape, seed=99)
    return lambda: t.autograd.grad(result, leaves, grad, retain_graph=True)
