"""Initialisers: they fill tensors in place, with PyTorch's very numbers for a seed."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.inplace import bump
from ..backend import device_of, move
from ..fills import fill_normal, fill_there, fill_uniform
from ..generator import Generator, chosen
from ..kernels import cpu
from ..ops import _lapack
from ..random import randperm

_LINEAR = (
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a nonlinearity changes the scale of its input, to be made up for.

    `param`: the negative slope of "leaky_relu". ValueError for an unknown name.
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if param is None:
            param = 0.01
        elif isinstance(param, bool) or not isinstance(param, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + param**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def _uniform(tensor: Any, a: float, b: float, generator: Generator | None) -> Any:
    tensor.detach().uniform_(a, b, generator=generator)
    return tensor


def _normal(tensor: Any, mean: float, std: float, generator: Generator | None) -> Any:
    tensor.detach().normal_(mean, std, generator=generator)
    return tensor


def _fill(tensor: Any, value: float) -> Any:
    tensor.detach().fill_(value)
    return tensor


def uniform_(
    tensor: Any, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Any:
    """Uniform numbers in [a, b)."""
    return _uniform(tensor, a, b, generator)


def normal_(
    tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Any:
    """Normal numbers."""
    return _normal(tensor, mean, std, generator)


def constant_(tensor: Any, val: float) -> Any:
    """One value everywhere."""
    return _fill(tensor, val)


def ones_(tensor: Any) -> Any:
    """1 everywhere."""
    return _fill(tensor, 1.0)


def zeros_(tensor: Any) -> Any:
    """0 everywhere."""
    return _fill(tensor, 0.0)


def _cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def trunc_normal_(
    tensor: Any,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Any:
    """Normal numbers, those outside [a, b] drawn anew until there are none."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of "
            "values may be incorrect.",
            stacklevel=2,
        )
    if a > b:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={a} > to={b}"
        )
    array = tensor._array
    g = chosen(generator, device_of(array))
    likely = _cdf((b - mean) / std) - _cdf((a - mean) / std)
    draw = _redraw_normals if likely > 0.3 else _reject_uniforms
    fill_there(lambda x: draw(x, float(mean), float(std), float(a), float(b), g), array)
    bump(tensor)
    return tensor


def _redraw_normals(
    array: np.ndarray, mean: float, std: float, a: float, b: float, g: Generator
) -> None:
    """Most normals fall inside: whole tensors are drawn until each element has been inside once."""
    low, high = array.dtype.type(a), array.dtype.type(b)
    fill_normal(array, mean, std, g)
    outside = (array < low) | (array > high)
    again = np.empty_like(array)
    while outside.any():
        fill_normal(again, mean, std, g)
        np.copyto(array, again, where=outside)
        outside = (array < low) | (array > high)


def _reject_uniforms(
    array: np.ndarray, mean: float, std: float, a: float, b: float, g: Generator
) -> None:
    """Few normals would fall inside: uniforms are accepted in proportion to the density."""
    mode = max(a, min(mean, b))
    log_peak = -0.5 * ((mode - mean) / std) ** 2
    dtype = array.dtype
    wide = np.float32 if dtype.itemsize == 2 else dtype.type

    def log_density(x: np.ndarray) -> np.ndarray:
        for step in (
            lambda v: v - wide(mean),
            lambda v: v / wide(std),
            lambda v: v * v,
            lambda v: v * wide(-0.5),
            lambda v: v - wide(log_peak),
        ):
            x = step(x.astype(wide, copy=False)).astype(dtype, copy=False)
        return x

    def log_uniform() -> np.ndarray:
        u = np.empty_like(array)
        fill_uniform(u, 0.0, 1.0, g)
        with np.errstate(divide="ignore"):
            return np.log(u.astype(wide, copy=False)).astype(dtype, copy=False)

    fill_uniform(array, a, b, g)
    pending = log_uniform() > log_density(array)
    again = np.empty_like(array)
    while pending.any():
        fill_uniform(again, a, b, g)
        np.copyto(array, again, where=pending)
        pending &= log_uniform() > log_density(again)


def eye_(tensor: Any) -> Any:
    """The identity matrix. ValueError unless 2-d."""
    if tensor._array.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    tensor._array[...] = move(np.eye(*tensor._array.shape), tensor.device)
    bump(tensor)
    return tensor


def dirac_(tensor: Any, groups: int = 1) -> Any:
    """The convolution weight that keeps its input, as far as there are channels."""
    array = tensor._array
    if array.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if array.shape[0] % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    per_group = array.shape[0] // groups
    middle = tuple(n // 2 for n in array.shape[2:])
    array.fill(0)
    for group in range(groups):
        for d in range(min(per_group, array.shape[1])):
            array[(group * per_group + d, d, *middle)] = 1
    bump(tensor)
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Any) -> tuple[int, int]:
    """How many numbers flow into and out of one unit of a weight."""
    shape = tensor._array.shape
    if len(shape) < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _calculate_correct_fan(tensor: Any, mode: str) -> int:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of {['fan_in', 'fan_out']}")
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return fan_in if mode == "fan_in" else fan_out


def xavier_uniform_(tensor: Any, gain: float = 1.0, generator: Generator | None = None) -> Any:
    """Glorot and Bengio (2010): uniform with std = gain * sqrt(2 / (fan_in + fan_out))."""
    a = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return _uniform(tensor, -a, a, generator)


def xavier_normal_(tensor: Any, gain: float = 1.0, generator: Generator | None = None) -> Any:
    """Glorot and Bengio (2010): normal with std = gain * sqrt(2 / (fan_in + fan_out))."""
    return _normal(tensor, 0.0, _xavier_std(tensor, gain), generator)


def _xavier_std(tensor: Any, gain: float) -> float:
    return gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))


def kaiming_uniform_(
    tensor: Any,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Any:
    """He et al. (2015): uniform with std = gain / sqrt(fan); `a` is the leaky relu's slope."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return _uniform(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Any,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Any:
    """He et al. (2015): normal with std = gain / sqrt(fan); `a` is the leaky relu's slope."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else _normal(tensor, 0, std, generator)


def _kaiming_std(tensor: Any, a: float, mode: str, nonlinearity: str) -> float | None:
    if 0 in tensor._array.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _orthonormal(x: Any) -> Any:
    """Q of the decomposition x = QR (rows >= columns) whose R has a positive diagonal.

    Float32 by Cholesky's factor R of x^T x in double precision, Q = x R^-1: products of matrices
    instead of a reflection for each column. Its columns are orthogonal to the precision of doubles
    times the square of x's condition, which a few vectors test; where that is not enough, LAPACK.
    """
    if x.dtype == np.float32:
        n = x.shape[1]
        turned = cpu.copy(x.T).astype(np.float64)
        products = cpu.empty((n, n), turned.dtype)  # the lower triangle, which is what is read
        for start in range(0, n, 64):
            rows = slice(start, start + 64)
            above = turned[: start + 64]
            cpu.gemm(products[rows, : len(above)], turned[rows], above.T, 1.0, 0.0, None, False)
        lower, info = _lapack.cholesky(products)
        if not info:
            q = _lapack.solve_triangular(lower, turned, False).T
            probes = np.cos(np.arange(4.0 * n)).reshape(n, 4)
            if np.abs(q.T @ (q @ probes) - probes).max() < 1e-8:
                return cpu.copy(q.T.astype(np.float32).T)
    q, r = np.linalg.qr(x)
    return q * np.sign(np.diag(r))


def orthogonal_(tensor: Any, gain: float = 1, generator: Generator | None = None) -> Any:
    """An orthogonal matrix (Saxe et al., 2013), from the QR decomposition of a normal one.

    Dimensions after the first count as columns. ValueError with fewer than 2 dimensions.
    """
    array = tensor._array
    if array.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if array.size == 0:
        return tensor
    rows = array.shape[0]
    flat = np.empty((rows, array.size // rows), array.dtype)
    fill_normal(flat, 0.0, 1.0, chosen(generator, device_of(array)))
    wide = rows < flat.shape[1]
    # The signs of R's diagonal make the distribution uniform.
    q = _orthonormal((flat.T if wide else flat).astype(np.result_type(flat, np.float32)))
    values = ((q.T if wide else q) * q.dtype.type(gain)).reshape(array.shape)
    array[...] = move(values, device_of(array))
    bump(tensor)
    return tensor


def sparse_(
    tensor: Any, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Any:
    """Normal numbers with a share `sparsity` of zeros in each column (Martens, 2010); 2-d only."""
    array = tensor._array
    if array.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = array.shape
    zeros = math.ceil(sparsity * rows)
    g = chosen(generator, device_of(array))
    fill_there(lambda x: fill_normal(x, 0.0, std, g), array)
    for column in range(columns):
        array[randperm(rows)._array[:zeros], column] = 0
    bump(tensor)
    return tensor


def _deprecated(new: Callable) -> Callable:
    old_name = new.__name__[:-1]

    @functools.wraps(new)
    def old(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            f"`nn.init.{old_name}` is now deprecated in favor of `nn.init.{new.__name__}`.",
            FutureWarning,
            stacklevel=2,
        )
        return new(*args, **kwargs)

    old.__name__ = old_name
    return old


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
