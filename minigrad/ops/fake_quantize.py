"""Rounding to a grid of few numbers in floating point, for training that foresees quantization."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node, Variable, is_float
from ..dtypes import type_name
from ..kernels.int8 import fake_quantize
from ._reduction import constant
from ._shape import need_tensor, normalize_dim
from .arith import mul

__all__ = ["fake_quantize_per_channel_affine", "fake_quantize_per_tensor_affine"]


class FakeQuantize(Node):
    """(clamp(round(input / scale) + zero_point) - zero_point) * scale."""

    fresh = True

    def forward(self, x: Any, scale: Any, zero: Any, least: int, most: int) -> Any:
        if zero.ndim == 0 and x.dtype == np.float32 and max(-least, most, abs(int(zero))) < 1 << 23:
            out, self.inside = fake_quantize(x, float(scale), int(zero), least, most)
            return out
        wide = np.promote_types(x.dtype, np.float32) if x.dtype.kind == "f" else np.float32
        with np.errstate(all="ignore"):
            steps = x.astype(wide) * (np.float32(1) / scale)
            # Zero points that are no integers are added before rounding.
            q = np.rint(steps) + zero if zero.dtype.kind == "i" else np.rint(steps + zero)
            if zero.ndim:
                # For channels PyTorch converts to int64, which makes the least number of what is
                # too large for it, and goes on in float64; for a whole tensor in float32.
                q = np.where(np.abs(q) < 2.0**63, q, -(2.0**63))
            self.inside = (q >= least) & (q <= most)
            held = np.fmin(np.fmax(q, least), most)  # NaN becomes the least
            real = np.float64 if zero.ndim else np.float32
            return ((held.astype(real) - zero.astype(real)) * scale).astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        """grad where nothing was clamped, else 0 (the straight-through estimator)."""
        return mul(grad, constant(grad, self.inside))


def _check(x: Any, least: int, most: int, kernel: str) -> None:
    if least > most:
        raise RuntimeError(
            f"`quant_min` should be less than or equal to `quant_max`: given {least} and {most}"
        )
    if not is_float(x):
        kind = type_name(dtypes.from_numpy(x.dtype))
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{kind}'")


def fake_quantize_per_tensor_affine(
    input: Any, scale: Any, zero_point: Any, quant_min: int, quant_max: int
) -> Any:
    """`input` rounded to multiples of `scale`, those that [quant_min, quant_max] stand for.

    `zero_point` is the integer that stands for 0. Both are numbers, or tensors of one element.
    Gradient: grad where nothing was clamped. RuntimeError for bounds that exclude each other or
    the zero point.
    """
    x = need_tensor("fake_quantize_per_tensor_affine", input)._array
    least, most = operator.index(quant_min), operator.index(quant_max)
    _check(x, least, most, "fake_quantize_tensor_cachemask_kernel_type_handling")
    if isinstance(scale, Variable):
        s, z = scale._array.reshape(()), zero_point._array.reshape(())
    else:
        s, z = np.asarray(scale, np.float32), np.asarray(operator.index(zero_point))
        if not least <= z <= most:
            raise RuntimeError("`zero_point` must be between `quant_min` and `quant_max`.")
    return apply(FakeQuantize, (input,), s.astype(np.float32), z.astype(np.int32), least, most)


def fake_quantize_per_channel_affine(
    input: Any, scale: Any, zero_point: Any, axis: int, quant_min: int, quant_max: int
) -> Any:
    """The same with a scale and a zero point (1-d tensors) for each index of dimension `axis`."""
    name = "fake_quantize_per_channel_affine"
    x = need_tensor(name, input)._array
    s = need_tensor(name, scale, 2, "scale")._array
    z = need_tensor(name, zero_point, 3, "zero_point")._array
    kind = dtypes.from_numpy(s.dtype)
    if kind not in (dtypes.float32, dtypes.bfloat16):
        raise RuntimeError(f"Scale must be Float or BFloat16, found {type_name(kind)}")
    kind = dtypes.from_numpy(z.dtype)
    if kind not in (dtypes.int32, dtypes.float32, dtypes.float16):
        raise RuntimeError(f"Zero-point must be Int32, Float or Half, found {type_name(kind)}")
    if s.ndim != 1 or z.ndim != 1:
        raise RuntimeError("scale and zero point should be 1-D tensors")
    least, most = operator.index(quant_min), operator.index(quant_max)
    if not 0 <= operator.index(axis) <= x.ndim:
        raise RuntimeError("`axis` must be between 0 and number of dimensions of input")
    dim = normalize_dim(axis, x.ndim)
    if s.shape != z.shape or s.shape != x.shape[dim : dim + 1]:
        raise RuntimeError(
            "dimensions of scale and zero-point are not consistent with input tensor"
        )
    _check(x, least, most, "fake_quantize_channel_cachemask_cpu_type_handling")
    if kind is dtypes.int32 and not ((z >= least) & (z <= most)).all():
        raise RuntimeError("`zero_point` must be between `quant_min` and `quant_max`.")
    shape = [1] * x.ndim
    shape[dim] = -1
    z = z if kind is dtypes.int32 else z.astype(np.float32)
    rest = (s.astype(np.float32).reshape(shape), z.reshape(shape), least, most)
    return apply(FakeQuantize, (input,), *rest)
