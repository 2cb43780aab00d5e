"""Variance and standard deviation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node
from ..kernels import cpu, reduction
from ..kernels.reduction import SAVES_INPUT, SAVES_MEAN, SAVES_OUTPUT, kind
from ._operands import write_out
from ._reduction import (
    check_flag,
    divided,
    fill,
    is_float,
    renamed,
    restore,
    scaled,
)
from ._shape import all_or, array_arg, array_of
from .arith import div, mul, sub
from .reduce import mean

__all__ = ["var", "std", "var_mean", "std_mean"]


_VAR = kind("var", SAVES_INPUT | SAVES_MEAN)
_STD = kind("std", SAVES_INPUT | SAVES_OUTPUT | SAVES_MEAN)


class Var(Node):
    """Variance over dimensions."""

    saves = (0,)

    def forward(self, x: Any, axes: tuple[int, ...], correction: float, keepdim: bool) -> Any:
        self.axes, self.number = axes, correction
        result, self.mean = cpu.var_mean(x, axes, correction, keepdim, False)
        return result if result.flags.c_contiguous else result.copy(order="C")

    def backward(self, grad: Any) -> Any:
        """grad * 2 (input - mean) / (n - correction)."""
        return _backward(self, grad, self.saved[0])


class Std(Var):
    """Standard deviation over dimensions."""

    saves_output = (0,)

    def forward(self, x: Any, axes: tuple[int, ...], correction: float, keepdim: bool) -> Any:
        self.axes, self.number = axes, correction
        result, self.mean = cpu.var_mean(x, axes, correction, keepdim, True)
        return result if result.flags.c_contiguous else result.copy(order="C")

    def backward(self, grad: Any) -> Any:
        """grad * (input - mean) / ((n - correction) * output); 0 where the output is 0."""
        x, out = self.saved
        through = fill(div(divided(grad, 2.0), out), array_of(out) == 0, 0)
        return _backward(self, through, x)


def _backward(node: Var, grad: Any, x: Any) -> Any:
    shape = array_of(x).shape
    count = 1
    for a in node.axes:
        count *= shape[a]
    rest = count - node.number
    grad = scaled(grad, 2.0 / rest if rest else np.inf)
    grad = restore(grad, node.axes, shape)
    if not rest and len(node.axes) == len(shape):
        return grad
    if isinstance(grad, np.ndarray):
        return mul(sub(x, restore(node.mean, node.axes, shape)), grad)
    return mul(grad, sub(x, restore(mean(x, node.axes), node.axes, shape)))


def _arguments(
    name: str, input: Any, dim: Any, unbiased: Any, keepdim: Any, correction: Any
) -> tuple[tuple, float]:
    """The dimensions and the correction that the several call forms mean."""
    x = array_arg(name, input)
    check_flag(name, keepdim)
    if isinstance(dim, bool):  # var(x, unbiased)
        if keepdim:
            raise TypeError(
                f"{name}() received an invalid combination of arguments: 'unbiased' and 'keepdim' "
                "without 'dim'"
            )
        dim, unbiased = None, dim
    if unbiased is not None:
        if correction is not None:
            raise TypeError(
                f"{name}() received an invalid combination of arguments: 'unbiased' and "
                "'correction' were both given; needed: one of them"
            )
        check_flag(name, unbiased, "unbiased")
        correction = int(unbiased)
    if not is_float(x):
        raise RuntimeError("std and var only support floating point and complex dtypes")
    correction = 1.0 if correction is None else float(correction)
    axes = all_or(dim, x.ndim)
    count = 1
    for a in axes:
        count *= x.shape[a]
    if count - correction <= 0:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "reduction factor (input numel divided by output numel).",
            stacklevel=3,
        )
    return axes, correction


_reduce = reduction.reduce


def _statistic(name: str, cls: type[Var], number: int, what: str) -> Any:
    def op(
        input: Any,
        dim: Any = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
        out: Any = None,
        **names: Any,
    ) -> Any:
        if unbiased is None and out is None and not names and dim.__class__ is not bool:
            c = 1.0 if correction is None else float(correction)
            result = _reduce(cls, number, input, dim, keepdim, c)
            if result is not None:
                return result
        if names:
            return renamed(op, locals())
        axes, c = _arguments(name, input, dim, unbiased, keepdim, correction)
        result = apply(cls, (input,), axes, c, keepdim)
        return result if out is None else write_out(name, out, result)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"""{what}

    The squared deviations from the mean are summed and divided by n - correction (1 if not given).
    Also `{name}(input, unbiased)`; `unbiased=False` is `correction=0`.
    """
    return op


def _with_mean(name: str, cls: type[Var]) -> Any:
    def op(
        input: Any,
        dim: Any = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
        **names: Any,
    ) -> tuple[Any, Any]:
        if names:
            return renamed(op, locals())
        axes, c = _arguments(name, input, dim, unbiased, keepdim, correction)
        both = apply(cls, (input,), axes, c, keepdim), mean(input, axes, keepdim)
        return named(node, both[0]), named(node, both[1])

    node = f"{cls.__name__.removesuffix('Backward0')}MeanBackward0"
    op.__name__ = op.__qualname__ = name
    first = name.removesuffix("_mean")
    op.__doc__ = f"`({first}, mean)` over `dim`, with the arguments of `{first}`."
    return op


var = _statistic("var", Var, _VAR, "Variance over `dim`.")
std = _statistic("std", Std, _STD, "Standard deviation over `dim`: the square root of `var`.")
var_mean = _with_mean("var_mean", Var)
std_mean = _with_mean("std_mean", Std)
