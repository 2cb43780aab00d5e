"""Pooling over windows in one and two dimensions: maxima and averages.

One dimension is a height of 1. A maximum's gradient goes to the place its value came from, an
average's to the whole window; both are linear, so that each gradient is again one of these nodes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node
from ..kernels import cpu
from ._nn import public, torch_name
from ._operands import write_out
from ._shape import array_arg

__all__ = ["avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d"]


class Window(NamedTuple):
    """Shapes of input and output, their 4-d forms, and the sizes of the windows."""

    x_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    x: tuple[int, ...]
    out: tuple[int, ...]
    sizes: tuple


def of_lines(window: Window) -> bool:
    """Whether it stands for a window over lines, which PyTorch pools as planes of height 1."""
    return len(window.out_shape) < 4 and window.x[2] == 1


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
        return "SqueezeBackward1" if of_lines(self.window) else "MaxPool2DWithIndicesBackward0"


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
        return "SqueezeBackward1" if of_lines(self.window) else "AvgPool2DBackward0"


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


def need_type(kind: str, x: Any, integers: str) -> None:
    """NotImplementedError unless x is floating point or of one of these integer types' names."""
    if x.dtype.kind in "fV":
        return
    if dtypes.from_numpy(x.dtype).name not in integers.split():
        raise NotImplementedError(f"\"{kind}\" not implemented for '{torch_name(x)}'")


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


def output_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool
) -> int:
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


def _check_line_sizes(kernel: int, stride: int, padding: int, dilation: int) -> None:
    """The checks of `max_pool1d`, in PyTorch's words."""
    named = (("kernel_size", kernel), ("stride", stride), ("dilation", dilation))
    for role, value in named:
        if value <= 0:
            raise RuntimeError(f"max_pool1d() {role} must be greater than zero, but got {value}")
    if padding < 0:
        raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {padding}")
    if padding > kernel // 2:
        raise RuntimeError(
            f"max_pool1d() padding should be at most half of kernel size, but got "
            f"padding={padding} and kernel_size={kernel}"
        )


def _check_sizes(kernel: tuple, stride: tuple, padding: tuple, dilation: tuple) -> None:
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
    name: str, n: int, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool,
    line: bool = False, more: tuple = (),
) -> Window:  # fmt: skip
    """Checks the arguments; the window with kernel, stride, padding, and `more` or the dilation.

    `line`: with the checks and errors of `max_pool1d`.
    """
    k = _sizes(name, "kernel_size", kernel, n)
    given = stride is not None and not (isinstance(stride, (tuple, list)) and not stride)
    s = _sizes(name, "stride", stride, n) if given else k
    p = _sizes(name, "padding", padding, n)
    d = _sizes(name, "dilation", dilation, n)
    if line:
        _check_shape(name, x, n)
        _check_line_sizes(k[1], s[1], p[1], d[1])
    else:
        _check_sizes(k, s, p, d)
        _check_shape(name, x, n)
    shape = four(x.shape, n)
    out = tuple([output_size(shape[2 + a], k[a], s[a], p[a], d[a], ceil) for a in (0, 1)])
    if min(out) < 1:
        if line:
            raise RuntimeError(f"max_pool1d() Invalid computed output size: {out[1]}")
        c = shape[1]
        raise RuntimeError(
            f"Given input size: ({c}x{shape[2]}x{shape[3]}). Calculated output size: "
            f"({c}x{out[0]}x{out[1]}). Output size is too small"
        )
    out_shape = (*x.shape[:-n], *out[2 - n :])
    return Window(x.shape, out_shape, shape, (*shape[:2], *out), (k, s, p, *(more or (d,))))


_plans: dict[tuple, Window] = {}
_MAX_PLANS = 1024


def _plain(sizes: tuple) -> bool:
    """Whether sizes are ints, tuples of ints or None. Others may be equal to one that is not."""
    for size in sizes:
        if size.__class__ is tuple:
            for item in size:
                if item.__class__ is not int:
                    return False
        elif size.__class__ is not int and size is not None:
            return False
    return True


def _plan(
    name: str,
    n: int,
    x: Any,
    sizes: tuple[Any, Any, Any, Any],
    ceil: bool,
    line: bool = False,
    more: tuple = (),
) -> Window:
    """What `_window` finds for kernel, stride, padding and dilation; remembered."""
    if not _plain(sizes):
        return _window(name, n, x, *sizes, ceil, line, more)
    key = (name, x.shape, sizes, bool(ceil), line, more)
    plan = _plans.get(key)
    if plan is None:
        plan = _window(name, n, x, *sizes, ceil, line, more)
        if len(_plans) >= _MAX_PLANS:
            _plans.clear()
        _plans[key] = plan
    return plan


def _max_pool(n: int) -> Callable:
    """Maxima over windows of n dimensions."""
    name = f"max_pool{n}d"

    def max_pool(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        x = array_arg(name, input)
        # PyTorch's errors for lines are its own, unless it has to find indices.
        line = n == 1 and not return_indices
        sizes = (kernel_size, stride, padding, dilation)
        window = _plan(name, n, x, sizes, ceil_mode, line)
        if line:
            need_type("max_pool1d_impl", x, "")
        else:
            need_type("max_pool2d", x, "uint8 int8 int16 int32 int64")
        cls = MaxPoolWithIndices if return_indices else MaxPool
        return apply(cls, (input,), window)

    doc = f"""The maximum of each window of `input` ([N,] C, {"L" if n == 1 else "H, W"}).

    With `return_indices` also its place, counted through the plane. The first of equal maxima
    counts; NaN is the largest. `stride` is `kernel_size` by default. RuntimeError for shapes that
    do not fit together.
    """
    return public(max_pool, name, doc)


max_pool1d = _max_pool(1)
max_pool2d = _max_pool(2)


def _avg_pool(
    name: str, n: int, input: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor_override: Any,
) -> Any:  # fmt: skip
    x = array_arg(name, input)
    if divisor_override == 0 and divisor_override is not None:
        raise RuntimeError("divisor must be not zero")
    divisor = 0 if divisor_override is None else operator.index(divisor_override)
    more = (bool(count_include_pad), divisor)
    window = _plan(name, n, x, (kernel_size, stride, padding, 1), ceil_mode, False, more)
    need_type("avg_pool2d", x, "int64")
    return apply(AvgPool, (input,), window)


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
    *,
    out: Any = None,
) -> Any:
    """The average of each window of `input` ([N,] C, H, W); `divisor_override` replaces its size.

    Padding counts as zeros unless `count_include_pad` is false. RuntimeError for shapes that do
    not fit together.
    """
    result = _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )  # fmt: skip
    return result if out is None else write_out("avg_pool2d", out, result)
