"""Pooling over windows in three dimensions, and to a given size.

The nodes are those of two dimensions with kernels of three; places are counted through the volume.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Node
from ..kernels import cpu
from ._operands import write_out
from ._shape import array_arg
from .pool import MaxPool, Window, need_type, output_size

__all__ = ["adaptive_avg_pool3d", "adaptive_max_pool3d", "avg_pool3d", "max_pool3d"]

_Sizes = tuple[int, int, int]
_INTEGERS = "uint8 int8 int16 int32 int64"


def _five(shape: tuple) -> tuple[int, ...]:
    """A shape with three spatial dimensions as (N, C, D, H, W)."""
    return shape if len(shape) == 5 else (1, *shape)


def _window(x: Any, size: tuple[int, ...], *sizes: Any) -> Window:
    """The window of a result of spatial `size`; `x` and `out` are the columns of the channels.

    `sizes` holds both shapes in five dimensions and, of windows, what describes them.
    """
    out_shape = (*x.shape[:-3], *size)
    n, c, d, h, w = _five(x.shape)
    o, p, q = size
    whole = (n, c, d, h, w), (n, c, o, p, q)
    return Window(x.shape, out_shape, (n, c, d, h * w), (n, c, o, p * q), (*whole, *sizes))


class MaxPool3d(MaxPool):
    """The maximum of each window, and its place in the volume."""

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        shape, out_shape, *steps = window.sizes
        out, where = cpu.max_pool3d(x.reshape(shape), out_shape, *steps, True)  # type: ignore[call-arg]
        self.where = where.reshape(window.out)
        return out.reshape(window.out_shape), where.astype(np.int64).reshape(window.out_shape)

    def backward(self, grads: Any) -> Any:
        """grad, added where each maximum was."""
        return super().backward(grads[0])

    def name(self) -> str:
        return "MaxPool3DWithIndicesBackward0"


class MaxPool3dValues(MaxPool):
    """The maximum of each window; places are found only for a gradient."""

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        shape, out_shape, *steps = window.sizes
        need = self.next[0] is not None
        out, where = cpu.max_pool3d(x.reshape(shape), out_shape, *steps, need)  # type: ignore[call-arg]
        self.where = where.reshape(window.out) if need else None
        return out.reshape(window.out_shape)

    def name(self) -> str:
        return "MaxPool3DWithIndicesBackward0"


class AvgPool3d(Node):
    """The average of each window."""

    fresh = True

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        shape, out_shape, *steps = window.sizes
        return cpu.avg_pool3d(x.reshape(shape), out_shape, *steps).reshape(window.out_shape)

    def backward(self, grad: Any) -> Any:
        """grad / divisor, added to each element of the window."""
        return apply(AvgPool3dInput, (grad,), self.window)

    def name(self) -> str:
        return "AvgPool3DBackward0"


class AvgPool3dInput(Node):
    """The gradient of `AvgPool3d`."""

    fresh = True

    def forward(self, g: Any, window: Window) -> Any:
        self.window = window
        shape, out_shape, *steps = window.sizes
        out = cpu.avg_pool3d_backward(g.reshape(out_shape), shape, *steps)
        return out.reshape(window.x_shape)

    def backward(self, grad: Any) -> Any:
        """The average of each window of grad."""
        return apply(AvgPool3d, (grad,), self.window)


class AdaptiveAvgPool3d(Node):
    """The average of each part."""

    fresh = True

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        shape, out_shape = window.sizes
        return cpu.adaptive_avg_pool3d(x.reshape(shape), out_shape).reshape(window.out_shape)

    def backward(self, grad: Any) -> Any:
        """grad / size of the part, added to each element of the part."""
        return apply(AdaptiveAvgPool3dInput, (grad,), self.window)

    def name(self) -> str:
        one = self.window.out_shape[-3:] == (1, 1, 1)
        return "MeanBackward1" if one else "AdaptiveAvgPool3DBackward0"


class AdaptiveAvgPool3dInput(Node):
    """The gradient of `AdaptiveAvgPool3d`."""

    fresh = True

    def forward(self, g: Any, window: Window) -> Any:
        self.window = window
        shape, out_shape = window.sizes
        out = cpu.adaptive_avg_pool3d_backward(g.reshape(out_shape), shape)
        return out.reshape(window.x_shape)

    def backward(self, grad: Any) -> Any:
        """The average of each part of grad."""
        return apply(AdaptiveAvgPool3d, (grad,), self.window)


class AdaptiveMaxPool3d(MaxPool):
    """The maximum of each part and its place in the volume."""

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        shape, out_shape = window.sizes
        out, where = cpu.adaptive_max_pool3d(x.reshape(shape), out_shape)
        self.where = where.reshape(window.out)
        return out.reshape(window.out_shape), where.astype(np.int64).reshape(window.out_shape)

    def backward(self, grads: Any) -> Any:
        """grad, added where each maximum was."""
        return super().backward(grads[0])

    def name(self) -> str:
        return "AdaptiveMaxPool3DBackward0"


def _triple(name: str, role: str, value: Any) -> _Sizes:
    """(depth, height, width) from an int, a list of one, or a list of three."""
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(items) not in (1, 3):
        must = "must be" if name == "avg_pool3d" else "must either be"
        if name != "avg_pool3d" and role == "dilation":
            must = "must be either"
        omitted = " omitted," if role == "stride" else ""
        raise RuntimeError(f"{name}: {role} {must}{omitted} a single int, or a tuple of three ints")
    try:
        sizes = [operator.index(i) for i in items]
    except TypeError:
        wrong = next(i for i in items if not hasattr(i, "__index__"))
        raise TypeError(
            f"{name}(): argument '{role}' must be tuple of ints, not {wrong.__class__.__name__}"
        ) from None
    return sizes[0], sizes[len(sizes) // 2], sizes[-1]


def _show(role: str, sizes: _Sizes) -> str:
    return " ".join(f"{role}{axis}: {n}" for axis, n in zip("THW", sizes))


def _check(name: str, x: Any, k: _Sizes, s: _Sizes, p: _Sizes, d: _Sizes) -> None:
    """PyTorch's checks of windows and shape, in its order."""
    if x.ndim not in (4, 5):
        raise RuntimeError("non-empty 4D or 5D (batch mode) tensor expected for input")
    if 0 in s:
        raise RuntimeError("stride should not be zero")
    if min(p) < 0:
        raise RuntimeError(f"pad must be non-negative, but got pad: {min(p)}")
    for kernel, pad, step in zip(k, p, d):
        if pad > ((kernel - 1) * step + 1) // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={pad}, "
                f"kernel_size={kernel} and dilation={step}"
            )
    for role, what, sizes in (("kernel size", "k", k), ("stride", "d", s)):
        if min(sizes) <= 0:
            raise RuntimeError(f"{role} should be greater than zero, but got {_show(what, sizes)}")
    if min(d) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got {_show('dilation', d)}")
    if 0 in _five(x.shape)[1:]:
        full = "max_pool3d_with_indices_out_cpu_template" if name == "max_pool3d" else name
        raise RuntimeError(
            f"{full}(): Expected input's non-batch dimensions to have positive length, but input "
            f"has a shape of {list(x.shape)}"
        )


def _plan(
    name: str, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool, *more: Any
) -> Window:
    """Checks the arguments; the window with its sizes and `more` or the dilation."""
    k = _triple(name, "kernel_size", kernel)
    given = stride is not None and not (isinstance(stride, (tuple, list)) and not stride)
    s = _triple(name, "stride", stride) if given else k
    p, d = _triple(name, "padding", padding), _triple(name, "dilation", dilation)
    _check(name, x, k, s, p, d)
    spatial = x.shape[-3:]
    size = tuple([output_size(*axis, ceil) for axis in zip(spatial, k, s, p, d)])
    if name == "avg_pool3d" and any(i < size for i, size in zip(spatial, k)):
        given_size = " ".join(f"{axis}: {i}" for axis, i in zip("THW", spatial))
        raise RuntimeError(f"input image ({given_size}) smaller than kernel size ({_show('k', k)})")
    if min(size) < 1:
        c = x.shape[-4]
        before, after = ("x".join(map(str, (c, *dims))) for dims in (spatial, size))
        raise RuntimeError(
            f"Given input size: ({before}). Calculated output size: ({after}). Output size is too "
            "small"
        )
    return _window(x, size, k, s, p, *(more or (d,)))


def max_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of `input` ([N,] C, D, H, W).

    With `return_indices` also its place, counted through the volume. The first of equal maxima
    counts; NaN is the largest. `stride` is `kernel_size` by default. RuntimeError for shapes that
    do not fit together.
    """
    x = array_arg("max_pool3d", input)
    window = _plan("max_pool3d", x, kernel_size, stride, padding, dilation, ceil_mode)
    need_type("max_pool3d", x, _INTEGERS)
    return apply(MaxPool3d if return_indices else MaxPool3dValues, (input,), window)


def avg_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
    *,
    out: Any = None,
) -> Any:
    """The average of each window of `input` ([N,] C, D, H, W).

    `divisor_override` replaces the window's size. Padding counts as zeros unless
    `count_include_pad` is false. RuntimeError for shapes that do not fit together.
    """
    x = array_arg("avg_pool3d", input)
    if divisor_override is not None and divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    divisor = 0 if divisor_override is None else operator.index(divisor_override)
    more = bool(count_include_pad), divisor
    window = _plan("avg_pool3d", x, kernel_size, stride, padding, 1, ceil_mode, *more)
    need_type("avg_pool3d_out_frame", x, "int64")
    result = apply(AvgPool3d, (input,), window)
    return result if out is None else write_out("avg_pool3d", out, result)


def _parts(name: str, x: Any, wanted: Any) -> Window:
    """Checks the arguments of an adaptive pooling and lays out its parts."""
    most = "max" in name
    if isinstance(wanted, (tuple, list)) and x.ndim <= len(wanted):
        raise ValueError(f"Input dimension should be at least {len(wanted) + 1}")
    if x.ndim not in (4, 5):
        colon = ":" if most else ""
        raise RuntimeError(f"{name}(): Expected 4D or 5D tensor, but got{colon} {list(x.shape)}")
    if wanted is None:
        raise TypeError(f"{name}(): argument 'output_size' must be tuple of ints, not NoneType")
    items = tuple(wanted) if isinstance(wanted, (tuple, list)) else (wanted,) * 3
    if len(items) != 3:
        given = "(): internal error: output_size.size()" if most else ": output_size"
        raise RuntimeError(f"{name}{given} must be 3")
    size = tuple([k if i is None else operator.index(i) for k, i in zip(x.shape[-3:], items)])
    if min(size) < 0 and most:
        shape = [*x.shape[:-3], *size]
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(size)}: {shape}")
    if min(size) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{size[0]}, {size[1]},{size[2]}}}"
        )
    mean = not most and set(size) == {1}  # of no elements: NaN
    for d in range(1, x.ndim):
        if x.shape[d] == 0 and not mean:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {list(x.shape)} with dimension {d} being empty"
            )
    return _window(x, size)


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any:
    """Averages of `output_size` parts (an int or three; None keeps a size) of ([N,] C, D, H, W).

    RuntimeError or ValueError for other ranks.
    """
    x = array_arg("adaptive_avg_pool3d", input)
    window = _parts("adaptive_avg_pool3d", x, output_size)
    if x.size:
        need_type("adaptive_avg_pool3d_cpu", x, "")
    return apply(AdaptiveAvgPool3d, (input,), window)


def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of `output_size` parts (an int or three; None keeps a size) of ([N,] C, D, H, W).

    With `return_indices` also their places, counted through the volume; the first of equal ones.
    RuntimeError or ValueError for other ranks.
    """
    x = array_arg("adaptive_max_pool3d", input)
    window = _parts("adaptive_max_pool3d", x, output_size)
    need_type("adaptive_max_pool3d_cpu", x, "")
    result = apply(AdaptiveMaxPool3d, (input,), window)
    return result if return_indices else result[0]
