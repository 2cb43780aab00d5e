"""Pooling over windows in one and two dimensions: maxima and averages.

One dimension is a height of 1. A maximum's gradient goes to the place its value came from, an
average's to the whole window; both are linear, so that each gradient is again one of these nodes.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import ndarray
from ..kernels import cpu
from ._elementwise import type_name

__all__ = ["avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d"]


class Window(NamedTuple):
    """Shapes of input and output, their 4-d forms, and the sizes of the windows."""

    x_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    x: tuple[int, ...]
    out: tuple[int, ...]
    sizes: tuple


class Gather(Node):
    """The elements of each plane at `index`, an array (N, C, P, Q) of places."""

    fresh = True

    def forward(self, x: Any, index: Any, window: Window) -> Any:
        self.where, self.window = index, window
        return cpu.gather_planes(x.reshape(window.x), index).reshape(window.out_shape)

    def backward(self, grad: Any) -> Any:
        """grad, added at the places."""
        return apply(Scatter, (grad,), self.where, self.window)


class Scatter(Node):
    """Zeros with the elements added at `index`: the transpose of `Gather`."""

    fresh = True

    def forward(self, x: Any, index: Any, window: Window) -> Any:
        self.where, self.window = index, window
        values = x.reshape(window.out)
        return cpu.scatter_planes(values, index, window.x).reshape(window.x_shape)

    def backward(self, grad: Any) -> Any:
        """The elements of grad at the places."""
        return apply(Gather, (grad,), self.where, self.window)


class MaxPool(Node):
    """The maximum of each window."""

    fresh = True

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        need = self.next[0] is not None
        out, self.where = cpu.max_pool2d(x.reshape(window.x), window.out, *window.sizes, need)  # type: ignore[call-arg]
        return out.reshape(window.out_shape)

    def backward(self, grad: Any) -> Any:
        """grad, added where each maximum was."""
        return apply(Scatter, (grad,), self.where, self.window)

    def name(self) -> str:
        return "MaxPool2DWithIndicesBackward0"


class MaxPoolWithIndices(MaxPool):
    """The maximum of each window, and its place in the plane."""

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        out, self.where = cpu.max_pool2d(x.reshape(window.x), window.out, *window.sizes, True)  # type: ignore[call-arg]
        index = self.where.astype(np.int64).reshape(window.out_shape)
        return out.reshape(window.out_shape), index

    def backward(self, grads: Any) -> Any:
        """grad, added where each maximum was."""
        return apply(Scatter, (grads[0],), self.where, self.window)


class AvgPool(Node):
    """The average of each window."""

    fresh = True

    def forward(self, x: Any, window: Window) -> Any:
        self.window = window
        out = cpu.avg_pool2d(x.reshape(window.x), window.out, *window.sizes)
        return out.reshape(window.out_shape)

    def backward(self, grad: Any) -> Any:
        """grad / divisor, added to each element of the window."""
        return apply(AvgPoolInput, (grad,), self.window)

    def name(self) -> str:
        return "AvgPool2DBackward0"


class AvgPoolInput(Node):
    """The gradient of `AvgPool`."""

    fresh = True

    def forward(self, g: Any, window: Window) -> Any:
        self.window = window
        out = cpu.avg_pool2d_backward(g.reshape(window.out), window.x, *window.sizes)
        return out.reshape(window.x_shape)

    def backward(self, grad: Any) -> Any:
        """The average of each window of grad."""
        return apply(AvgPool, (grad,), self.window)


def array(name: str, input: Any) -> Any:
    """The array of the first argument. TypeError unless it is a tensor (or array)."""
    if isinstance(input, Variable):
        return input._array
    if isinstance(input, ndarray):
        return input
    raise TypeError(
        f"{name}(): argument 'input' (position 1) must be Tensor, not {input.__class__.__name__}"
    )


def need_type(kind: str, x: Any, integers: str) -> None:
    """NotImplementedError unless x is floating point or of one of these integer types' names."""
    name = dtypes.from_numpy(x.dtype).name
    if x.dtype.kind not in "fV" and name not in integers.split():
        shown = type_name(dtypes.from_numpy(x.dtype))
        raise NotImplementedError(f"\"{kind}\" not implemented for '{shown}'")


def four(shape: tuple, n: int) -> tuple[int, ...]:
    """A shape with n spatial dimensions, batched or not, as (N, C, H, W)."""
    shape = shape if len(shape) == n + 2 else (1, *shape)
    return shape if n == 2 else (*shape[:2], 1, shape[2])


def _sizes(name: str, role: str, value: Any, n: int) -> tuple[int, int]:
    """(height, width) from an int, a list of one, or a list of n; a line has height 1 or 0."""
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(items) not in (1, n):
        if n == 1:
            raise RuntimeError(f"{name}() argument '{role}' should contain one int")
        either = "must either be omitted, a" if role == "stride" else "must either be a"
        raise RuntimeError(f"{name}: {role} {either} single int, or a tuple of two ints")
    try:
        sizes = [operator.index(i) for i in items]
    except TypeError:
        wrong = next(i for i in items if not hasattr(i, "__index__"))
        raise TypeError(
            f"{name}(): argument '{role}' must be tuple of ints, not {wrong.__class__.__name__}"
        ) from None
    if n == 1:
        return (0 if role == "padding" else 1), sizes[0]
    return sizes[0], sizes[-1]


def _output(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> int:
    """How many windows fit along a dimension; with `ceil` the last one may overhang."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (span + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (count - 1) * stride >= size + padding:
        count -= 1  # a window must start inside the input or the padding before it
    return count


def _check_shape(name: str, x: Any, n: int) -> None:
    if n == 2 and name.startswith("max") and x.ndim not in (3, 4):
        raise RuntimeError("non-empty 3D or 4D (batch mode) tensor expected for input")
    if x.ndim not in (n + 1, n + 2):
        if name == "avg_pool1d":
            raise RuntimeError(
                f"Expected 2 to 3 dimensions, but got {x.ndim}-dimensional tensor for argument #1 "
                "'self' (while checking arguments for avg_pool1d)"
            )
        if name == "avg_pool2d" and x.ndim < 3:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-max(x.ndim, 1)}, "
                f"{max(x.ndim, 1) - 1}], but got -3)"
            )
        if name == "avg_pool2d":
            raise RuntimeError("non-empty 3D or 4D (batch mode) tensor expected for input")
    rest = x.shape[1:] if x.ndim == n + 2 else x.shape
    if x.ndim not in (n + 1, n + 2) or 0 in rest:
        start = "max_pool1d: " if name == "max_pool1d" else ""
        raise RuntimeError(
            f"{start}Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch "
            f"size for input, but got:{list(x.shape)}"
        )


def _check_sizes(name: str, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple) -> None:
    if name == "max_pool1d":
        for role, value in (
            ("kernel_size", kernel[1]),
            ("stride", stride[1]),
            ("dilation", dilation[1]),
        ):
            if value <= 0:
                raise RuntimeError(f"{name}() {role} must be greater than zero, but got {value}")
        if padding[1] < 0:
            raise RuntimeError(f"{name}() padding must be non-negative, but got {padding[1]}")
        if padding[1] > kernel[1] // 2:
            raise RuntimeError(
                f"{name}() padding should be at most half of kernel size, but got "
                f"padding={padding[1]} and kernel_size={kernel[1]}"
            )
        return
    if 0 in stride:
        raise RuntimeError("stride should not be zero")
    if min(padding) < 0:
        raise RuntimeError(f"pad must be non-negative, but got pad: {min(padding)}")
    for k, p, d in zip(kernel, padding, dilation, strict=True):
        if p > ((k - 1) * d + 1) // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, "
                f"kernel_size={k} and dilation={d}"
            )
    if min(kernel) <= 0 or min(stride) < 0:
        raise RuntimeError(
            "kernel size should be greater than zero, but got kH: "
            f"{kernel[0]} kW: {kernel[1]}; stride should be greater than zero"
        )
    if min(dilation) <= 0:
        raise RuntimeError(
            "dilation should be greater than zero, but got "
            f"dilationH: {dilation[0]} dilationW: {dilation[1]}"
        )


def _window(
    name: str, n: int, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool
) -> tuple[Window, tuple]:
    """Checks the arguments; the window without its sizes, and kernel, stride, padding, dilation."""
    k = _sizes(name, "kernel_size", kernel, n)
    given = stride is not None and not (isinstance(stride, (tuple, list)) and not stride)
    s = _sizes(name, "stride", stride, n) if given else k
    p = _sizes(name, "padding", padding, n)
    d = _sizes(name, "dilation", dilation, n)
    if name == "max_pool1d":
        _check_shape(name, x, n)
        _check_sizes(name, k, s, p, d)
    else:
        _check_sizes(name, k, s, p, d)
        _check_shape(name, x, n)
    shape = four(x.shape, n)
    out = tuple([_output(shape[2 + a], k[a], s[a], p[a], d[a], ceil) for a in (0, 1)])
    if min(out) < 1:
        if name == "max_pool1d":
            raise RuntimeError(f"max_pool1d() Invalid computed output size: {out[1]}")
        c = shape[1]
        raise RuntimeError(
            f"Given input size: ({c}x{shape[2]}x{shape[3]}). Calculated output size: "
            f"({c}x{out[0]}x{out[1]}). Output size is too small"
        )
    out_shape = (*x.shape[:-n], *out[2 - n :])
    return Window(x.shape, out_shape, shape, (*shape[:2], *out), ()), (k, s, p, d)


def _max_pool(
    name: str, n: int, input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
    ceil_mode: bool, return_indices: bool,
) -> Any:  # fmt: skip
    x = array(name, input)
    window, sizes = _window(name, n, x, kernel_size, stride, padding, dilation, bool(ceil_mode))
    if n == 1 and not return_indices:
        need_type("max_pool1d_impl", x, "")
    else:
        need_type("max_pool2d", x, "uint8 int8 int16 int32 int64")
    return apply(
        MaxPoolWithIndices if return_indices else MaxPool, (input,), window._replace(sizes=sizes)
    )


def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of `input` ([N,] C, L), with `return_indices` and its place.

    The first of equal maxima counts; NaN is the largest. `stride` is `kernel_size` by default.
    RuntimeError for shapes that do not fit together.
    """
    return _max_pool(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of `input` ([N,] C, H, W), with `return_indices` and its place.

    The first of equal maxima counts; NaN is the largest. Places count through the plane of H * W
    elements. RuntimeError for shapes that do not fit together.
    """
    return _max_pool(
        "max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def _avg_pool(
    name: str, n: int, input: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor_override: Any,
) -> Any:  # fmt: skip
    x = array(name, input)
    if divisor_override == 0 and divisor_override is not None:
        raise RuntimeError("divisor must be not zero")
    window, sizes = _window(name, n, x, kernel_size, stride, padding, 1, bool(ceil_mode))
    need_type("avg_pool2d", x, "int64")
    divisor = 0 if divisor_override is None else operator.index(divisor_override)
    sizes = (*sizes[:3], bool(count_include_pad), divisor)
    return apply(AvgPool, (input,), window._replace(sizes=sizes))


def avg_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """The average of each window of `input` ([N,] C, L).

    Padding counts as zeros unless `count_include_pad` is false. RuntimeError for shapes that do
    not fit together.
    """
    return _avg_pool(
        "avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None
    )


def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    """The average of each window of `input` ([N,] C, H, W); `divisor_override` replaces its size.

    Padding counts as zeros unless `count_include_pad` is false. RuntimeError for shapes that do
    not fit together.
    """
    return _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )  # fmt: skip
