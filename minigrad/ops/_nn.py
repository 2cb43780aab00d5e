"""What the neural-network families share: argument checks, reductions, differentiable gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import api
from ..autograd.variable import Node, Variable
from ..dtypes import type_name
from ..kernels._quiet import rounded
from ._operands import to_dtype
from .movement import reshape
from .reduce import mean, sum

REDUCTIONS = ("none", "mean", "sum")


def public(function: Callable, name: str, doc: str) -> Callable:
    """A function made for a number of dimensions, under the name that users see."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def need_tensor(name: str, argument: str, value: Any) -> Any:
    """The array of an argument that must be a tensor (or, within backward, an array)."""
    if isinstance(value, Variable):
        return value._array
    if isinstance(value, np.ndarray):
        return value
    raise TypeError(
        f"{name}(): argument '{argument}' must be Tensor, not {value.__class__.__name__}"
    )


def need_float(kernel: str, x: Any) -> None:
    """NotImplementedError, as PyTorch's, for an array that is not floating point."""
    if x.dtype.kind not in "fV":
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{torch_name(x)}'")


def torch_name(x: Any) -> str:
    """PyTorch's internal name of an array's dtype ("Float", "Long")."""
    return type_name(dtypes.from_numpy(x.dtype))


def need_same_dtype(x: Any, t: Any) -> None:
    """RuntimeError, in PyTorch's words, for a target whose dtype is not the input's."""
    if t.dtype != x.dtype:
        raise RuntimeError(f"Found dtype {torch_name(t)} but expected {torch_name(x)}")


def need_same_params(x: Any, *params: Any) -> None:
    """Parameters must have the input's dtype, or float32 beside a 16-bit input."""
    for p in params:
        if p is None:
            continue
        array = p._array
        if array.dtype == x.dtype or (x.dtype.itemsize == 2 and array.dtype == np.float32):
            continue
        if x.dtype == np.float32:
            raise RuntimeError("mixed dtype (CPU): expect parameter to have scalar type of Float")
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def reduction_of(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction meant, with PyTorch's legacy arguments. ValueError for an unknown one."""
    if size_average is not None or reduce is not None:
        if reduce is None or reduce:
            reduction = "mean" if size_average is None or size_average else "sum"
        else:
            reduction = "none"
        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction='{reduction}' instead.",
            stacklevel=3,
        )
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduced(values: Any, reduction: str) -> Any:
    """Values, their sum or their mean, in differentiable ops."""
    if reduction == "none":
        return values
    return sum(values) if reduction == "sum" else mean(values)


def like(gradient: Any, array: Any) -> Any:
    """A parameter's gradient in the parameter's own shape and dtype; None stays None."""
    if gradient is None:
        return None
    return rounded(gradient, array.dtype).reshape(array.shape)


def composed_grads(formula: Callable, inputs: tuple, grad: Any) -> tuple:
    """The gradients of `formula(*inputs)`, weighted by `grad`, that can be differentiated again.

    `formula` is the operation written with op functions. It is recorded on fresh views of the
    inputs, so that an input given twice gets two gradients. 16-bit inputs are computed in float32.
    """
    seen: list = []
    operands = []
    for t in inputs:
        if not isinstance(t, Variable):
            seen.append(None)
            operands.append(t)
            continue
        view = reshape(t, t._array.shape)
        seen.append(view if view._fn is not None else None)
        half = view._array.dtype.itemsize == 2 and view._array.dtype.kind in "fV"
        operands.append(to_dtype(view, np.dtype(np.float32)) if half else view)
    out = formula(*operands)
    if out._array.dtype != grad._array.dtype:
        out = to_dtype(out, grad._array.dtype)
    wanted = [v for v in seen if v is not None]
    found = iter(api.grad(out, wanted, grad, create_graph=True, allow_unused=True))
    return tuple([None if v is None else next(found) for v in seen])


def wanted(node: Node) -> tuple[bool, ...]:
    """Which inputs of a node need a gradient."""
    return tuple([fn is not None for fn in node.next])
