"""Sums and concatenations that can be observed: operations of a model as modules."""

from __future__ import annotations

from typing import Any

from .... import nn, ops
from ....quantized import functional as Q
from ....quantized.tensor import dequantize, quantize_per_tensor
from .weights import OnGrid

__all__ = ["FloatFunctional", "QFunctional"]


def _called() -> RuntimeError:
    return RuntimeError("FloatFunctional is not to be called; use its functions, such as add(x, y)")


class FloatFunctional(nn.Module):
    """Functions of real tensors, whose results `prepare` observes: `self.sum.add(x, y)`."""

    def __init__(self) -> None:
        super().__init__()
        self.activation_post_process = nn.Identity()

    def forward(self, x: Any) -> Any:
        """RuntimeError: the functions are what is called."""
        raise _called()

    def add(self, x: Any, y: Any) -> Any:
        """x + y"""
        return self.activation_post_process(x + y)

    def add_scalar(self, x: Any, y: float) -> Any:
        """x + y for a number y, which is not observed."""
        return x + y

    def mul(self, x: Any, y: Any) -> Any:
        """x * y"""
        return self.activation_post_process(x * y)

    def mul_scalar(self, x: Any, y: float) -> Any:
        """x * y for a number y, which is not observed."""
        return x * y

    def cat(self, x: Any, dim: int = 0) -> Any:
        """The tensors of a list side by side."""
        return self.activation_post_process(ops.cat(x, dim))

    def add_relu(self, x: Any, y: Any) -> Any:
        """relu(x + y)"""
        return self.activation_post_process((x + y).relu())

    def matmul(self, x: Any, y: Any) -> Any:
        """x @ y"""
        return self.activation_post_process(x @ y)


class QFunctional(OnGrid):
    """The same of quantized tensors: real numbers are rounded to the grid of the module."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.zero_point = 1.0, 0
        self.activation_post_process = nn.Identity()

    def forward(self, x: Any) -> Any:
        """RuntimeError: the functions are what is called."""
        raise _called()

    def _rounded(self, x: Any, like: Any) -> Any:
        return quantize_per_tensor(x, self.scale, self.zero_point, like.dtype)

    def add(self, x: Any, y: Any) -> Any:
        """x + y"""
        return Q.add(x, y, self.scale, self.zero_point)

    def add_relu(self, x: Any, y: Any) -> Any:
        """relu(x + y)"""
        return Q.add(x, y, self.scale, self.zero_point, relu=True)

    def mul(self, x: Any, y: Any) -> Any:
        """x * y"""
        return self._rounded(dequantize(x) * dequantize(y), x)

    def cat(self, x: Any, dim: int = 0) -> Any:
        """The tensors of a list side by side."""
        return self._rounded(ops.cat([dequantize(t) for t in x], dim), x[0])

    def matmul(self, x: Any, y: Any) -> Any:
        """x @ y"""
        return self._rounded(dequantize(x) @ dequantize(y), x)

    def add_scalar(self, x: Any, y: float) -> Any:
        """NotImplementedError: the grid of the result is not known."""
        raise NotImplementedError("QFunctional.add_scalar: not in minigrad; dequantize before it")

    mul_scalar = add_scalar

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """Of a `FloatFunctional` whose results were observed."""
        new = cls()
        scale, zero_point = mod.activation_post_process.calculate_qparams()
        new.scale, new.zero_point = float(scale), int(zero_point)
        return new

    def extra_repr(self) -> str:
        return f"scale={self.scale}, zero_point={self.zero_point}"

    def _get_name(self) -> str:
        return "QFunctional"
