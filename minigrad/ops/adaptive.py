"""Pooling to a given output size, and the reverse of max pooling."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Node
from ..kernels import cpu
from ..kernels.elementwise import quiet
from .pool import Gather, Scatter, Window, array, four, need_type

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "max_unpool1d",
    "max_unpool2d",
]


_divide = quiet(np.divide)


def _bins(size: int, out: int) -> list[slice]:
    """The part of a dimension that each output covers; parts may overlap by one."""
    return [slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def _each(window: Window) -> Any:
    """(index of the output, part of the input) for each output position."""
    rows, columns = (_bins(window.x[2 + a], window.out[2 + a]) for a in (0, 1))
    for p, r in enumerate(rows):
        for q, c in enumerate(columns):
            yield (..., p, q), (..., r, c)


class AdaptiveAvgPool(Node):
    """The average of each part."""

    fresh = True

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        wide = cpu.widened(x.reshape(window.x))
        out = np.empty(window.out, wide.dtype)
        for o, i in _each(window):
            part = wide[i]
            count = wide.dtype.type(part.shape[2] * part.shape[3])
            out[o] = _divide(cpu.total(part, (2, 3)), count)
        return out.astype(x.dtype, copy=False).reshape(window.out_shape)

    def backward(self, grad: Any) -> Any:
        """grad / size of the part, added to each element of the part."""
        return apply(AdaptiveAvgPoolInput, (grad,), self.window)

    def name(self) -> str:
        one = self.window.out_shape[-2:] == (1, 1)
        return "MeanBackward1" if one else "AdaptiveAvgPool2DBackward0"


class AdaptiveAvgPoolInput(Node):
    """The gradient of `AdaptiveAvgPool`."""

    fresh = True

    def forward(self, g: Any, window: Window) -> Any:
        self.window = window
        wide = cpu.widened(g.reshape(window.out))
        out = np.zeros(window.x, wide.dtype)
        for o, i in _each(window):
            part = out[i]
            part += (wide[o] / wide.dtype.type(part.shape[2] * part.shape[3]))[..., None, None]
        return out.astype(g.dtype, copy=False).reshape(window.x_shape)

    def backward(self, grad: Any) -> Any:
        """The average of each part of grad."""
        return apply(AdaptiveAvgPool, (grad,), self.window)


def _last_nan_or_first_maximum(block: Any) -> Any:
    """Its place in each row of `block`, PyTorch's choice."""
    best = block.argmax(-1)
    nan = block != block
    if nan.any():
        last = block.shape[-1] - 1 - nan[..., ::-1].argmax(-1)
        best = np.where(nan.any(-1), last, best)
    return best


class AdaptiveMaxPool(Node):
    """The maximum of each part and its place in the plane."""

    fresh = True

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        planes = cpu.widened(x.reshape(window.x))
        self.where = np.empty(window.out, np.int64)
        for o, i in _each(window):
            part = planes[i]
            width = part.shape[3]
            flat = part.reshape(*part.shape[:2], part.shape[2] * width)
            best = _last_nan_or_first_maximum(flat)
            row, column = best // width + i[1].start, best % width + i[2].start
            self.where[o] = row * window.x[3] + column
        values = cpu.gather_planes(x.reshape(window.x), self.where)
        return values.reshape(window.out_shape), self.where.reshape(window.out_shape).copy()

    def backward(self, grads: Any) -> Any:
        """grad, added where each maximum was."""
        return apply(Scatter, (grads[0],), self.where, self.window)

    def name(self) -> str:
        return "AdaptiveMaxPool2DBackward0"


def _adaptive(name: str, n: int, input: Any, output_size: Any) -> Window:
    """Checks the arguments of an adaptive pooling and lays out its windows."""
    x = array(name, input)
    if x.ndim not in (n + 1, n + 2):
        if n == 1:
            raise RuntimeError(
                f"Expected 2 to 3 dimensions, but got {x.ndim}-dimensional tensor for argument #1 "
                f"'self' (while checking arguments for {name})"
            )
        colon = ":" if "max" in name else ""
        raise RuntimeError(f"{name}(): Expected 3D or 4D tensor, but got{colon} {list(x.shape)}")
    if output_size is None:
        raise TypeError("object of type 'NoneType' has no len()")
    items = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * n
    if len(items) != n:
        if n == 1:
            raise RuntimeError(
                f"{name}() argument 'output_size' should contain one int (got {len(items)})"
            )
        raise RuntimeError(f"{name}: output_size must be 2")
    size = tuple(
        [
            x.shape[x.ndim - n + d] if item is None else operator.index(item)
            for d, item in enumerate(items)
        ]
    )
    if min(size) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{', '.join(map(str, size))}}}"
        )
    mean = "avg" in name and set(size) == {1}  # of no elements: NaN
    for d in range(1 if "max" in name else x.ndim - n, x.ndim):
        if x.shape[d] == 0 and not mean:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {list(x.shape)} with dimension {d} being empty"
            )
    out_shape = (*x.shape[:-n], *size)
    return Window(x.shape, out_shape, four(x.shape, n), four(out_shape, n), ())


def _adaptive_avg(name: str, n: int, input: Any, output_size: Any) -> Any:
    window = _adaptive(name, n, input, output_size)
    need_type("adaptive_avg_pool2d", array(name, input), "")
    return apply(AdaptiveAvgPool, (input,), window)


def _adaptive_max(name: str, n: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    window = _adaptive(name, n, input, output_size)
    need_type("adaptive_max_pool2d", array(name, input), "")
    result = apply(AdaptiveMaxPool, (input,), window)
    return result if return_indices else result[0]


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    """Averages of `output_size` parts of `input` ([N,] C, L)."""
    return _adaptive_avg("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """Averages of `output_size` (an int or a pair; None keeps a size) parts of ([N,] C, H, W)."""
    return _adaptive_avg("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of `output_size` parts of `input` ([N,] C, L), with `return_indices` their places."""
    return _adaptive_max("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of `output_size` (an int or a pair) parts of ([N,] C, H, W); first of equal ones."""
    return _adaptive_max("adaptive_max_pool2d", 2, input, output_size, return_indices)


class MaxUnpool(Node):
    """Zeros with the elements written at `index` (the last one, where two meet)."""

    fresh = True

    def forward(self, x: Any, index: Any, window: Window) -> Any:
        self.where, self.window = index, window
        n, c, h, w = window.x
        out = np.zeros((n, c, h * w), x.dtype)
        count = window.out[2] * window.out[3]
        index = index.reshape(n, c, count)
        np.put_along_axis(out, index, x.reshape(n, c, count), axis=2)
        return out.reshape(window.x_shape)

    def backward(self, grad: Any) -> Any:
        """The elements of grad at the places."""
        return apply(Gather, (grad,), self.where, self.window)


def _pair(value: Any, n: int) -> tuple[int, ...]:
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return items * n if len(items) == 1 else items


def _max_unpool(
    name: str, n: int, input: Any, indices: Any, kernel: Any, stride: Any, padding: Any, size: Any
) -> Any:
    x, index = array(name, input), array(name, indices)
    if index.dtype != np.int64:
        raise RuntimeError("elements in indices should be type int64")
    if index.shape != x.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(x.shape)}) "
            f"but got indices tensor with shape: {list(index.shape)}"
        )
    if x.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Input to {name} should be a {n + 1}d or {n + 2}d Tensor, but got tensor with "
            f"dimension: {x.ndim}"
        )
    k, p = _pair(kernel, n), _pair(padding, n)
    s = k if stride is None else _pair(stride, n)
    default = tuple(
        [(i - 1) * b + a - 2 * c for i, a, b, c in zip(x.shape[-n:], k, s, p, strict=True)]
    )
    if size is None:
        given = default
    else:
        given = tuple(size)[-n:] if len(size) == n + 2 else tuple(size)
        if len(given) != n:
            raise ValueError(
                f"output_size should be a sequence containing {n} or {n + 2} elements, but it has "
                f"a length of '{len(size)}'"
            )
        for d, (got, usual, step) in enumerate(zip(given, default, s, strict=True)):
            if not usual - step < got < usual + step:
                raise ValueError(
                    f"invalid output_size {list(given)} (dim {d} must be between {usual - step} "
                    f"and {usual + step})"
                )
    shape = (*x.shape[:-n], *given)
    plane = int(np.prod(given))
    if index.size and (index.min() < 0 or index.max() >= plane):
        wrong = index[(index < 0) | (index >= plane)].flat[0]
        raise RuntimeError(
            f"Found an invalid max index: {wrong} (output volumes are of size "
            + "x".join(map(str, four(shape, n)[2:]))
            + ")"
        )
    window = Window(shape, x.shape, four(shape, n), four(x.shape, n), ())
    return apply(MaxUnpool, (input,), index.reshape(window.out), window)


def max_unpool1d(
    input: Any,
    indices: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Any:
    """The reverse of `max_pool1d`: the maxima at their places, zero elsewhere."""
    return _max_unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Any,
    indices: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Any:
    """The reverse of `max_pool2d`: the maxima at their places, zero elsewhere."""
    return _max_unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)
