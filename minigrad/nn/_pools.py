"""Pooling functions of `nn.functional` that are composed or that draw random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..random import rand
from ._sizes import ntuple

__all__ = [
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d_with_indices",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d_with_indices",
    "max_pool2d_with_indices",
    "max_pool3d_with_indices",
]


def _named(function: Callable, name: str, doc: str) -> Callable:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _max_with_indices(n: int) -> Callable:
    pool = (ops.max_pool1d, ops.max_pool2d, ops.max_pool3d)[n - 1]

    def function(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> tuple:
        return pool(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    doc = f"`max_pool{n}d` with the positions of the maxima: (values, int64 indices)."
    return _named(function, f"max_pool{n}d_with_indices", doc)


max_pool1d_with_indices = _max_with_indices(1)
max_pool2d_with_indices = _max_with_indices(2)
max_pool3d_with_indices = _max_with_indices(3)


def _adaptive_with_indices(n: int) -> Callable:
    pool = (ops.adaptive_max_pool1d, ops.adaptive_max_pool2d, ops.adaptive_max_pool3d)[n - 1]

    def function(input: Any, output_size: Any, return_indices: bool = False) -> tuple:
        return pool(input, output_size, True)

    doc = f"`adaptive_max_pool{n}d` with the positions of the maxima: (values, int64 indices)."
    return _named(function, f"adaptive_max_pool{n}d_with_indices", doc)


adaptive_max_pool1d_with_indices = _adaptive_with_indices(1)
adaptive_max_pool2d_with_indices = _adaptive_with_indices(2)
adaptive_max_pool3d_with_indices = _adaptive_with_indices(3)


def _root(means: Any, norm_type: float, count: float) -> Any:
    """(count * |mean|) ^ (1 / p), with the sign of the mean: NaN for odd roots of negative sums."""
    sums = ops.mul(ops.mul(ops.sign(means), ops.relu(ops.abs(means))), count)
    return ops.pow(sums, 1.0 / norm_type)


def lp_pool1d(
    input: Any, norm_type: float, kernel_size: int, stride: Any = None, ceil_mode: bool = False
) -> Any:
    """The p-norm (without absolute values) of each window of `input` ([N,] C, L)."""
    means = ops.avg_pool1d(ops.pow(input, norm_type), kernel_size, stride, 0, ceil_mode)
    return _root(means, norm_type, kernel_size)


def lp_pool2d(
    input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Any:
    """The p-norm (without absolute values) of each window of `input` ([N,] C, H, W)."""
    height, width = ntuple(kernel_size, 2)
    means = ops.avg_pool2d(ops.pow(input, norm_type), kernel_size, stride, 0, ceil_mode)
    return _root(means, norm_type, height * width)


def lp_pool3d(
    input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Any:
    """The p-norm (without absolute values) of each window of `input` ([N,] C, D, H, W)."""
    depth, height, width = ntuple(kernel_size, 3)
    means = ops.avg_pool3d(ops.pow(input, norm_type), kernel_size, stride, 0, ceil_mode)
    return _root(means, norm_type, depth * height * width)


def _fractional(n: int) -> tuple[Callable, Callable]:
    pool = (ops.fractional_max_pool2d, ops.fractional_max_pool3d)[n - 2]
    name = f"fractional_max_pool{n}d"

    def with_indices(
        input: Any,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> tuple:
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
        if output_size is None:
            if n == 2 and len(output_ratio) > 2:
                raise ValueError(
                    f"{name} requires output_ratio to either be a single Int or tuple of Ints."
                )
            ratios = ntuple(output_ratio, n)
            output_size = [int(input.size(d - n) * ratios[d]) for d in range(n)]
        if _random_samples is None:
            batch = 1 if input.dim() == n + 1 else input.size(0)
            _random_samples = rand(
                batch, input.size(-n - 1), n, dtype=input.dtype, device=input.device
            )
        return pool(input, kernel_size, output_size, _random_samples)

    def function(
        input: Any,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> Any:
        result = with_indices(
            input, kernel_size, output_size, output_ratio, return_indices, _random_samples
        )
        return result if return_indices else result[0]

    doc = f"""Maxima of windows of `kernel_size` at random places, `output_size` in each dimension.

    `input` is ([N,] C, {"D, " * (n - 2)}H, W); `output_ratio` gives the size as a part of the
    input's. ValueError if neither is given. (Graham 2014.)
    """
    places = f"`{name}` with the positions of the maxima: (values, int64 indices)."
    return _named(function, name, doc), _named(with_indices, name + "_with_indices", places)


fractional_max_pool2d, fractional_max_pool2d_with_indices = _fractional(2)
fractional_max_pool3d, fractional_max_pool3d_with_indices = _fractional(3)
