"""`QuantizedTensor`: integers on a grid, which stand for (q - zero_point) * scale.

It holds the integers (uint8, int8 or int32) and the grid: a scale and a zero point, or one of each
for every index of a dimension. It is a tensor by class and shows its shape; `rules` says which
functions take it (movements of elements, relu, pooling, concatenation), and every other one raises
an error that says so. It records no graph: training goes through fake quantization.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dispatch, dtypes
from ..autograd.variable import Variable, is_float
from ..dispatch import LogicalArray
from ..kernels import cpu
from ..ops._shape import need_tensor, normalize_dim
from ..printing import tensor_repr, with_suffixes
from ..size import Size
from ..tensor import Tensor

__all__ = [
    "QuantizedTensor",
    "dequantize",
    "int_repr",
    "per_channel_affine",
    "per_channel_symmetric",
    "per_tensor_affine",
    "per_tensor_symmetric",
    "q_per_channel_axis",
    "q_per_channel_scales",
    "q_per_channel_zero_points",
    "q_scale",
    "q_zero_point",
    "qscheme",
    "quantize_per_channel",
    "quantize_per_tensor",
    "quantize_per_tensor_dynamic",
    "scheme_of",
]


class qscheme:  # noqa: N801 (PyTorch's name)
    """How a quantized tensor's grid is chosen: one for all or for each channel; around 0 or not."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


per_tensor_affine, per_tensor_symmetric = (
    qscheme("per_tensor_affine"),
    qscheme("per_tensor_symmetric"),
)
per_channel_affine = qscheme("per_channel_affine")
per_channel_symmetric = qscheme("per_channel_symmetric")

# The integers of a quantized dtype.
INTEGERS: dict[Any, tuple[np.dtype, int, int]] = {
    dtypes.quint8: (np.dtype(np.uint8), 0, 255),
    dtypes.qint8: (np.dtype(np.int8), -128, 127),
    dtypes.qint32: (np.dtype(np.int32), -(2**31), 2**31 - 1),
}
_QUANTIZED = {integers: dtype for dtype, (integers, _, _) in INTEGERS.items()}
RULES: dict[Any, Any] = {}  # filled by `rules`
_GRAD: Any = Variable.__dict__["_grad"]


def absent(name: str) -> NotImplementedError:
    """The error for a function that takes no quantized tensor."""
    return NotImplementedError(
        f"{name}: a quantized tensor was given, for which minigrad has movements of elements, "
        "relu, clamp, pooling and concatenation; needed: a real one, as dequantize() gives it, or "
        "a layer of minigrad.ao.nn.quantized"
    )


class QuantizedTensor(Tensor, arms=False):
    """A tensor of `integers` on a grid, `grid` (scale, zero_point) or,
    by channels, (scales float64, zero_points int64, axis)."""

    __slots__ = ("_live", "grid", "integers")
    integers: np.ndarray
    grid: tuple
    is_quantized = True

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rule = RULES.get(func)
        if rule is None:
            raise absent(func.__name__)
        return rule(func, args, kwargs or {})

    @staticmethod
    def apply_node(cls: type, inputs: tuple, *args: Any) -> Any:
        """NotImplementedError: a node works on real numbers."""
        raise absent(cls.__name__)

    dtype = property(lambda self: _QUANTIZED[self.integers.dtype])
    shape = property(lambda self: Size(self.integers.shape))
    requires_grad = property(lambda self: False)
    is_leaf = property(lambda self: True)
    grad_fn = property(lambda self: None)
    _grad = property(lambda self: None)
    grad = property(lambda self: None)
    data = property(lambda self: self)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """RuntimeError: integers have no gradient."""
        if requires_grad:
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        return self

    def element_size(self) -> int:
        """Bytes of an integer."""
        return self.integers.itemsize

    def __repr__(self, **options: Any) -> str:
        return _repr(self)

    def __deepcopy__(self, memo: dict) -> Any:
        return make(self.integers.copy(), self.grid)

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return (make, (self.integers, self.grid))


def make(values: np.ndarray, grid: tuple) -> QuantizedTensor:
    """The quantized tensor of integers, whose memory it shares."""
    t: Any = object.__new__(QuantizedTensor)
    _GRAD.__set__(t, None)
    t._array = LogicalArray(values.shape, np.dtype(np.float32))
    t._fn = t._cell = t._view = None
    t._live = dispatch.Live(Tensor)
    t.integers, t.grid = values, grid
    return t


def _repr(t: QuantizedTensor) -> str:
    text = tensor_repr(dequantize(t)).removesuffix(")")
    suffixes = [f"size={tuple(t.shape)}", f"dtype={t.dtype!r}"]
    suffixes.append(f"quantization_scheme={scheme_of(t)!r}")
    if len(t.grid) == 2:
        suffixes += [f"scale={t.grid[0]}", f"zero_point={t.grid[1]}"]
    else:
        scales, zeros = q_per_channel_scales(t), q_per_channel_zero_points(t)
        suffixes += [f"scale={scales!r}", f"zero_point={zeros!r}", f"axis={t.grid[2]}"]
    return with_suffixes(text, suffixes, len("tensor("))


# -- making ----------------------------------------------------------------------------------------


def _real(name: str, input: Any) -> Any:
    x = need_tensor(name, input)._array
    if isinstance(input, QuantizedTensor) or not is_float(x) or x.dtype != np.float32:
        raise RuntimeError(f"Quantize only works on Float Tensor, got {input.dtype!r} ({name})")
    return x


def _integers(name: str, dtype: Any) -> tuple[np.dtype, int, int]:
    found = INTEGERS.get(dtype)
    if found is None:
        raise RuntimeError(
            f"{name}: dtype {dtype!r} was given; needed: torch.quint8, torch.qint8, torch.qint32"
        )
    return found


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, Variable) else value


def quantize_per_tensor(input: Any, scale: Any, zero_point: Any, dtype: Any) -> QuantizedTensor:
    """`input` (float32) as integers q = round(input / scale + zero_point) of `dtype`.

    dtype is quint8, qint8 or qint32; rounding is to the nearest even, and what does not fit becomes
    the least or the largest. RuntimeError for other inputs and dtypes, and for a scale that is not
    positive or a zero point that is no such integer.
    """
    x = _real("quantize_per_tensor", input)
    integers, low, high = _integers("quantize_per_tensor", dtype)
    scale, zero = float(_number(scale)), int(_number(zero_point))
    if not (low <= zero <= high and np.float32(scale) > 0 and np.isfinite(scale)):
        raise RuntimeError(
            f"quantize_per_tensor: scale {scale}, zero_point {zero} were given; needed: a positive "
            f"scale, a zero point from {low} to {high}"
        )
    if integers.itemsize == 1:
        return make(cpu.quantize(x, scale, zero, low, high, integers), (scale, zero))
    steps = np.rint(x * (np.float32(1) / np.float32(scale)) + np.float32(zero))
    held = np.clip(np.nan_to_num(steps.astype(np.float64)), low, high)
    return make(held.astype(integers), (scale, zero))


def quantize_per_channel(
    input: Any, scales: Any, zero_points: Any, axis: int, dtype: Any
) -> QuantizedTensor:
    """`input` (float32) as integers, with a scale and a zero point for each index of `axis`."""
    x = _real("quantize_per_channel", input)
    integers, low, high = _integers("quantize_per_channel", dtype)
    axis = normalize_dim(axis, x.ndim)
    s = need_tensor("quantize_per_channel", scales)._array.astype(np.float64)
    z = need_tensor("quantize_per_channel", zero_points)._array.astype(np.int64)
    if s.shape != (x.shape[axis],) or z.shape != s.shape:
        raise RuntimeError(
            f"quantize_per_channel: {s.shape} scales and {z.shape} zero points were given; needed: "
            f"({x.shape[axis]},) of each"
        )
    shape = [1] * x.ndim
    shape[axis] = -1
    inverse = np.float32(1) / s.astype(np.float32)
    with np.errstate(all="ignore"):
        steps = x * inverse.reshape(shape) + z.astype(np.float32).reshape(shape)
        q = np.fmin(np.fmax(np.rint(steps.astype(np.float64)), low), high)
    return make(q.astype(integers), (s, z, axis))


def quantize_per_tensor_dynamic(input: Any, dtype: Any, reduce_range: bool) -> QuantizedTensor:
    """`input` quantized by its own range, to 7 bits with `reduce_range`."""
    x = _real("quantize_per_tensor_dynamic", input)
    integers, low, high = _integers("quantize_per_tensor_dynamic", dtype)
    if integers.itemsize != 1:
        raise RuntimeError("quantize_per_tensor_dynamic: dtype quint8 or qint8 is needed")
    least, largest = cpu.value_range(x)
    if not np.isfinite(least):
        raise RuntimeError("quantize_per_tensor_dynamic: finite numbers are needed")
    bounds = (int(low / 2), high // 2) if reduce_range else (low, high)
    scale, zero = cpu.range_grid(least, largest, *bounds)
    return make(cpu.quantize(x, scale, zero, low, high, integers), (scale, zero))


# -- looking ---------------------------------------------------------------------------------------


def dequantize(input: Any) -> Any:
    """The real numbers (q - zero_point) * scale in float32; of real tensors, their float32."""
    if isinstance(input, (list, tuple)):
        return [dequantize(t) for t in input]
    if not isinstance(input, QuantizedTensor):
        return need_tensor("dequantize", input).float()
    q, grid = input.integers, input.grid
    if len(grid) == 2:
        if q.dtype.itemsize == 1:
            return Tensor._from_array(cpu.dequantize(q, *grid))
        real = (q.astype(np.int64) - grid[1]).astype(np.float32) * np.float32(grid[0])
        return Tensor._from_array(real)
    scales, zeros, axis = grid
    shape = [1] * q.ndim
    shape[axis] = -1
    real = (q.astype(np.int64) - zeros.reshape(shape)) * scales.reshape(shape)
    return Tensor._from_array(real.astype(np.float32))


def _need(name: str, input: Any, size: int) -> Any:
    if not isinstance(input, QuantizedTensor):
        raise RuntimeError(f"{name}: a real tensor was given; needed: a quantized one")
    if size and len(input.grid) != size:
        kind = "one grid" if size == 2 else "a grid for each channel"
        raise RuntimeError(f"{name}: needed: a quantized tensor with {kind}")
    return input


def int_repr(input: Any) -> Any:
    """The integers, as a tensor of uint8, int8 or int32."""
    return Tensor._from_array(_need("int_repr", input, 0).integers)


def q_scale(input: Any) -> float:
    """The scale of a tensor with one grid."""
    return _need("q_scale", input, 2).grid[0]


def q_zero_point(input: Any) -> int:
    """The zero point of a tensor with one grid."""
    return _need("q_zero_point", input, 2).grid[1]


def q_per_channel_scales(input: Any) -> Any:
    """The scales (float64) of a tensor with a grid for each channel."""
    return Tensor._from_array(_need("q_per_channel_scales", input, 3).grid[0])


def q_per_channel_zero_points(input: Any) -> Any:
    """The zero points (int64) of a tensor with a grid for each channel."""
    return Tensor._from_array(_need("q_per_channel_zero_points", input, 3).grid[1])


def q_per_channel_axis(input: Any) -> int:
    """The dimension whose indices have grids of their own."""
    return _need("q_per_channel_axis", input, 3).grid[2]


def scheme_of(input: Any) -> qscheme:
    """`Tensor.qscheme()`: per_tensor_affine or per_channel_affine."""
    return per_tensor_affine if len(_need("qscheme", input, 0).grid) == 2 else per_channel_affine
