"""Sums with products and quotients, and interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import as_array
from ..kernels import cpu, fast
from ..kernels._quiet import unsupported
from ._operands import converted, misfit, not_a_tensor, number, result_numpy, write_out
from ._shape import array_of, sum_to
from .arith import div, mul, neg, sub

__all__ = ["addcdiv", "addcmul", "lerp"]


class Addcmul(Node):
    """input + value * tensor1 * tensor2."""

    saves = (1, 2)

    def forward(self, x: Any, a: Any, b: Any, value: Any) -> Any:
        self.value = value
        self.shapes = x.shape, a.shape, b.shape
        return as_array(cpu.addcmul(x, a, b, value))

    def backward(self, grad: Any) -> Any:
        """grad; grad * value * tensor2; grad * value * tensor1."""
        a, b = self.saved
        f, g, h = self.next
        scaled = mul(grad, float(self.value)) if g or h else None
        return (
            f and sum_to(grad, self.shapes[0]),
            g and sum_to(mul(scaled, b), self.shapes[1]),
            h and sum_to(mul(scaled, a), self.shapes[2]),
        )


class Addcdiv(Node):
    """input + value * tensor1 / tensor2."""

    saves = (1, 2)

    def forward(self, x: Any, a: Any, b: Any, value: Any) -> Any:
        self.value = value
        self.shapes = x.shape, a.shape, b.shape
        return as_array(cpu.addcdiv(x, a, b, value))

    def backward(self, grad: Any) -> Any:
        """grad; grad * value / tensor2; -grad * value * tensor1 / tensor2^2."""
        a, b = self.saved
        f, g, h = self.next
        scaled = div(mul(grad, float(self.value)), b) if g or h else None
        return (
            f and sum_to(grad, self.shapes[0]),
            g and sum_to(scaled, self.shapes[1]),
            h and sum_to(neg(mul(scaled, div(a, b))), self.shapes[2]),
        )


_ADDCMUL, _ADDCDIV, _LERP = range(len(fast.TERNARY))


def _combined(name: str, cls: type[Node], tensors: tuple, value: Any, out: Any) -> Any:
    for position, (argument, tensor) in enumerate(
        zip(("input", "tensor1", "tensor2"), tensors, strict=True), 1
    ):
        if not isinstance(tensor, (Variable, np.ndarray)):
            raise not_a_tensor(name, argument, position, tensor)
    value = number(name, "value", 4, value)
    kinds = [array_of(t).dtype.kind for t in tensors]
    if cls is Addcdiv and kinds[1] not in "fV" and kinds[2] not in "fV":
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release "
            "addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv "
            "behavior can be implemented as (input + value * torch.trunc(tensor1 / tensor2))"
            ".to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for "
            "float inputs. The future addcdiv behavior is just the latter implementation: "
            "(input + value * tensor1 / tensor2), for all dtypes."
        )
    dtype = result_numpy(name, *tensors)
    if dtype.kind == "b":
        raise unsupported(f"{name}_cpu_out", np.empty(0, dtype))
    operands = tuple([converted(name, t, dtype) for t in tensors])
    try:
        result = apply(cls, operands, value if dtype.kind in "fV" else int(value))
    except ValueError:
        raise misfit(*operands) from None
    return result if out is None else write_out(name, out, result)


def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1, out: Any = None) -> Any:
    """`input + value * tensor1 * tensor2`, elementwise, broadcast."""
    if out is None:
        result = fast.fast_ternary(Addcmul, _ADDCMUL, input, tensor1, tensor2, value)
        if result is not None:
            return result
    return _combined("addcmul", Addcmul, (input, tensor1, tensor2), value, out)


def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1, out: Any = None) -> Any:
    """`input + value * tensor1 / tensor2`, elementwise, broadcast. Floats only."""
    if out is None:
        result = fast.fast_ternary(Addcdiv, _ADDCDIV, input, tensor1, tensor2, value)
        if result is not None:
            return result
    return _combined("addcdiv", Addcdiv, (input, tensor1, tensor2), value, out)


class Lerp(Node):
    """input + weight * (end - input)."""

    torch_name = "LerpBackward1"
    saves = (0, 1, 2)

    def forward(self, x: Any, end: Any, weight: Any) -> Any:
        self.shapes = x.shape, end.shape, np.shape(weight)
        return cpu.lerp(x, end, weight)

    def backward(self, grad: Any) -> Any:
        """grad * (1 - weight); grad * weight; grad * (end - input)."""
        x, end, weight = self.saved
        f, g, h = self.next
        return (
            f and sum_to(mul(grad, sub(1.0, weight)), self.shapes[0]),
            g and sum_to(mul(grad, weight), self.shapes[1]),
            h and sum_to(mul(grad, sub(end, x)), self.shapes[2]),
        )


class LerpNumber(Node):
    """input + weight * (end - input), the weight a number."""

    torch_name = "LerpBackward0"

    def forward(self, x: Any, end: Any, weight: float) -> Any:
        self.weight = weight
        self.shapes = x.shape, end.shape
        return as_array(cpu.lerp_number(x, end, weight))

    def backward(self, grad: Any) -> Any:
        """grad * (1 - weight); grad * weight."""
        f, g = self.next
        return (
            f and sum_to(mul(grad, 1.0 - self.weight), self.shapes[0]),
            g and sum_to(mul(grad, self.weight), self.shapes[1]),
        )


_C_NAMES = {"float32": "float", "float64": "double", "int64": "long int", "int32": "int",
            "int16": "short int", "int8": "signed char", "uint8": "unsigned char",
            "bool": "bool", "float16": "c10::Half", "bfloat16": "c10::BFloat16"}  # fmt: skip


def lerp(input: Any, end: Any, weight: Any, *, out: Any = None) -> Any:
    """`input + weight * (end - input)`, elementwise, broadcast; `weight`: tensor or number.

    RuntimeError unless all tensors have the same floating-point dtype.
    """
    if out is None:
        if weight.__class__ is float:
            result = fast.fast_lerp(LerpNumber, input, end, weight)
        else:
            result = fast.fast_ternary(Lerp, _LERP, input, end, weight, None)
        if result is not None:
            return result
    for position, (argument, value) in enumerate((("input", input), ("end", end)), 1):
        if not isinstance(value, (Variable, np.ndarray)):
            raise not_a_tensor("lerp", argument, position, value)
    by_tensor = isinstance(weight, (Variable, np.ndarray))
    dtype = array_of(input).dtype
    for argument, value in (("end", end), ("weight", weight)):
        if isinstance(value, (Variable, np.ndarray)) and array_of(value).dtype != dtype:
            wanted, given = (
                _C_NAMES[dtypes.from_numpy(d).name] for d in (dtype, array_of(value).dtype)
            )
            raise RuntimeError(f"expected dtype {wanted} for `{argument}` but got dtype {given}")
    if dtype.kind not in "fV":
        kernel = "lerp_kernel_tensor" if by_tensor else "lerp_kernel_scalar"
        raise unsupported(kernel, np.empty(0, dtype))
    try:
        if by_tensor:
            result = apply(Lerp, (input, end, weight))
        else:
            weight = float(number("lerp", "weight", 3, weight))
            result = apply(LerpNumber, (input, end), weight)
    except ValueError:
        raise misfit(input, end, weight if by_tensor else None) from None
    return result if out is None else write_out("lerp", out, result)
