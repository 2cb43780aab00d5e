"""Containers of layers that become one layer of integers."""

from __future__ import annotations

from typing import Any

from .... import nn

__all__ = [
    "ConvBn1d",
    "ConvBn2d",
    "ConvBnReLU1d",
    "ConvBnReLU2d",
    "ConvReLU1d",
    "ConvReLU2d",
    "LinearReLU",
]


class _FusedModule(nn.Sequential):
    """Layers in a row; `parts` are the classes that they must have."""

    parts: tuple[type, ...]

    def __init__(self, *modules: Any):
        if len(modules) != len(self.parts) or not all(map(isinstance, modules, self.parts)):
            given = ", ".join(type(m).__name__ for m in modules)
            needed = ", ".join(p.__name__ for p in self.parts)
            raise TypeError(f"{type(self).__name__}: {given} were given; needed: {needed}")
        super().__init__(*modules)


class LinearReLU(_FusedModule):
    """Linear, ReLU."""

    parts = (nn.Linear, nn.ReLU)


class ConvReLU1d(_FusedModule):
    """Conv1d, ReLU."""

    parts = (nn.Conv1d, nn.ReLU)


class ConvReLU2d(_FusedModule):
    """Conv2d, ReLU."""

    parts = (nn.Conv2d, nn.ReLU)


class ConvBn1d(_FusedModule):
    """Conv1d, BatchNorm1d, for training."""

    parts = (nn.Conv1d, nn.BatchNorm1d)


class ConvBn2d(_FusedModule):
    """Conv2d, BatchNorm2d, for training."""

    parts = (nn.Conv2d, nn.BatchNorm2d)


class ConvBnReLU1d(_FusedModule):
    """Conv1d, BatchNorm1d, ReLU, for training."""

    parts = (nn.Conv1d, nn.BatchNorm1d, nn.ReLU)


class ConvBnReLU2d(_FusedModule):
    """Conv2d, BatchNorm2d, ReLU, for training."""

    parts = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU)
