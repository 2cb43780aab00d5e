"""Gamma and Dirichlet numbers, with gradients to their concentrations.

They are drawn one after the other from PyTorch's stream, so that a seed gives its numbers. The
gradients are implicit (Figurnov et al. 2018): how a number moves with its parameter at a constant
quantile.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes, fills
from .autograd.record import apply
from .autograd.variable import Node, Variable, is_float
from .backend import need_cpu
from .generator import Generator, chosen
from .kernels import cpu
from .ops import mul, sub
from .ops import sum as _sum
from .ops._shape import need_tensor

_F64 = np.dtype(np.float64)


def _doubles(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x, _F64).reshape(x.shape)


def _float_operand(name: str, x: Any) -> None:
    array = need_tensor(name, x)._array
    if not is_float(array):
        raise fills.unsupported(name, array.dtype)


def _gammas(concentration: np.ndarray, g: Generator) -> np.ndarray:
    """Standard gamma numbers, float64, in C order."""
    need_cpu("gamma numbers", concentration)
    a = _doubles(concentration)
    out = np.empty(a.shape)
    if out.size:
        with g._lock:
            spare = np.array([g._normal is not None, g._normal or 0.0])
            cpu.sample_gamma(g._engine(), spare, a, out)
            g._normal = float(spare[1]) if spare[0] else None
    return out


def _no_second(name: str, grad: Any) -> None:
    if isinstance(grad, Variable):
        raise NotImplementedError(f"the derivative for '_{name}_grad' is not implemented.")


class StandardGamma(Node):
    """Gamma numbers of rate 1."""

    saves = (0,)
    saves_output = (0,)
    fresh = True

    def forward(self, a: Any, generator: Any) -> Any:
        smallest = dtypes.finfo(dtypes.from_numpy(a.dtype)).tiny
        drawn = _gammas(a, chosen(generator)).astype(a.dtype, copy=False)
        return np.maximum(drawn, a.dtype.type(smallest))

    def backward(self, grad: Any) -> Any:
        """grad * -(dP/da) / (dP/dx), P the distribution function."""
        _no_second("standard_gamma", grad)
        a, x = self.saved
        slope = np.empty(a.shape)
        cpu.gamma_slope(_doubles(a), _doubles(x), slope)
        return mul(grad, slope.astype(a.dtype, copy=False))


class SampleDirichlet(Node):
    """Gamma numbers over their sum in the last dimension."""

    saves = (0,)
    saves_output = (0,)
    fresh = True

    def forward(self, a: Any, generator: Any) -> Any:
        drawn = _gammas(a, chosen(generator))
        shares = (drawn / drawn.sum(-1, keepdims=True)).astype(a.dtype, copy=False)
        kind = dtypes.finfo(dtypes.from_numpy(a.dtype))
        return np.clip(shares, a.dtype.type(kind.tiny), a.dtype.type(1 - kind.eps / 2))

    def backward(self, grad: Any) -> Any:
        """slope * (grad - sum(grad * x)); slope = dx / da / (1 - x) of Beta(a, total - a)."""
        _no_second("dirichlet", grad)
        a, x = self.saved
        wide = _doubles(a)
        rest = _doubles(wide.sum(-1, keepdims=True) - wide)
        slope = np.empty(a.shape)
        cpu.beta_slope(_doubles(x), wide, rest, slope)
        centred = sub(grad, _sum(mul(grad, x), -1, keepdim=True))
        return mul(centred, slope.astype(a.dtype, copy=False))


def _standard_gamma(self: Any, generator: Any = None) -> Any:
    """Gamma numbers of the concentrations in a tensor and rate 1, with implicit gradients."""
    _float_operand("gamma_cpu", self)
    return apply(StandardGamma, (self,), generator)


def _sample_dirichlet(self: Any, generator: Any = None) -> Any:
    """Dirichlet vectors of the concentrations in the last dimension, with implicit gradients."""
    _float_operand("dirichlet", self)
    return apply(SampleDirichlet, (self,), generator)
