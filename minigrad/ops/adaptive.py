"""Pooling to a given output size, and the reverse of max pooling."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Node
from ..kernels import cpu
from ._nn import need_float, public
from ._shape import array_arg
from .pool import Gather, Scatter, Window, four, need_type, of_lines

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]


class AdaptiveAvgPool(Node):
    """The average of each part."""

    fresh = True

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        return cpu.adaptive_avg_pool2d(x.reshape(window.x), window.out).reshape(window.out_shape)

    def backward(self, grad: Any) -> Any:
        """grad / size of the part, added to each element of the part."""
        return apply(AdaptiveAvgPoolInput, (grad,), self.window)

    def name(self) -> str:
        if of_lines(self.window):
            return "SqueezeBackward1"
        one = self.window.out_shape[-2:] == (1, 1)
        return "MeanBackward1" if one else "AdaptiveAvgPool2DBackward0"


class AdaptiveAvgPoolInput(Node):
    """The gradient of `AdaptiveAvgPool`."""

    fresh = True

    def forward(self, g: Any, window: Window) -> Any:
        self.window = window
        out = cpu.adaptive_avg_pool2d_backward(g.reshape(window.out), window.x)
        return out.reshape(window.x_shape)

    def backward(self, grad: Any) -> Any:
        """The average of each part of grad."""
        return apply(AdaptiveAvgPool, (grad,), self.window)


class AdaptiveMaxPool(Node):
    """The maximum of each part and its place in the plane."""

    fresh = True

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        out, self.where = cpu.adaptive_max_pool2d(x.reshape(window.x), window.out)
        index = self.where.astype(np.int64).reshape(window.out_shape)
        return out.reshape(window.out_shape), index

    def backward(self, grads: Any) -> Any:
        """grad, added where each maximum was."""
        return apply(Scatter, (grads[0],), self.where, self.window)

    def name(self) -> str:
        return "SqueezeBackward1" if of_lines(self.window) else "AdaptiveMaxPool2DBackward0"


def _output_size(name: str, n: int, x: Any, output_size: Any) -> tuple[int, ...]:
    """The n sizes asked for; None keeps the input's. x has n + 1 or n + 2 dimensions."""
    if not isinstance(output_size, (tuple, list)):
        output_size = (output_size,) * n
        if output_size[0] is None:
            raise TypeError(f"{name}(): argument 'output_size' must be int, not NoneType")
    if len(output_size) != n:
        if n == 1:
            raise RuntimeError(
                f"{name}() argument 'output_size' should contain one int (got {len(output_size)})"
            )
        given = "(): internal error: output_size.size()" if "max" in name else ": output_size"
        raise RuntimeError(f"{name}{given} must be 2")
    wanted = zip(x.shape[-n:], output_size)
    size = tuple([kept if item is None else operator.index(item) for kept, item in wanted])
    if min(size) >= 0:
        return size
    if "max" in name:
        least, shape = min(size), [*x.shape[:-n], *size]
        raise RuntimeError(f"Trying to create tensor with negative dimension {least}: {shape}")
    raise RuntimeError(
        f"{name}: elements of output_size must be greater than or equal to 0 but received "
        f"{{{', '.join(map(str, size))}}}"
    )


def _adaptive(name: str, n: int, x: Any, output_size: Any) -> Window:
    """Checks the arguments of an adaptive pooling and lays out its windows."""
    if n == 2 and isinstance(output_size, (tuple, list)) and x.ndim <= len(output_size):
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    if x.ndim not in (n + 1, n + 2):
        if n == 1:
            raise RuntimeError(
                f"Expected 2 to 3 dimensions, but got {x.ndim}-dimensional tensor for argument #1 "
                f"'self' (while checking arguments for {name})"
            )
        colon = ":" if "max" in name else ""
        raise RuntimeError(f"{name}(): Expected 3D or 4D tensor, but got{colon} {list(x.shape)}")
    size = _output_size(name, n, x, output_size)
    mean = "avg" in name and set(size) == {1}  # of no elements: NaN
    for d in range(1 if "max" in name else x.ndim - n, x.ndim):
        if x.shape[d] == 0 and not mean:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {list(x.shape)} with dimension {d} being empty"
            )
    out_shape = (*x.shape[:-n], *size)
    return Window(x.shape, out_shape, four(x.shape, n), four(out_shape, n), ())


_plans: dict[tuple, Window] = {}
_MAX_PLANS = 1024


def _plan(name: str, n: int, x: Any, output_size: Any) -> Window:
    """What `_adaptive` finds for an int; remembered."""
    if output_size.__class__ is not int:
        return _adaptive(name, n, x, output_size)
    key = (name, x.shape, output_size)
    plan = _plans.get(key)
    if plan is None:
        plan = _adaptive(name, n, x, output_size)
        if len(_plans) >= _MAX_PLANS:
            _plans.clear()
        _plans[key] = plan
    return plan


def _adaptive_avg(n: int) -> Callable:
    """Averages of a given number of parts along n dimensions."""
    name = f"adaptive_avg_pool{n}d"

    def adaptive_avg_pool(input: Any, output_size: Any) -> Any:
        x = array_arg(name, input)
        window = _plan(name, n, x, output_size)
        if x.size:
            need_type("adaptive_avg_pool2d", x, "")
        return apply(AdaptiveAvgPool, (input,), window)

    return public(adaptive_avg_pool, name, f"Averages of `output_size` parts{_PARTS[n - 1]}")


def _adaptive_max(n: int) -> Callable:
    """Maxima of a given number of parts along n dimensions."""
    name = f"adaptive_max_pool{n}d"

    def adaptive_max_pool(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        x = array_arg(name, input)
        window = _plan(name, n, x, output_size)
        need_type("adaptive_max_pool2d", x, "")
        result = apply(AdaptiveMaxPool, (input,), window)
        return result if return_indices else result[0]

    doc = f"""Maxima of `output_size` parts{_PARTS[n - 1]}

    With `return_indices` also their places, counted through the plane; the first of equal ones.
    """
    return public(adaptive_max_pool, name, doc)


_PARTS = (
    " of `input` ([N,] C, L). RuntimeError for other ranks.",
    " (an int or a pair; None keeps a size) of `input` ([N,] C, H, W). RuntimeError or ValueError\n"
    "    for other ranks.",
)
adaptive_avg_pool1d = _adaptive_avg(1)
adaptive_avg_pool2d = _adaptive_avg(2)
adaptive_max_pool1d = _adaptive_max(1)
adaptive_max_pool2d = _adaptive_max(2)


class MaxUnpool(Node):
    """Zeros with the elements written at `index` (the last one, where two meet)."""

    fresh = True

    def forward(self, x: Any, index: Any, window: Window) -> Any:
        self.where, self.window = index, window
        n, c, *size = window.x
        out = np.zeros((n, c, math.prod(size)), x.dtype, like=x)
        count = math.prod(window.out[2:])
        index = index.reshape(n, c, count)
        np.put_along_axis(out, index, x.reshape(n, c, count), axis=2)
        return out.reshape(window.x_shape)

    def backward(self, grad: Any) -> Any:
        """The elements of grad at the places."""
        return apply(Gather, (grad,), self.where, self.window)


def _sizes(value: Any, n: int) -> tuple[int, ...]:
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return items * n if len(items) == 1 else items


def _unpooled(size: Any, default: tuple, stride: tuple) -> tuple:
    """The spatial sizes of the result: `default`, or the ones given, which may be a whole shape."""
    if size is None:
        return default
    n = len(default)
    given = tuple(size)[-n:] if len(size) == n + 2 else tuple(size)
    if len(given) != n:
        raise ValueError(
            f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a "
            f"length of '{len(size)}'"
        )
    for d, (got, usual, step) in enumerate(zip(given, default, stride)):
        if not usual - step < got < usual + step:
            raise ValueError(
                f"invalid output_size {list(given)} (dim {d} must be between {usual - step} and "
                f"{usual + step})"
            )
    return given


def _check_places(n: int, x: Any, index: Any, stride: tuple) -> None:
    if index.dtype != np.int64:
        raise RuntimeError("elements in indices should be type int64")
    if index.shape != x.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(x.shape)}) "
            f"but got indices tensor with shape: {list(index.shape)}"
        )
    flat = max(n, 2)  # a line is a plane
    if x.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Input to max_unpooling{flat}d should be a {n + 1}d or {n + 2}d Tensor, but got a "
            f"tensor with {x.ndim} dimensions."
        )
    for d in range(x.ndim - n - 1, x.ndim):
        if not x.shape[d]:
            raise RuntimeError(
                f"max_unpooling{flat}d_forward_out_cpu(): Expected input to have non-zero size for "
                f"non-batch dimensions, but got {list(x.shape)} with dimension {d} being empty."
            )
    if n == 3 and min(stride) <= 0:
        raise RuntimeError(f"strides should be greater than zero, but got stride: {list(stride)}")
    need_float(f"max_unpool{flat}d", x)


def _max_unpool(n: int) -> Callable:
    """The reverse of max pooling over n dimensions."""
    name = f"max_unpool{n}d"

    def max_unpool(
        input: Any,
        indices: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        output_size: Any = None,
    ) -> Any:
        x, index = array_arg(name, input), array_arg(name, indices, 2, "indices")
        k, p = _sizes(kernel_size, n), _sizes(padding, n)
        s = k if stride is None else _sizes(stride, n)
        _check_places(n, x, index, s)
        spatial = x.shape[-n:]
        default = tuple([(i - 1) * b + a - 2 * c for i, a, b, c in zip(spatial, k, s, p)])
        given = _unpooled(output_size, default, s)
        shape = (*x.shape[:-n], *given)
        wrong = index[(index < 0) | (index >= int(np.prod(given)))]
        if wrong.size:
            volume = "x".join(map(str, given if n > 1 else (*given, 1)))
            raise RuntimeError(
                f"Found an invalid max index: {wrong.flat[0]} (output volumes are of size {volume})"
            )
        # Places count through all of a plane or volume, so that it may be one line.
        channels = (1, *shape)[-n - 2 : -n]
        flat, few = ((*channels, 1, math.prod(size)) for size in (given, spatial))
        window = Window(shape, x.shape, flat, few, ())
        result = apply(MaxUnpool, (input,), index.reshape(window.out), window)
        return named("SqueezeBackward1" if n == 1 else f"MaxUnpool{n}DBackward0", result)

    doc = f"""The reverse of `max_pool{n}d`: the maxima at their places, zero elsewhere.

    `output_size` is the spatial shape where strides leave it open. RuntimeError for places outside
    it, ValueError for a size that no pooling would have come from.
    """
    return public(max_unpool, name, doc)


max_unpool1d = _max_unpool(1)
max_unpool2d = _max_unpool(2)
max_unpool3d = _max_unpool(3)
