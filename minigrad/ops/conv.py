"""Convolutions and transposed convolutions in one to three dimensions, with their bias.

Input x, weight w and output g are tied by one trilinear form (see `kernels/numpy_conv.py`). Three
nodes compute one of the three from the other two, and the gradients of each are the other two
nodes: so every order of gradient is again a convolution. One dimension is a height of 1, and of
three dimensions two become one where the kernel does not tell them apart.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import dtypes
from ..autograd.record import apply
from ..autograd.variable import Node
from ..dtypes import type_name
from ..kernels import cpu, fast
from ._nn import public
from ._shape import array_arg
from .reduce import sum

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]

Steps = tuple[int, ...]  # one for each spatial dimension


class Geometry(NamedTuple):
    """How x, w and g lie to each other: their own shapes, what kernels see, and the steps."""

    x_shape: tuple[int, ...]
    w_shape: tuple[int, ...]
    g_shape: tuple[int, ...]
    x: tuple[int, ...]
    w: tuple[int, ...]
    g: tuple[int, ...]
    steps: tuple[Steps, Steps, Steps, int]


def _bias_gradient(grad: Any, geometry: Geometry) -> Any:
    """grad, summed over all but the channels."""
    spatial = len(geometry.w_shape) - 2
    n = len(geometry.x_shape)
    return sum(grad, tuple(d for d in range(n) if d != n - 1 - spatial))


def _name(geometry: Geometry) -> str:
    """PyTorch's name of the node; it gives an input without a batch one, and takes it away."""
    batched = len(geometry.x_shape) == len(geometry.w_shape)
    return "ConvolutionBackward0" if batched else "SqueezeBackward1"


class Convolution(Node):
    """g from x and w, with a bias for each output channel."""

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, x: Any, w: Any, bias: Any, geometry: Geometry) -> Any:
        self.geometry = geometry
        made = fast.convolve(0, x, w, bias, geometry)
        if made is not None:
            return made
        x, w = x.reshape(geometry.x), w.reshape(geometry.w)
        return cpu.conv(x, w, bias, geometry.g, *geometry.steps).reshape(geometry.g_shape)

    def name(self) -> str:
        return _name(self.geometry)

    def backward(self, grad: Any) -> Any:
        """d x = transposed convolution of grad with w; d w = correlation of x with grad."""
        x, w = self.saved
        f, g, b = self.next
        return (
            f and apply(ConvolutionInput, (grad, w, None), self.geometry),
            g and apply(ConvolutionWeight, (x, grad), self.geometry),
            b and _bias_gradient(grad, self.geometry),
        )


class ConvolutionInput(Node):
    """x's gradient from g and w (a transposed convolution), with a bias for each channel of x."""

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, g: Any, w: Any, bias: Any, geometry: Geometry) -> Any:
        self.geometry = geometry
        made = fast.convolve(1, g, w, bias, geometry)
        if made is not None:
            return made
        g, w = g.reshape(geometry.g), w.reshape(geometry.w)
        return cpu.conv_input(g, w, bias, geometry.x, *geometry.steps).reshape(geometry.x_shape)

    def backward(self, grad: Any) -> Any:
        """d g = convolution of grad with w; d w = correlation of grad with g."""
        g, w = self.saved
        f, h, b = self.next
        return (
            f and apply(Convolution, (grad, w, None), self.geometry),
            h and apply(ConvolutionWeight, (grad, g), self.geometry),
            b and _bias_gradient(grad, self.geometry),
        )

    def name(self) -> str:
        return _name(self.geometry)


class ConvolutionWeight(Node):
    """w's gradient from x and g."""

    saves = (0, 1)
    cross = True
    fresh = True

    def forward(self, x: Any, g: Any, geometry: Geometry) -> Any:
        self.geometry = geometry
        made = fast.convolve(2, x, g, None, geometry)
        if made is not None:
            return made
        x, g = x.reshape(geometry.x), g.reshape(geometry.g)
        return cpu.conv_weight(x, g, geometry.w, *geometry.steps).reshape(geometry.w_shape)

    def backward(self, grad: Any) -> Any:
        """d x = transposed convolution of g with grad; d g = convolution of x with grad."""
        x, g = self.saved
        f, h = self.next
        return (
            f and apply(ConvolutionInput, (g, grad, None), self.geometry),
            h and apply(Convolution, (x, grad, None), self.geometry),
        )


def _sizes(name: str, role: str, value: Any, n: int) -> tuple[int, ...]:
    """An int for each of n dimensions, from an int or a list of one or n ints."""
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    try:
        sizes = tuple([operator.index(i) for i in items])
    except TypeError:
        wrong = next(i for i in items if not isinstance(i, int))
        raise TypeError(
            f"{name}(): argument '{role}' must be tuple of ints, not {wrong.__class__.__name__}"
        ) from None
    if len(sizes) not in (1, n):
        raise RuntimeError(
            f"expected {role} to be a single integer value or a list of {n} values to match the "
            f"convolution dimensions, but got {role}={list(sizes)}"
        )
    return sizes * n if len(sizes) == 1 else sizes


def _show(sizes: tuple[int, ...]) -> str:
    return "(" + " x ".join(map(str, sizes)) + ")"


def _check_types(name: str, x: Any, w: Any, bias: Any, dilation: tuple, transposed: bool) -> None:
    a, b = (type_name(dtypes.from_numpy(t.dtype)) for t in (x, w))
    if a != b:
        raise RuntimeError(f"{name}(): expected scalar type {a} but found {b}")
    if bias is not None and bias.dtype != x.dtype:
        a, b = (dtypes.from_numpy(t.dtype).name for t in (x, bias))
        raise RuntimeError(f"Input type ({a}) and bias type ({b}) should be the same")
    n = max(len(dilation), 2)  # a line is a plane
    small = x.dtype.kind in "iu" and x.dtype.itemsize < 8
    if transposed:
        kind = f"slow_conv_transpose{n}d_out_cpu"
    elif n < 3:
        kind, small = "slow_conv2d_cpu", False
    else:  # PyTorch has another kernel for dilations
        dilated = max(dilation) > 1
        kind, small = "slow_conv_dilated<>" if dilated else "compute_columns3d", small and dilated
    if a == "Bool" or small:
        raise NotImplementedError(f"\"{kind}\" not implemented for '{a}'")


def _check_shapes(
    name: str, n: int, x: Any, w: Any, bias: Any, groups: int, transposed: bool
) -> None:
    """PyTorch's checks of channels and groups, in its order; x is batched or not."""
    if w.ndim != n + 2:
        raise RuntimeError(
            f"Expected {w.ndim}-dimensional input for {w.ndim}-dimensional weight "
            f"{list(w.shape)}, but got {x.ndim}-dimensional input of size {list(x.shape)} instead"
        )
    size = list(w.shape)
    if w.shape[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but "
            f"got weight of size {size} instead"
        )
    if w.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{size}] instead"
        )
    channels = x.shape[-n - 1]
    needed = w.shape[0] if transposed else w.shape[1] * groups
    if channels != needed:
        given = f"transposed={transposed:d}" if transposed else f"groups={groups}"
        raise RuntimeError(
            f"Given {given}, weight of size {size}, expected input{list(x.shape)} to have "
            f"{needed} channels, but got {channels} channels instead"
        )
    out = w.shape[1] * groups if transposed else w.shape[0]
    if bias is not None and bias.shape != (out,):
        raise RuntimeError(
            f"Given {'transposed=1, ' if transposed else ''}weight of size {size}, expected bias "
            f"to be 1-dimensional with {out} elements, but got bias of size {list(bias.shape)} "
            "instead"
        )
    if 0 in w.shape[2:]:
        raise RuntimeError(f"{name}: weight of size {size} given; the kernel must not be empty")


def _check_steps(
    name: str, x: Any, w: Any, stride: tuple, padding: tuple, dilation: tuple, groups: int
) -> None:
    """PyTorch's checks of ranks and steps, which come before those of `_check_shapes`."""
    n = len(stride)
    if x.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}, but got input "
            f"of size: {list(x.shape)}"
        )
    if w.ndim < 3:
        raise RuntimeError("weight should have at least three dimensions")
    if groups.__class__ is not int:
        raise TypeError(f"{name}(): argument 'groups' must be int, not {type(groups).__name__}")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if any(p < 0 for p in padding):
        raise RuntimeError("negative padding is not supported")
    if min(stride) <= 0:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) <= 0:
        wrong = "dilation should be greater than zero"
        raise RuntimeError("non-positive dilation is not supported" if n == 3 else wrong)


def _geometry(
    x: tuple, w: tuple, g: tuple, stride: tuple, padding: tuple, dilation: tuple, groups: int
) -> Geometry:
    """The geometry of shapes that may lack a batch and a height."""
    seen = x if len(x) == len(w) else (1, *x), w, g if len(g) == len(w) else (1, *g)
    if len(w) == 3:
        seen = tuple([(*shape[:2], 1, shape[2]) for shape in seen])  # type: ignore[assignment]
        stride, padding, dilation = (1, *stride), (0, *padding), (1, *dilation)
    elif len(w) == 5:
        seen, stride, padding, dilation = _without_depth(seen, stride, padding, dilation)
    return Geometry(x, w, g, *seen, (stride, padding, dilation, groups))


def _without_depth(shapes: tuple, stride: tuple, padding: tuple, dilation: tuple) -> tuple:
    """Two dimensions in place of three, where a kernel of size 1 walks through two of them."""
    x, w, g = shapes
    for at in (1, 0):  # height and width, or depth and height, are one
        pair = slice(at, at + 2)
        if (w[2:][pair], stride[pair], padding[pair]) != ((1, 1), (1, 1), (0, 0)):
            continue
        if x[2:][pair] != g[2:][pair]:
            continue  # padding of the output
        merged = tuple([(*s[: 2 + at], s[2 + at] * s[3 + at], *s[4 + at :]) for s in shapes])
        steps = [(*s[:at], s[at], *s[at + 2 :]) for s in (stride, padding, dilation)]
        return merged, *steps
    return shapes, stride, padding, dilation


def _pads(
    name: str, padding: Any, stride: tuple, dilation: tuple, kernel: tuple
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The padding before and after along each dimension."""
    n = len(kernel)
    if not isinstance(padding, str):
        pads = _sizes(name, "padding", padding, n)
        return pads, pads
    if padding == "valid":
        return (0,) * n, (0,) * n
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, kernel)]
    return tuple([t // 2 for t in total]), tuple([t - t // 2 for t in total])


# The spatial dimensions of input and weight, as the docstrings call them.
_AXES = (("L", "R"), ("H, W", "R, S"), ("D, H, W", "T, R, S"))


def convolution_geometry(
    n: int, x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Geometry:
    """The geometry of a convolution over n dimensions; of the arrays only shapes and dtypes count.

    RuntimeError for shapes that do not fit together.
    """
    name = f"conv{n}d"
    steps = _sizes(name, "stride", stride, n)
    dilations = _sizes(name, "dilation", dilation, n)
    before, after = _pads(name, padding, steps, dilations, w.shape[2 : n + 2])
    _check_steps(name, x, w, steps, before, dilations, groups)
    _check_shapes(name, n, x, w, b, groups, False)
    _check_types(name, x, w, b, dilations, False)
    padded = tuple([i + p + q for i, p, q in zip(x.shape[-n:], before, after)])
    reach = tuple([d * (k - 1) + 1 for d, k in zip(dilations, w.shape[2:])])
    if 0 in x.shape[-n:] or any(i < k for i, k in zip(padded, reach)):
        raise RuntimeError(
            f"Calculated padded input size per channel: {_show(padded)}. Kernel size: "
            f"{_show(reach)}. Kernel size can't be greater than actual input size"
        )
    size = [(i - k) // s + 1 for i, k, s in zip(padded, reach, steps)]
    out = (*x.shape[: -n - 1], w.shape[0], *size)
    return _geometry(x.shape, w.shape, out, steps, before, dilations, groups)


def _conv(n: int) -> Callable:
    """Convolution over n dimensions."""
    name = f"conv{n}d"

    def conv(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        t = fast.fast_conv(
            Convolution, Geometry, n, input, weight, bias, stride, padding, dilation, groups
        )
        if t is not None:
            return t
        x, w = array_arg(name, input), array_arg(name, weight, 2, "weight")
        b = None if bias is None else array_arg(name, bias, 3, "bias")
        geometry = convolution_geometry(n, x, w, b, stride, padding, dilation, groups)
        return apply(Convolution, (input, weight, bias), geometry)

    space, kernel = _AXES[n - 1]
    doc = f"""Convolution of `input` ([N,] C, {space}) with `weight` (K, C / groups, {kernel}).

    `bias` is (K,); `padding` is a size, one for each dimension, "same" or "valid". RuntimeError
    for shapes that do not fit together.
    """
    return public(conv, name, doc)


conv1d = _conv(1)
conv2d = _conv(2)
conv3d = _conv(3)


def _transposed_size(
    x: Any, w: Any, stride: tuple, padding: tuple, more: tuple, dilation: tuple
) -> list[int]:
    """The spatial sizes of a transposed convolution's result, checked."""
    n = len(stride)
    if min(more) < 0:
        raise RuntimeError("negative output_padding is not supported")
    if any(o >= s and o >= d for o, s, d in zip(more, stride, dilation)):
        given = (("output_padding", more), ("stride", stride), ("dilation", dilation))
        axes = ("depth", "height", "width")[3 - n :]
        raise RuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            + " ".join(f"{role}_{a}: {v}" for role, vs in given for a, v in zip(axes, vs))
        )
    spatial = x.shape[-n:]
    size = [
        (i - 1) * s - 2 * p + d * (k - 1) + o + 1
        for i, s, p, d, k, o in zip(spatial, stride, padding, dilation, w.shape[2:], more)
    ]
    if min(size) < 1 or 0 in spatial:
        raise RuntimeError(
            f"Given input size per channel: {_show(spatial)}. Calculated output size per channel: "
            f"{_show(tuple(size))}. Output size is too small"
        )
    return size


def _conv_transpose(n: int) -> Callable:
    """Transposed convolution over n dimensions."""
    name = f"conv_transpose{n}d"

    def conv_transpose(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        given = stride, padding, dilation, groups, output_padding
        t = fast.fast_conv(ConvolutionInput, Geometry, n, input, weight, bias, *given)
        if t is not None:
            return t
        x, w = array_arg(name, input), array_arg(name, weight, 2, "weight")
        b = None if bias is None else array_arg(name, bias, 3, "bias")
        steps = _sizes(name, "stride", stride, n)
        pads = _sizes(name, "padding", padding, n)
        more = _sizes(name, "output_padding", output_padding, n)
        dilations = _sizes(name, "dilation", dilation, n)
        _check_steps(name, x, w, steps, pads, dilations, groups)
        _check_shapes(name, n, x, w, b, groups, True)
        _check_types(name, x, w, b, dilations, True)
        size = _transposed_size(x, w, steps, pads, more, dilations)
        out = (*x.shape[: -n - 1], w.shape[1] * groups, *size)
        geometry = _geometry(out, w.shape, x.shape, steps, pads, dilations, groups)
        return apply(ConvolutionInput, (input, weight, bias), geometry)

    space, kernel = _AXES[n - 1]
    doc = f"""Transposed convolution of `input` ([N,] C, {space}), the gradient of `conv{n}d`.

    `weight` is (C, K / groups, {kernel}), `bias` (K,). RuntimeError for shapes that do not fit
    together.
    """
    return public(conv_transpose, name, doc)


conv_transpose1d = _conv_transpose(1)
conv_transpose2d = _conv_transpose(2)
conv_transpose3d = _conv_transpose(3)
