"""Stages of pipelines in tests: a module that processes can import, however they were started."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn


class TwoWays(nn.Module):
    """Takes a tensor, or what another returned; returns tensors, one of whole numbers, or one."""

    def __init__(self, last: bool = False):
        super().__init__()
        self.one, self.two, self.last = nn.Linear(4, 4), nn.Linear(4, 4), last

    def forward(self, x: Any, other: Any = None, places: Any = None, scale: float = 1.0) -> Any:
        if other is not None:
            x = x + other[:, places]
        a, b = self.one(x).tanh() * scale, self.two(x)
        return a + b if self.last else (a, b, mg.tensor([3, 0, 2, 1]))


def mean_loss(output: Any, target: Any, factor: float = 1.0) -> Any:
    return factor * (output - target).square().mean()


class _Raise(mg.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, trigger: Any) -> Any:
        ctx.trigger = trigger
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        if ctx.trigger:
            raise KeyError("the reason")
        return grad, None


class Failing(nn.Module):
    """Raises in "forward" or "backward" while its buffer `trigger` is not 0."""

    def __init__(self, when: str):
        super().__init__()
        self.when = when
        self.register_buffer("trigger", mg.zeros(1))

    def forward(self, x: Any) -> Any:
        if self.when == "forward" and self.trigger:
            raise KeyError("the reason")
        return _Raise.apply(x, self.trigger)


class First(nn.Module):
    """The first of several results."""

    def forward(self, results: Any) -> Any:
        return results[0]
